from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from govcloud.documents import archive


class Command(BaseCommand):
    help = "Verify archive packages of orders by themselves; names the first thing that is not what was put in (exit status 1)."
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")

    def handle(self, *_args: Any, **options: Any) -> None:
        for path in options["files"]:
            try:
                with path.open("rb") as file:
                    manifest = archive.verify(file)
            except OSError as error:
                raise CommandError(f"{path}: {error.strerror}") from error
            except archive.BadPackage as bad:
                raise CommandError(f"{path}: {bad}") from bad
            self.stdout.write(f"{path}: {manifest['number']} intact, {len(manifest['files'])} files.")
