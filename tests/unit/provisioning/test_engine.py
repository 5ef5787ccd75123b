from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from govcloud.audit.models import Event
from govcloud.catalog.models import Cloud
from govcloud.errors import Conflict
from govcloud.gateways.openstack import errors
from govcloud.lifecycle import WrongState
from govcloud.provisioning import engine, queue, services
from govcloud.provisioning.kinds import base
from govcloud.provisioning.kinds.base import register
from govcloud.provisioning.lifecycle import Desired
from govcloud.provisioning.models import Operation, OperationKind, Step
from tests.factories.tenants import UserFactory
from tests.unit.provisioning.scripted import (
    OVER_QUOTA,
    UNKNOWN,
    UNREACHABLE,
    Clock,
    LockedThingKind,
    ThingKind,
    Things,
    WorkerDied,
    operation,
    step,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def things() -> Iterator[Things]:
    things = Things()
    register(ThingKind(things), LockedThingKind(things))
    yield things
    for name in ("thing", "locked_thing"):
        del base._KINDS[name]


@pytest.fixture
def clock(at: datetime) -> Clock:
    return Clock(at)


def run(clock: Clock, *, minutes: int = 5) -> None:
    """Let workers work for a while; the time in which nothing is due passes at once."""
    end = clock.now + timedelta(minutes=minutes)
    while clock.now <= end:
        engine.run_due(clock=clock)
        upcoming = Step.objects.filter(next_run_at__isnull=False).order_by("next_run_at").first()
        if upcoming is None or upcoming.next_run_at is None:
            return
        clock.now = max(upcoming.next_run_at, upcoming.lease_until or upcoming.next_run_at)


def test_steps_are_done_in_the_order_of_their_needs_and_the_operation_ends(
    things: Things, clock: Clock
) -> None:
    started = operation(clock.now, "network", "server", "backup")
    run(clock)
    started.refresh_from_db()
    assert started.status == "done"
    assert started.finished_at is not None
    finished = list(Step.objects.order_by("position").values_list("finished_at", flat=True))
    assert finished == sorted(finished)
    assert things.created == 3


def test_the_intent_is_written_before_the_call(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server")
    things.before.append(WorkerDied())
    with pytest.raises(WorkerDied):
        engine.run_due(clock=clock)
    assert step(started, "server").intent_at == clock.now


def test_a_worker_that_dies_after_the_effect_leaves_one_server_for_the_next_to_adopt(
    things: Things, clock: Clock
) -> None:
    started = operation(clock.now, "server")
    things.after.append(WorkerDied())
    with pytest.raises(WorkerDied):
        engine.run_due(clock=clock)
    clock.later(seconds=settings.STEP_LEASE.total_seconds() + 1)
    run(clock)
    assert things.created == 1
    assert step(started, "server").external_id == "thing-1"


def test_nobody_touches_a_step_while_its_lease_lasts(things: Things, clock: Clock) -> None:
    operation(clock.now, "server")
    assert queue.claim(at=clock.now) is not None
    clock.later(seconds=settings.STEP_LEASE.total_seconds() - 1)
    assert queue.claim(at=clock.now) is None
    clock.later(seconds=2)
    assert queue.claim(at=clock.now) is not None


def test_a_timeout_with_effect_is_looked_up_and_not_repeated(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server")
    things.after.append(UNKNOWN)
    run(clock)
    assert things.created == 1
    assert step(started, "server").state == "done"


def test_after_a_timeout_an_unlocked_request_waits_for_its_landing_time_before_it_is_sent_again(
    things: Things, clock: Clock
) -> None:
    began = clock.now
    operation(began, "server")
    things.before.append(UNKNOWN)
    engine.run_due(clock=clock)
    while things.created == 0:
        clock.later(seconds=1)
        engine.run_due(clock=clock)
    assert clock.now - began >= settings.STEP_SETTLE


def test_a_thing_that_lands_late_and_is_seen_late_is_adopted(things: Things, clock: Clock) -> None:
    operation(clock.now, "server")
    things.after.append(UNKNOWN)
    things.hidden = True
    engine.run_due(clock=clock)
    clock.later(seconds=settings.STEP_SETTLE.total_seconds() - 10)
    engine.run_due(clock=clock)
    things.hidden = False
    run(clock)
    assert things.created == 1


def test_a_locked_request_is_sent_again_at_once_because_the_cloud_lets_one_win(
    things: Things, clock: Clock
) -> None:
    began = clock.now
    operation(began, "server", kind="locked_thing")
    things.before.append(UNKNOWN)
    run(clock)
    assert things.created == 1
    assert clock.now - began < settings.STEP_SETTLE


def test_a_worker_that_wakes_after_its_lease_writes_nothing(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server")
    zombie = queue.claim(at=clock.now)
    assert zombie is not None
    clock.later(seconds=settings.STEP_LEASE.total_seconds() + 1)
    run(clock)
    done = step(started, "server")
    things.born.append("error")
    engine.advance(zombie, clock=clock)
    again = step(started, "server")
    assert (again.state, again.external_id, again.fence) == ("done", done.external_id, done.fence)
    assert things.created == 1


def test_a_server_in_error_is_removed_and_built_anew(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server")
    things.born.append("error")
    run(clock)
    built = step(started, "server")
    assert (built.state, built.generation, built.external_id) == ("done", 2, "thing-2")
    assert things.removed == ["thing-1"]


def test_the_second_server_in_error_is_parked_with_the_clouds_own_words(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server")
    things.born.extend(["error", "error"])
    run(clock)
    parked = step(started, "server")
    assert (parked.state, parked.last_error) == ("parked", "No valid host was found")
    started.refresh_from_db()
    assert started.status == "parked"
    assert "No valid host was found" in Event.objects.get(verb="operation.parked").reason


def test_an_unreachable_cloud_is_waited_for_without_counting_attempts(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server")
    things.before.extend([UNREACHABLE] * 100)
    run(clock, minutes=10)
    waiting = step(started, "server")
    assert (waiting.state, waiting.attempts, waiting.intent_at) == ("due", 0, None)
    assert "connection refused" in waiting.last_error
    things.before.clear()
    run(clock)
    assert step(started, "server").state == "done"


def test_a_full_quota_of_the_cloud_asks_a_person_and_retry_goes_on(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server")
    things.before.append(OVER_QUOTA)
    run(clock)
    assert step(started, "server").state == "parked"
    services.retry(operation=started, actor=UserFactory(), at=clock.now)
    run(clock)
    started.refresh_from_db()
    assert (started.status, things.created) == ("done", 1)


def test_a_step_that_breaks_our_own_code_is_parked_and_the_worker_goes_on(
    things: Things, clock: Clock
) -> None:
    poison = operation(clock.now, "poison")
    things.before.extend([KeyError("flavor")] * settings.STEP_ATTEMPTS)
    run(clock, minutes=20)
    assert step(poison, "poison").state == "parked"
    assert "KeyError" in step(poison, "poison").last_error
    fine = operation(clock.now, "fine")
    run(clock)
    assert step(fine, "fine").state == "done"


def test_a_vanished_thing_is_built_anew(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server")
    things.born.append("busy")
    engine.run_due(clock=clock)
    things.there.clear()
    run(clock)
    assert step(started, "server").external_id == "thing-2"


def test_abandon_takes_down_what_was_made_in_the_opposite_order_and_nothing_else(
    things: Things, clock: Clock
) -> None:
    started = operation(clock.now, "network", "server", "disk")
    things.there["foreign"] = ("somebody else's", "ok")
    things.born.extend(["ok", "ok", "error", "error"])
    run(clock)
    services.abandon(operation=started, reason="no longer needed", actor=UserFactory(), at=clock.now)
    run(clock)
    started.refresh_from_db()
    assert started.status == "undone"
    assert things.there == {"foreign": ("somebody else's", "ok")}
    assert things.removed == ["thing-3", "thing-4", "thing-2", "thing-1"]


def test_abandon_waits_for_a_request_that_may_still_land_and_removes_what_it_made(
    things: Things, clock: Clock
) -> None:
    started = operation(clock.now, "server")
    held = queue.claim(at=clock.now)
    assert held is not None
    Step.objects.update(intent_at=clock.now)  # its request is on the way
    services.abandon(operation=started, reason="withdrawn", actor=UserFactory(), at=clock.now)
    clock.later(seconds=5)
    engine.run_due(clock=clock)
    started.refresh_from_db()
    assert started.status == "undoing"
    things.there["late"] = (f"gc-{held.step.unit}", "ok")
    run(clock)
    started.refresh_from_db()
    assert (started.status, things.there) == ("undone", {})


def test_what_has_ended_can_be_neither_retried_nor_abandoned(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server")
    run(clock)
    with pytest.raises(Conflict):
        services.retry(operation=started, actor=UserFactory(), at=clock.now)
    with pytest.raises(WrongState):
        services.abandon(operation=started, reason="", actor=UserFactory(), at=clock.now)


def test_a_step_on_its_way_for_too_long_is_parked(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server")
    things.born.append("busy")
    engine.run_due(clock=clock)
    clock.later(hours=1)
    engine.run_due(clock=clock)
    assert step(started, "server").state == "parked"


def test_every_changing_call_would_be_attributed_to_its_step(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server")
    run(clock)
    assert (
        step(started, "server").calls.count() == 0
    )  # the scripted cloud makes no HTTP calls, so none is invented


def test_a_retry_gives_a_parked_step_its_generations_again(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server")
    things.born.extend(["error", "error"])
    run(clock)
    services.retry(operation=started, actor=UserFactory(), at=clock.now)
    run(clock)
    started.refresh_from_db()
    assert started.status == "done"
    assert list(things.there) == ["thing-3"]


def test_operations_of_one_system_do_not_hold_up_each_other(things: Things, clock: Clock) -> None:
    stuck = operation(clock.now, "stuck")
    things.before.append(OVER_QUOTA)
    engine.run_due(clock=clock)
    free = operation(clock.now + timedelta(), "free")
    run(clock)
    assert Operation.objects.get(pk=stuck.pk).status == "parked"
    assert Operation.objects.get(pk=free.pk).status == "done"


def test_what_takes_something_down_cannot_be_abandoned_but_retried(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server")
    things.there["thing-9"] = ("built before", "busy")
    Step.objects.update(desired="absent", external_id="thing-9")
    things.removal_refused = True
    run(clock, minutes=40)
    assert step(started, "server").state == "parked"
    with pytest.raises(services.CannotBeUndone):
        services.abandon(operation=started, reason="", actor=UserFactory(), at=clock.now)
    things.removal_refused = False
    services.retry(operation=started, actor=UserFactory(), at=clock.now)
    run(clock)
    assert (step(started, "server").state, things.there) == ("gone", {})


def test_an_abandonment_that_got_stuck_goes_on_undoing_when_retried(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "network", "server")
    run(clock, minutes=0)
    engine.run_due(clock=clock)
    Operation.objects.update(status="running", finished_at=None)
    things.removal_refused = True
    services.abandon(operation=started, reason="withdrawn", actor=UserFactory(), at=clock.now)
    run(clock, minutes=40)
    started.refresh_from_db()
    assert started.status == "parked"
    things.removal_refused = False
    services.retry(operation=started, actor=UserFactory(), at=clock.now)
    run(clock)
    started.refresh_from_db()
    assert (started.status, things.there) == ("undone", {})


def test_a_request_decided_before_an_abandonment_is_not_sent_after_it(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server")

    def abandoned_and_undone() -> None:
        things.meanwhile = lambda: None
        services.abandon(operation=started, reason="withdrawn", actor=UserFactory(), at=clock.now)
        run(clock)

    things.meanwhile = abandoned_and_undone
    engine.run_due(clock=clock)
    started.refresh_from_db()
    assert (started.status, things.there, things.created) == ("undone", {}, 0)


def test_a_request_of_a_worker_that_lost_its_lease_on_the_way_is_not_sent(
    things: Things, clock: Clock
) -> None:
    started = operation(clock.now, "server")

    def taken_over() -> None:
        things.meanwhile = lambda: None
        clock.later(seconds=settings.STEP_LEASE.total_seconds() + 1)
        run(clock)

    things.meanwhile = taken_over
    engine.run_due(clock=clock)
    run(clock)
    assert (things.created, step(started, "server").state) == (1, "done")


def test_what_a_request_answered_is_stored_in_one_write_with_its_end(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "configure")
    things.outputs = {"changed": "9"}
    with CaptureQueriesContext(connection) as queries:
        engine.run_due(clock=clock)
    written = [
        query["sql"] for query in queries if "'thing-1'" in query["sql"] and query["sql"].startswith("UPDATE")
    ]
    assert len(written) == 1
    assert (step(started, "configure").state, step(started, "configure").outputs) == (
        "done",
        {"changed": "9"},
    )


def test_a_kind_that_this_worker_does_not_know_is_parked_and_not_left_in_its_way(
    things: Things, clock: Clock
) -> None:
    started = operation(clock.now, "new", kind="thing_of_the_next_release")
    run(clock, minutes=30)
    assert step(started, "new").state == "parked"
    fine = operation(clock.now, "fine")
    run(clock)
    assert step(fine, "fine").state == "done"


def test_a_retry_sends_the_request_anew_where_nothing_has_to_be_cleared_away(
    things: Things, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ThingKind, "asked_again_on_retry", True)
    monkeypatch.setattr(ThingKind, "generations", 1)
    started = operation(clock.now, "extension")
    things.born.append("error")
    run(clock)
    assert step(started, "extension").state == "parked"
    services.retry(operation=started, actor=UserFactory(), at=clock.now)
    run(clock)
    assert (step(started, "extension").state, things.created) == ("done", 2)


def test_a_retry_does_not_send_again_what_is_only_slow(
    things: Things, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ThingKind, "asked_again_on_retry", True)
    started = operation(clock.now, "restore")
    things.born.append("busy")
    engine.run_due(clock=clock)
    clock.later(hours=1)
    engine.run_due(clock=clock)
    assert step(started, "restore").state == "parked"
    services.retry(operation=started, actor=UserFactory(), at=clock.now)
    run(clock)
    assert (step(started, "restore").state, things.created) == ("settling", 1)


def test_what_it_is_waited_for_is_told_meanwhile_and_when_it_is_given_up(
    things: Things, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = operation(clock.now, "server")
    monkeypatch.setattr(ThingKind, "look", lambda *_: base.Moving(reason="the guest is asleep"))
    engine.run_due(clock=clock)
    assert (step(started, "server").state, step(started, "server").last_error) == (
        "settling",
        "the guest is asleep",
    )
    clock.later(hours=1)
    engine.run_due(clock=clock)
    assert step(started, "server").state == "parked"
    assert step(started, "server").last_error.endswith(": the guest is asleep")


def test_a_retry_gives_new_patience(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server")
    things.born.append("busy")
    engine.run_due(clock=clock)
    clock.later(hours=1)
    engine.run_due(clock=clock)
    assert step(started, "server").state == "parked"
    services.retry(operation=started, actor=UserFactory(), at=clock.now)
    engine.run_due(clock=clock)
    assert step(started, "server").state == "settling"


def test_what_is_logged_of_a_fault_holds_no_local_variables(
    things: Things, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    operation(clock.now, "poison")

    def connect() -> None:
        password = "-".join(["S3CRET", "of", "the", "database"])  # noqa: F841, FLY002  its value, not this line, must not show
        raise OSError("connection refused")

    things.meanwhile = connect
    engine.run_due(clock=clock)
    assert "connection refused" in caplog.text
    assert "S3CRET-of-the-database" not in caplog.text


def test_playbooks_leave_workers_for_the_clouds(
    things: Things, clock: Clock, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PLAYBOOKS_AT_ONCE = 2
    monkeypatch.setattr(LockedThingKind, "in_guest", True)
    for _playbook in range(3):
        operation(clock.now, "web", kind="locked_thing")
    operation(clock.now, "web", kind="thing")
    claimed = [held.step.kind for held in (queue.claim(at=clock.now) for _worker in range(4)) if held]
    assert claimed == ["locked_thing", "locked_thing", "thing"]
    clock.later(
        seconds=settings.STEP_LEASE.total_seconds() + 1
    )  # their workers are gone, and so are their runs
    assert queue.due(at=clock.now) == 4


def test_refused_credentials_are_waited_for_without_counting_and_made_good_without_a_duplicate(
    things: Things, clock: Clock
) -> None:
    refused = errors.Unauthorized(
        "The request you have made requires authentication.", service="identity", status=401
    )
    started = operation(clock.now, "server")
    things.before.extend([refused] * 100)
    run(clock, minutes=20)
    waiting = step(started, "server")
    assert (waiting.state, waiting.attempts, things.created) == ("due", 0, 0)
    assert "requires authentication" in waiting.last_error
    things.before.clear()
    run(clock)
    assert (step(started, "server").state, things.created) == ("done", 1)


def test_a_refusal_after_the_request_was_sent_is_looked_up_and_not_counted(
    things: Things, clock: Clock
) -> None:
    started = operation(clock.now, "server")
    refused = errors.Unauthorized("token expired", service="compute", status=401, effect_unknown=True)
    things.after.append(refused)
    engine.run_due(clock=clock)
    unsure = step(started, "server")
    assert (unsure.state, unsure.attempts) == ("unknown", 0)
    run(clock)
    assert (step(started, "server").state, things.created) == ("done", 1)


def test_one_list_that_leaves_out_what_is_there_does_not_make_a_second(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server")
    things.after.append(UNKNOWN)
    engine.run_due(clock=clock)
    things.hidden = True
    clock.later(seconds=settings.STEP_SETTLE.total_seconds() + 1)
    engine.run_due(clock=clock)
    things.hidden = False
    run(clock)
    assert (things.created, step(started, "server").state) == (1, "done")


def test_a_request_may_land_for_as_long_as_ever_after_it_was_sent_however_long_its_worker_was_getting_ready(
    things: Things, clock: Clock
) -> None:
    """The look-ups before a request can take longer than a request needs to land."""
    started = operation(clock.now, "server")
    things.meanwhile = lambda: clock.later(seconds=settings.STEP_SETTLE.total_seconds())
    things.after.append(UNKNOWN)
    engine.run_due(clock=clock, most=1)
    assert step(started, "server").intent_at == clock.now


def test_what_is_being_undone_waits_for_a_request_that_was_sent_again(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server", kind="locked_thing")
    things.before.extend([UNKNOWN])
    engine.run_due(clock=clock)
    clock.later(minutes=10)
    things.after.append(UNKNOWN)
    things.hidden = True
    engine.run_due(clock=clock)  # sent a second time, and this one is on its way
    services.abandon(operation=started, reason="withdrawn", actor=UserFactory(), at=clock.now)
    engine.run_due(clock=clock)
    assert step(started, "server").state == "removing"
    things.hidden = False
    run(clock)
    started.refresh_from_db()
    assert (started.status, things.there) == ("undone", {})


def test_a_list_that_leaves_out_what_was_asked_for_twice_does_not_leave_it_behind(
    things: Things, clock: Clock
) -> None:
    """The look before the second request is none of the two that are believed."""
    started = operation(clock.now, "server", kind="locked_thing")
    things.before.append(UNKNOWN)
    engine.run_due(clock=clock)
    clock.later(seconds=5)
    things.after.append(UNKNOWN)
    engine.run_due(clock=clock)
    assert things.created == 1
    services.abandon(operation=started, reason="withdrawn", actor=UserFactory(), at=clock.now)
    things.hidden = True
    clock.later(seconds=settings.STEP_SETTLE.total_seconds() + 1)
    engine.run_due(clock=clock)
    things.hidden = False
    run(clock)
    started.refresh_from_db()
    assert (things.there, started.status) == ({}, "undone")


def asked_for_twice(things: Things, clock: Clock, *, born: str = "ok") -> Operation:
    """The first request was lost on its way and may still land; the second has made it, long after it was found missing."""
    started = operation(clock.now, "server", "backup", kind="locked_thing")
    things.born.extend([born, "busy"])
    things.before.append(UNKNOWN)
    engine.run_due(clock=clock)
    clock.later(seconds=5)
    things.meanwhile = lambda: clock.later(seconds=20)
    engine.run_due(clock=clock, most=1)
    things.meanwhile = lambda: None
    engine.run_due(clock=clock)
    return started


def release(built: Step, clock: Clock) -> Operation:
    gone = services.StepSpec(
        key=f"{uuid4()}:gone", kind=built.kind, label="release", unit=uuid4(), desired=Desired.ABSENT,
        external_id=built.external_id, desired_state={"resource": str(built.unit)},
    )  # fmt: skip
    return services.start(
        kind=OperationKind.RELEASE, reason="GC-2026-000002", thread=None, system=built.operation.system,
        cloud=built.operation.cloud, steps=[gone], actor=UserFactory(), at=clock.now,
    )  # fmt: skip


@pytest.mark.parametrize("ends", ["abandoned", "released"])
def test_what_was_asked_for_twice_keeps_the_lost_request_out_until_that_cannot_land_any_more(
    things: Things, clock: Clock, ends: str
) -> None:
    started = asked_for_twice(things, clock)
    sent_again = clock.now
    assert step(started, "server").state == "done"
    clock.later(seconds=5)
    if ends == "abandoned":
        services.abandon(operation=started, reason="withdrawn", actor=UserFactory(), at=clock.now)
    else:
        started = release(step(started, "server"), clock)
    engine.run_due(clock=clock)
    assert "thing-1" in things.there
    run(clock)
    started.refresh_from_db()
    assert "thing-1" not in things.there
    assert started.finished_at is not None
    assert started.finished_at >= sent_again + settings.STEP_SETTLE


def test_what_came_out_broken_keeps_the_lost_request_out_before_it_is_built_anew(
    things: Things, clock: Clock
) -> None:
    started = asked_for_twice(things, clock, born="error")
    assert step(started, "server").state == "replacing"
    clock.later(seconds=settings.STEP_SETTLE.total_seconds() - 1)
    engine.run_due(clock=clock)
    assert "thing-1" in things.there
    run(clock)
    assert "thing-1" not in things.there
    assert step(started, "server").external_id == "thing-2"


def test_what_was_asked_for_once_goes_at_once(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server", kind="locked_thing")
    run(clock)
    release(step(started, "server"), clock)
    engine.run_due(clock=clock)
    assert things.there == {}


def test_one_list_that_leaves_out_what_is_there_does_not_leave_it_behind_when_it_is_called_off(
    things: Things, clock: Clock
) -> None:
    started = operation(clock.now, "server")
    things.after.append(UNKNOWN)
    engine.run_due(clock=clock)
    services.abandon(operation=started, reason="not needed", actor=UserFactory(), at=clock.now)
    things.hidden = True
    clock.later(seconds=settings.STEP_SETTLE.total_seconds() + 1)
    engine.run_due(clock=clock)
    things.hidden = False
    run(clock)
    started.refresh_from_db()
    assert (things.there, started.status) == ({}, "undone")


@pytest.mark.parametrize(("waited", "pause"), [(0, 0.25), (2, 0.25), (6, 0.6), (60, 6), (3_600, 10)])
def test_the_next_look_comes_after_a_tenth_of_the_time_waited(
    waited: float, pause: float, settings: Settings
) -> None:
    settings.STEP_POLL = timedelta(seconds=1)
    assert engine.next_look(timedelta(seconds=waited)) == timedelta(seconds=pause)


def test_what_was_abandoned_and_waits_for_a_person_goes_on_when_it_is_abandoned_again(
    things: Things, clock: Clock
) -> None:
    again = operation(clock.now, "server", "backup")
    things.removal_refused = True
    engine.run_due(clock=clock, most=1)
    services.abandon(operation=again, reason="not needed", actor=UserFactory(), at=clock.now)
    run(clock, minutes=60)
    again.refresh_from_db()
    assert again.status == "parked"
    things.removal_refused = False
    services.abandon(operation=again, reason="still not", actor=UserFactory(), at=clock.now)
    run(clock)
    again.refresh_from_db()
    assert (again.status, things.there) == ("undone", {})


def test_a_server_that_was_called_off_and_waits_keeps_no_place(
    things: Things, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ThingKind, "takes_a_place", True)
    first = operation(clock.now, "server", "backup")
    Cloud.objects.update(build_width=1)
    engine.run_due(clock=clock, most=1)
    Step.objects.filter(operation=first).update(
        state="waiting", called_off_at=clock.now, finished_at=None, next_run_at=None, lease_until=None
    )
    assert step(first, "server").intent_at is not None
    second = operation(clock.now, "server")
    run(clock)
    assert step(second, "server").state == "done"
