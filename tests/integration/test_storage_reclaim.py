"""What keeps storage from going, and what is left behind when it goes, on the sandbox cloud over HTTP."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import ProgrammingError, transaction

from govcloud.errors import Invalids
from govcloud.gateways import openstack
from govcloud.inventory.models import Resource, Snapshot, WipeRecord
from govcloud.orders.drafts import ReleaseDraft
from govcloud.protection import holds
from govcloud.protection import services as protection
from govcloud.protection.models import BackupPlan, RecoveryPoint
from govcloud.provisioning import services
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import Nothing, actions
from govcloud.provisioning.actions.storage import Named, OfSnapshot
from govcloud.provisioning.models import Step
from govcloud.quotas.models import QuotaAccount
from tenants.models import Role, User
from tenants.policies import RoleMissing
from tests.factories.orders import Scene, approve_all, drafted, scene, submitted
from tests.factories.tenants import member
from tests.integration.building import built, now, project, work
from tests.integration.sandboxed import Sandbox
from tests.openstack.laboratory import hand_over

pytestmark = pytest.mark.django_db


@pytest.fixture
def on() -> Scene:
    return scene(limits={"storage_gb": 5_000})


@pytest.fixture
def keeper() -> User:
    return member(Role.AUTHORITY_APPROVER)


@pytest.fixture
def volume(on: Scene, building: Sandbox) -> Resource:
    """A data volume with a recovery point."""
    building.ask("PUT", "/timing", {"attach_seconds": 0.02})
    built(on)
    work()
    return Resource.objects.with_particulars().get(name="app-1-data-1")


def point_of(volume: Resource) -> RecoveryPoint:
    return RecoveryPoint.objects.get(volume=volume.volume, expired_at=None)


def release(resource: Resource) -> tuple[Any, ...]:
    return (ReleaseDraft(target=resource.uuid, kind=resource.kind),)


def done(on: Scene, volume: Resource, name: str, parameters: Any = Nothing()) -> None:  # noqa: B008
    volume.refresh_from_db()
    requests.request(
        resource=volume, action=actions()[name], parameters=parameters, actor=on.applicant, at=now()
    )
    work()


# -- legal holds


@pytest.mark.parametrize("name", ["app-1-data-1", "app-1"])
def test_what_is_under_legal_hold_is_not_released_and_its_points_are_named(
    on: Scene, volume: Resource, keeper: User, name: str
) -> None:
    point = point_of(volume)
    holds.place(point=point, reason="案号 12", actor=keeper, at=now())
    with pytest.raises(Invalids) as broken:
        drafted(on, at=now(), items=release(Resource.objects.get(name=name)))
    assert [type(error) for error in broken.value.errors] == [holds.UnderLegalHold]
    assert str(point.uuid) in broken.value.errors[0].params["points"]
    assert drafted(on, at=now(), items=release(Resource.objects.get(name="app-2-data-1"))).status == "draft"


def test_a_hold_placed_while_the_release_is_being_approved_stops_it(
    on: Scene, volume: Resource, keeper: User
) -> None:
    order = submitted(on, at=now(), items=release(volume))
    holds.place(point=point_of(volume), reason="案号 12", actor=keeper, at=now())
    with pytest.raises(holds.UnderLegalHold):
        approve_all(on, order, at=now())
    holds.lift(point=point_of(volume), reason="结案", actor=keeper, at=now())
    order.refresh_from_db()
    assert approve_all(on, order, at=now()).status == "fulfilling"


def test_a_point_on_hold_outlives_those_that_are_kept(on: Scene, volume: Resource, keeper: User) -> None:
    BackupPlan.objects.update(keep=1)
    point = point_of(volume)
    holds.place(point=point, reason="案号 12", actor=keeper, at=now())
    for _run in range(2):
        BackupPlan.objects.update(next_run_at=now())
        protection.run_due(at=now())
        work()
    point.refresh_from_db()
    assert point.expired_at is None
    others = RecoveryPoint.objects.filter(volume=volume.volume).exclude(pk=point.pk)
    assert others.filter(expired_at=None).count() == 1
    assert on


def test_a_point_is_held_once_and_not_when_it_is_going(volume: Resource, keeper: User) -> None:
    point = point_of(volume)
    holds.place(point=point, reason="案号 12", actor=keeper, at=now())
    with pytest.raises(holds.HeldAlready):
        holds.place(point=point, reason="案号 13", actor=keeper, at=now())
    other = RecoveryPoint.objects.exclude(pk=point.pk).order_by("pk")[0]
    BackupPlan.objects.update(keep=1, next_run_at=now())
    protection.run_due(at=now())
    work()
    with pytest.raises(holds.PointGone):
        holds.place(point=other, reason="案号 13", actor=keeper, at=now())


def test_what_a_run_is_to_delete_can_be_held_until_its_own_backup_is_there(
    volume: Resource, keeper: User
) -> None:
    point = point_of(volume)
    BackupPlan.objects.update(keep=1, next_run_at=now())
    (run,) = protection.run_due(at=now())
    holds.place(point=point, reason="案号 12", actor=keeper, at=now())
    expiry = run.steps.get(external_id=point.external_id, desired="absent")
    assert (expiry.state, expiry.outputs) == ("skipped", {"reason": "it is kept under a legal hold"})
    work()
    point.refresh_from_db()
    run.refresh_from_db()
    assert (point.expired_at, run.status) == (None, "done")
    assert volume.volume.recovery_points.filter(expired_at=None).count() == 2


def test_a_point_that_is_going_with_what_it_is_of_is_not_held_and_goes_on_going(
    on: Scene, volume: Resource, keeper: User
) -> None:
    """The run that was to delete it is not called off by the attempt."""
    point = point_of(volume)
    BackupPlan.objects.update(keep=1, next_run_at=now())
    (run,) = protection.run_due(at=now())
    approve_all(on, submitted(on, at=now(), items=release(volume)), at=now())
    with pytest.raises(holds.PointGone):
        holds.place(point=point, reason="案号 12", actor=keeper, at=now())
    expiries = run.steps.filter(external_id=point.external_id, desired="absent")
    assert list(expiries.values_list("state", flat=True)) == ["waiting"]


def test_a_hold_wants_a_reason_and_somebody_who_orders_nothing(
    on: Scene, volume: Resource, keeper: User
) -> None:
    point = point_of(volume)
    with pytest.raises(RoleMissing):
        holds.place(point=point, reason="案号 12", actor=on.applicant, at=now())
    with pytest.raises(holds.ReasonMissing):
        holds.place(point=point, reason=" ", actor=keeper, at=now())
    with pytest.raises(holds.NotHeld):
        holds.lift(point=point, reason="结案", actor=keeper, at=now())


# -- what is wiped


def test_a_released_volume_goes_with_its_snapshots_and_leaves_evidence(on: Scene, volume: Resource) -> None:
    done(on, volume, "snapshot", Named(name="before"))
    assert approve_all(on, submitted(on, at=now(), items=release(volume)), at=now()).status == "fulfilling"
    work()
    volume.refresh_from_db()
    assert volume.status == "released"
    assert Snapshot.objects.get().deleted_at is not None
    assert project(on).snapshots.find_snapshots() == []
    evidence = WipeRecord.objects.get(resource=volume)
    assert (evidence.external_id, evidence.size_gb, evidence.means) == (volume.external_id, 500, "undeclared")
    assert evidence.request_id.startswith("req-")
    assert evidence.requested_at is not None
    assert evidence.requested_at <= evidence.confirmed_at
    account = QuotaAccount.objects.get(department=on.department, dimension="storage_gb")
    assert (account.held, account.used) == (0, 700)


@pytest.fixture
def another(building: Sandbox) -> openstack.Cloud:
    """The cloud as a project that is no system's sees it."""
    operator = openstack.connect(cloud="sandbox")
    theirs = operator.identity.create_project(name=f"theirs-{uuid4()}").id
    role = operator.identity.find_role(name="member")
    assert role is not None
    operator.identity.grant_role(project_id=theirs, role_id=role, user_id=operator.user_id)
    return openstack.connect(cloud="sandbox", project_id=theirs)


@pytest.mark.parametrize("then", ["deleted there", "handed back"])
def test_a_volume_that_was_handed_to_another_project_is_not_taken_for_gone(
    on: Scene, volume: Resource, another: openstack.Cloud, building: Sandbox, then: str
) -> None:
    """There it holds the department's data still, until it has been deleted there, for which a cloud takes its time."""
    done(on, volume, "detach")
    hand_over(volume.external_id, by=project(on), to=another)
    approve_all(on, submitted(on, at=now(), items=release(volume)), at=now())
    work()
    step = Step.objects.get(kind="volume", desired="absent")
    assert (step.state, another.project_id in step.last_error) == ("parked", True)
    assert not WipeRecord.objects.exists()
    if then == "deleted there":
        building.ask("PUT", "/timing", {"volume_seconds": 1.5})
        another.volumes.delete_volume(volume.external_id)
    else:
        hand_over(volume.external_id, by=another, to=project(on))
    services.retry(operation=step.operation, actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    building.ask("PUT", "/timing", {"volume_seconds": 0.02})
    volume.refresh_from_db()
    assert volume.status == "released"
    assert WipeRecord.objects.get().resource == volume


def test_a_snapshot_that_went_with_its_volume_to_another_project_is_not_taken_for_gone(
    on: Scene, volume: Resource, another: openstack.Cloud
) -> None:
    done(on, volume, "detach")
    done(on, volume, "snapshot", Named(name="before"))
    snapshot = Snapshot.objects.get()
    hand_over(volume.external_id, by=project(on), to=another)
    requests.request(
        resource=volume, action=actions()["delete-snapshot"], parameters=OfSnapshot(snapshot=snapshot.uuid),
        actor=on.applicant, at=now(),
    )  # fmt: skip
    work()
    step = Step.objects.get(kind="snapshot", desired="absent")
    assert (step.state, another.project_id in step.last_error) == ("parked", True)
    snapshot.refresh_from_db()
    assert snapshot.deleted_at is None


def test_a_released_server_leaves_evidence_of_each_of_its_volumes(on: Scene, volume: Resource) -> None:
    server = Resource.objects.get(name="app-1")
    approve_all(on, submitted(on, at=now(), items=release(server)), at=now())
    work()
    wiped = WipeRecord.objects.values_list("resource__name", flat=True)
    assert sorted(wiped) == ["app-1-data-1", "app-1-system"]
    assert volume


def test_evidence_is_never_changed(on: Scene, volume: Resource) -> None:
    approve_all(on, submitted(on, at=now(), items=release(volume)), at=now())
    work()
    with pytest.raises(ProgrammingError, match="never changed"), transaction.atomic():
        WipeRecord.objects.update(means="overwritten")
