"""Snapshots and recovery points that somebody deleted by hand: a way back that is thought to be there, and is not."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.utils.dateparse import parse_datetime
from django.utils.timezone import localtime

from govcloud.audit.models import Event
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, Snapshot
from govcloud.notifications.models import Notice
from govcloud.notifications.texts import told as notice_told
from govcloud.protection import clearing, holds
from govcloud.protection import services as protection
from govcloud.protection.models import BackupPlan, LegalHold, PlannedVolume, RecoveryPoint
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import actions
from govcloud.provisioning.actions.storage import Named
from govcloud.provisioning.models import Step
from govcloud.reconciliation import services
from govcloud.reconciliation.models import Extent, Finding
from tenants.models import Role, User
from tests.factories.orders import BACKUP, NETWORK, SERVERS, Scene, scene
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox
from tests.integration.test_reconciliation import LATER, applied, left_over, swept, told, used
from tests.openstack.laboratory import eventually, gone

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("building")]

ONE = replace(SERVERS, quantity=1)


@pytest.fixture
def on() -> Scene:
    """A system that may do without its backup, or have it."""
    return scene(mlps_level=1)


@pytest.fixture
def admin() -> User:
    return member(Role.CLOUD_ADMIN)


@pytest.fixture
def points(on: Scene) -> list[RecoveryPoint]:
    """Of the data volume and of the system volume of a server."""
    built(on, items=(NETWORK, ONE, replace(BACKUP, capacity_gb=600)))
    work()
    return list(RecoveryPoint.objects.order_by("volume__resource__name"))


@pytest.fixture
def snapshot(on: Scene) -> Snapshot:
    """Of a data volume."""
    built(on, items=(NETWORK, ONE))
    volume = Resource.objects.with_particulars().get(name="app-1-data-1")
    requests.request(
        resource=volume,
        action=actions()["snapshot"],
        parameters=Named(name="before"),
        actor=on.applicant,
        at=now(),
    )
    work()
    return Snapshot.objects.select_related("volume__resource").get()


def deleted(on: Scene, point: RecoveryPoint) -> None:
    cloud = project(on)
    cloud.backups.delete_backup(point.external_id)
    gone(lambda: cloud.backups.get_backup(point.external_id))


def snapshot_deleted(on: Scene, snapshot: Snapshot) -> None:
    cloud = project(on)
    cloud.snapshots.delete_snapshot(snapshot.external_id)
    gone(lambda: cloud.snapshots.get_snapshot(snapshot.external_id))


def as_told(at: datetime | None) -> datetime | None:
    """To the millisecond, as facts are kept."""
    return at and at.replace(microsecond=at.microsecond // 1000 * 1000)


def thought_lost(point: RecoveryPoint) -> None:
    """Recorded as lost, and in the cloud all the same."""
    RecoveryPoint.objects.filter(pk=point.pk).update(expired_at=now() - timedelta(days=1), lost=True)


def held(point: RecoveryPoint) -> LegalHold:
    keeper = member(Role.AUTHORITY_APPROVER)
    return holds.place(point=point, reason="matter 12", actor=keeper, at=now())


def test_of_what_was_taken_nothing_is_found_at_a_call_for_each_list(
    on: Scene, points: list[RecoveryPoint]
) -> None:
    sweep = swept(on)
    assert (told(), len(points)) == ([], 2)
    assert swept(on, extent=Extent.INCREMENTAL, after=LATER).api_calls == sweep.api_calls - 2 - 3, (
        "nor limits"
    )
    assert told() == []


def test_a_recovery_point_that_was_deleted_by_hand_is_missing_once_it_was_missed_twice_and_recorded_as_lost(
    on: Scene, points: list[RecoveryPoint], admin: User
) -> None:
    lost, kept = points
    hold = held(lost)
    deleted(on, lost)
    swept(on)
    since = f"{localtime(hold.placed_at):%Y-%m-%d %H:%M}"
    difference = {"state": ("usable", ""), "legal_hold": (since, "")}
    assert told(kind="missing") == [("missing", "recovery_point", "mark_lost", "suspected", difference)]
    swept(on, extent=Extent.INCREMENTAL, after=LATER)
    assert [each[3] for each in told(kind="missing")] == ["open"], (
        "a pass that lists none of them looks again"
    )
    finding = Finding.objects.get(kind="missing")
    assert (finding.resource, finding.name[:12]) == (lost.volume.resource, "app-1-data-1")

    before = used(on)
    assert applied(finding, admin).status == "resolved", states()
    lost.refresh_from_db()
    kept.refresh_from_db()
    assert (lost.lost, lost.expired_at is not None) == (True, True)
    notice = Notice.objects.get(kind="recovery_point.lost")
    assert (notice.subject_id, notice.roles, notice.department) == (
        lost.volume.resource.uuid, [Role.APPLICANT], on.department,
    )  # fmt: skip
    plan = BackupPlan.objects.get()
    assert {name: notice.facts[name] for name in ("system", "volume", "left", "action")} == {
        "system": on.system.name, "volume": "app-1-data-1", "left": 0, "action": "",
    }  # fmt: skip
    moments = [parse_datetime(notice.facts[name]) for name in ("taken_at", "next_at")]
    assert moments == [as_told(lost.taken_at), as_told(plan.next_run_at)]
    assert (kept.lost, kept.expired_at) == (False, None)
    assert used(on) == before, "the allowance is as large as it was"
    event = Event.objects.get(verb="recovery_point.lost")
    assert (event.after["legal_hold"], event.after["external_id"]) == ("matter 12", lost.external_id)
    hold.refresh_from_db()
    assert hold.lifted_at is None, "that is for those to decide who placed it"
    swept(on, after=LATER)
    assert told() == [], "the limits count it no more"


def test_a_recovery_point_that_is_all_there_is_of_a_lost_volume_is_still_looked_after(
    on: Scene, points: list[RecoveryPoint], admin: User
) -> None:
    volume = points[0].volume.resource
    Resource.objects.filter(pk=volume.pk).update(status=Status.RELEASED, released_at=now())
    deleted(on, points[0])
    swept(on)
    swept(on, after=LATER)
    finding = Finding.objects.get(subject="recovery_point")
    assert (finding.status, applied(finding, admin).status) == ("open", "resolved"), states()
    points[0].refresh_from_db()
    volume.refresh_from_db()
    assert (points[0].lost, volume.status) == (True, "released")


def test_a_recovery_point_that_was_thought_lost_and_is_there_again_is_taken_back_by_a_click(
    on: Scene, points: list[RecoveryPoint], admin: User
) -> None:
    back = points[0]
    hold = held(back)  # which gives it room beside its plan's
    work()
    thought_lost(back)
    swept(on, after=LATER)
    state = {"state": ("lost", "usable")}
    finding = Finding.objects.get(subject="recovery_point")
    assert (finding.kind, finding.remedy, finding.status) == ("drifted", "adopt", "open")
    assert {d.field: (d.expected, d.found) for d in finding.differences.all()} == state
    assert finding.name.startswith("app-1-data-1 "), "not the mark by which the cloud knows it"
    assert finding.resource == back.volume.resource

    assert applied(finding, admin).status == "resolved", states()
    back.refresh_from_db()
    assert (back.lost, back.expired_at) == (False, None)
    event = Event.objects.get(verb="recovery_point.found")
    assert (event.after["external_id"], "lost_at" in event.before) == (back.external_id, True)
    notice = Notice.objects.get(kind="recovery_point.found")
    assert (notice.facts["volume"], notice.roles) == ("app-1-data-1", [Role.APPLICANT])
    hold.refresh_from_db()
    assert hold.lifted_at is None
    swept(on, after=LATER)
    assert told() == [], "the limits have room for it again"


def test_one_that_is_there_again_in_error_or_gone_once_more_is_not_taken_back(
    on: Scene, sandbox: Sandbox, points: list[RecoveryPoint], admin: User
) -> None:
    back, other = points
    thought_lost(back)
    thought_lost(other)
    sandbox.ask("POST", f"/rows/backup/{other.external_id}", {"status": "error"})
    swept(on)
    assert {each[2]: each[4] for each in told()} == {
        "adopt": {"state": ("lost", "usable")}, "decide": {"state": ("lost", "error")},
    }  # fmt: skip
    deleted(on, back)
    finding = Finding.objects.get(remedy="adopt")
    with pytest.raises(services.FindingIsStale):
        services.apply(finding=finding, actor=admin, at=now())
    finding.refresh_from_db()
    back.refresh_from_db()
    assert (finding.status, back.lost) == ("resolved", True)


def test_a_lost_point_of_what_no_plan_covers_any_more_is_told_with_that(
    on: Scene, points: list[RecoveryPoint], admin: User
) -> None:
    PlannedVolume.objects.update(until=now())
    protection.lose_point(external_id=points[0].external_id, actor=admin, at=now())
    notice = Notice.objects.get(kind="recovery_point.lost")
    assert notice.facts["action"] == "none-follows"
    assert "No backup plan takes another" in notice_told(notice, language="en").text


def test_a_recovery_point_that_is_being_deleted_is_not_judged(
    on: Scene, points: list[RecoveryPoint], admin: User
) -> None:
    deleted(on, points[0])
    swept(on)
    swept(on, after=LATER)
    BackupPlan.objects.update(next_run_at=None)
    clearing.expire(at=now())
    with pytest.raises(services.StillMoving):
        services.apply(finding=Finding.objects.get(), actor=admin, at=now())
    work()
    points[0].refresh_from_db()
    assert (points[0].lost, points[0].expired_at is not None) == (False, True)
    with pytest.raises(services.FindingIsStale):
        services.apply(finding=Finding.objects.get(), actor=admin, at=now())
    assert Finding.objects.get().status == "resolved"


def test_a_recovery_point_in_error_is_told_of(
    on: Scene, sandbox: Sandbox, points: list[RecoveryPoint]
) -> None:
    sandbox.ask("POST", f"/rows/backup/{points[0].external_id}", {"status": "error"})
    swept(on)
    assert told() == [("drifted", "recovery_point", "decide", "open", {"state": ("usable", "error")})]


def test_a_snapshot_that_was_deleted_by_hand_gives_its_quota_back(
    on: Scene, snapshot: Snapshot, admin: User
) -> None:
    swept(on)
    assert told() == []
    snapshot_deleted(on, snapshot)
    swept(on)
    swept(on, after=LATER)
    assert told() == [("missing", "snapshot", "mark_lost", "open", {"state": ("usable", "")})]
    before, finding = used(on), Finding.objects.get()
    assert (finding.name, finding.unit) == ("before", snapshot.unit)
    services.apply(finding=finding, actor=admin, at=now())
    volume = snapshot.volume.resource
    volume.refresh_from_db()
    assert volume.status == "changing", "nobody puts it back to the snapshot meanwhile"
    work()
    services.settle(at=now())
    snapshot.refresh_from_db()
    volume.refresh_from_db()
    assert (volume.status, snapshot.deleted_at is not None) == ("active", True), states()
    assert used(on) == {**before, "storage_gb": before["storage_gb"] - snapshot.size_gb}
    assert Event.objects.filter(verb="snapshot.lost").count() == 1
    swept(on, after=LATER)
    assert told() == []


def test_a_missing_volume_tells_of_its_snapshots_too(on: Scene, sandbox: Sandbox, snapshot: Snapshot) -> None:
    for kind, external_id in (
        ("snapshot", snapshot.external_id),
        ("volume", snapshot.volume.resource.external_id),
    ):
        sandbox.ask("DELETE", f"/rows/{kind}/{external_id}")
    swept(on)
    assert [each[:2] for each in told()] == [("missing", "volume")]


def test_what_somebody_kept_by_hand_is_foreign_but_for_the_clouds_own_snapshots(
    on: Scene, sandbox: Sandbox, snapshot: Snapshot
) -> None:
    sandbox.ask("POST", f"/rows/snapshot/{snapshot.external_id}", {"metadata": {}, "name": "mine"})
    Snapshot.objects.all().delete()
    swept(on)
    assert [each[:4] for each in told(subject="snapshot")] == [("foreign", "snapshot", "decide", "open")]
    its_own = f"backup-snap-{snapshot.volume.resource.external_id}"
    sandbox.ask("POST", f"/rows/snapshot/{snapshot.external_id}", {"name": its_own})
    swept(on, after=LATER)
    assert told(subject="snapshot") == []


def test_a_backup_with_our_mark_that_nothing_knows_is_deleted_by_a_click_and_never_one_that_was_recorded(
    on: Scene, points: list[RecoveryPoint], admin: User
) -> None:
    cloud, step = project(on), left_over(on, kind="backup")
    made = cloud.backups.create_backup(
        volume_id=points[0].volume.resource.external_id, name="left", force=True, metadata={"govcloud_unit": str(step.unit)},
    )  # fmt: skip
    eventually(lambda: cloud.backups.get_backup(made.id), lambda seen: seen.status == "available")
    RecoveryPoint.objects.filter(pk=points[1].pk).update(expired_at=now())  # and it is back
    swept(on)
    swept(on, after=LATER)
    orphans = Finding.objects.filter(subject="recovery_point", kind="orphaned", status="open")
    assert {each.external_id for each in orphans} == {made.id, points[1].external_id}
    back = applied(orphans.get(external_id=points[1].external_id), admin)
    assert (back.status, back.remark) == ("open", "it is recorded by now")
    assert applied(orphans.get(external_id=made.id), admin).status == "resolved", states()
    assert Step.objects.filter(kind="removal", state="done").count() == 1
    assert {each.id for each in cloud.backups.find_backups()} == {each.external_id for each in points}
