"""The calendar's table, seeded with what the State Council published and then kept by people."""

from datetime import UTC, date, datetime

import pytest

from govcloud.calendars.models import DayKind, SpecialDay
from govcloud.calendars.services import YearUnknown, due_after, due_along, is_working, seed

pytestmark = pytest.mark.django_db


def test_seeded_year_has_its_holidays_and_make_up_days() -> None:
    seed(years=[2026])
    assert [is_working(day) for day in (date(2026, 10, 1), date(2026, 10, 10), date(2026, 10, 12))] == [
        False,
        True,
        True,
    ]
    assert SpecialDay.objects.get(day=date(2026, 10, 1)).name == "国庆节"
    assert set(SpecialDay.objects.dates("day", "year")) == {date(2026, 1, 1)}


def test_seeding_again_adds_nothing_and_keeps_what_was_corrected_by_hand() -> None:
    entered = seed(years=[2026])
    SpecialDay.objects.filter(day=date(2026, 10, 10)).update(kind=DayKind.REST)
    assert entered > 30
    assert seed(years=[2026]) == 0
    assert not is_working(date(2026, 10, 10))


def test_a_year_nobody_has_published_is_refused_and_nothing_is_entered() -> None:
    with pytest.raises(YearUnknown, match="2199"):
        seed(years=[2026, 2199])
    assert not SpecialDay.objects.exists()


def test_deadline_is_the_end_of_the_working_day_in_beijing() -> None:
    seed(years=[2026])
    wednesday = datetime(2026, 9, 30, 2, 0, tzinfo=UTC)
    assert due_after(start=wednesday, working_days=3) == datetime(2026, 10, 10, 10, 0, tzinfo=UTC)


def test_a_whole_chain_of_deadlines_takes_one_query(django_assert_num_queries, at: datetime) -> None:
    seed(years=[2026])
    with django_assert_num_queries(1):
        dues = due_along(start=at, working_days=[2, 1, 2, 2])
    step_by_step = [at]
    for days in (2, 1, 2, 2):
        step_by_step.append(due_after(start=step_by_step[-1], working_days=days))
    assert dues == step_by_step[1:]
