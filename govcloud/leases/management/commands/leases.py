from argparse import ArgumentParser
from collections import Counter
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from govcloud import clock
from govcloud.leases import notices, services
from govcloud.leases.foresight import Foreseen, foresee
from govcloud.leases.services import Outcome
from govcloud.leases.tasks import advance_all
from govcloud.periods import wall_clock


class Command(BaseCommand):
    help = "Show what leases that end or have ended make due: notices, suspensions, taking back. --apply does it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--apply", action="store_true", help="do it, as the scheduler does; else only show it"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        console = Console()
        if options["apply"]:
            self._apply(console)
            return
        foreseen = list(foresee(at=clock.now()))
        console.print(_table(foreseen))
        counted = Counter(each.what for each in foreseen)
        told = ", ".join(f"{what}: {count}" for what, count in sorted(counted.items()))
        console.print(f"Nothing has been done ({told or 'nothing is due'}). With --apply it is.")

    def _apply(self, console: Console) -> None:
        columns = SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn()
        outcomes: Counter[Outcome | None] = Counter()
        with Progress(*columns, console=console, transient=True) as progress:
            found = services.find(at=clock.now())
            warned = progress.add_task("notices", total=None)
            given = notices.announce(
                at=clock.now(), tell=lambda _what, count: progress.advance(warned, count)
            )
            due = services.due(at=clock.now())
            ended = progress.add_task("leases that have ended", total=len(due))

            def tell(outcome: Outcome | None) -> None:
                outcomes[outcome] += 1
                progress.advance(ended)

            failed = advance_all(due, tell=tell)
        table = Table("leases found to have ended", "warnings", *Outcome, "failed")
        table.add_row(str(found), str(given), *(str(outcomes[each]) for each in Outcome), str(failed))
        console.print(table)
        if failed:
            raise CommandError(f"{failed} could not be followed up; the log says why.", returncode=1)


def _table(foreseen: list[Foreseen]) -> Table:
    table = Table("what", "kind", "name", "system", "lease ends", "taken back", "waits for")
    for each in foreseen:
        resource = each.resource
        table.add_row(
            each.what,
            resource.kind,
            resource.name,
            resource.system.code,
            _day(resource.lease_end),
            _day(each.reclaim_at),
            each.waits_for,
        )
    return table


def _day(at: datetime | None) -> str:
    return "" if at is None else wall_clock(at)
