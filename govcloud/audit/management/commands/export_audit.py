from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Sum
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from govcloud import clock
from govcloud.audit import exporting, sealing
from govcloud.audit.models import Export, Seal
from govcloud.audit.services import SystemActor
from govcloud.errors import DomainError


class Command(BaseCommand):
    help = "Take the sealed audit trail off the machine now, to where AUDIT_EXPORT_TO says; workers do it once a day."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--quiet", action="store_true", help="no progress bar")

    def handle(self, *_args: Any, **options: Any) -> None:
        at = clock.now()
        while sealing.seal(at=at) is not None:
            continue
        columns = (TextColumn("exporting"), BarColumn(), MofNCompleteColumn(), TextColumn("events"))
        with Progress(*columns, console=Console(stderr=True), disable=options["quiet"]) as progress:
            bar = progress.add_task("events", total=_ahead())
            try:
                made = exporting.export(
                    actor=SystemActor("audit"), at=at, told=lambda done: progress.update(bar, completed=done)
                )
            except ValueError as failure:
                raise CommandError(str(failure)) from failure
            except DomainError as refusal:
                raise CommandError(refusal.detail) from refusal
        if made is None:
            self.stdout.write("Nothing to export: every seal has been delivered, or somebody else is at it.")
            return
        self.stdout.write(
            f"{made.file}: seals {made.first_seal} to {made.last_seal}, {made.events} events, {made.size} bytes, to "
            f"{made.destination}."
        )


def _ahead() -> int:
    last = Export.objects.exclude(delivered_at=None).order_by("-number").first()
    seals = Seal.objects.filter(number__gt=last.last_seal if last else 0)
    return seals.aggregate(events=Sum("events"))["events"] or 0
