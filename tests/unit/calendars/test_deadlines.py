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


def test_a_step_without_a_day_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one working day"):
        due_dates(date(2026, 11, 18), working_days=[1, 0], worked={})


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
