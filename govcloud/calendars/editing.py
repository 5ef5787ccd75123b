"""The calendar as people keep it: days entered and taken out one by one, or a year's arrangements from a file.

What is changed holds for limits that are set from then on; those that are set stay.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.audit import watching
from govcloud.calendars.deadlines import SATURDAY
from govcloud.calendars.models import DayKind, SpecialDay
from govcloud.errors import Absent, DomainError, Invalid, Invalids

LONGEST_NAME: Final = 60
YEARS: Final = range(2000, 2100)
WORDS: Final = {
    "rest": DayKind.REST, "holiday": DayKind.REST, "休": DayKind.REST, "休息": DayKind.REST, "放假": DayKind.REST,
    "work": DayKind.WORK, "make-up": DayKind.WORK, "班": DayKind.WORK, "上班": DayKind.WORK, "补班": DayKind.WORK,
}  # fmt: skip
"""How files call the two kinds."""


class NotInTheCalendar(Absent):
    code = "not-in-the-calendar"
    message = _("The calendar says nothing of %(day)s.")


class BadDay(Invalid):
    code = "bad-calendar-day"
    message = _("“%(given)s” is no date from 2000 to 2099 written as 2026-10-01.")


class DayMissing(Invalid):
    code = "calendar-day-missing"
    message = _("A date is needed, from 2000 to 2099 and written as 2026-10-01.")


class BadDayKind(Invalid):
    code = "bad-day-kind"
    message = _("A day is one of rest (休) or a make-up day (班), not “%(given)s”.")


class DayNameMissing(Invalid):
    code = "day-name-missing"
    message = _("Say which holiday it belongs to, in at most %(most)s characters.")


class WorkedAnyway(Invalid):
    code = "worked-anyway"
    message = _("%(day)s is a weekday and worked anyway.")


class DayTwice(Invalid):
    code = "day-twice"
    message = _("%(day)s is in the file twice.")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a file, as it was written."""

    number: int
    day: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class RowError:
    number: int
    error: DomainError


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a file, or would: ``errors`` keep all of it out."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    errors: Sequence[RowError] = field(default_factory=tuple)


def enter(*, day: date, kind: str, name: str, actor: audit.Actor, at: datetime) -> SpecialDay:
    """Enter a day, or correct it. Raises Invalids of what is wrong with it."""
    errors = list(_wrong(day, kind, name))
    if errors:
        raise Invalids(errors)
    with transaction.atomic():
        row = SpecialDay.objects.select_for_update().filter(day=day).first()
        before = _told(row) if row else {}
        row, _created = SpecialDay.objects.update_or_create(
            day=day, defaults={"kind": kind, "name": name.strip()}
        )
        audit.record(
            actor=actor, verb="calendar.day_entered", subject=None, label=f"{day}", at=at, before=before, after=_told(row)
        )  # fmt: skip
    return row


def take_out(*, day: date, actor: audit.Actor, at: datetime) -> None:
    """The week's pattern holds for the day again. Raises NotInTheCalendar."""
    with transaction.atomic():
        row = SpecialDay.objects.select_for_update().filter(day=day).first()
        if row is None:
            raise NotInTheCalendar(day=day.isoformat())
        before = _told(row)
        row.delete()
        audit.record(
            actor=actor, verb="calendar.day_taken_out", subject=None, label=f"{day}", at=at, before=before
        )


def take_in(*, rows: Sequence[Row], dry: bool, actor: audit.Actor, at: datetime) -> Report:
    """Enter what a file says, all of it or (when a line is wrong, or ``dry``) nothing. Days it does not name stay."""
    days, errors = _read(rows)
    if errors:
        watching.note(code=errors[0].error.code, undone=True)
    with transaction.atomic():
        known = {row.day: row for row in SpecialDay.objects.select_for_update().filter(day__in=days)}
        fresh = {day: told for day, told in days.items() if day not in known}
        changed = {
            day: told
            for day, told in days.items()
            if day in known and (known[day].kind, known[day].name) != told
        }
        report = Report(len(fresh), len(changed), len(days) - len(fresh) - len(changed), errors)
        if errors or dry or not (fresh or changed):
            return report
        SpecialDay.objects.bulk_create(
            (SpecialDay(day=day, kind=kind, name=name) for day, (kind, name) in (fresh | changed).items()),
            update_conflicts=True, unique_fields=["day"], update_fields=["kind", "name"],
        )  # fmt: skip
        audit.record_many(
            actor=actor, verb="calendar.day_entered", at=at,
            entries=[
                audit.Entry(
                    subject=None, label=f"{day}", after={"kind": kind, "name": name},
                    before=_told(known[day]) if day in known else {},
                )
                for day, (kind, name) in (fresh | changed).items()
            ],
        )  # fmt: skip
    return report


def _read(rows: Sequence[Row]) -> tuple[dict[date, tuple[str, str]], list[RowError]]:
    days: dict[date, tuple[str, str]] = {}
    errors: list[RowError] = []
    for row in rows:
        kind = WORDS.get(row.kind.strip().lower(), row.kind)
        found: list[DomainError] = []
        day: date | None = None
        try:
            day = day_of(row.day)
        except (DayMissing, BadDay) as error:
            found.append(error)
        else:
            found += _wrong(day, kind, row.name)
        if day is not None and day in days:
            found.append(DayTwice(day=day.isoformat()))
        errors += [RowError(row.number, error) for error in found]
        if day is not None and not found:
            days[day] = (str(kind), row.name.strip())
    return days, errors


def day_of(text: str) -> date:
    """A date as people write it. Raises DayMissing and BadDay."""
    if not text.strip():
        raise DayMissing(pointers=("/day",))
    try:
        return date.fromisoformat(text.strip().replace("/", "-").partition(" ")[0].partition("T")[0])
    except ValueError as error:
        raise BadDay(given=text.strip()[:40], pointers=("/day",)) from error


def _wrong(day: date, kind: str, name: str) -> Iterator[DomainError]:
    if day.year not in YEARS:
        yield BadDay(given=day.isoformat(), pointers=("/day",))
    if kind not in DayKind.values:
        yield BadDayKind(given=kind[:40], pointers=("/kind",))
    if not 1 <= len(name.strip()) <= LONGEST_NAME:
        yield DayNameMissing(most=LONGEST_NAME, pointers=("/name",))
    if kind == DayKind.WORK and day.weekday() < SATURDAY:
        yield WorkedAnyway(day=day.isoformat(), pointers=("/kind",))


def _told(row: SpecialDay) -> dict[str, str]:
    return {"kind": row.kind, "name": row.name}
