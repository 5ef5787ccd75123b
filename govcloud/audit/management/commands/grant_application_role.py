from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from govcloud.audit import roles


class Command(BaseCommand):
    help = (
        "Give a database role what the application needs and no more: it can append to the audit trail, not change it. Run it "
        "as the owner of the tables, after migrating; the application then connects as that role."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "role", help="a database role that exists, is no superuser and owns no table of ours"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            appended = roles.grant(options["role"])
        except roles.NoSuchRole as missing:
            raise CommandError(
                f"{missing} is no database role that could be restricted: it does not exist, is a superuser, or is the owner."
            ) from missing
        self.stdout.write(f"{options['role']} can only append to: {', '.join(appended)}.")
