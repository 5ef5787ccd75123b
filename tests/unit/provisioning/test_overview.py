"""What operators are shown of the engine."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from govcloud.gateways.openstack import Exchange
from govcloud.provisioning import overview, presence, traffic
from govcloud.provisioning.models import Operation, Sighting, Step
from tests.factories.catalog import CloudFactory
from tests.unit.provisioning.scripted import operation

pytestmark = pytest.mark.django_db


def at_work(at: datetime, *, until: datetime, worker: str = "celery@one", state: str = "settling") -> Step:
    step = operation(at, "app").steps.get()
    Step.objects.filter(pk=step.pk).update(state=state, lease_until=until, worker=worker)
    step.refresh_from_db()
    return step


def called(cloud: object, at: datetime, *statuses: int | None) -> None:
    exchanges = [Exchange("compute", "GET", "/servers", status, "", 10) for status in statuses]
    traffic.count(cloud=cloud, exchanges=exchanges, at=at)  # type: ignore[arg-type]


def test_the_oldest_due_step_is_told_with_its_age(at: datetime) -> None:
    first = operation(at, "one")
    operation(at + timedelta(seconds=30), "two")
    queue = overview.read(at=at + timedelta(seconds=90)).queue
    assert queue.due == 2
    assert queue.oldest is not None
    assert (queue.oldest.operation, queue.oldest.kind, queue.oldest.age_seconds) == (
        first.uuid,
        "thing",
        90.0,
    )


def test_a_step_that_is_held_is_not_due_and_one_whose_lease_ran_out_is(at: datetime) -> None:
    at_work(at, until=at + timedelta(seconds=90), worker="celery@one")
    lost = at_work(at, until=at - timedelta(seconds=1), worker="celery@two", state="unknown")
    queue = overview.read(at=at).queue
    assert (queue.due, queue.held, queue.expired) == (1, 1, 1)
    assert queue.oldest is not None
    assert queue.oldest.operation == lost.operation.uuid
    assert [(lease.worker, lease.expired) for lease in queue.leases] == [
        ("celery@two", True),
        ("celery@one", False),
    ]
    assert queue.states == {"unknown": 1, "settling": 1, "replacing": 0, "removing": 0}


def test_an_idle_engine_has_nothing_due(at: datetime) -> None:
    seen = overview.read(at=at)
    assert (seen.queue.due, seen.queue.oldest, seen.queue.leases, seen.parked.operations) == (0, None, (), 0)
    assert (seen.workers, seen.sweep.last_at, seen.paces) == ((), None, ())


def test_parked_operations_are_counted_since_the_one_that_waits_longest(at: datetime) -> None:
    for minutes in (5, 60):
        parked = operation(at - timedelta(days=1), "app")
        since = at - timedelta(minutes=minutes)
        Operation.objects.filter(pk=parked.pk).update(status="parked", parked_at=since)
    parked = overview.read(at=at).parked
    assert (parked.operations, parked.age_seconds) == (2, 3600.0)


def test_error_rates_are_of_all_calls_and_refusals_are_not_the_clouds_errors(at: datetime) -> None:
    cloud = CloudFactory(code="main")
    called(cloud, at - timedelta(minutes=2), 200, 200, 404, 409, 503, None, 429, 200)
    called(cloud, at - timedelta(minutes=30), 200, 200)
    called(cloud, at - timedelta(hours=5), 503, 503)
    called(cloud, at - timedelta(days=2), 503)
    (traffic_,) = overview.read(at=at).clouds
    windows = {window.name: window for window in traffic_.windows}
    assert {name: (w.calls, w.errors) for name, w in windows.items()} == {
        "5m": (8, 3),
        "1h": (10, 3),
        "1d": (12, 5),
    }
    assert windows["5m"].error_rate == 0.375
    assert windows["5m"].outcomes == {
        "answered": 3, "absent": 1, "refused": 1, "throttled": 1, "failed": 1, "unanswered": 1,
    }  # fmt: skip
    assert windows["1d"].services == {"compute": {"calls": 12, "errors": 5}}


def test_a_cloud_that_was_not_called_has_no_rate_and_one_that_is_off_is_left_out(at: datetime) -> None:
    CloudFactory(code="quiet")
    CloudFactory(code="off", status="disabled")
    (quiet,) = overview.read(at=at).clouds
    assert quiet.cloud.code == "quiet"
    assert [(window.calls, window.error_rate) for window in quiet.windows] == [(0, 0.0)] * 3


def test_a_worker_is_present_while_it_is_seen_or_holds_a_lease(at: datetime) -> None:
    for name, minutes in (("celery@idle", 1), ("celery@busy", 10), ("celery@gone", 10)):
        presence.worker_seen(name=name, at=at - timedelta(minutes=minutes))
    at_work(at, until=at + timedelta(seconds=60), worker="celery@busy")
    at_work(at, until=at - timedelta(seconds=60), worker="celery@gone")
    seen = overview.read(at=at)
    assert {worker.name: worker.present for worker in seen.workers} == {
        "celery@busy": True, "celery@gone": False, "celery@idle": True,
    }  # fmt: skip
    assert seen.workers_present == 2


def test_a_busy_worker_is_not_written_down_at_every_turn(at: datetime) -> None:
    for seconds in (0, 3, 9, 11):
        presence.worker_seen(name="celery@one", at=at + timedelta(seconds=seconds))
    assert Sighting.objects.get().seen_at == at + timedelta(seconds=11)
    with CaptureQueriesContext(connection) as queries:
        presence.worker_seen(name="celery@one", at=at + timedelta(seconds=12))
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"]


def test_a_worker_that_has_been_away_for_a_day_is_forgotten(at: datetime) -> None:
    presence.worker_seen(name="celery@old", at=at - timedelta(days=2))
    presence.worker_seen(name="celery@new", at=at)
    presence.forget(at=at)
    assert [worker.name for worker in overview.read(at=at).workers] == ["celery@new"]


def test_a_sweep_is_late_from_the_moment_the_next_one_should_have_come(
    at: datetime, settings: Settings
) -> None:
    settings.SWEEP = timedelta(seconds=2)
    presence.sweep_seen(at=at)
    assert overview.read(at=at + timedelta(seconds=1)).sweep.late_seconds == 0.0
    assert overview.read(at=at + timedelta(seconds=12)).sweep.late_seconds == 10.0


def test_the_pace_of_a_kind_is_that_of_the_steps_done_in_the_last_day(at: datetime) -> None:
    started = operation(at, *(f"app-{number}" for number in range(5)))
    for step, (hours, seconds) in zip(
        started.steps.all(), ((1, 10), (2, 20), (3, 30), (4, 200), (30, 999)), strict=True
    ):
        end = at - timedelta(hours=hours)
        Step.objects.filter(pk=step.pk).update(
            state="done", next_run_at=None, finished_at=end, started_at=end - timedelta(seconds=seconds)
        )
    (pace,) = overview.read(at=at).paces
    assert (pace.kind, pace.done, pace.median_seconds) == ("thing", 4, 25.0)
    assert 150 < pace.p95_seconds < 200


def test_it_asks_the_database_as_often_whatever_there_is(at: datetime) -> None:
    with CaptureQueriesContext(connection) as idle:
        overview.read(at=at)
    for number in range(5):
        step = at_work(at, until=at + timedelta(seconds=number), worker=f"celery@{number}")
        presence.worker_seen(name=f"celery@{number}", at=at)
        called(step.operation.cloud, at, 200, 503)
    with CaptureQueriesContext(connection) as busy:
        overview.read(at=at)
    assert len(busy) == len(idle) <= 11
