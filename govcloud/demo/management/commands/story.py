import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from govcloud.demo.story.play import play


class Command(BaseCommand):
    help = (
        "Play the story of one order from draft to statement against a running installation with the demo data, as a client "
        "of its HTTP API. Exits with 1 if any part of it does not hold."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--url", required=True, help="of the installation, for example http://127.0.0.1:8000"
        )
        parser.add_argument(
            "--password", default="", help="of the demo's people; default: this installation's own"
        )
        parser.add_argument("--out", type=Path, help="where to write story.json; default: the data folder")
        parser.add_argument(
            "--patience", type=float, default=900, help="seconds the cloud may take for one order"
        )
        parser.add_argument("--keep-going", action="store_true", help="go on after a part that does not hold")

    def handle(self, *_args: Any, **options: Any) -> None:
        held = play(
            url=options["url"],
            password=options["password"] or _kept_password(),
            console=Console(highlight=False),
            out=options["out"] or Path(settings.VAR_DIR) / "story.json",
            patience=options["patience"],
            keep_going=options["keep_going"],
        )
        if not held:
            sys.exit(1)


def _kept_password() -> str:
    path = Path(settings.VAR_DIR) / "demo_password"
    if not path.exists():
        raise CommandError("No demo data have been loaded here: run load_demo first, or give --password.")
    return path.read_text()
