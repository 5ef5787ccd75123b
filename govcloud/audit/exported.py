"""Exported files verified by themselves: no database, no settings, nothing but the files."""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from govcloud.audit.exporting import FORMAT
from govcloud.audit.sealing import ALGORITHMS, canonical, hexdigest
from govcloud.audit.verification import SEAL, Anchor

Line = Mapping[str, Any]


class FileDamage(models.TextChoices):
    UNREADABLE = "unreadable", _("the file is cut off or no export")
    GAP = "gap", _("seals are missing before it")
    EVENT_CHANGED = "event-changed", _("an event is not as it was sealed")
    SEAL_CHANGED = "seal-changed", _("a seal is not as it was made")


@dataclass(frozen=True, slots=True)
class FileBreach:
    """The first line, counted from 1, that is not what it was."""

    damage: FileDamage
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.damage.label}"


@dataclass(slots=True)
class FilesVerification:
    """How far the chain holds through the files, in the order of their names, and the seal it ends with."""

    files: int = 0
    seals: int = 0
    events: int = 0
    last: Anchor | None = None
    breach: FileBreach | None = None


class _Broken(Exception):
    def __init__(self, damage: FileDamage, line: int) -> None:
        super().__init__(damage)
        self.damage, self.line = damage, line


def verify_files(paths: Iterable[Path]) -> FilesVerification:
    """Recompute every digest in the files and follow the chain from one to the next; stops at the first breach.

    The chain begins with the first file that is given; what was before it is taken from that file's own first line.
    """
    result = FilesVerification()
    for path in sorted(paths, key=lambda each: each.name):
        try:
            _verify_file(path, result)
        except _Broken as broken:
            result.breach = FileBreach(broken.damage, path.name, broken.line)
            break
        result.files += 1
    return result


def _verify_file(path: Path, result: FilesVerification) -> None:
    lines = _numbered(path)
    number, head = next(lines, (1, {}))
    if head.get("format") != FORMAT:
        raise _Broken(FileDamage.UNREADABLE, number)
    previous = str(head["previous"])
    if result.last is not None and (result.last.seal + 1, result.last.digest) != (
        head["first_seal"],
        previous,
    ):
        raise _Broken(FileDamage.GAP, number)
    expected = int(head["first_seal"])
    for first, seal, events in _seals(lines):
        _verify_seal(seal, events, expected, previous, first)
        previous, expected = seal["digest"], expected + 1
        result.seals, result.events = result.seals + 1, result.events + len(events)
        result.last = Anchor(seal["number"], previous)
    if expected != head["last_seal"] + 1:
        raise _Broken(FileDamage.UNREADABLE, number)


def _verify_seal(
    seal: Line, events: Sequence[tuple[int, Line]], expected: int, previous: str, line: int
) -> None:
    known = seal.get("algorithm") in ALGORITHMS and seal.keys() >= set(SEAL)
    if not known or (seal["number"], seal["previous"]) != (expected, previous):
        raise _Broken(FileDamage.SEAL_CHANGED, line)
    for at, entry in events:
        if hexdigest(seal["algorithm"], canonical(entry["event"])) != entry["digest"]:
            raise _Broken(FileDamage.EVENT_CHANGED, at)
    told = {column: seal[column] for column in SEAL if column != "digest"}
    whole = canonical({**told, "digests": [entry["digest"] for _at, entry in events]})
    if seal["events"] != len(events) or hexdigest(seal["algorithm"], whole) != seal["digest"]:
        raise _Broken(FileDamage.SEAL_CHANGED, line)


def _seals(lines: Iterator[tuple[int, Line]]) -> Iterator[tuple[int, Line, list[tuple[int, Line]]]]:
    """Each seal with the number of its line, and its events with theirs."""
    begun: tuple[int, Line, list[tuple[int, Line]]] | None = None
    for number, line in lines:
        if "seal" in line:
            if begun is not None:
                yield begun
            begun = (number, line["seal"], [])
        elif begun is not None and line.keys() >= {"event", "digest"}:
            begun[2].append((number, line))
        else:
            raise _Broken(FileDamage.UNREADABLE, number)
    if begun is not None:
        yield begun


def _numbered(path: Path) -> Iterator[tuple[int, Line]]:
    number = 0
    try:
        with gzip.open(path, "rt", encoding="utf-8") as packed:
            for number, text in enumerate(packed, start=1):
                line = json.loads(text)
                if not isinstance(line, dict):
                    raise _Broken(FileDamage.UNREADABLE, number)
                yield number, line
    except (OSError, EOFError, ValueError) as error:  # cut off, not packed, not JSON
        raise _Broken(FileDamage.UNREADABLE, number + 1) from error
