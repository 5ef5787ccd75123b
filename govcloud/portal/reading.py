"""Numbers and days in what people type, read in one way by every form and address: what is none is None, never an error of ours."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

GREATEST = 2**31 - 1
"""What the database keeps of counts, sizes and versions."""

YEARS = range(1900, 9999)
"""Outside of them a day has no midnight before it or after it that Python and PostgreSQL both know."""


FULL_WIDTH = {ord("０") + digit: str(digit) for digit in range(10)}


def plain(text: str) -> str:
    """With the full-width digits that input methods type as those from 0 to 9; superscripts and others stay what they are."""
    return text.translate(FULL_WIDTH)


def number_in(text: str, *, most: int = GREATEST) -> int | None:
    """A whole number of at most ``most``, in the digits 0 to 9 alone, full-width ones as well."""
    text = plain(text)
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0") or "0"
    if len(digits) > len(str(most)):  # Python refuses to convert thousands of them
        return None
    number = int(digits)
    return number if number <= most else None


def version_in(text: str) -> int:
    """0, which nothing has, for what is no number: then it has been changed since."""
    return number_in(text) or 0


def day_in(text: str) -> date | None:
    """A day, such as 2026-11-30."""
    try:
        day = parse_date(text.strip())
    except ValueError:
        return None
    return day if day is not None and day.year in YEARS else None


def moment_in(text: str) -> datetime | None:
    """An instant by the installation's wall clock, as browsers send it: 2026-11-30T09:00."""
    try:
        moment = parse_datetime(text.strip())
    except ValueError:
        return None
    if moment is None or moment.tzinfo is not None or moment.year not in YEARS:
        return None
    return timezone.make_aware(moment, timezone.get_default_timezone())


def midnight(day: date) -> datetime:
    """Where the day begins, by the installation's wall clock."""
    return datetime.combine(day, time(), tzinfo=timezone.get_default_timezone())


def midnight_after(day: date) -> datetime:
    """Where the next one begins: a range of days lasts to the end of its last one."""
    return midnight(day + timedelta(days=1))


def days_in(query: Mapping[str, str]) -> tuple[date | None, date | None]:
    """The ``first`` and the ``last`` day that a list was asked for."""
    first, last = (day_in(query.get(name, "").replace("\0", "")) for name in ("first", "last"))
    return first, last


def within(column: str, first: date | None, last: date | None) -> Q:
    """What lies from the beginning of the first day to the end of the last, where they are given."""
    begun = Q(**{f"{column}__gte": midnight(first)}) if first else Q()
    return begun & Q(**{f"{column}__lt": midnight_after(last)}) if last else begun
