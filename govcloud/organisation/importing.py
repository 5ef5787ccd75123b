"""Divisions, units and systems out of a workbook: all of it or nothing, and beforehand, on request, exactly what it would do.

A dry run does everything and takes it back, so what it tells is what would come of it.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.errors import Conflict, DomainError, Invalid, Invalids
from govcloud.organisation import reading
from govcloud.organisation.columns import DIVISION_SHEET, FORMS, SYSTEM_SHEET, UNIT_SHEET
from govcloud.organisation.entering import DivisionEntry, SystemEntry, UnitEntry, field_of
from govcloud.organisation.reading import Contents, Problem, Row

Progress = Callable[[int, int], None]
"""Told how many rows are done, and of how many."""


class RowRepeated(Conflict):
    code = "row-repeated"
    message = _("“%(given)s” is in row %(row)s already.")


class UnitsInARing(Invalid):
    code = "units-in-a-ring"
    message = _("The units above lead back to this one.")


class SheetHasProblems(Invalid):
    """``params["problems"]`` has each with its sheet, cell, code and text."""

    code = "sheet-has-problems"
    message = _("Nothing was taken in: %(count)s cells have to be put right first.")


class Action(StrEnum):
    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Change:
    heading: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Done:
    """What becomes of a row; of personal data only that they change."""

    sheet: str
    row: int
    key: str
    name: str
    action: Action
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    applied: bool
    rows: list[Done] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def count(self, action: str) -> int:
        return sum(done.action == action for done in self.rows)


def run(
    *,
    content: bytes,
    name: str,
    dry: bool,
    actor: audit.Actor,
    at: datetime,
    progress: Progress | None = None,
) -> Outcome:
    """Take in a workbook, or tell what that would do (``dry``). With a single problem nothing is taken in.

    Raises what ``reading.read`` does for what is no workbook of ours.
    """
    contents = reading.read(content)
    with transaction.atomic():
        rows, problems = _entered(contents, actor=actor, at=at, progress=progress or _untold)
        outcome = Outcome(applied=not dry and not problems, rows=rows, problems=problems)
        if outcome.applied:
            _tell(outcome, content, name, actor=actor, at=at)
        else:
            transaction.set_rollback(True)
    return outcome


def require_applied(outcome: Outcome) -> None:
    """Raises SheetHasProblems."""
    if outcome.problems:
        told = [
            {"sheet": each.sheet, "cell": each.cell, "code": each.error.code, "detail": each.error.detail}
            for each in outcome.problems
        ]
        raise SheetHasProblems(count=len(told), problems=told, pointers=("/file",))


def _untold(_done: int, _of: int) -> None:
    """Nobody watches."""


def _entered(
    contents: Contents, *, actor: audit.Actor, at: datetime, progress: Progress
) -> tuple[list[Done], list[Problem]]:
    """Every row in turn, each in a savepoint of its own, so that one that is refused hides nothing of the others.

    What is wrong with a row by itself is told of all rows first, whatever else of it cannot be read.
    """
    problems = list(contents.problems)
    given = [row for form in FORMS for row in contents.of(form)]
    divisions = DivisionEntry.all(given, actor=actor, at=at)
    units = UnitEntry.all(given, divisions, actor=actor, at=at)
    systems = SystemEntry.all(given, units, actor=actor, at=at)
    entries: dict[str, DivisionEntry | UnitEntry | SystemEntry]
    entries = {DIVISION_SHEET.title: divisions, UNIT_SHEET.title: units, SYSTEM_SHEET.title: systems}
    rows: list[Row] = []
    seen: dict[tuple[str, str], int] = {}
    for row in given:
        wrong = [*_repeated(row, seen), *_at_their_cells(row, *entries[row.form.title].wrong(row))]
        problems += wrong
        if not wrong and not row.unread:
            rows.append(row)
    done: list[Done] = []
    total = len(rows)
    ordered = [row for row in rows if row.form is DIVISION_SHEET]
    ordered += _above_first([row for row in rows if row.form is UNIT_SHEET], units, problems)
    ordered += [row for row in rows if row.form is SYSTEM_SHEET]
    for count, row in enumerate(ordered, start=1):
        try:
            with transaction.atomic():
                done.append(_done(row, entries[row.form.title].enter(row)))
        except DomainError as error:
            problems += _at_their_cells(row, error)
        progress(count, total)
    order = {form.title: position for position, form in enumerate(FORMS)}
    done.sort(key=lambda each: (order.get(each.sheet, 0), each.sheet, each.row))
    return done, problems


def _repeated(row: Row, seen: dict[tuple[str, str], int]) -> Iterator[Problem]:
    """Of one unit or system a file has one row; ``seen`` has the first of each."""
    first = seen.setdefault((row.form.title, row.key), row.number)
    if row.key and first != row.number:
        yield row.problem(row.form.key, RowRepeated(given=row.key, row=first))


def _above_first(rows: Sequence[Row], units: UnitEntry, problems: list[Problem]) -> Iterator[Row]:
    """Each unit after those that stand above it once all of the file is taken in.

    Then whatever stands above a place is where it will stay when a unit comes there, and no unit is below itself on the
    way to a tree in which none is. A lone row that puts a unit below itself is left to the rule of moves to refuse.
    """
    above = units.rows_above(rows)
    of_unit = {row.key: row for row in rows}
    seen: set[str] = set()
    stopped: set[str] = set()  # in a ring, or below one
    for row in rows:
        chain: dict[str, None] = {}
        key: str | None = row.key
        while key is not None and key not in seen and key not in chain:
            chain[key] = None
            key = above[key]
        way = list(chain)
        ring = way[way.index(key) :] if key in chain else []
        if len(ring) > 1 or not units.known.keys() >= set(ring):
            problems += [of_unit[each].problem("parent", UnitsInARing()) for each in ring]
            stopped.update(way)
        elif key in stopped:
            stopped.update(way)
        else:
            yield from (of_unit[each] for each in reversed(way))
        seen.update(way)


def _done(row: Row, changes: Sequence[tuple[str, str, str]] | None) -> Done:
    """``changes`` by field; None for something new."""
    headings = {column.field: column.heading for column in row.form.columns}
    action = Action.CREATED if changes is None else Action.CHANGED if changes else Action.UNCHANGED
    told = tuple(Change(headings[name], before, after) for name, before, after in changes or ())
    return Done(row.sheet, row.number, row.key, str(row.values.get("name") or ""), action, told)


def _at_their_cells(row: Row, *errors: DomainError) -> Iterator[Problem]:
    """Rules point at fields (``/owner/phone``); a sheet has a column for each (``owner_phone``)."""
    for error in errors:
        if isinstance(error, Invalids):
            yield from _at_their_cells(row, *error.errors)
        else:
            yield row.problem(field_of(error) or row.form.key, error)


def _tell(outcome: Outcome, content: bytes, name: str, *, actor: audit.Actor, at: datetime) -> None:
    after: dict[str, Any] = {action.value: outcome.count(action) for action in Action}
    after["sha256"] = hashlib.sha256(content).hexdigest()
    audit.record(actor=actor, verb="units.imported", subject=None, at=at, label=name[:200], after=after)
