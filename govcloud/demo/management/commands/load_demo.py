from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import translation
from rich.console import Console
from rich.table import Table

from govcloud import clock
from govcloud.demo import data
from govcloud.demo.people import TITLES
from tenants.models import Role

console = Console(highlight=False)


class Command(BaseCommand):
    help = (
        "Load the demo data: a catalogue with prices, a cloud, 20 invented departments with 60 systems, and people in every "
        "role. Can be run again; only the embedded profile takes it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--cloud", default="sandbox", help="name of the cloud in clouds.yaml")
        parser.add_argument("--big", action="store_true", help="126 departments with 123 systems")
        parser.add_argument(
            "--show-logins", action="store_true", help="print who can sign in, and the password"
        )
        parser.add_argument("--url", default="", help="of the portal, to be shown with the logins")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            loaded = data.load(cloud=options["cloud"], at=clock.now(), big=options["big"])
        except data.DemonstrationOnly as refusal:
            raise CommandError(refusal.detail) from refusal
        if options["show_logins"]:
            _show_logins(loaded.password, url=options["url"])
        elif options["verbosity"]:
            console.print(
                f"{loaded.departments} departments, {loaded.systems} systems and {loaded.people} people are there. "
                f"The password of all of them, in this demo only: [bold]{loaded.password}[/bold]"
            )


def _show_logins(password: str, *, url: str) -> None:
    table = Table(title=f"Who can sign in{f' at {url}/' if url else ''}", title_justify="left")
    table.add_column("user name")
    table.add_column("role")
    table.add_column("角色")
    with translation.override("en"):
        for role in Role:
            table.add_row(role.value.replace("_", "-"), str(role.label), TITLES[role])
    console.print(table)
    console.print(f"The password of all of them, in this demo only: [bold]{password}[/bold]")
