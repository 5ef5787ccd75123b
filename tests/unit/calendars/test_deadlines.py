"""Deadlines in working days, on the calendar of 2026: National Day is 1 to 7 October, made up for on 20 September
(a Sunday) and 10 October (a Saturday).
"""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from govcloud.calendars.deadlines import due_dates, due_instants, is_working

BEIJING = ZoneInfo("Asia/Shanghai")
NATIONAL_DAY = {date(2026, 10, day): False for day in range(1, 8)} | {
    date(2026, 9, 20): True,
    date(2026, 10, 10): True,
}


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2026, 9, 30), True),  # the Wednesday before
        (date(2026, 10, 1), False),  # a Thursday, but National Day
        (date(2026, 9, 19), False),  # an ordinary Saturday
        (date(2026, 9, 20), True),  # a Sunday that is worked
    ],
)
def test_a_day_is_worked_as_the_calendar_says_else_as_the_week_does(day: date, works) -> None:
    assert is_working(day, worked=NATIONAL_DAY) is works


def test_the_day_of_the_start_does_not_count() -> None:
    assert due_dates(date(2026, 11, 18), working_days=[1], worked={}) == [date(2026, 11, 19)]


def test_weekends_do_not_count() -> None:
    assert due_dates(date(2026, 11, 20), working_days=[1], worked={}) == [date(2026, 11, 23)]


def test_make_up_saturday_counts_and_the_holiday_before_it_does_not() -> None:
    # Two working days after Wednesday 30 September: Thursday the 8th and Friday the 9th; a third is Saturday the 10th.
    assert due_dates(date(2026, 9, 30), working_days=[2, 1, 1], worked=NATIONAL_DAY) == [
        date(2026, 10, 9),
        date(2026, 10, 10),
        date(2026, 10, 12),
    ]


def test_a_step_starts_when_the_one_before_it_is_due() -> None:
    assert due_dates(date(2026, 11, 18), working_days=[2, 1, 2, 2], worked={}) == [
        date(2026, 11, 20),
        date(2026, 11, 23),
        date(2026, 11, 25),
        date(2026, 11, 27),
    ]


def test_the_local_day_decides_not_the_day_in_utc() -> None:
    late_on_tuesday_in_utc = datetime(
        2026, 11, 17, 16, 30, tzinfo=UTC
    )  # half past midnight of Wednesday in Beijing
    (due,) = due_instants(late_on_tuesday_in_utc, working_days=[1], worked={}, zone=BEIJING)
    assert due == datetime(2026, 11, 19, 18, 0, tzinfo=BEIJING)


def test_no_steps_have_no_deadlines() -> None:
    assert due_dates(date(2026, 11, 18), working_days=[], worked={}) == []


def test_a_step_of_less_than_no_days_is_refused() -> None:
    with pytest.raises(ValueError, match="no less than 0 working days"):
        due_dates(date(2026, 11, 18), working_days=[1, -1], worked={})


@pytest.mark.parametrize(
    ("start", "steps", "due"),
    [
        ("2026-11-18T10:00", [0], ["11-18"]),
        ("2026-11-18T17:59", [0], ["11-18"]),
        ("2026-11-18T18:00", [0], ["11-19"]),  # its end has come
        ("2026-11-18T00:00", [0, 0, 0], ["11-18"] * 3),
        ("2026-11-18T20:00", [0, 0, 1], ["11-19", "11-19", "11-20"]),
        ("2026-11-18T20:00", [1, 0], ["11-19", "11-19"]),
        ("2026-11-18T10:00", [2, 0, 1], ["11-20", "11-20", "11-23"]),
        ("2026-11-21T10:00", [0, 1], ["11-23", "11-24"]),  # a Saturday
        ("2026-11-20T18:00", [0], ["11-23"]),  # Friday evening
        ("2026-10-10T10:00", [0], ["10-10"]),  # a Saturday that is worked
        ("2026-10-10T18:00", [0], ["10-12"]),
        ("2026-09-30T18:30", [0], ["10-08"]),  # on the eve of the holiday
        ("2026-10-03T10:00", [0, 0], ["10-08", "10-08"]),
    ],
)
def test_a_step_of_no_days_is_due_on_the_same_day(start: str, steps: list[int], due: list[str]) -> None:
    begun = datetime.fromisoformat(f"{start}+08:00")
    dues = due_instants(begun, working_days=steps, worked=NATIONAL_DAY, zone=BEIJING)
    assert dues == [datetime.fromisoformat(f"2026-{day}T18:00+08:00") for day in due]


days = st.dates(min_value=date(2020, 1, 1), max_value=date(2030, 1, 1))


@settings(deadline=None)  # a busy machine is not a wrong answer
@given(
    start=days,
    steps=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    worked=st.dictionaries(days, st.booleans(), max_size=30),
)
def test_every_deadline_is_a_working_day_with_as_many_of_them_before_it(
    start: date, steps: list[int], worked: dict[date, bool]
) -> None:
    dues = due_dates(start, working_days=steps, worked=worked)
    assert all(is_working(due, worked=worked) for due in dues)
    for (begun, due), step in zip(pairwise([start, *dues]), steps, strict=True):
        passed = [begun + timedelta(days=n) for n in range(1, (due - begun).days + 1)]
        assert sum(is_working(day, worked=worked) for day in passed) == step


@settings(deadline=None)
@given(
    start=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(BEIJING)),  # noqa: DTZ001
    steps=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    worked=st.dictionaries(days, st.booleans(), max_size=30),
    later=st.timedeltas(timedelta(0), timedelta(days=9)),
    place=st.integers(0, 5),
)
def test_limits_of_any_length_are_ahead_on_working_days_and_in_order(
    start: datetime, steps: list[int], worked: dict[date, bool], later: timedelta, place: int
) -> None:
    def dues(begun: datetime, chain: list[int]) -> list[datetime]:
        return due_instants(begun, working_days=chain, worked=worked, zone=BEIJING)

    found = dues(start, steps)
    assert start < found[0]
    assert found == sorted(found)
    assert all(is_working(due.astimezone(BEIJING).date(), worked=worked) for due in found)
    # Neither a later start nor a longer step brings any limit forward.
    assert all(a <= b for a, b in zip(found, dues(start + later, steps), strict=True))
    longer = [days + (n == place % len(steps)) for n, days in enumerate(steps)]
    assert all(a <= b for a, b in zip(found, dues(start, longer), strict=True))
    # Any number of steps of the same day are due together.
    assert len(set(dues(start, [0] * len(steps)))) == 1
