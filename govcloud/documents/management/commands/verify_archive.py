from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from govcloud.documents import proof


class Command(BaseCommand):
    help = (
        "Verify archive packages of orders by themselves; names the first thing that is not what was put in (exit status 1), "
        "and tells the seal by which a package is held against the installation's chain (verify_audit --anchor)."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")

    def handle(self, *_args: Any, **options: Any) -> None:
        for path in options["files"]:
            try:
                with path.open("rb") as file:
                    found = proof.verify(file)
            except OSError as error:
                raise CommandError(f"{path}: {error.strerror}") from error
            except proof.BadPackage as bad:
                raise CommandError(f"{path}: {bad}") from bad
            self.stdout.write(f"{path}: {found.number} intact, {found.files} files.")
            for each in found.unproven:
                self.stdout.write(
                    f"  told by the package alone, as events of its time do not have it: {each}"
                )
            self.stdout.write(
                f"  It is what was packed, if this seal is the installation's: {found.seal.seal}:{found.seal.digest}"
            )
