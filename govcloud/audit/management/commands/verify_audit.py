from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from govcloud.audit.exported import verify_files
from govcloud.audit.verification import Anchor, anchored, verify


def anchor(text: str) -> Anchor:
    try:
        return anchored(text)
    except ValueError as error:
        raise ArgumentTypeError("an anchor is written NUMBER:DIGEST") from error


class Command(BaseCommand):
    help = (
        "Recompute the chain of audit seals; names the first record that is not as it was sealed (exit status 1), "
        "and fails as well when events wait for a seal for too long."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--anchor",
            type=anchor,
            metavar="NUMBER:DIGEST",
            help="a seal as kept elsewhere: shows also that the chain has not been cut off or made anew",
        )
        parser.add_argument(
            "--exports",
            type=Path,
            metavar="DIRECTORY",
            help="exported files: they are verified by themselves, and the database against the last seal in them",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        anchors = [options["anchor"]] if options["anchor"] is not None else []
        if options["exports"] is not None:
            anchors.append(self._files(options["exports"]))
        result = verify(anchors=anchors)
        if result.breach is not None:
            raise CommandError(f"The audit chain is broken at {result.breach}")
        self.stdout.write(
            f"Intact: {result.seals} seals over {result.events} events, {result.waiting} waiting for theirs."
        )
        if result.last is not None:
            self.stdout.write(f"Keep this elsewhere: {result.last.seal}:{result.last.digest}")
        if result.late:
            waited = timedelta(seconds=round(result.waiting_seconds))
            raise CommandError(
                f"{result.waiting} events have no seal, the oldest for {waited}: sealing has stopped, and the chain does not show "
                "what is done to them. See docs/operating.md."
            )

    def _files(self, directory: Path) -> Anchor:
        if not directory.is_dir():
            raise CommandError(f"{directory} is no directory.")
        result = verify_files(directory.glob("audit-*.jsonl.gz"))
        if result.breach is not None:
            raise CommandError(f"The exported trail is broken at {result.breach}")
        if result.last is None:
            raise CommandError(f"{directory} has no exported file: is it mounted? Nothing was verified.")
        self.stdout.write(
            f"Exported files intact: {result.files} files, {result.seals} seals over {result.events} events."
        )
        return result.last
