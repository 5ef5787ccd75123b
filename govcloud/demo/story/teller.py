"""Telling the story: chapters with their wall time, claims that hold or do not, and the facts that go into story.json."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console


class ClaimFailed(Exception):
    """Something that the story asserts is not so."""


@dataclass(slots=True)
class Chapter:
    title: str
    seconds: float = 0.0
    claims: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Teller:
    """``keep_going`` goes on after a claim that does not hold; the story has failed all the same."""

    console: Console
    keep_going: bool = False
    chapters: list[Chapter] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def failures(self) -> list[str]:
        return [f"{chapter.title}: {failure}" for chapter in self.chapters for failure in chapter.failures]

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        """What is told inside belongs to the chapter, and so does the time it takes."""
        self.chapters.append(Chapter(title))
        self.console.print(f"\n[bold]{len(self.chapters)}. {title}[/bold]")
        began = time.monotonic()
        try:
            yield
        finally:
            self.chapters[-1].seconds = round(time.monotonic() - began, 2)
            self.console.print(f"   [dim]{self.chapters[-1].seconds:.1f} s[/dim]")

    def claim(self, what: str, holds: object, *, found: object = None) -> None:
        """Assert it. Raises ClaimFailed if it does not hold, unless the story keeps going."""
        if holds:
            self.chapters[-1].claims.append(what)
            self.console.print(f"   [green]✓[/green] {what}")
            return
        failure = what if found is None else f"{what}; found: {found}"
        if not self.keep_going:
            raise ClaimFailed(failure)
        self.fail(failure)

    def fail(self, what: str) -> None:
        self.chapters[-1].failures.append(what)
        self.console.print(f"   [red]✗ {what}[/red]")

    def tell(self, text: str) -> None:
        self.console.print(f"   {text}")

    def write(self, path: Path) -> None:
        """Everything as JSON; money and quantities are strings, times are ISO 8601."""
        story = {
            "succeeded": not self.failures,
            "failures": self.failures,
            "seconds": round(time.monotonic() - self.began, 2),
            "chapters": [
                {"title": c.title, "seconds": c.seconds, "claims": c.claims, "failures": c.failures}
                for c in self.chapters
            ],
            **self.facts,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(story, ensure_ascii=False, indent=2, default=str) + "\n", encoding="utf-8")
