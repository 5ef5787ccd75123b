"""Backup runs that do not go as they should: abandoned, held as evidence, and in the way of a release."""

from collections import Counter

import pytest

from govcloud.errors import Conflict
from govcloud.inventory.models import Resource
from govcloud.metering.models import UsageSegment
from govcloud.orders import cancellation
from govcloud.orders.drafts import ReleaseDraft
from govcloud.protection import clearing, holds
from govcloud.protection import services as protection
from govcloud.protection.models import BackupPlan, RecoveryPoint
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.models import Operation, Step
from tenants.models import Role, User
from tests.factories.orders import Scene, approved
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("building")]

TAKING = {"service": "volume", "method": "POST", "path": "/backups"}
DELETING = {"service": "volume", "method": "DELETE", "path": "/backups/"}


@pytest.fixture
def admin() -> User:
    return member(Role.CLOUD_ADMIN)


@pytest.fixture
def keeper() -> User:
    return member(Role.AUTHORITY_APPROVER)


def refusing(sandbox: Sandbox, *, what: dict[str, str] = TAKING, times: int = 1) -> None:
    """So many requests are refused for good, by which their steps wait for a person."""
    sandbox.ask("POST", "/faults", {**what, "action": "status", "status": 400, "times": times})


def breaking(sandbox: Sandbox, *, times: int) -> None:
    """So many backups come out in error; each is taken twice before a person is asked."""
    sandbox.ask("POST", "/faults", {**TAKING, "action": "build_error", "times": times})


def run() -> Operation:
    """The plan's next run, as far as it gets by itself."""
    BackupPlan.objects.update(next_run_at=now())
    (operation,) = protection.run_due(at=now())
    work()
    operation.refresh_from_db()
    return operation


def in_cloud(on: Scene) -> set[str]:
    return {backup.id for backup in project(on).backups.find_backups()}


def kept() -> set[str]:
    return set(RecoveryPoint.objects.filter(expired_at=None).values_list("external_id", flat=True))


def abandoned(operation: Operation, admin: User) -> str:
    cancellation.abandon(operation=operation, reason="broken", actor=admin, at=now())
    work()
    operation.refresh_from_db()
    return operation.status


# -- abandoned


def test_an_abandoned_run_keeps_the_points_that_it_made(on: Scene, sandbox: Sandbox, admin: User) -> None:
    built(on)
    refusing(sandbox)
    work()
    operation = Operation.objects.get(kind="backup")
    assert (operation.status, RecoveryPoint.objects.count()) == ("parked", 3)
    assert abandoned(operation, admin) == "done"
    assert len(kept()) == 3
    assert in_cloud(on) == kept()
    with pytest.raises(Conflict, match="final"):
        cancellation.abandon(operation=operation, reason="again", actor=admin, at=now())


def test_a_run_of_which_nothing_came_is_undone(on: Scene, sandbox: Sandbox, admin: User) -> None:
    built(on)
    breaking(sandbox, times=8)
    work()
    operation = Operation.objects.get(kind="backup")
    assert {step.state for step in operation.steps.all()} == {"parked"}
    assert len(in_cloud(on)) == 4
    assert abandoned(operation, admin) == "undone"
    assert in_cloud(on) == kept() == set()


def test_a_run_with_old_points_to_expire_can_be_abandoned_and_keeps_those_that_nothing_replaces(
    on: Scene, sandbox: Sandbox, admin: User
) -> None:
    built(on)
    work()
    BackupPlan.objects.update(keep=1)
    before = kept()
    refusing(sandbox)
    operation = run()
    assert operation.status == "parked"
    assert abandoned(operation, admin) == "done"
    ended = Counter(operation.steps.values_list("state", flat=True))
    assert ended == {"done": 3, "gone": 4, "skipped": 1}
    assert in_cloud(on) == kept()
    assert (len(kept()), len(kept() & before)) == (4, 1)


def test_a_run_that_only_has_old_points_to_delete_is_tried_until_it_is_done(
    on: Scene, sandbox: Sandbox, admin: User
) -> None:
    built(on)
    work()
    BackupPlan.objects.update(keep=1)
    refusing(sandbox, what=DELETING)
    operation = run()
    assert operation.status == "parked"
    with pytest.raises(provisioning.CannotBeUndone):
        cancellation.abandon(operation=operation, reason="no", actor=admin, at=now())
    provisioning.retry(operation=operation, actor=admin, at=now())
    work()
    assert in_cloud(on) == kept()


# -- held


def test_a_point_under_legal_hold_outlives_the_run_that_made_it(
    on: Scene, sandbox: Sandbox, admin: User, keeper: User
) -> None:
    built(on)
    refusing(sandbox)
    work()
    point = RecoveryPoint.objects.order_by("pk")[0]
    holds.place(point=point, reason="案号 12", actor=keeper, at=now())
    abandoned(Operation.objects.get(kind="backup"), admin)
    point.refresh_from_db()
    assert point.expired_at is None
    assert point.external_id in in_cloud(on)


def test_no_step_deletes_what_is_under_legal_hold_until_it_is_lifted(
    on: Scene, admin: User, keeper: User
) -> None:
    """However it came to be told to: here by a run that an earlier release was abandoning."""
    built(on)
    work()
    point = RecoveryPoint.objects.order_by("pk")[0]
    holds.place(point=point, reason="案号 12", actor=keeper, at=now())
    Operation.objects.filter(pk=point.step.operation_id).update(status="undoing", finished_at=None)
    Step.objects.filter(pk=point.step_id).update(
        desired="absent", state="due", next_run_at=now(), called_off_at=now(), finished_at=None
    )
    work()
    point.refresh_from_db()
    assert (point.expired_at, point.step.state) == (None, "parked")
    assert "legal hold" in point.step.last_error
    assert point.external_id in in_cloud(on)
    holds.lift(point=point, reason="结案", actor=keeper, at=now())
    provisioning.retry(operation=point.step.operation, actor=admin, at=now())
    work()
    assert point.external_id not in in_cloud(on)


# -- in the way of a release


def released(on: Scene, name: str) -> Resource:
    resource = Resource.objects.get(name=name)
    approved(on, at=now(), items=(ReleaseDraft(target=resource.uuid, kind=resource.kind),))
    return resource


@pytest.mark.parametrize("name", ["app-1-data-1", "app-1"])
def test_a_release_gives_up_the_broken_backups_of_what_goes(on: Scene, sandbox: Sandbox, name: str) -> None:
    built(on)
    breaking(sandbox, times=8)
    work()
    resource = released(on, name)
    with_it = Resource.objects.filter(volume__server=resource.pk)
    going = {resource.name, *with_it.values_list("name", flat=True)}
    assert clearing.give_up(at=now()) == len(going - {"app-1"})
    work()
    resource.refresh_from_db()
    assert resource.status == "released", states()
    assert not UsageSegment.objects.filter(resource=resource, period__upper_inf=True).exists()
    run = Operation.objects.get(kind="backup")
    assert run.status == "parked"
    assert {step.state for step in run.steps.all() if step.label in going} == {"gone"}
    assert {step.state for step in run.steps.all() if step.label not in going} == {"parked"}
    assert clearing.give_up(at=now()) == 0


def test_a_release_does_not_wait_for_old_points_to_be_deleted(on: Scene, sandbox: Sandbox) -> None:
    built(on)
    work()
    BackupPlan.objects.update(keep=1)
    refusing(sandbox, what=DELETING, times=4)
    assert run().status == "parked"
    resource = released(on, "app-1-data-1")
    work(seconds=30)
    resource.refresh_from_db()
    assert resource.status == "released", states()


def test_a_backup_that_is_due_is_not_begun_once_its_volume_is_being_released(on: Scene) -> None:
    built(on)
    resource = released(on, "app-1-data-1")
    work()
    resource.refresh_from_db()
    assert resource.status == "released"
    assert Step.objects.get(kind="backup", label="app-1-data-1").state == "skipped"
    assert RecoveryPoint.objects.count() == 3


def test_a_backup_that_is_not_taken_any_more_takes_no_old_points_place(on: Scene) -> None:
    """As when a comparison has recorded the volume as lost meanwhile: what there is of it is all there is."""
    built(on)
    work()
    BackupPlan.objects.update(keep=1, next_run_at=now())
    (operation,) = protection.run_due(at=now())
    lost = Resource.objects.get(name="app-1-data-1")
    before = kept()
    points = set(RecoveryPoint.objects.filter(volume__resource=lost).values_list("external_id", flat=True))
    Resource.objects.filter(pk=lost.pk).update(status="released", released_at=now())
    work()
    operation.refresh_from_db()
    skipped = operation.steps.filter(state="skipped").order_by("position")
    assert (operation.status, kept() & before) == ("done", points)
    assert [each.outputs["reason"] for each in skipped] == [
        "the volume is being released",
        "no newer one takes its place",
    ]
    assert points <= in_cloud(on)
