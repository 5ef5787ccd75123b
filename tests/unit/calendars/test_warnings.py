"""When a limit is a working day ahead, and when it has long passed; National Day of 2026 in between."""

from datetime import date, datetime

import pytest

from govcloud.calendars import services
from govcloud.calendars.deadlines import working_day_before, working_days_between
from govcloud.calendars.services import due_after, ended_between, long_past, seed, warned

NATIONAL_DAY = {date(2026, 10, day): False for day in range(1, 8)} | {
    date(2026, 9, 20): True,
    date(2026, 10, 10): True,
}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}+08:00")


@pytest.mark.parametrize(
    ("after", "to", "days"),
    [
        (date(2026, 9, 30), date(2026, 10, 8), 1),
        (date(2026, 10, 9), date(2026, 10, 12), 2),  # the Saturday is worked
        (date(2026, 10, 1), date(2026, 10, 1), 0),
        (date(2026, 10, 9), date(2026, 10, 8), 0),
    ],
)
def test_working_days_between_two_dates(after: date, to: date, days: int) -> None:
    assert working_days_between(after, to, worked=NATIONAL_DAY) == days


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_going_back_is_the_other_way_round(count: int) -> None:
    day = date(2026, 10, 9)
    before = working_day_before(day, count=count, worked=NATIONAL_DAY)
    assert working_days_between(before, day, worked=NATIONAL_DAY) == count


@pytest.mark.django_db
class TestByTheCalendar:
    @pytest.fixture(autouse=True)
    def _seeded(self) -> None:
        seed(years=[2026])

    @pytest.mark.parametrize(
        ("now", "since", "until"),
        [
            ("11-18T10:00", "11-17T18:00", "11-18T18:00"),
            ("11-18T17:59", "11-17T18:00", "11-18T18:00"),
            ("11-18T18:00", "11-18T18:00", "11-19T18:00"),
            ("11-21T12:00", "11-20T18:00", "11-23T18:00"),  # over a weekend
            ("10-05T12:00", "09-30T18:00", "10-08T18:00"),  # over the holiday
            ("10-09T18:00", "10-09T18:00", "10-10T18:00"),  # into a make-up Saturday
        ],
    )
    def test_limits_within_a_working_day_are_warned_of(self, now: str, since: str, until: str) -> None:
        found = warned(at=moment(now))
        assert (found.since, found.until) == (moment(since), moment(until))

    def test_a_limit_is_warned_of_at_the_end_of_the_working_day_before_it(self) -> None:
        due = due_after(start=moment("09-30T10:00"), working_days=1)
        assert due == moment("10-08T18:00")
        assert warned(at=moment("09-30T17:59")).until < due == warned(at=moment("09-30T18:00")).until

    def test_a_limit_has_passed_by_working_days(self) -> None:
        assert long_past(at=moment("10-09T18:00"), working_days=2) == moment("10-07T18:00")
        assert long_past(at=moment("10-09T17:59"), working_days=2) == moment("09-29T18:00")

    def test_what_stands_still_over_a_holiday_loses_the_working_days_that_end_meanwhile(self) -> None:
        assert ended_between(since=moment("09-30T18:00"), until=moment("10-08T17:59")) == 0
        assert ended_between(since=moment("09-30T10:00"), until=moment("10-07T10:00")) == 1
        assert ended_between(since=moment("09-30T10:00"), until=moment("10-10T18:00")) == 4

    def test_a_calendar_without_the_year_is_the_weeks_pattern(self) -> None:
        assert services.special_days(first=date(2031, 1, 1), last=date(2031, 12, 31)) == {}
