"""What a cloud answers that is none of the usual: of things that somebody else took away, of our own request in the way."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.conf import settings

from govcloud.gateways.openstack import errors
from govcloud.gateways.openstack.recording import ask_guards
from govcloud.provisioning import engine, services
from govcloud.provisioning.context import Context
from govcloud.provisioning.kinds import base
from govcloud.provisioning.kinds.base import Kind, Landing, Moving, Sight, register
from govcloud.provisioning.models import Operation
from tests.factories.tenants import UserFactory
from tests.unit.provisioning.scripted import (
    OVER_QUOTA,
    UNKNOWN,
    Clock,
    LockedThingKind,
    ThingKind,
    Things,
    operation,
    step,
)

pytestmark = pytest.mark.django_db
NOT_FOUND = errors.NotFound("no such server", service="compute", status=404)


class PartKind(ThingKind):
    """A thing that is part of another: looking at it asks for that one, which may have gone."""

    name = "part"
    generations = 1

    def look(self, context: Context, external_id: str) -> Sight:
        if external_id not in self.things.there:
            raise NOT_FOUND
        return super().look(context, external_id)


class NamedKind(LockedThingKind):
    """Something of another thing, which is asked for at every look, also for what a lost request has made."""

    name = "named"

    def find(self, context: Context) -> str | None:
        if not self.things.owner_is_there:
            raise NOT_FOUND
        return super().find(context)


class AskingKind(Kind):
    """Asks the cloud anew at every look, and the cloud never does it."""

    name = "asking"
    title = ThingKind.title
    landing = Landing.REPEATABLE
    patience = timedelta(minutes=5)

    def find(self, context: Context) -> str | None:  # noqa: ARG002
        return None

    def create(self, context: Context) -> Moving:  # noqa: ARG002
        ask_guards()
        return Moving()


@pytest.fixture
def things() -> Iterator[Things]:
    things = Things()
    kinds = (ThingKind(things), LockedThingKind(things), PartKind(things), NamedKind(things), AskingKind())
    register(*kinds)
    yield things
    for kind in kinds:
        del base._KINDS[kind.name]


@pytest.fixture
def clock(at: datetime) -> Clock:
    return Clock(at)


def run(clock: Clock, *, minutes: float) -> None:
    end = clock.now + timedelta(minutes=minutes)
    while clock.now < end:
        engine.run_due(clock=clock)
        clock.later(seconds=1)


def ended(of: Operation) -> str:
    of.refresh_from_db()
    return of.status


def test_a_part_of_what_has_gone_is_parked_and_can_be_given_up(things: Things, clock: Clock) -> None:
    things.born.append("busy")
    started = operation(clock.now, "plug", kind="part")
    run(clock, minutes=0.1)
    things.there.clear()
    run(clock, minutes=3)
    assert (step(started, "plug").state, ended(started)) == ("parked", "parked")
    assert "vanished" in step(started, "plug").last_error
    services.abandon(operation=started, reason="it has gone", actor=UserFactory(), at=clock.now)
    run(clock, minutes=3)
    assert (step(started, "plug").state, ended(started)) == ("gone", "undone")
    assert things.removed == []


def test_a_lost_request_for_something_of_what_has_gone_is_parked_and_can_be_given_up(
    things: Things, clock: Clock
) -> None:
    things.before.append(UNKNOWN)
    things.owner_is_there = False
    started = operation(clock.now, "name", kind="named")
    run(clock, minutes=1.2)
    assert (step(started, "name").state, ended(started)) == ("parked", "parked")
    assert "vanished" in step(started, "name").last_error
    services.retry(operation=started, actor=UserFactory(), at=clock.now)
    run(clock, minutes=0.1)
    assert (step(started, "name").state, ended(started)) == ("parked", "parked")
    services.abandon(operation=started, reason="it has gone", actor=UserFactory(), at=clock.now)
    run(clock, minutes=1)
    assert (step(started, "name").state, ended(started)) == ("gone", "undone")
    assert (things.created, things.removed) == (0, [])


def test_what_a_lost_request_is_of_may_come_into_sight_again(things: Things, clock: Clock) -> None:
    things.before.append(UNKNOWN)
    things.owner_is_there = False
    started = operation(clock.now, "name", kind="named")
    run(clock, minutes=0.2)
    things.owner_is_there = True
    run(clock, minutes=0.2)
    assert (step(started, "name").attempts, ended(started), things.created) == (1, "done", 1)


def test_a_request_at_every_look_does_not_begin_the_patience_anew(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "power", kind="asking")
    run(clock, minutes=4)
    assert step(started, "power").state == "settling"
    run(clock, minutes=3)
    assert (step(started, "power").state, ended(started)) == ("parked", "parked")
    services.retry(operation=started, actor=UserFactory(), at=clock.now)
    run(clock, minutes=4)
    assert step(started, "power").state == "settling"


def test_a_quota_that_the_lost_request_has_used_up_is_not_full(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server", kind="locked_thing")
    things.before.extend([UNKNOWN, OVER_QUOTA, OVER_QUOTA])
    run(clock, minutes=0.1)
    assert step(started, "server").state == "unknown"
    things.there["late"] = (f"gc-{step(started, 'server').unit}", "ok")  # it has landed, and comes into sight
    run(clock, minutes=1)
    assert (step(started, "server").external_id, ended(started), things.created) == ("late", "done", 0)


def test_a_quota_that_is_full_is_told_within_two_minutes(things: Things, clock: Clock) -> None:
    started = operation(clock.now, "server", kind="locked_thing")
    things.before.extend([UNKNOWN, *[OVER_QUOTA] * settings.STEP_ATTEMPTS])
    run(clock, minutes=2)
    assert (step(started, "server").state, ended(started)) == ("parked", "parked")
