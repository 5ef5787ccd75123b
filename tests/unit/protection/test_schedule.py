from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govcloud.protection.services import next_after

DAY = timedelta(days=1)
DUE = datetime(2026, 11, 1, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "following"),
    [
        (DUE, DUE + DAY),
        (DUE + timedelta(hours=23), DUE + DAY),
        (DUE + DAY, DUE + 2 * DAY),
        (DUE + timedelta(days=30, hours=1), DUE + timedelta(days=31)),
    ],
)
def test_missed_runs_are_skipped_and_the_time_of_day_is_kept(at: datetime, following: datetime) -> None:
    assert next_after(DUE, interval=DAY, at=at) == following


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=4000)))
def test_the_next_run_lies_ahead_by_at_most_one_interval(passed: timedelta) -> None:
    at = DUE + passed
    following = next_after(DUE, interval=DAY, at=at)
    assert at < following <= at + DAY
    assert (following - DUE) % DAY == timedelta()
