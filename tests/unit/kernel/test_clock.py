"""The demo clock: forward only, kept for every process, absent in production."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from govcloud import clock
from govcloud.clock import ClockGoesForward, ClockTooFar, NoDemoClock


@pytest.fixture
def file(settings, tmp_path):
    settings.DEMO_CLOCK_FILE = tmp_path / "clock"
    return settings.DEMO_CLOCK_FILE


def reads(expected: datetime) -> bool:
    """The clock shows the time, give or take what this machine needs to ask it."""
    return abs(clock.now() - expected) < timedelta(minutes=5)


def test_the_clock_starts_as_the_real_one(file):
    assert reads(datetime.now(UTC))


def test_a_moved_clock_goes_on_from_where_it_was_put(file):
    there = datetime.now(UTC) + timedelta(days=40)

    clock.advance(to=there)

    assert reads(there)
    assert clock.now() > there


def test_the_clock_can_be_moved_again(file):
    for days in (3, 40):
        clock.advance(to=datetime.now(UTC) + timedelta(days=days))

    assert reads(datetime.now(UTC) + timedelta(days=40))


@pytest.mark.parametrize("back", [timedelta(), timedelta(days=1)])
def test_the_clock_never_goes_back(file, back):
    there = datetime.now(UTC) + timedelta(days=40)
    clock.advance(to=there)

    with pytest.raises(ClockGoesForward):
        clock.advance(to=there - back)

    assert reads(there)


@pytest.mark.parametrize(
    "there",
    [
        datetime.max.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),
        datetime.now(UTC) + timedelta(days=3660),
    ],
)
def test_the_clock_stays_where_dates_can_be_reckoned_with(file, there):
    clock.advance(to=datetime.now(UTC) + timedelta(days=3650))

    with pytest.raises(ClockTooFar) as refused:
        clock.advance(to=there)

    assert refused.value.pointers == ("/to",)
    assert reads(datetime.now(UTC) + timedelta(days=3650))


def test_a_refusal_tells_the_time_of_the_wall(file):
    with pytest.raises(ClockGoesForward) as refused:
        clock.advance(to=datetime.now(UTC) - timedelta(days=1))

    assert refused.value.params["now"].endswith("+08:00")


def test_moving_the_clock_leaves_nothing_but_the_clock(file):
    clock.advance(to=datetime.now(UTC) + timedelta(days=1))

    assert [path.name for path in file.parent.iterdir()] == ["clock"]


def test_production_has_no_clock_that_can_be_moved(settings):
    settings.DEMO_CLOCK_FILE = None

    with pytest.raises(NoDemoClock):
        clock.advance(to=datetime.now(UTC) + timedelta(days=1))

    assert reads(datetime.now(UTC))


@pytest.mark.django_db
def test_the_clock_that_machines_agree_on_is_the_databases_whatever_their_own_show(file, monkeypatch):
    class AnHourAhead(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(hours=1)

    monkeypatch.setattr(clock, "datetime", AnHourAhead)
    assert abs(clock.agreed()() - datetime.now(UTC)) < timedelta(minutes=5)


@pytest.mark.django_db
def test_the_agreed_clock_goes_on_and_follows_the_demo_clock(file):
    clock.advance(to=datetime.now(UTC) + timedelta(days=40))
    agreed = clock.agreed()
    first = agreed()
    assert agreed() >= first > datetime.now(UTC) + timedelta(days=39)
