import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from govcloud import clock
from govcloud.audit.services import SystemActor
from govcloud.ciphers import Unreadable
from govcloud.clouds import guest_keys
from govcloud.provisioning import rotation
from govcloud.provisioning.rotation import AnotherKeyInUse, Standing, StillNeeded

OPERATOR = SystemActor("rotate_guest_key")
LOOK_EVERY = 2.0  # seconds


class Command(BaseCommand):
    help = (
        "The key with which the centre enters servers: show which servers have the current one. --replace makes a new key, which "
        "the workers then bring to one server after the other; --destroy-former ends it, once no server needs an earlier one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--replace", action="store_true", help="make a new key and let it be the current one from now on"
        )
        what.add_argument(
            "--destroy-former", action="store_true", help="destroy the private halves of the former keys"
        )
        parser.add_argument(
            "--watch", action="store_true", help="stay until every server that can be entered has been tried"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        console = Console(highlight=False)
        if options["replace"]:
            self._replace(console)
        elif options["destroy_former"]:
            self._destroy(console)
        if options["watch"]:
            _watch(console)
        _show(console)

    def _replace(self, console: Console) -> None:
        try:
            row = rotation.replace(actor=OPERATOR, at=clock.agreed()())
        except (ImproperlyConfigured, Unreadable, AnotherKeyInUse) as error:
            raise CommandError(f"Nothing was changed. {error}") from error
        console.print(f"{row.name} was made. It is in the database alone: back that up now.")

    def _destroy(self, console: Console) -> None:
        if guest_keys.latest() is None:
            raise CommandError("The key has never been replaced: there is no former one.")
        try:
            rows = rotation.destroy_former(actor=OPERATOR, at=clock.agreed()())
        except StillNeeded as needed:
            raise CommandError(f"Nothing was destroyed. {needed}") from needed
        for row in rows:
            console.print(f"The private half of {row.name} was destroyed.")


def _watch(console: Console) -> None:
    columns = SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("Servers with the current key", total=None)
        while (now := rotation.standing(at=clock.agreed()())) is not None:
            progress.update(bar, completed=now.done, total=now.done + now.left)
            if not now.waiting and not rotation.under_way().exists():
                break
            time.sleep(LOOK_EVERY)


def _show(console: Console) -> None:
    at = clock.agreed()()
    current, standing = guest_keys.latest(), rotation.standing(at=at)
    if current is None or standing is None:
        console.print(f"The key of {settings.GUEST_KEY_FILE} is in use; it has never been replaced.")
        return
    console.print(f"{standing.current} is the current key. Servers:")
    console.print(_table(standing))
    for server, why in rotation.missing(at=at):
        console.print(f"{server.system.code} {server.name} ({server.uuid}): {why}", soft_wrap=True)
    kept = ", ".join(row.name for row in guest_keys.kept_before(current))
    if kept and not standing.left:
        console.print(f"No server needs {kept} any more: --destroy-former.", soft_wrap=True)


def _table(standing: Standing) -> Table:
    table = Table("have it", "waiting", "in hand", "stopped", "tried in vain", "without our key")
    counts = (standing.done, standing.waiting, standing.in_hand, standing.stopped, standing.tried)
    table.add_row(*map(str, counts), str(standing.by_department))
    return table
