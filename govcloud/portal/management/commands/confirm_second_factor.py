from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from govcloud import clock
from govcloud.audit.services import SystemActor
from govcloud.errors import DomainError
from govcloud.organisation import identity
from tenants.models import User


class Command(BaseCommand):
    help = (
        "Confirm somebody's second factor with the code that they tell you face to face, as long as there are fewer than "
        "two security administrators in office whose own are confirmed; from then on one of them confirms it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *_args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active account “{options['username']}”.")
        try:
            code = input(f"Confirmation code of {user.username}: ")
        except EOFError as end:
            raise CommandError("There was no code to read.") from end
        try:
            identity.confirm_on_the_machine(
                user=user, code=code, actor=SystemActor("installation"), at=clock.now()
            )
        except DomainError as refusal:
            raise CommandError(refusal.detail) from refusal
        if options["verbosity"]:
            self.stdout.write(f"The second factor of {user.username} counts from now on.")
