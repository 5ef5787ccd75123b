"""Working days as the calendar's table says, and the deadlines that follow from it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import chinese_calendar
from chinese_calendar.constants import holidays, workdays
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from govcloud.calendars import deadlines
from govcloud.calendars.models import DayKind, SpecialDay
from govcloud.errors import Absent

FAR = 400  # special days looked back at: years of them


class YearUnknown(Absent):
    code = "calendar-year-unknown"
    message = _("The holidays of %(year)s are not known yet. Enter them in the calendar.")


def is_working(day: date) -> bool:
    """Whether the date is a working day: make-up weekends are, statutory holidays are not."""
    return deadlines.is_working(day, worked=_worked(SpecialDay.objects.filter(day=day)))


def due_after(*, start: datetime, working_days: int) -> datetime:
    """The end (18:00 local time) of the n-th working day after the day on which the instant falls; with none, of that day
    itself, or of the next working day if it is not worked or 18:00 has come.
    """
    return due_along(start=start, working_days=[working_days])[0]


def due_along(*, start: datetime, working_days: Sequence[int]) -> list[datetime]:
    """When each step of a chain is due if each starts when the one before it is due; one query for all of them."""
    zone = timezone.get_default_timezone()
    ahead = SpecialDay.objects.filter(day__gte=start.astimezone(zone).date())
    return deadlines.due_instants(start, working_days=working_days, worked=_worked(ahead), zone=zone)


def ended_between(*, since: datetime, until: datetime) -> int:
    """Working days that ended (at 18:00 local time) after the one instant, up to and with the other."""
    zone = timezone.get_default_timezone()
    first, last = deadlines.last_ended(since, zone=zone), deadlines.last_ended(until, zone=zone)
    special = _worked(SpecialDay.objects.filter(day__range=(first, max(first, last))))
    return deadlines.working_days_between(first, last, worked=special)


@dataclass(frozen=True, slots=True)
class Warned:
    """Limits after now and up to ``until`` are a working day ahead or less, since the instant ``since``."""

    since: datetime
    until: datetime


def warned(*, at: datetime) -> Warned:
    """The end of the last working day that has ended, and the end of the working day after it."""
    zone = timezone.get_default_timezone()
    ended = deadlines.last_ended(at, zone=zone)
    day = deadlines.last_worked(ended, worked=_worked_until(ended))
    since = datetime.combine(day, deadlines.END_OF_DAY, zone)
    return Warned(since.astimezone(UTC), due_after(start=since, working_days=1))


def long_past(*, at: datetime, working_days: int) -> datetime:
    """The latest limit that passed at least so many working days ago."""
    zone = timezone.get_default_timezone()
    ended = deadlines.last_ended(at, zone=zone)
    day = deadlines.working_day_before(ended, count=working_days, worked=_worked_until(ended))
    return datetime.combine(day, deadlines.END_OF_DAY, zone).astimezone(UTC)


def _worked_until(day: date) -> dict[date, bool]:
    return _worked(SpecialDay.objects.filter(day__lte=day).order_by("-day")[:FAR])


def special_days(*, first: date, last: date) -> dict[date, bool]:
    """The dates from the first to the last on which the week's pattern does not hold, and whether each is worked."""
    return _worked(SpecialDay.objects.filter(day__range=(first, last)))


def seed(*, years: Collection[int]) -> int:
    """Enter the years' statutory holidays and make-up days, as published by the State Council; returns how many days.

    Days that are in the calendar already stay as they are, so that a correction made by hand survives.

    Raises YearUnknown when the arrangements of a year have not been published to us; nothing is entered then.
    """
    known = {day.year for day in holidays}
    for year in sorted(years):
        if year not in known:
            raise YearUnknown(year=year)
    published = [(day, DayKind.REST, name) for day, name in holidays.items()]
    published += [(day, DayKind.WORK, name) for day, name in workdays.items()]
    days = [
        SpecialDay(day=day, kind=kind, name=chinese_calendar.Holiday(name).chinese)
        for day, kind, name in published
        if day.year in years
    ]
    before = SpecialDay.objects.count()
    SpecialDay.objects.bulk_create(days, ignore_conflicts=True)
    return SpecialDay.objects.count() - before


def _worked(days: QuerySet[SpecialDay]) -> dict[date, bool]:
    return {day: kind == DayKind.WORK for day, kind in days.values_list("day", "kind")}
