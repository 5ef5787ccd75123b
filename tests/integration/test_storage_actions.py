"""Acting on volumes directly, on the sandbox cloud over HTTP: once each, whatever fails between."""

import time
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from govcloud.gateways import openstack
from govcloud.gateways.openstack import errors
from govcloud.inventory.models import Resource, Snapshot, Volume
from govcloud.orders.drafts import NetworkDraft, ServerDraft, VolumeDraft
from govcloud.provisioning import engine, services
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import Nothing, actions
from govcloud.provisioning.actions.requests import ActionNotAllowed
from govcloud.provisioning.actions.storage import (
    GrownSince,
    LabelTaken,
    Named,
    NoSuchServer,
    NoSuchSnapshot,
    OfSnapshot,
    OtherSnapshots,
    ServerStopped,
    ToServer,
)
from govcloud.provisioning.by_hand import OWN_FILES
from govcloud.provisioning.context import Context
from govcloud.provisioning.kinds import guests
from govcloud.provisioning.kinds.base import GIVEN_UP_FOR, Kind, Moving, Sight, StepFailed
from govcloud.provisioning.kinds.compute import AttachmentKind
from govcloud.provisioning.kinds.storage import DetachmentKind
from govcloud.provisioning.models import CloudCall, Operation, Step
from govcloud.quotas.models import QuotaAccount
from govcloud.quotas.services import QuotaExceeded
from tenants.models import Role
from tests.factories.orders import Scene, scene
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.dying import die_and_be_followed
from tests.integration.sandboxed import Sandbox

pytestmark = pytest.mark.django_db


def servers(quantity: int) -> tuple[Any, ...]:
    return (
        NetworkDraft(name="app-net", zone="public"),
        ServerDraft(
            name="web",
            quantity=quantity,
            zone="public",
            flavor="g.4c16g",
            image="debian-12",
            network="app-net",
            system_volume=VolumeDraft(storage_class="ssd", size_gb=100),
            data_volumes=(VolumeDraft(storage_class="sas", size_gb=50),),
        ),
    )


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False, limits={"storage_gb": 500})


@pytest.fixture
def volume(on: Scene, building: Sandbox) -> Resource:
    """A data volume at its server."""
    building.ask("PUT", "/timing", {"attach_seconds": 0.02})
    built(on, items=servers(1))
    return Resource.objects.with_particulars().get(name="web-1-data-1")


@pytest.fixture
def free(on: Scene, volume: Resource) -> Resource:
    """A data volume that no server has."""
    ask(on, volume, "detach")
    work()
    return fresh(volume)


def fresh(resource: Resource) -> Resource:
    return Resource.objects.with_particulars().get(pk=resource.pk)


def ask(on: Scene, resource: Resource, name: str, parameters: Any = Nothing()) -> Operation:  # noqa: B008
    return requests.request(
        resource=fresh(resource), action=actions()[name], parameters=parameters, actor=on.applicant, at=now()
    )


def done(on: Scene, resource: Resource, name: str, parameters: Any = Nothing()) -> Resource:  # noqa: B008
    operation = ask(on, resource, name, parameters)
    work()
    operation.refresh_from_db()
    assert operation.status == "done", list(operation.steps.values("kind", "state", "last_error"))
    return fresh(resource)


def in_cloud(on: Scene, volume: Resource) -> Any:
    return project(on).volumes.get_volume(volume.external_id)


def storage(on: Scene) -> tuple[int, int]:
    account = QuotaAccount.objects.get(department=on.department, dimension="storage_gb")
    return account.held, account.used


# -- to a server and away from it


def test_a_volume_is_taken_from_its_server_and_given_back(on: Scene, volume: Resource) -> None:
    server = Resource.objects.get(kind="server")
    free = done(on, volume, "detach")
    assert (free.status, free.volume.server, in_cloud(on, free).status) == ("active", None, "available")
    assert Resource.objects.get(pk=server.pk).status == "active"
    back = done(on, free, "attach", ToServer(server=server.uuid))
    assert back.volume.server == server.server
    assert list(in_cloud(on, back).attached_to) == [server.external_id]


def test_its_server_is_in_hand_as_well_meanwhile(on: Scene, volume: Resource) -> None:
    server = Resource.objects.get(kind="server")
    ask(on, volume, "detach")
    with pytest.raises(ActionNotAllowed):
        ask(on, server, "stop")
    work()
    assert ask(on, server, "stop").status == "running"


def test_a_volume_is_not_taken_from_a_server_that_is_in_hand(on: Scene, volume: Resource) -> None:
    ask(on, Resource.objects.get(kind="server"), "reboot")
    with pytest.raises(ActionNotAllowed) as refused:
        ask(on, volume, "detach")
    assert "“web-1” is being changed" in refused.value.detail


def test_the_boot_volume_stays_with_a_reason_of_its_own(on: Scene, volume: Resource) -> None:
    boot = Resource.objects.get(name="web-1-system")
    with pytest.raises(ActionNotAllowed) as refused:
        ask(on, boot, "detach")
    assert "cannot be without it" in refused.value.detail
    assert "keep the volume's state" in refused.value.detail
    assert volume.volume.server is not None


def test_a_stopped_server_has_to_be_started_first(on: Scene, free: Resource, volume: Resource) -> None:
    server = Resource.objects.get(kind="server")
    done(on, server, "stop")
    with pytest.raises(ServerStopped):
        ask(on, free, "attach", ToServer(server=server.uuid))
    done(on, server, "start")
    done(on, free, "attach", ToServer(server=server.uuid))
    done(on, server, "stop")
    with pytest.raises(ActionNotAllowed) as refused:
        ask(on, volume, "detach")
    assert "start the server" in refused.value.detail


def test_two_file_systems_of_one_name_do_not_meet(on: Scene, building: Sandbox) -> None:
    built(on, items=servers(2))
    volume = Resource.objects.get(name="web-1-data-1")
    done(on, volume, "detach")
    other = Resource.objects.get(name="web-2", kind="server")
    with pytest.raises(LabelTaken):
        ask(on, volume, "attach", ToServer(server=other.uuid))
    done(on, Resource.objects.get(name="web-2-data-1"), "detach")
    assert done(on, volume, "attach", ToServer(server=other.uuid)).volume.server == other.server
    assert building


def test_another_systems_server_does_not_exist(on: Scene, free: Resource) -> None:
    with pytest.raises(NoSuchServer) as refused:
        ask(on, free, "attach", ToServer(server=free.uuid))
    assert refused.value.pointers == ("/server",)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ["attach", "detach"])
def test_a_lost_answer_is_looked_up(
    on: Scene, volume: Resource, building: Sandbox, name: str, when: str
) -> None:
    server = Resource.objects.get(kind="server")
    if name == "attach":
        done(on, volume, "detach")
    method = {"attach": "POST", "detach": "DELETE"}[name]
    lost = {"service": "compute", "method": method, "path": "os-volume_attachments", "action": "reset"}
    building.ask("POST", "/faults", {**lost, "when": when, "times": 1})
    after = done(on, volume, name, ToServer(server=server.uuid) if name == "attach" else Nothing())
    assert (after.volume.server is not None) == (name == "attach")
    assert bool(in_cloud(on, after).attached_to) == (name == "attach")


@pytest.mark.parametrize("name", ["attach", "detach"])
def test_an_opposite_request_that_was_taken_for_lost_is_waited_for(
    on: Scene, volume: Resource, name: str, settings: Settings
) -> None:
    server, kind = Resource.objects.get(kind="server"), {"attach": "detachment", "detach": "attachment"}[name]
    if name == "attach":
        done(on, volume, "detach")
    Step.objects.filter(kind=kind, desired_state__volume=str(volume.unit)).update(missed_at=now())
    operation = ask(on, volume, name, ToServer(server=server.uuid) if name == "attach" else Nothing())
    wanted = operation.steps.get(kind={"attach": "attachment", "detach": "detachment"}[name])
    while "may still land" not in wanted.last_error and wanted.state != "done":
        engine.run_due(clock=now)
        wanted.refresh_from_db()
    assert bool(in_cloud(on, volume).attached_to) == (name == "detach")
    settings.STEP_SETTLE = timedelta(0)
    work()
    operation.refresh_from_db()
    assert operation.status == "done", states()
    assert bool(in_cloud(on, volume).attached_to) == (name == "attach")


def test_an_abandoned_detachment_leaves_the_volume_at_its_server(
    on: Scene, volume: Resource, building: Sandbox
) -> None:
    refused = {"service": "compute", "method": "DELETE", "path": "os-volume_attachments", "action": "status"}
    building.ask("POST", "/faults", {**refused, "status": 403, "when": "before", "message": "no", "times": 1})
    operation = ask(on, volume, "detach")
    work()
    services.abandon(operation=operation, reason="in use", actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    operation.refresh_from_db()
    after = fresh(volume)
    assert (operation.status, after.status) == ("undone", "active")
    assert after.volume.server is not None
    assert in_cloud(on, after).attached_to


def test_a_slow_detachment_is_called_off_before_its_answer_was_heard(
    on: Scene, volume: Resource, building: Sandbox, settings: Settings
) -> None:
    settings.STEP_SETTLE = timedelta(seconds=0.2)
    building.ask("PUT", "/timing", {"attach_seconds": 2})
    lost = {"service": "compute", "method": "DELETE", "path": "os-volume_attachments", "action": "reset"}
    building.ask("POST", "/faults", {**lost, "when": "after", "times": 1})
    operation = ask(on, volume, "detach")
    while in_cloud(on, volume).status != "detaching":
        engine.run_due(clock=now, most=1)
    building.ask("PUT", "/timing", {"attach_seconds": 0.02})
    services.abandon(operation=operation, reason="in use", actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    operation.refresh_from_db()
    assert operation.status == "undone", states()
    server = Resource.objects.get(kind="server")
    assert (fresh(volume).volume.server, fresh(volume).status) == (server.server, "active")
    seen = in_cloud(on, volume)
    assert (seen.status, list(seen.attached_to)) == ("in-use", [server.external_id])


def test_an_abandoned_attachment_leaves_the_volume_free(on: Scene, free: Resource, building: Sandbox) -> None:
    refused = {"service": "compute", "method": "POST", "path": "os-volume_attachments", "action": "status"}
    building.ask("POST", "/faults", {**refused, "status": 403, "when": "before", "message": "no", "times": 1})
    operation = ask(on, free, "attach", ToServer(server=Resource.objects.get(kind="server").uuid))
    work()
    services.abandon(operation=operation, reason="wrong one", actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    operation.refresh_from_db()
    assert (operation.status, fresh(free).volume.server) == ("undone", None)
    assert in_cloud(on, free).status == "available"


def test_a_volume_with_a_file_system_of_its_departments_own_is_attached_and_not_mounted(
    on: Scene, free: Resource
) -> None:
    Volume.objects.filter(resource=free).update(label="", mount_point="")  # as it is taken over
    server = Resource.objects.get(kind="server")
    assert done(on, free, "attach", ToServer(server=server.uuid)).volume.server == server.server
    done(on, server, "stop")
    assert done(on, free, "detach").volume.server is None
    skipped = Step.objects.filter(operation__resource=free, kind__in=("mount", "let_go")).order_by("pk")
    told = [(step.kind, step.state, step.outputs.get("reason")) for step in skipped][-2:]
    assert told == [("mount", "skipped", OWN_FILES), ("let_go", "skipped", OWN_FILES)]


@pytest.mark.parametrize(
    "trouble",
    [StepFailed("/data1 is not empty"), errors.Misconfigured("the cloud has no such image", service="image")],
    ids=["the run fails", "the image is gone"],
)
def test_an_attachment_is_abandoned_although_the_guest_cannot_be_put_back(
    on: Scene, free: Resource, settings: Settings, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def fail(*_given: object, disks: str) -> None:
        raise trouble if disks == "unmounted" else StepFailed("/data1 is not empty")

    settings.STEP_ATTEMPTS = 1
    monkeypatch.setattr(guests.MountKind, "play", fail)
    operation = ask(on, free, "attach", ToServer(server=Resource.objects.get(kind="server").uuid))
    work()
    operation.refresh_from_db()
    assert operation.status == "parked"
    services.abandon(operation=operation, reason="wrong one", actor=member(Role.CLOUD_ADMIN), at=now())
    engine.run_due(clock=now)
    mount = operation.steps.get(kind="mount")
    assert mount.state == "removing"  # tried for a while before it is given up
    monkeypatch.setattr(guests, "GIVEN_UP", timedelta(0))
    work()
    operation.refresh_from_db()
    mount.refresh_from_db()
    assert (operation.status, fresh(free).status, fresh(free).volume.server) == ("undone", "active", None)
    assert (mount.state, mount.outputs) == ("gone", {GIVEN_UP_FOR: str(trouble)})


@pytest.fixture(params=["in its time", "just after a look"])
def arriving(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a volume arrive when it does, or between a look at it that still shows it on its way and what is done next."""
    if request.param == "in its time":
        return
    for kind in (AttachmentKind, DetachmentKind):

        def late(self: Kind, context: Context, external_id: str, look: Any = kind.look) -> Sight:
            seen = look(self, context, external_id)
            while isinstance(seen, Moving) and isinstance(look(self, context, external_id), Moving):
                time.sleep(0.05)
            return seen

        monkeypatch.setattr(kind, "look", late)


@pytest.mark.usefixtures("arriving")
@pytest.mark.parametrize("name", ["attach", "detach"])
def test_a_cloud_that_is_slow_to_undo_it_is_waited_for_and_not_asked_again(
    on: Scene, volume: Resource, building: Sandbox, settings: Settings, name: str
) -> None:
    if name == "attach":
        done(on, volume, "detach")
    settings.STEP_ATTEMPTS = 2
    building.ask("PUT", "/timing", {"attach_seconds": 1.5})
    server = Resource.objects.get(kind="server")
    operation = ask(on, volume, name, ToServer(server=server.uuid) if name == "attach" else Nothing())
    kind = {"attach": "attachment", "detach": "detachment"}[name]
    while not operation.steps.filter(kind=kind).exclude(external_id="").exists():
        engine.run_due(clock=now, most=1)
    services.abandon(operation=operation, reason="not now", actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    building.ask("PUT", "/timing", {"attach_seconds": 0.02})
    operation.refresh_from_db()
    assert operation.status == "undone", list(operation.steps.values("kind", "state", "last_error"))
    assert bool(in_cloud(on, volume).attached_to) == (name == "detach")
    undone = operation.steps.get(kind=kind).calls.filter(method={"attach": "DELETE", "detach": "POST"}[name])
    assert list(undone.values_list("status", flat=True)) == [{"attach": 202, "detach": 200}[name]]


# -- snapshots


def taken(on: Scene, volume: Resource, name: str = "before") -> Snapshot:
    done(on, volume, "snapshot", Named(name=name))
    return Snapshot.objects.get(name=name)


def test_a_snapshot_is_taken_of_a_volume_in_use_and_counts_as_much_as_the_volume(
    on: Scene, volume: Resource
) -> None:
    snapshot = taken(on, volume)
    found = project(on).snapshots.find_snapshots(volume_id=volume.external_id)
    assert [each.id for each in found] == [snapshot.external_id]
    assert (snapshot.size_gb, snapshot.taken_by, storage(on)) == (50, on.applicant, (0, 200))
    limits = project(on).volumes.limits()
    assert (limits["maxTotalSnapshots"], limits["maxTotalVolumeGigabytes"]) == (1, 200)


def test_a_deleted_snapshot_gives_its_room_back(on: Scene, volume: Resource) -> None:
    snapshot = taken(on, volume)
    done(on, volume, "delete-snapshot", OfSnapshot(snapshot=snapshot.uuid))
    assert project(on).snapshots.find_snapshots() == []
    assert storage(on) == (0, 150)
    assert project(on).volumes.limits()["maxTotalSnapshots"] == 0


def test_no_room_no_snapshot(on: Scene, volume: Resource) -> None:
    QuotaAccount.objects.filter(department=on.department, dimension="storage_gb").update(limit=199)
    with pytest.raises(QuotaExceeded):
        ask(on, volume, "snapshot", Named(name="before"))
    assert (fresh(volume).status, storage(on)) == ("active", (0, 150))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_snapshot_whose_answer_was_lost_is_one(
    on: Scene, volume: Resource, building: Sandbox, settings: Settings, when: str
) -> None:
    settings.STEP_SETTLE = timedelta(seconds=0.5)
    lost = {"service": "volume", "method": "POST", "path": "/snapshots$", "action": "reset", "when": when}
    building.ask("POST", "/faults", {**lost, "times": 1})
    taken(on, volume)
    assert len(project(on).snapshots.find_snapshots()) == 1


def test_a_snapshot_that_is_called_off_holds_nothing(
    on: Scene, volume: Resource, building: Sandbox, settings: Settings
) -> None:
    settings.STEP_SETTLE = timedelta(seconds=0.5)
    refused = {"service": "volume", "method": "POST", "path": "/snapshots$", "action": "status"}
    building.ask("POST", "/faults", {**refused, "status": 403, "when": "before", "message": "no", "times": 1})
    operation = ask(on, volume, "snapshot", Named(name="before"))
    work()
    assert storage(on) == (50, 150)
    services.abandon(operation=operation, reason="no", actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    assert (storage(on), fresh(volume).status) == ((0, 150), "active")


def test_a_volume_is_put_back_to_its_snapshot(on: Scene, free: Resource) -> None:
    snapshot = taken(on, free)
    done(on, free, "restore", OfSnapshot(snapshot=snapshot.uuid))
    snapshot.refresh_from_db()
    assert snapshot.restored_at is not None
    assert in_cloud(on, free).status == "available"


@pytest.mark.parametrize("then", ["again", "given up"])
def test_a_restore_that_failed_leaves_a_volume_that_can_be_used(
    on: Scene, free: Resource, building: Sandbox, then: str
) -> None:
    snapshot = taken(on, free)
    building.ask("PUT", "/timing", {"volume_seconds": 60})
    operation = ask(on, free, "restore", OfSnapshot(snapshot=snapshot.uuid))
    engine.run_due(clock=now, most=1)
    building.ask("PUT", "/timing", {"volume_seconds": 0.05})
    openstack.connect(cloud="sandbox").volumes.reset_status(free.external_id, status="error")
    work()
    operation.refresh_from_db()
    assert operation.status == "parked"
    administrator = member(Role.CLOUD_ADMIN)
    if then == "again":
        services.retry(operation=operation, actor=administrator, at=now())
    else:
        services.abandon(operation=operation, reason="wrong one", actor=administrator, at=now())
    work()
    operation.refresh_from_db()
    assert (operation.status, in_cloud(on, free).status) == (
        {"again": "done", "given up": "undone"}[then],
        "available",
    ), states()
    assert fresh(free).status == "active"


def test_a_worker_that_dies_after_the_restore_landed_leaves_one(
    on: Scene, free: Resource, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.STEP_SETTLE = timedelta(seconds=0.5)
    snapshot = taken(on, free)
    operation = ask(on, free, "restore", OfSnapshot(snapshot=snapshot.uuid))
    die_and_be_followed(monkeypatch, "_adopt")
    assert fresh(free).status == "active"
    assert CloudCall.objects.filter(step__operation=operation, method="POST").count() == 1


def test_a_volume_that_has_grown_is_not_put_back(on: Scene, free: Resource) -> None:
    snapshot = taken(on, free)
    Snapshot.objects.update(size_gb=40)
    with pytest.raises(GrownSince):
        ask(on, free, "restore", OfSnapshot(snapshot=snapshot.uuid))


def test_a_volume_with_other_snapshots_is_not_put_back(on: Scene, free: Resource) -> None:
    taken(on, free, "older")
    newest = taken(on, free, "newer")
    with pytest.raises(OtherSnapshots) as refused:
        ask(on, free, "restore", OfSnapshot(snapshot=newest.uuid))
    assert refused.value.params["others"] == "older"


def test_a_volume_in_use_is_not_put_back(on: Scene, volume: Resource) -> None:
    snapshot = taken(on, volume)
    with pytest.raises(ActionNotAllowed) as refused:
        ask(on, volume, "restore", OfSnapshot(snapshot=snapshot.uuid))
    assert "disconnect it first" in refused.value.detail


def test_another_volumes_snapshot_does_not_exist(on: Scene, volume: Resource) -> None:
    other = taken(on, Resource.objects.get(name="web-1-system"))
    taken(on, volume, "own")
    with pytest.raises(NoSuchSnapshot):
        ask(on, volume, "delete-snapshot", OfSnapshot(snapshot=other.uuid))
