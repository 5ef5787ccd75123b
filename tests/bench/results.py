"""Figures of a bench run, printed and kept in ``bench.json`` of GOVCLOUD_VAR, one entry per measurement."""

import json
from typing import Any

from django.conf import settings
from rich.console import Console

FILE = settings.VAR_DIR / "bench.json"
console = Console(highlight=False, width=150)


def tell(line: str) -> None:
    console.print(line)


def keep(name: str, **figures: Any) -> None:
    """What was kept of an earlier run under this name is replaced; the others stay."""
    kept = json.loads(FILE.read_text()) if FILE.exists() else {}
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps({**kept, name: figures}, indent=2, sort_keys=True) + "\n")
