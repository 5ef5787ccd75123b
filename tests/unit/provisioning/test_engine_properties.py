"""Whatever workers, people and the cloud do, in whatever order: one thing for each step, and none for what was undone."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from govcloud.errors import DomainError
from govcloud.gateways.openstack import errors
from govcloud.provisioning import engine, queue, services
from govcloud.provisioning.kinds.base import _KINDS, register
from govcloud.provisioning.lifecycle import FINISHED, StepState
from govcloud.provisioning.models import Operation, Step
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
)

AT = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)
CONFLICT = errors.Conflict("somebody else is at it", service="compute", status=409)
FAULTS = {
    "none": (None, None),
    "before the effect": (UNREACHABLE, None),
    "unknown, no effect": (UNKNOWN, None),
    "unknown, effect": (None, UNKNOWN),
    "killed before the effect": (WorkerDied(), None),
    "killed after the effect": (None, WorkerDied()),
    "conflict": (CONFLICT, None),
    "over quota": (OVER_QUOTA, None),
}


class Engine(RuleBasedStateMachine):
    """Two operations of two things each, one kind open and one locked."""

    def __init__(self) -> None:
        super().__init__()
        self.work = transaction.atomic()
        self.work.__enter__()
        self.things, self.clock = Things(), Clock(AT)
        register(ThingKind(self.things), LockedThingKind(self.things))
        self.operations = [
            operation(AT, "network", "server"),
            operation(AT, "volume", "server", kind="locked_thing"),
        ]
        self.person = UserFactory()
        self.held: list[queue.Claim] = []
        self.fences: dict[int, int] = {}

    def teardown(self) -> None:
        self.finish_everything()
        transaction.set_rollback(True)
        self.work.__exit__(None, None, None)
        for name in ("thing", "locked_thing"):
            _KINDS.pop(name, None)

    def advance(self, held: queue.Claim) -> None:
        try:
            engine.advance(held, clock=self.clock)
        except WorkerDied:
            return
        finally:
            self.things.before.clear()
            self.things.after.clear()

    @rule(fault=st.sampled_from(sorted(FAULTS)), born=st.sampled_from(["ok", "ok", "busy", "error"]))
    def a_worker_makes_a_visit(self, fault: str, born: str) -> None:
        held = queue.claim(at=self.clock.now)
        if held is None:
            return
        before, after = FAULTS[fault]
        self.things.before.extend([before] if before else [])
        self.things.after.extend([after] if after else [])
        self.things.born.clear()
        self.things.born.append(born)
        self.advance(held)

    @rule()
    def a_worker_takes_a_step_and_stops(self) -> None:
        held = queue.claim(at=self.clock.now)
        if held is not None:
            self.held.append(held)

    @rule()
    def a_stopped_worker_goes_on(self) -> None:
        if self.held:
            self.advance(self.held.pop(0))

    @rule(seconds=st.sampled_from([1.0, 10.0, 45.0, 100.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.later(seconds=seconds)

    @rule()
    def what_was_busy_is_ready(self) -> None:
        for identifier, (mark, status) in self.things.there.items():
            if status == "busy":
                self.things.there[identifier] = (mark, "ok")

    @rule(number=st.integers(0, 1))
    def somebody_abandons(self, number: int) -> None:
        self.decide(services.abandon, number, reason="withdrawn")

    @rule(number=st.integers(0, 1))
    def somebody_retries(self, number: int) -> None:
        self.decide(services.retry, number)

    def decide(self, act: Any, number: int, **more: Any) -> None:
        started = Operation.objects.get(pk=self.operations[number].pk)
        try:
            with transaction.atomic():
                act(operation=started, actor=self.person, at=self.clock.now, **more)
        except DomainError:
            return

    def finish_everything(self) -> None:
        """Nothing fails any more and time goes on: everything comes to an end, with what it should leave."""
        for held in self.held:
            self.advance(held)
        self.things.born.clear()
        for _turn in range(400):
            self.what_was_busy_is_ready()
            for number in (0, 1):
                self.somebody_retries(number)
            engine.run_due(clock=self.clock)
            self.clock.later(seconds=70)
            if not Step.objects.exclude(state__in=FINISHED).exists():
                break
        for started in self.operations:
            started.refresh_from_db()
            marks = {f"gc-{step.unit}" for step in started.steps.all()}
            there = sorted(mark for mark, _status in self.things.there.values() if mark in marks)
            assert (started.status, there) in [("done", sorted(marks)), ("undone", [])]

    @invariant()
    def no_step_has_two_things(self) -> None:
        marks = [mark for mark, _status in self.things.there.values()]
        assert len(marks) == len(set(marks))

    @invariant()
    def what_is_done_is_there_and_what_is_gone_is_not(self) -> None:
        for step in Step.objects.filter(state__in=[StepState.DONE, StepState.GONE]):
            marked = self.things.marked(f"gc-{step.unit}")
            assert marked == ([step.external_id] if step.state == StepState.DONE else [])

    @invariant()
    def an_operation_ends_with_its_last_step(self) -> None:
        for started in Operation.objects.all():
            unfinished = started.steps.exclude(state__in=FINISHED).exists()
            assert unfinished == (started.status not in {"done", "undone"})

    @invariant()
    def fences_only_rise(self) -> None:
        now = dict(Step.objects.values_list("pk", "fence"))
        assert all(now[pk] >= fence for pk, fence in self.fences.items())
        self.fences = now

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        """A running operation has a step that a worker will take, or one that a person will."""
        for started in Operation.objects.filter(status__in=["running", "undoing"]):
            assert started.steps.filter(next_run_at__isnull=False).exists()


@pytest.mark.django_db
def test_no_sequence_of_visits_faults_and_decisions_breaks_the_engine() -> None:
    run_state_machine_as_test(
        Engine,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
