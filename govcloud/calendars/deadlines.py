"""Working days and the deadlines counted in them: pure, given the days on which the week's pattern does not hold.

``worked`` maps such a date to whether it is worked: False for a statutory holiday, True for a weekend day that makes up
for one. On every other date Monday to Friday are worked.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice

END_OF_DAY = time(18, 0)
"""When a working day ends, by the wall clock: a deadline is met until then."""

SATURDAY = 5


def is_working(day: date, *, worked: Mapping[date, bool]) -> bool:
    return worked.get(day, day.weekday() < SATURDAY)


def working_days_after(day: date, *, worked: Mapping[date, bool]) -> Iterator[date]:
    """The working days that follow the date, without end."""
    while True:
        day += timedelta(days=1)
        if is_working(day, worked=worked):
            yield day


def due_dates(
    day: date, *, working_days: Sequence[int], worked: Mapping[date, bool], over: bool = False
) -> list[date]:
    """When each step of a chain is due, the first one started on ``day`` and each following one when the last is due.

    A step of 0 working days is due on the same day: that on which it starts, or the next working day if that one is none or is
    ``over`` (its end had come when the chain started). A step that follows is planned for the very day on which the one before it
    is due, although that day ends then: its real start, earlier or later, decides.

    Raises ValueError for a step of less than no working days.
    """
    if min(working_days, default=0) < 0:
        raise ValueError("a step has no less than 0 working days")
    dues = []
    for days in working_days:
        if days or over or not is_working(day, worked=worked):
            day = next(islice(working_days_after(day, worked=worked), max(days, 1) - 1, None))
        over = False
        dues.append(day)
    return dues


def working_days_between(after: date, to: date, *, worked: Mapping[date, bool]) -> int:
    """How many working days there are after the one date, up to and with the other; 0 when that is not later."""
    days = (after + timedelta(days=n) for n in range(1, (to - after).days + 1))
    return sum(is_working(day, worked=worked) for day in days)


def working_day_before(day: date, *, count: int, worked: Mapping[date, bool]) -> date:
    """The latest date after which there are so many working days up to and with ``day``; at least one."""
    while count:
        count -= is_working(day, worked=worked)
        day -= timedelta(days=1)
    return day


def last_worked(day: date, *, worked: Mapping[date, bool]) -> date:
    """The date itself if it is a working day, else the working day before it."""
    while not is_working(day, worked=worked):
        day -= timedelta(days=1)
    return day


def last_ended(at: datetime, *, zone: tzinfo) -> date:
    """The latest date whose end (``END_OF_DAY``) has come."""
    local = at.astimezone(zone)
    return local.date() if local.time() >= END_OF_DAY else local.date() - timedelta(days=1)


def due_instants(
    start: datetime, *, working_days: Sequence[int], worked: Mapping[date, bool], zone: tzinfo
) -> list[datetime]:
    """As ``due_dates``, as instants in UTC: the end of each of those days in the zone, counted from the start's day there. At
    ``END_OF_DAY`` sharp that day is over, so every one of them is after the start.
    """
    local = start.astimezone(zone)
    over = local.time() >= END_OF_DAY
    dates = due_dates(local.date(), working_days=working_days, worked=worked, over=over)
    return [datetime.combine(day, END_OF_DAY, zone).astimezone(UTC) for day in dates]
