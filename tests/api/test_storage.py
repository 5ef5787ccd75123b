"""Storage as callers see it: acting on volumes, snapshots, wipe records, legal holds, orders for volumes."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from rest_framework.test import APIClient

from govcloud import clock
from govcloud.audit.models import Event
from govcloud.inventory.models import Power, Resource, Server, Snapshot, Volume
from govcloud.protection import holds
from govcloud.protection.models import LegalHold, RecoveryPoint
from govcloud.protection.services import lose_point
from govcloud.provisioning.actions.storage import servers_where_it_is
from govcloud.provisioning.context import ENGINE
from govcloud.provisioning.models import Step
from tenants.models import Role, User
from tests.api.house import House, house, recovery_point
from tests.factories.clouds import AvailabilityZoneFactory
from tests.factories.inventory import SnapshotFactory, WipeRecordFactory, whole_server
from tests.factories.tenants import DepartmentFactory, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def volume() -> Resource:
    return whole_server().volumes.get(role="data").resource


@pytest.fixture
def applicant(signed_in: SignedIn, volume: Resource) -> APIClient:
    return signed_in(member(Role.APPLICANT, volume.system.department))


def snapshot(volume: Resource) -> Snapshot:
    return SnapshotFactory(volume=volume.volume, name="before")


def actions(volume: Resource) -> str:
    return f"/api/v1/resources/{volume.uuid}/actions"


def test_a_volume_lists_what_it_can_take_and_why_not(applicant: APIClient, volume: Resource) -> None:
    listed = {row["action"]: row for row in applicant.get(actions(volume), headers=ENGLISH).json()}
    assert {name for name, row in listed.items() if row["allowed"]} == {"detach", "snapshot"}
    assert "disconnect it first" in listed["restore"]["reason"]


def test_detaching_a_boot_volume_has_a_reason_of_its_own(applicant: APIClient, volume: Resource) -> None:
    boot = volume.volume.server.volumes.get(role="system").resource  # type: ignore[union-attr]
    answer = applicant.post(actions(boot), {"action": "detach"}, headers=ENGLISH)
    assert (answer.status_code, answer.json()["code"]) == (409, "action-not-allowed")
    assert "cannot be without it" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"action": "attach"}, "/server"),
        ({"action": "attach", "server": "web-1"}, "/server"),
        ({"action": "snapshot"}, "/name"),
        ({"action": "restore", "snapshot": "x"}, "/snapshot"),
        ({"action": "recover"}, "/recovery_point"),
    ],
)
def test_what_an_action_needs_is_named(
    applicant: APIClient, volume: Resource, body: dict[str, str], pointer: str
) -> None:
    answer = applicant.post(actions(volume), body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


def test_a_recovery_point_is_written_over_a_volume(
    applicant: APIClient, volume: Resource, signed_in: SignedIn
) -> None:
    point, foreign = recovery_point(volume.volume), recovery_point(whole_server().volumes.get(role="data"))
    volume.volume.server = None
    volume.volume.save()
    refused = applicant.post(actions(volume), {"action": "recover", "recovery_point": str(foreign.uuid)})
    assert (refused.status_code, refused.json()["code"]) == (422, "no-such-recovery-point")
    assert refused.json()["errors"][0]["pointer"] == "/recovery_point"
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    body = {"action": "recover", "recovery_point": str(point.uuid)}
    assert stranger.post(actions(volume), body).status_code == 404
    begun = applicant.post(actions(volume), body)
    assert begun.status_code == 202, begun.content
    (step,) = Step.objects.filter(operation__uuid=begun.json()["uuid"])
    assert (step.kind, step.desired_state["backup"]) == ("recovery", point.external_id)


def test_a_volume_is_attached_where_it_is(applicant: APIClient, volume: Resource) -> None:
    volume.volume.server = None
    volume.volume.save()
    there = {"system": volume.system, "cloud": volume.cloud}
    other_zone = whole_server(**there, name="web-2", zone="internet").resource
    one, other, alike = (
        AvailabilityZoneFactory(cloud=volume.cloud, code=code, volume_zone=storage)
        for code, storage in (("a", "cinder-1"), ("b", "cinder-2"), ("c", "cinder-1"))
    )
    Resource.objects.filter(pk=volume.pk).update(availability_zone=one)
    other_part = whole_server(**there, name="web-3", availability_zone=other).resource
    same_storage = whole_server(**there, name="web-4", availability_zone=alike).resource
    same_storage.server.volumes.filter(role="data").update(label="data9")  # else they could not be told apart
    not_known = whole_server(**there, name="web-5").resource

    def attached(server: Resource) -> tuple[int, str]:
        answer = applicant.post(actions(volume), {"action": "attach", "server": str(server.uuid)})
        return answer.status_code, answer.json().get("code", "")

    assert attached(other_zone) == (422, "server-in-another-zone")
    assert attached(other_part) == (422, "server-in-another-availability-zone")
    volume.refresh_from_db()
    offered = {row.pk for row in servers_where_it_is(volume)}
    assert {same_storage.pk, not_known.pk} <= offered
    assert not {other_zone.pk, other_part.pk} & offered
    assert attached(same_storage)[0] == 202


def test_a_snapshot_is_shown_to_those_who_may_see_its_volume(
    applicant: APIClient, signed_in: SignedIn, volume: Resource
) -> None:
    row = snapshot(volume)
    (shown,) = applicant.get(f"/api/v1/snapshots?volume={volume.uuid}&kept=true").json()["results"]
    assert (shown["name"], shown["size_gb"], shown["volume"]) == ("before", 500, str(volume.uuid))
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    assert stranger.get(f"/api/v1/snapshots/{row.uuid}").status_code == 404


def test_a_wipe_record_says_what_was_wiped_when_and_by_which_means(
    applicant: APIClient, signed_in: SignedIn, volume: Resource
) -> None:
    record = WipeRecordFactory(volume=volume.volume, request_id="req-1")
    shown = applicant.get(f"/api/v1/wipe-records/{record.uuid}").json()
    assert (shown["means"], shown["size_gb"], shown["request_id"]) == ("overwritten", 500, "req-1")
    assert shown["confirmed_at"] > shown["requested_at"]
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    assert stranger.get(f"/api/v1/wipe-records/{record.uuid}").status_code == 404


# -- legal holds


@pytest.fixture
def filled() -> House:
    return house(1)


@pytest.fixture
def point(filled: House) -> RecoveryPoint:
    assert filled
    found = RecoveryPoint.objects.filter(expired_at=None).first()
    assert found is not None
    return found


def test_a_hold_is_placed_shown_and_lifted(signed_in: SignedIn, point: RecoveryPoint) -> None:
    authority = signed_in(member(Role.AUTHORITY_APPROVER))
    url = f"/api/v1/recovery-points/{point.uuid}"
    placed = authority.post(f"{url}/legal-hold", {"reason": "案号 12"})
    assert placed.status_code == 200
    assert [(hold["reason"], hold["lifted_at"]) for hold in placed.json()["legal_holds"]] == [
        ("案号 12", None)
    ]
    again = authority.post(f"{url}/legal-hold", {"reason": "案号 12"})
    assert (again.status_code, again.json()["code"]) == (409, "legal-hold-in-force")
    assert authority.get("/api/v1/recovery-points?on_hold=true").json()["count"] == 1
    lifted = authority.post(f"{url}/legal-hold-lifting", {"reason": "结案"}).json()["legal_holds"][0]
    assert (lifted["lifted_because"], bool(lifted["lifted_at"])) == ("结案", True)
    assert authority.get("/api/v1/recovery-points?on_hold=true").json()["count"] == 0
    told = Event.objects.filter(subject_id=point.uuid, verb__startswith="legal_hold").order_by("pk")
    assert [(event.verb, event.reason) for event in told] == [
        ("legal_hold.placed", "案号 12"),
        ("legal_hold.lifted", "结案"),
    ]


def test_a_recovery_point_that_was_lost_is_told_from_one_that_ended(
    signed_in: SignedIn, point: RecoveryPoint
) -> None:
    authority = signed_in(member(Role.AUTHORITY_APPROVER))
    authority.post(f"/api/v1/recovery-points/{point.uuid}/legal-hold", {"reason": "案号 12"})
    lose_point(external_id=point.external_id, actor=ENGINE, at=clock.now())
    (shown,) = authority.get("/api/v1/recovery-points?lost=true").json()["results"]
    assert (shown["uuid"], shown["lost"], shown["expired_at"] is not None) == (str(point.uuid), True, True)
    assert shown["legal_holds"][0]["lifted_at"] is None
    assert str(point.uuid) not in authority.get("/api/v1/recovery-points?kept=true").content.decode()
    url = f"/api/v1/recovery-points/{point.uuid}/legal-hold-lifting"
    assert authority.post(url, {"reason": "it is lost"}).status_code == 200


def test_a_hold_is_not_for_those_who_order_or_operate(signed_in: SignedIn, point: RecoveryPoint) -> None:
    department = point.volume.resource.system.department
    for person in (member(Role.APPLICANT, department), member(Role.CLOUD_ADMIN)):
        answer = signed_in(person).post(
            f"/api/v1/recovery-points/{point.uuid}/legal-hold", {"reason": "案号 12"}
        )
        assert answer.status_code == 403


# -- orders


@pytest.mark.parametrize("change", [{}, {"size_gb": 600, "storage_class": "ssd"}])
def test_a_change_of_a_volume_is_one_change(
    applicant: APIClient, volume: Resource, change: dict[str, object]
) -> None:
    item = {"action": "change", "kind": "volume", "target": str(volume.uuid), **change}
    body = {
        "system": str(volume.system.uuid), "title": "变更", "declares_classified": False, "items": [item],
    }  # fmt: skip
    answer = applicant.post("/api/v1/orders", body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "one-change")


def test_refusals_for_a_hold_tell_times_as_pages_do(
    signed_in: SignedIn, filled: House, point: RecoveryPoint
) -> None:
    """By the clock on the wall, not by that of the database."""
    authority = signed_in(member(Role.AUTHORITY_APPROVER))
    url = f"/api/v1/recovery-points/{point.uuid}/legal-hold"
    assert authority.post(url, {"reason": "案号 12"}).status_code == 200
    moment = datetime(2026, 11, 2, 17, 30, tzinfo=UTC)  # after midnight where people are
    RecoveryPoint.objects.filter(pk=point.pk).update(taken_at=moment)
    LegalHold.objects.filter(point=point).update(placed_at=moment)
    again = authority.post(url, {"reason": "案号 12"}, headers=ENGLISH).json()
    assert again["detail"] == "It is under a legal hold already, placed on 2026-11-03 01:30."
    refused = holds.refused(name="web-1", points=holds.held_points([point.volume]))
    assert f"{point.volume.resource.name} 2026-11-03 01:30 (" in refused.detail


def test_a_restore_is_not_offered_while_none_would_be_taken(applicant: APIClient, volume: Resource) -> None:
    def offered() -> tuple[bool, str]:
        rows = applicant.get(actions(volume), headers=ENGLISH).json()
        return next((row["allowed"], row["reason"]) for row in rows if row["action"] == "restore")

    Volume.objects.filter(resource=volume).update(server=None, mount_point="")
    kept, other = snapshot(volume), SnapshotFactory(volume=volume.volume, name="after")
    assert offered() == (
        False,
        "it has 2 snapshots: delete all but the one that it shall be put back to",
    )
    refused = applicant.post(actions(volume), {"action": "restore", "snapshot": str(kept.uuid)})
    assert refused.json()["code"] == "volume-has-other-snapshots"  # which names the others
    Snapshot.objects.filter(pk=other.pk).update(deleted_at=kept.taken_at)
    assert offered() == (True, "")
    Snapshot.objects.filter(pk=kept.pk).update(size_gb=100)
    assert offered() == (
        False,
        "it has grown from 100 to 500 GB since, and cannot be put back to its smaller self",
    )


def test_a_volume_of_a_suspended_server_stays_until_that_is_renewed(
    applicant: APIClient, volume: Resource, at: datetime
) -> None:
    """Nobody can start the server, which it was told to ask for."""
    server = volume.volume.server
    assert server is not None
    Server.objects.filter(pk=server.pk).update(power=Power.STOPPED, suspended_at=at)
    Resource.objects.filter(pk=server.pk).update(status="suspended")
    refused = applicant.post(actions(volume), {"action": "detach"}, headers=ENGLISH)
    assert refused.status_code == 409
    assert "order the server's renewal" in refused.json()["detail"]
    assert "start the server" not in refused.json()["detail"]


def test_what_is_refused_for_another_things_sake_is_not_named_as_what_can_be_done(
    applicant: APIClient, volume: Resource
) -> None:
    server = volume.volume.server
    assert server is not None
    Volume.objects.filter(resource=volume).update(server=None, mount_point="")
    Resource.objects.filter(pk=server.pk).update(status="changing")
    body = {"action": "attach", "server": str(server.resource.uuid)}
    refused = applicant.post(actions(volume), body, headers=ENGLISH).json()
    assert refused["code"] == "action-not-allowed"
    assert refused["params"]["allowed"] == "keep the volume's state as a snapshot"
