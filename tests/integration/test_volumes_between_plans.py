"""A volume that moves to a server of another backup plan: one plan has it at a time, and none deletes another's points."""

from dataclasses import replace
from typing import Any

import pytest

from govcloud.inventory.models import Resource
from govcloud.protection import services as protection
from govcloud.protection.models import BackupPlan, PlannedVolume, RecoveryPoint
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import Nothing, actions
from govcloud.provisioning.actions.storage import ToServer
from tests.factories.orders import BACKUP, NETWORK, SERVERS, Scene
from tests.integration.building import built, now, project, work
from tests.integration.sandboxed import Sandbox

pytestmark = pytest.mark.django_db

FIRST = (NETWORK, replace(SERVERS, name="web", quantity=1), replace(BACKUP, name="first"))
SECOND = (replace(SERVERS, name="data", quantity=1, data_volumes=()), replace(BACKUP, name="second"))


@pytest.fixture
def on(on: Scene, building: Sandbox) -> Scene:
    """Two servers, each with a plan of its own, and a first point of every volume."""
    building.ask("PUT", "/timing", {"attach_seconds": 0.02})
    built(on, items=FIRST)
    work()
    network = str(Resource.objects.get(kind="network").uuid)
    built(on, items=(replace(SECOND[0], network=network), SECOND[1]))
    work()
    return on


def named(name: str) -> Resource:
    return Resource.objects.with_particulars().get(name=name)


def done(on: Scene, name: str, parameters: Any = Nothing()) -> None:  # noqa: B008
    operation = requests.request(
        resource=named("web-1-data-1"), action=actions()[name], parameters=parameters, actor=on.applicant, at=now()
    )  # fmt: skip
    work()
    operation.refresh_from_db()
    assert operation.status == "done", list(operation.steps.values("kind", "state", "last_error"))


def plans() -> list[str]:
    """Those that have the volume now."""
    rows = PlannedVolume.objects.filter(volume__resource__name="web-1-data-1", until=None)
    return sorted(rows.values_list("plan__name", flat=True))


def points() -> list[str]:
    """The plans that made what is kept of the volume, the newest last."""
    rows = RecoveryPoint.objects.filter(volume__resource__name="web-1-data-1", expired_at=None)
    return list(rows.order_by("taken_at").values_list("run__plan__name", flat=True))


def run(name: str) -> None:
    BackupPlan.objects.filter(name=name).update(next_run_at=now())
    protection.run_due(at=now())
    work()


def test_a_volume_stays_in_its_plan_until_it_is_at_a_server_of_another(on: Scene) -> None:
    done(on, "detach")
    assert plans() == ["first"], "it is backed up while no server has it"
    done(on, "attach", ToServer(server=named("data-1").uuid))
    assert plans() == ["second"]
    done(on, "detach")
    done(on, "attach", ToServer(server=named("web-1").uuid))
    assert plans() == ["first"]


def test_a_server_in_no_plan_takes_a_volume_out_of_none(on: Scene) -> None:
    done(on, "detach")
    PlannedVolume.objects.filter(plan__name="second").update(until=now())
    done(on, "attach", ToServer(server=named("data-1").uuid))
    assert plans() == ["first"]


def test_the_new_plan_replaces_the_points_of_the_old_one_by_one(on: Scene) -> None:
    BackupPlan.objects.update(keep=3)
    for _day in range(2):
        run("first")
    assert points() == ["first", "first", "first"]
    done(on, "detach")
    done(on, "attach", ToServer(server=named("data-1").uuid))
    run("first")
    assert points() == ["first", "first", "first"], "it has the volume no more"
    run("second")
    assert points() == ["first", "first", "second"]
    run("second")
    run("second")
    assert points() == ["second", "second", "second"]
    kept = RecoveryPoint.objects.filter(expired_at=None).values_list("external_id", flat=True)
    assert {backup.id for backup in project(on).backups.find_backups()} == set(kept)


def test_plans_that_both_have_a_volume_count_their_own_points(on: Scene) -> None:
    """As earlier releases left it."""
    BackupPlan.objects.update(keep=2)
    volume = named("web-1-data-1").volume
    PlannedVolume.objects.create(plan=BackupPlan.objects.get(name="second"), volume=volume, since=now())
    for _day in range(2):
        run("first")
        run("second")
    assert sorted(points()) == ["first", "first", "second", "second"]
    assert on


def test_plans_that_are_due_at_the_same_moment_each_take_a_backup_of_their_own(on: Scene) -> None:
    """Neither takes the other's for its own, as it did when the mark told the volume and the moment alone."""
    PlannedVolume.objects.create(
        plan=BackupPlan.objects.get(name="second"), volume=named("web-1-data-1").volume, since=now()
    )
    at = now()
    BackupPlan.objects.update(next_run_at=at)
    protection.run_due(at=at)
    work()
    taken = RecoveryPoint.objects.filter(volume__resource__name="web-1-data-1", run__due_at=at)
    assert sorted(taken.values_list("run__plan__name", flat=True)) == ["first", "second"]
    assert taken.values("step__unit").distinct().count() == 2
    in_cloud = {each.id for each in project(on).backups.find_backups()}
    assert in_cloud == set(RecoveryPoint.objects.values_list("external_id", flat=True))
