from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from govcloud.audit.verification import Anchor, anchored, verify


def anchor(text: str) -> Anchor:
    try:
        return anchored(text)
    except ValueError as error:
        raise ArgumentTypeError("an anchor is written NUMBER:DIGEST") from error


class Command(BaseCommand):
    help = "Recompute the chain of audit seals; names the first record that is not as it was sealed (exit status 1)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--anchor",
            type=anchor,
            metavar="NUMBER:DIGEST",
            help="a seal as kept elsewhere: shows also that the chain has not been cut off or made anew",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        result = verify(anchor=options["anchor"])
        if result.breach is not None:
            raise CommandError(f"The audit chain is broken at {result.breach}")
        self.stdout.write(
            f"Intact: {result.seals} seals over {result.events} events, {result.waiting} waiting for theirs."
        )
        if result.last is not None:
            self.stdout.write(f"Keep this elsewhere: {result.last.seal}:{result.last.digest}")
