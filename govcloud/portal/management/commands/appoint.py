from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from govcloud import clock
from govcloud.audit.services import SystemActor
from govcloud.errors import DomainError
from tenants.access import grants
from tenants.models import ADMINISTRATORS, User


class Command(BaseCommand):
    help = (
        "Give an administrator's role to somebody who has an account, as long as there are fewer than two security "
        "administrators in office; from then on two of them grant such a role together."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("role", choices=sorted(ADMINISTRATORS))

    def handle(self, *_args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active account “{options['username']}”.")
        try:
            grants.appoint(user=user, role=options["role"], actor=SystemActor("installation"), at=clock.now())
        except DomainError as refusal:
            raise CommandError(refusal.detail) from refusal
        if options["verbosity"]:
            self.stdout.write(f"{user.username} is {options['role']} from now on.")
