"""Months by the clock of a time zone, as half-open periods in UTC."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govcloud.periods import Month

BEIJING = ZoneInfo("Asia/Shanghai")
months = st.builds(Month, st.integers(2000, 2998), st.integers(1, 12))


def test_a_month_starts_at_midnight_of_its_zone():
    assert Month(2026, 11).bounds(BEIJING) == (
        datetime(2026, 10, 31, 16, tzinfo=UTC),
        datetime(2026, 11, 30, 16, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("instant", "month"),
    [
        (datetime(2026, 10, 31, 15, 59, 59, 999999, tzinfo=UTC), "2026-10"),
        (datetime(2026, 10, 31, 16, tzinfo=UTC), "2026-11"),
        (datetime(2026, 12, 31, 16, tzinfo=UTC), "2027-01"),
    ],
)
def test_an_instant_falls_in_the_month_of_the_wall_clock(instant, month):
    assert str(Month.of(instant, BEIJING)) == month


@pytest.mark.parametrize(
    ("month", "days"), [("2026-02", 28), ("2028-02", 29), ("2026-11", 30), ("2026-12", 31)]
)
def test_a_month_is_as_long_as_its_days(month, days):
    assert Month.parse(month).seconds(BEIJING) == days * 86_400


def test_a_month_in_which_the_clocks_change_is_an_hour_shorter():
    assert Month(2026, 3).seconds(ZoneInfo("Europe/Berlin")) == 31 * 86_400 - 3_600


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-13", "2026-00", "26-01", "2026-1", "2026-11\n", " 2026-11", "1999-12", "２０２６-11"],
)
def test_what_is_no_month_is_not_read_as_one(text):
    with pytest.raises(ValueError, match="not a month"):
        Month.parse(text)


@given(months)
def test_a_month_is_read_as_it_is_written(month):
    assert Month.parse(str(month)) == month


@given(months)
def test_the_month_after_and_the_month_before_undo_each_other(month):
    assert month.next().previous() == month
    assert month < month.next()


@given(months)
def test_months_follow_each_other_without_a_gap_or_an_overlap(month):
    _start, end = month.bounds(BEIJING)

    assert month.next().bounds(BEIJING)[0] == end
    assert Month.of(end, BEIJING) == month.next()
    assert Month.of(end - timedelta(microseconds=1), BEIJING) == month
