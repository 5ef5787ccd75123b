"""The chapters in their order."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import requests
from rich.console import Console

from govcloud.demo.story import auditing, billing, building, changing, deciding, ordering
from govcloud.demo.story.client import Refused
from govcloud.demo.story.stage import Stage
from govcloud.demo.story.teller import ClaimFailed, Teller

CHAPTERS: tuple[tuple[str, Callable[[Stage], None]], ...] = (
    ("An applicant drafts one order for a whole system", ordering.draft),
    ("The order is submitted", ordering.submit),
    ("Four decide in turn", deciding.decide),
    ("The order is built", building.build),
    ("The applicant sees what stands there", changing.look),
    ("A data volume grows by a change order", changing.resize),
    ("A server is given back by a release order", changing.release),
    ("The month ends and is billed", billing.bill),
    ("The trail is read back and verified", auditing.audit),
)
UNREADABLE = (LookupError, TypeError, ValueError, StopIteration)
"""An answer without what the story needs of it."""

FAILURES = (ClaimFailed, Refused, requests.RequestException, *UNREADABLE)
"""How a chapter can fail."""


def play(*, url: str, password: str, console: Console, out: Path, patience: float, keep_going: bool) -> bool:
    """Play the story against the installation at ``url`` and write what happened to ``out``; whether all of it held."""
    teller = Teller(console, keep_going=keep_going)
    stage = Stage(teller, patience)
    try:
        _play(stage, url, password)
    finally:
        teller.write(out)
    if teller.failures:
        console.print(f"\n[bold red]The story failed[/bold red]; what happened is in {out}")
    else:
        console.print(f"\n[bold green]The story held in every part[/bold green]; it is written down in {out}")
    return not teller.failures


def _play(stage: Stage, url: str, password: str) -> None:
    with stage.teller.chapter("Everybody signs in"):
        try:
            stage.enter(url, password)
        except FAILURES as failure:
            stage.teller.fail(_told(failure))
            return
    for title, chapter in CHAPTERS:
        with stage.teller.chapter(title):
            try:
                chapter(stage)
            except FAILURES as failure:
                stage.teller.fail(_told(failure))
                if not stage.teller.keep_going:
                    break
    with contextlib.suppress(Refused, requests.RequestException):  # tokens that stay behind expire
        stage.leave()


def _told(failure: BaseException) -> str:
    if isinstance(failure, UNREADABLE):
        return f"an answer lacks what is needed of it: {failure!r}"
    return str(failure)
