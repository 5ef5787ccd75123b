"""When recovery points end: with their volume, with their plan, and not before a legal hold is lifted."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from govcloud.clouds import services as clouds
from govcloud.gateways import openstack
from govcloud.inventory.models import Project, Resource, Volume, WipeRecord
from govcloud.orders.drafts import ReleaseDraft
from govcloud.orders.models import Order
from govcloud.protection import clearing, holds
from govcloud.protection import services as protection
from govcloud.protection.models import BackupPlan, BackupRun, RecoveryPoint
from govcloud.provisioning import engine
from govcloud.provisioning.models import Operation
from govcloud.reconciliation.balances import limits
from tenants.models import Role, User
from tests.factories.orders import BACKUP, NETWORK, SERVERS, Scene, approved, scene
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("building")]

ONE = (NETWORK, replace(SERVERS, quantity=1), replace(BACKUP, capacity_gb=600))
"""A server with two volumes, and a backup allowance that is just large enough for them."""


@pytest.fixture
def on() -> Scene:
    """A system that may do without its backup."""
    return scene(mlps_level=1)


@pytest.fixture
def keeper() -> User:
    return member(Role.AUTHORITY_APPROVER)


@pytest.fixture
def points(on: Scene) -> list[RecoveryPoint]:
    """One of each volume."""
    built(on, items=ONE)
    work()
    return list(RecoveryPoint.objects.order_by("volume__resource__name"))


def released(on: Scene, *names: str) -> Order:
    items = tuple(
        ReleaseDraft(target=resource.uuid, kind=resource.kind)
        for resource in Resource.objects.filter(name__in=names).order_by("name")
    )
    order = approved(on, at=now(), items=items)
    work()
    order.refresh_from_db()
    return order


def swept() -> list[Operation]:
    clearing.give_up(at=now())
    started = clearing.expire(at=now())
    work()
    protection.take_up_runs(at=now())
    return started


def in_cloud(on: Scene) -> set[str]:
    return {backup.id for backup in project(on).backups.find_backups()}


def kept() -> list[str]:
    left = RecoveryPoint.objects.filter(expired_at=None).order_by("volume__resource__name")
    return list(left.values_list("volume__resource__name", flat=True))


def limit(on: Scene) -> int | None:
    of_project = Project.objects.get(system=on.system).external_id
    return openstack.connect(cloud="sandbox").quotas.volume(of_project)["backup_gigabytes"].limit


def limits_agree(on: Scene, *, since: datetime | None = None) -> bool:
    of_project = Project.objects.get(system=on.system)
    return limits(project=of_project, cloud=openstack.connect(cloud="sandbox"), since=since or now()) == []


def test_a_released_volume_takes_its_points_along_before_the_order_is_fulfilled(
    on: Scene, points: list[RecoveryPoint]
) -> None:
    order = released(on, "app-1-data-1")
    assert order.status == "fulfilled", states()
    assert kept() == ["app-1-system"]
    assert len(in_cloud(on)) == 1
    (expired,) = [point for point in RecoveryPoint.objects.all() if point.expired_at is not None]
    assert expired.expired_at is not None
    assert expired.expired_at >= WipeRecord.objects.get(resource__name="app-1-data-1").confirmed_at
    assert swept() == []
    assert len(points) == 2


def test_a_released_allowance_takes_the_points_of_its_plan_along(
    on: Scene, points: list[RecoveryPoint]
) -> None:
    order = released(on, "dr")
    assert order.status == "fulfilled", states()
    assert kept() == []
    assert in_cloud(on) == set()
    assert limit(on) == 0
    assert Volume.objects.filter(resource__released_at=None).count() == len(points)


def test_everything_is_released_at_once_and_the_cloud_can_be_retired(
    on: Scene, points: list[RecoveryPoint]
) -> None:
    assert released(on, "app-1", "dr", "app-net").status == "fulfilled", states()
    assert in_cloud(on) == set()
    cloud = on.catalogue.cloud
    assert clouds.retire(cloud=cloud, reason="old", actor=on.applicant, at=now()).status == "retired"
    assert points


def test_what_is_on_hold_outlives_its_plan_has_room_in_the_cloud_and_goes_once_the_hold_is_lifted(
    on: Scene, points: list[RecoveryPoint], keeper: User
) -> None:
    data, _system = points
    holds.place(point=data, reason="案号 12", actor=keeper, at=now())
    assert released(on, "dr").status == "fulfilled", states()
    assert kept() == ["app-1-data-1"]
    assert in_cloud(on) == {data.external_id}
    assert limit(on) == data.size_gb
    assert swept() == []
    holds.lift(point=data, reason="结案", actor=keeper, at=now())
    (operation,) = swept()
    operation.refresh_from_db()
    assert (operation.kind, operation.status) == ("expire", "done")
    assert operation.taken_up_at is not None
    assert (kept(), in_cloud(on), limit(on)) == ([], set(), 0)
    assert limits_agree(on)


def test_runs_have_room_beside_points_on_hold(on: Scene, points: list[RecoveryPoint], keeper: User) -> None:
    holds.place(point=points[0], reason="案号 12", actor=keeper, at=now())
    before = limit(on)
    assert before is not None
    BackupPlan.objects.update(next_run_at=now())
    protection.run_due(at=now())
    work()
    assert limit(on) == before + points[0].size_gb
    assert limits_agree(on)
    assert len(kept()) == 4


def test_what_earlier_releases_left_is_found_and_deleted(on: Scene, points: list[RecoveryPoint]) -> None:
    """As it was when a release only ended the plan."""
    protection.end_plan(
        allowance=Resource.objects.get(name="dr").backup, actor=protection.SCHEDULER, at=now()
    )
    assert len(in_cloud(on)) == len(points)
    (operation,) = swept()
    assert in_cloud(on) == set()
    assert operation.steps.filter(kind="backup", state="gone").count() == len(points)
    assert swept() == []


def test_a_point_that_is_recorded_after_the_release_began_goes_as_well(on: Scene, building: Sandbox) -> None:
    built(on, items=ONE)
    building.ask("PUT", "/timing", {"backup_seconds": 1})
    resource = Resource.objects.get(name="app-1-data-1")
    while project(on).volumes.get_volume(resource.external_id).status != "backing-up":
        assert protection.run_due(at=now()) is not None
        engine.run_due(clock=now, most=1)
    assert released(on, "app-1-data-1").status == "fulfilled", states()
    building.ask("PUT", "/timing", {"backup_seconds": 0.05})
    assert kept() == ["app-1-data-1", "app-1-system"]
    swept()
    assert kept() == ["app-1-system"]
    assert len(in_cloud(on)) == 1


def test_the_points_of_a_lost_volume_stay_for_as_long_as_its_plan_goes_on(
    on: Scene, points: list[RecoveryPoint]
) -> None:
    """They may be all there is of it: what is lost leaves its plan, and nobody has wiped it."""
    lost = Volume.objects.get(resource__name="app-1-data-1")
    protection.uncover(volumes=[lost], actor=protection.SCHEDULER, thread=None, at=now())
    Resource.objects.filter(pk=lost.pk).update(status="released", released_at=now())
    assert swept() == []
    assert len(kept()) == len(points)
    protection.end_plan(
        allowance=Resource.objects.get(name="dr").backup, actor=protection.SCHEDULER, at=now()
    )
    swept()
    assert kept() == []


def test_two_sweeps_at_once_delete_once(on: Scene, points: list[RecoveryPoint]) -> None:
    protection.end_plan(
        allowance=Resource.objects.get(name="dr").backup, actor=protection.SCHEDULER, at=now()
    )
    assert len(clearing.expire(at=now())) == 1
    assert clearing.expire(at=now()) == []
    work()
    assert BackupRun.objects.count() == 1
    assert not kept()
    assert points


def test_the_clouds_limit_follows_a_hold_at_once_and_a_comparison_finds_nothing(
    on: Scene, points: list[RecoveryPoint], keeper: User
) -> None:
    before, point = limit(on), points[0]
    assert before is not None
    holds.place(point=point, reason="案号 12", actor=keeper, at=now())
    assert limits_agree(on), "it is about to be set"
    work()
    assert limit(on) == before + point.size_gb
    later = now() + timedelta(minutes=5)
    assert limits_agree(on, since=later)
    holds.lift(point=point, reason="结案", actor=keeper, at=now())
    work()
    assert (limit(on), limits_agree(on, since=later)) == (before, True)
    kinds = list(Operation.objects.filter(kind="limits").values_list("status", flat=True))
    assert kinds == ["done", "done"], states()


def test_the_hold_on_a_point_that_is_lost_is_lifted_without_a_word_to_the_cloud(
    on: Scene, points: list[RecoveryPoint], keeper: User
) -> None:
    holds.place(point=points[0], reason="案号 12", actor=keeper, at=now())
    work()
    protection.lose_point(external_id=points[0].external_id, actor=keeper, at=now())
    holds.lift(point=points[0], reason="结案", actor=keeper, at=now())
    assert Operation.objects.filter(kind="limits").count() == 1
