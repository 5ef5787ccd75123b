from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand

from govcloud import clock
from govcloud.orders import discarded


class Command(BaseCommand):
    help = (
        "Remove files that are kept for nothing: those of failed uploads, which no order names, and those of drafts that were "
        "thrown away. A worker does it every hour; this does it also where there are far too many without an order."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only name them")

    def handle(self, *_args: Any, **options: Any) -> None:
        now, at = datetime.now(UTC), clock.now()
        if options["dry_run"]:
            self._name(now, at)
            return
        swept = discarded.sweep(now=now, at=at, whatever=True)
        self.stdout.write(
            f"{swept.unnamed} files without an order and {swept.discarded} of discarded drafts removed."
        )

    def _name(self, now: datetime, at: datetime) -> None:
        for file in discarded.unnamed(now=now):
            self.stdout.write(f"{file.uuid.hex}: no order names it, {file.size} bytes")
        for order in discarded.thrown_away(at=at):
            for row in order.attachments.all():
                self.stdout.write(f"{row.uuid.hex}: of the discarded draft {order.number}, {row.size} bytes")
