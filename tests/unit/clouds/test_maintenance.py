"""Maintenance is dated, never doubled, ended early or called off; and what the engine makes of a pause."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from govcloud.audit.models import Event
from govcloud.catalog.models import Cloud
from govcloud.clouds import maintenance
from govcloud.clouds.maintenance import MaintenanceEndsTooEarly, MaintenanceOver, MaintenanceOverlaps
from govcloud.clouds.models import Maintenance
from govcloud.clouds.services import CloudRetired
from govcloud.provisioning import engine, queue
from govcloud.provisioning.kinds import base
from govcloud.provisioning.kinds.base import register
from govcloud.provisioning.models import Step
from tests.factories.catalog import CloudFactory
from tests.factories.clouds import MaintenanceFactory
from tests.factories.tenants import UserFactory
from tests.unit.provisioning.scripted import Clock, ThingKind, Things, operation

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def cloud() -> Cloud:
    return CloudFactory()


def announced(
    cloud: Cloud, start: datetime, end: datetime, *, at: datetime, running: str = "finish"
) -> Maintenance:
    return maintenance.announce(
        cloud=cloud,
        starts_at=start,
        ends_at=end,
        running=running,
        reason="switches",
        actor=UserFactory(),
        at=at,
    )


def test_it_is_announced_with_its_reason_and_who(cloud: Cloud, at: datetime) -> None:
    row = announced(cloud, at + HOUR, at + 2 * HOUR, at=at)
    event = Event.objects.get(verb="maintenance.announced")
    assert (event.subject_id, event.actor, event.reason) == (row.uuid, row.announced_by.audit_ref, "switches")
    assert not Maintenance.objects.in_force(at=at).exists()
    assert Maintenance.objects.in_force(at=at + HOUR).get() == row
    assert not Maintenance.objects.in_force(at=at + 2 * HOUR).exists()


@pytest.mark.parametrize(("start", "end"), [(0, 1), (1, 3), (-1, 5), (1, 2)])
def test_two_of_a_cloud_never_overlap(cloud: Cloud, at: datetime, start: int, end: int) -> None:
    announced(cloud, at, at + 2 * HOUR, at=at)
    with pytest.raises(MaintenanceOverlaps, match="2026-11-18 10:00"):
        announced(cloud, at + start * HOUR, at + end * HOUR, at=at)
    announced(cloud, at + 2 * HOUR, at + 3 * HOUR, at=at)
    announced(CloudFactory(code="other"), at, at + HOUR, at=at)


def test_the_database_refuses_an_overlap_as_well(cloud: Cloud, at: datetime) -> None:
    MaintenanceFactory(cloud=cloud, announced_at=at)
    with pytest.raises(IntegrityError, match="never_overlap"), transaction.atomic():
        MaintenanceFactory(cloud=cloud, announced_at=at + HOUR)


def test_it_ends_after_it_begins_and_in_the_future(cloud: Cloud, at: datetime) -> None:
    for start, end in ((at + HOUR, at + HOUR), (at - 2 * HOUR, at - HOUR)):
        with pytest.raises(MaintenanceEndsTooEarly):
            announced(cloud, start, end, at=at)


def test_a_retired_cloud_needs_none(at: datetime) -> None:
    with pytest.raises(CloudRetired):
        announced(CloudFactory(status="retired"), at, at + HOUR, at=at)


def test_it_can_be_ended_early_and_only_once(cloud: Cloud, at: datetime) -> None:
    row = announced(cloud, at, at + 4 * HOUR, at=at)
    later = at + HOUR
    assert maintenance.end(maintenance=row, actor=UserFactory(), at=later).ends_at == later
    assert Event.objects.filter(verb="maintenance.ended").count() == 1
    with pytest.raises(MaintenanceOver):
        maintenance.end(maintenance=row, actor=UserFactory(), at=later)
    announced(cloud, later, later + HOUR, at=later)


def test_one_that_is_called_off_is_no_time_at_all(cloud: Cloud, at: datetime) -> None:
    row = announced(cloud, at + HOUR, at + 4 * HOUR, at=at)
    maintenance.end(maintenance=row, actor=UserFactory(), at=at)
    assert not Maintenance.objects.in_force(at=at + HOUR).exists()
    announced(cloud, at, at + 4 * HOUR, at=at)
    with pytest.raises(MaintenanceOver):
        maintenance.end(maintenance=row, actor=UserFactory(), at=at)


# -- the engine


@pytest.fixture
def things() -> Iterator[Things]:
    things = Things()
    register(ThingKind(things))
    yield things
    del base._KINDS["thing"]


def test_steps_of_a_paused_cloud_are_left_alone_until_it_ends(
    things: Things, cloud: Cloud, at: datetime
) -> None:
    clock = Clock(at)
    operation(at, "server")
    announced(cloud, at, at + HOUR, at=at, running="pause")
    assert (engine.run_due(clock=clock), queue.due(at=at), things.created) == (0, 0, 0)
    clock.later(hours=1)
    assert queue.due(at=clock.now) == 1
    engine.run_due(clock=clock)
    assert things.created == 1


def test_steps_of_other_clouds_go_on_and_so_do_those_of_a_cloud_that_finishes(
    things: Things, cloud: Cloud, at: datetime
) -> None:
    operation(at, "server")
    announced(CloudFactory(code="other"), at, at + HOUR, at=at, running="pause")
    announced(cloud, at, at + HOUR, at=at, running="finish")
    engine.run_due(clock=Clock(at))
    assert things.created == 1


def test_a_pause_that_is_ended_early_lets_its_steps_go_on(things: Things, cloud: Cloud, at: datetime) -> None:
    operation(at, "server")
    row = announced(cloud, at, at + HOUR, at=at, running="pause")
    maintenance.end(maintenance=row, actor=UserFactory(), at=at)
    engine.run_due(clock=Clock(at))
    assert things.created == 1


def test_the_time_of_a_pause_is_not_held_against_what_was_on_its_way(
    things: Things, cloud: Cloud, at: datetime
) -> None:
    clock = Clock(at)
    things.born.append("busy")
    operation(at, "server")
    engine.run_due(clock=clock)
    announced(cloud, at, at + 10 * HOUR, at=at, running="pause")
    clock.later(hours=10, minutes=29)
    engine.run_due(clock=clock)
    assert Step.objects.get().state == "settling"
    clock.later(minutes=2)
    engine.run_due(clock=clock)
    assert Step.objects.get().state == "parked"


def test_the_pause_is_asked_for_within_the_one_statement_that_claims(
    things: Things, cloud: Cloud, at: datetime
) -> None:
    operation(at, "server")
    announced(cloud, at, at + HOUR, at=at, running="pause")
    with CaptureQueriesContext(connection) as queries:
        assert queue.claim(at=at) is None
    claiming = [each["sql"] for each in queries if "SKIP LOCKED" in each["sql"]]
    assert len(claiming) == 1
    assert "clouds_maintenance" in claiming[0]
    assert not [
        each for each in queries if "clouds_maintenance" in each["sql"] and "SKIP LOCKED" not in each["sql"]
    ]
