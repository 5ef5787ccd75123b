"""Volumes ordered by themselves, and moved to another class, on the sandbox cloud over HTTP."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from govcloud.audit.models import Event
from govcloud.catalog.models import Cloud, Retyping
from govcloud.errors import Invalids
from govcloud.gateways.openstack.models import Volume as SeenVolume
from govcloud.inventory.models import Resource, Volume
from govcloud.metering.models import UsageSegment
from govcloud.orders import services
from govcloud.orders.drafts import (
    BackupDraft,
    ExtendDraft,
    NetworkDraft,
    ResizeDraft,
    RetypeDraft,
    ServerDraft,
    StorageDraft,
    VolumeDraft,
)
from govcloud.orders.models import Order
from govcloud.orders.rules.of_items import SizeOutOfRange, TooManyVolumes
from govcloud.orders.rules.of_targets import (
    CannotMove,
    OwnFileSystem,
    ResourceNotInUse,
    SameStorageClass,
    SnapshotsInTheWay,
    TargetTwice,
)
from govcloud.protection.models import BackupPlan, PlannedVolume
from govcloud.provisioning import engine
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import Nothing, actions
from govcloud.provisioning.actions.storage import Named, ServerElsewhere, ServerFull, ServerStopped, ToServer
from govcloud.provisioning.models import Operation
from govcloud.quotas.models import QuotaAccount
from tenants.models import Role
from tests.factories.inventory import VolumeFactory
from tests.factories.orders import Scene, approve_all, approved, drafted, scene, submitted
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox

pytestmark = pytest.mark.django_db

ARCHIVE = StorageDraft(name="archive", zone="public", storage_class="sas", size_gb=300)
SERVER = (
    NetworkDraft(name="app-net", zone="public"),
    ServerDraft(
        name="web",
        zone="public",
        flavor="g.4c16g",
        image="debian-12",
        network="app-net",
        system_volume=VolumeDraft(storage_class="ssd", size_gb=100),
        data_volumes=(VolumeDraft(storage_class="sas", size_gb=50),),
    ),
)


@pytest.fixture
def on(building: Sandbox) -> Scene:
    building.ask("PUT", "/timing", {"attach_seconds": 0.02})
    return scene(level_3=False, limits={"storage_gb": 1_000})


@pytest.fixture
def server(on: Scene) -> Resource:
    built(on, items=SERVER)
    return Resource.objects.get(kind="server")


def named(name: str) -> Resource:
    return Resource.objects.with_particulars().get(name=name)


def meters(resource: Resource) -> dict[str, Decimal]:
    segments = UsageSegment.objects.filter(resource=resource).going_on()
    return {segment.meter.code: segment.quantity for segment in segments.select_related("meter")}


def refusals(on: Scene, *items: Any) -> list[type]:
    with pytest.raises(Invalids) as broken:
        drafted(on, at=now(), items=items)
    return [type(error) for error in broken.value.errors]


def test_a_volume_is_ordered_by_itself_priced_built_and_billed(on: Scene) -> None:
    order = drafted(on, at=now(), items=(ARCHIVE,))
    assert services.quote(order=order, at=now()).monthly_total == Decimal("120.00")
    order = services.submit(order=order, actor=on.applicant, at=now())
    approve_all(on, order, at=now())
    work()
    archive = named("archive")
    assert (archive.status, archive.volume.server, meters(archive)) == (
        "active", None, {"block_sas_gb": Decimal(300)},
    )  # fmt: skip
    found = project(on).volumes.get_volume(archive.external_id)
    assert (found.status, found.volume_type, found.size_gib) == ("available", "sas", 300)
    account = QuotaAccount.objects.get(department=on.department, dimension="storage_gb")
    assert (account.held, account.used) == (0, 300)
    order.refresh_from_db()
    assert order.status == "fulfilled"


def test_a_volume_is_attached_to_a_server_of_the_system(on: Scene, server: Resource) -> None:
    draft = StorageDraft(name="archive", zone="public", storage_class="sas", size_gb=300, server=server.uuid)
    order = built(on, items=(draft,))
    assert order.status == "fulfilled", states()
    archive = named("archive")
    assert archive.volume.server == server.server
    assert archive.volume.mount_point == "/data/archive"
    assert list(project(on).volumes.get_volume(archive.external_id).attached_to) == [server.external_id]
    assert Resource.objects.get(pk=server.pk).status == "active"


def test_what_an_open_order_gives_a_server_is_not_overtaken_by_hand(on: Scene, server: Resource) -> None:
    """The server might have all it can take by the time the order is approved."""
    built(on, items=(ARCHIVE,))
    more = StorageDraft(name="more", zone="public", storage_class="sas", size_gb=100, server=server.uuid)
    order = submitted(on, at=now(), items=(more,))
    with pytest.raises(requests.ActionNotAllowed) as refusal:
        requests.request(
            resource=named("archive"), action=actions()["attach"], parameters=ToServer(server=server.uuid),
            actor=on.applicant, at=now(),
        )  # fmt: skip
    assert order.number in refusal.value.params["reason"]


def test_what_a_server_gets_later_is_backed_up_with_its_others(on: Scene) -> None:
    backup = BackupDraft(name="backup", dr_level=1, capacity_gb=500, frequency="daily", off_site=True)
    order = built(on, items=(*SERVER, backup))
    assert order.status == "fulfilled", states()
    server = named("web-1")
    built(
        on,
        items=(
            StorageDraft(name="archive", zone="public", storage_class="sas", size_gb=300, server=server.uuid),
        ),
    )
    plan = BackupPlan.objects.get()
    covered = PlannedVolume.objects.filter(plan=plan, until=None)
    assert covered.filter(volume__resource__name="archive").exists()
    assert covered.count() == 3, "with its system volume and its data volume"
    built(on, items=(replace(ARCHIVE, name="spare"),))
    assert covered.count() == 3, "what no server has is in no server's plan"


def test_storage_that_is_called_off_is_in_no_backup_plan_any_more(on: Scene) -> None:
    backup = BackupDraft(name="backup", dr_level=1, capacity_gb=500, frequency="daily", off_site=True)
    built(on, items=(*SERVER, backup))
    draft = replace(ARCHIVE, server=named("web-1").uuid)
    order = approved(on, at=now(), items=(draft,))
    while not PlannedVolume.objects.filter(volume__resource__name="archive").exists():
        engine.run_due(clock=now, most=1)
    operation = Operation.objects.get(thread=order.uuid)
    provisioning.abandon(operation=operation, reason="no", actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    assert named("archive").status == "released"
    planned = PlannedVolume.objects.filter(until=None).values_list("volume__resource__name", flat=True)
    assert sorted(planned) == ["web-1-data-1", "web-1-system"]
    told = Event.objects.filter(verb="backup_plan.uncovered", thread=order.uuid)
    assert [event.after for event in told] == [{"volume": "archive"}]


def test_a_volume_waits_for_a_server_that_is_in_hand(on: Scene, server: Resource) -> None:
    draft = StorageDraft(name="archive", zone="public", storage_class="sas", size_gb=300, server=server.uuid)
    order = submitted(on, at=now(), items=(draft,))
    requests.request(
        resource=server, action=actions()["reboot"], parameters=Nothing(), actor=on.applicant, at=now()
    )
    with pytest.raises(ResourceNotInUse, match="“web-1”"):
        approve_all(on, order, at=now())
    work()
    assert approve_all(on, Order.objects.get(pk=order.pk), at=now()).status == "fulfilling"


def test_a_volume_is_not_begun_for_a_server_that_was_stopped_since(on: Scene, server: Resource) -> None:
    """In hand, it could not be started any more, and its guest would never mount it."""
    draft = StorageDraft(name="archive", zone="public", storage_class="sas", size_gb=300, server=server.uuid)
    order = submitted(on, at=now(), items=(draft,))
    told = {"parameters": Nothing(), "actor": on.applicant}
    requests.request(resource=server, action=actions()["stop"], at=now(), **told)
    work()
    with pytest.raises(ServerStopped, match="“web-1”"):
        approve_all(on, order, at=now())
    stopped = Resource.objects.with_particulars().get(pk=server.pk)
    assert stopped.status == "active"
    requests.request(resource=stopped, action=actions()["start"], at=now(), **told)
    work()
    assert approve_all(on, Order.objects.get(pk=order.pk), at=now()).status == "fulfilling"


@pytest.mark.parametrize("change", ["extension", "retype"])
def test_a_server_that_was_stopped_since_is_not_asked_to_let_go_of_a_volume(
    on: Scene, server: Resource, change: str
) -> None:
    cloud = server.cloud
    cloud.online_extend, cloud.retyping = False, Retyping.DETACHED
    cloud.save()
    volume = named("web-1-data-1")
    item = (
        ExtendDraft(target=volume.uuid, size_gb=80)
        if change == "extension"
        else RetypeDraft(target=volume.uuid, storage_class="ssd")
    )
    order = submitted(on, at=now(), items=(item,))
    requests.request(
        resource=server, action=actions()["stop"], parameters=Nothing(), actor=on.applicant, at=now()
    )
    work()
    with pytest.raises(ServerStopped, match="“web-1”"):
        approve_all(on, order, at=now())
    assert (named("web-1").status, named("web-1-data-1").status) == ("active", "active")


def test_a_volume_called_off_gives_everything_back(on: Scene, server: Resource, building: Sandbox) -> None:
    refused = {"service": "compute", "method": "POST", "path": "os-volume_attachments", "action": "status"}
    building.ask("POST", "/faults", {**refused, "status": 403, "when": "before", "message": "no", "times": 1})
    draft = StorageDraft(name="archive", zone="public", storage_class="sas", size_gb=300, server=server.uuid)
    order = built(on, items=(draft,))
    operation = Operation.objects.get(thread=order.uuid)
    provisioning.abandon(operation=operation, reason="no", actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    order.refresh_from_db()
    assert (order.status, named("archive").status) == ("cancelled", "released")
    account = QuotaAccount.objects.get(department=on.department, dimension="storage_gb")
    assert (account.held, account.used) == (0, 150)
    assert Resource.objects.get(pk=server.pk).status == "active"


def test_a_volume_is_ordered_within_the_rules(on: Scene, server: Resource) -> None:
    big = StorageDraft(name="big", zone="public", storage_class="sas", size_gb=10**6)
    zero = StorageDraft(name="zero", zone="public", storage_class="sas", size_gb=0)
    assert refusals(on, big, zero) == [SizeOutOfRange, SizeOutOfRange]
    away = StorageDraft(name="away", zone="private", storage_class="sas", size_gb=10, server=server.uuid)
    assert ServerElsewhere in refusals(on, away)


def test_a_server_is_not_resized_by_the_order_that_gives_it_storage(on: Scene, server: Resource) -> None:
    resize = ResizeDraft(target=server.uuid, flavor="g.8c32g")
    assert refusals(on, replace(ARCHIVE, server=server.uuid), resize) == [TargetTwice]


def test_an_order_from_before_that_does_both_is_not_begun(
    on: Scene, server: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was submitted when this was taken."""
    monkeypatch.setattr("govcloud.orders.rules.of_targets._targets", lambda _order: iter(()))
    resize = ResizeDraft(target=server.uuid, flavor="g.8c32g")
    order = submitted(on, at=now(), items=(resize, replace(ARCHIVE, server=server.uuid)))
    with pytest.raises(ResourceNotInUse, match="“web-1”"):
        approve_all(on, order, at=now())
    assert Operation.objects.filter(finished_at=None).count() == 0


@pytest.fixture
def nearly_full(on: Scene, server: Resource) -> Resource:
    """With room for one more data volume."""
    for number in range(8):
        VolumeFactory(
            resource__system=on.system, resource__cloud=server.cloud, resource__name=f"d-{number}",
            server=server.server, role="data",
        )  # fmt: skip
    return server


def test_two_orders_do_not_give_a_server_more_volumes_than_it_can_have(
    on: Scene, nearly_full: Resource
) -> None:
    first = submitted(on, at=now(), items=(replace(ARCHIVE, server=nearly_full.uuid),))
    second = replace(ARCHIVE, name="spare", server=nearly_full.uuid)
    assert refusals(on, second) == [TooManyVolumes]
    services.withdraw(order=first, reason="stays", actor=on.applicant, at=now())
    assert submitted(on, at=now(), items=(second,)).status == "in_approval"


def test_what_came_to_a_server_since_leaves_no_room_for_what_was_ordered(
    on: Scene, nearly_full: Resource
) -> None:
    order = submitted(on, at=now(), items=(replace(ARCHIVE, server=nearly_full.uuid),))
    VolumeFactory(
        resource__system=on.system, resource__cloud=nearly_full.cloud, server=nearly_full.server, role="data"
    )
    with pytest.raises(ServerFull):
        approve_all(on, order, at=now())
    assert Resource.objects.get(pk=nearly_full.pk).status == "active"


# -- another class


def retyped(on: Scene, name: str) -> Order:
    return built(on, items=(RetypeDraft(target=named(name).uuid, storage_class="ssd"),))


def test_a_volume_moves_to_another_class_at_the_difference(on: Scene) -> None:
    built(on, items=(ARCHIVE,))
    order = drafted(on, at=now(), items=(RetypeDraft(target=named("archive").uuid, storage_class="ssd"),))
    assert services.quote(order=order, at=now()).monthly_total == Decimal("90.00")  # 300 x (0.7 - 0.4)
    approve_all(on, services.submit(order=order, actor=on.applicant, at=now()), at=now())
    work()
    archive = named("archive")
    assert (archive.status, archive.volume.storage_class.code) == ("active", "ssd")
    assert meters(archive) == {"block_ssd_gb": Decimal(300)}
    assert project(on).volumes.get_volume(archive.external_id).volume_type == "ssd"


def test_its_server_lets_go_of_a_volume_that_moves_and_has_it_again(on: Scene, server: Resource) -> None:
    assert retyped(on, "web-1-data-1").status == "fulfilled", states()
    moved = named("web-1-data-1")
    assert (moved.volume.storage_class.code, moved.volume.server) == ("ssd", server.server)
    seen = project(on).volumes.get_volume(moved.external_id)
    assert (seen.volume_type, list(seen.attached_to)) == ("ssd", [server.external_id])
    assert (moved.status, Resource.objects.get(pk=server.pk).status) == ("active", "active")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_move_whose_answer_was_lost_happens_once(on: Scene, building: Sandbox, when: str) -> None:
    built(on, items=(ARCHIVE,))
    lost = {"service": "volume", "method": "POST", "path": "/action$", "action": "reset", "when": when}
    building.ask("POST", "/faults", {**lost, "times": 1})
    assert retyped(on, "archive").status == "fulfilled", states()
    assert project(on).volumes.get_volume(named("archive").external_id).volume_type == "ssd"


def moving_unheard(on: Scene, building: Sandbox, settings: Settings, *, seconds: float) -> Operation:
    """A move that goes on in the cloud for so long, whose acceptance nobody has heard of."""
    built(on, items=(ARCHIVE,))
    settings.STEP_SETTLE = timedelta(seconds=0.2)
    building.ask("PUT", "/timing", {"volume_seconds": seconds})
    lost = {"service": "volume", "method": "POST", "path": "/action$", "action": "reset", "when": "after"}
    building.ask("POST", "/faults", {**lost, "times": 1})
    order = approved(on, at=now(), items=(RetypeDraft(target=named("archive").uuid, storage_class="ssd"),))
    operation = Operation.objects.get(thread=order.uuid)
    while in_cloud(on, "archive").status != "retyping":
        engine.run_due(clock=now, most=1)
    building.ask("PUT", "/timing", {"volume_seconds": 0.4})
    return operation


def in_cloud(on: Scene, name: str) -> SeenVolume:
    return project(on).volumes.get_volume(named(name).external_id)


def test_a_long_move_whose_answer_was_lost_is_waited_for(
    on: Scene, building: Sandbox, settings: Settings
) -> None:
    settings.STEP_ATTEMPTS = 3
    operation = moving_unheard(on, building, settings, seconds=2)
    work()
    operation.refresh_from_db()
    assert operation.status == "done", states()
    assert named("archive").volume.storage_class.code == "ssd"
    assert operation.steps.get(kind="retype").calls.filter(method="POST").count() == 1


def test_a_move_that_is_called_off_before_its_answer_was_heard_is_recorded_as_it_ends(
    on: Scene, building: Sandbox, settings: Settings
) -> None:
    operation = moving_unheard(on, building, settings, seconds=2)
    provisioning.abandon(operation=operation, reason="no", actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    operation.refresh_from_db()
    assert (operation.status, in_cloud(on, "archive").status) == ("undone", "available")
    archive = named("archive")
    assert (in_cloud(on, "archive").volume_type, archive.volume.storage_class.code) == ("ssd", "ssd")
    assert meters(archive) == {"block_ssd_gb": Decimal(300)}


def test_what_cannot_move_is_refused_with_its_reason(on: Scene, server: Resource) -> None:
    def move(name: str, to: str = "ssd") -> RetypeDraft:
        return RetypeDraft(target=named(name).uuid, storage_class=to)

    assert refusals(on, move("web-1-data-1", "sas")) == [SameStorageClass]
    assert refusals(on, move("web-1-system", "sas")) == [CannotMove]
    requests.request(
        resource=named("web-1-data-1"), action=actions()["snapshot"], parameters=Named(name="before"),
        actor=on.applicant, at=now(),
    )  # fmt: skip
    work()
    assert refusals(on, move("web-1-data-1")) == [SnapshotsInTheWay]
    Volume.objects.filter(resource=named("web-1-data-1")).update(label="")  # as it is taken over
    assert refusals(on, move("web-1-data-1")) == [OwnFileSystem, SnapshotsInTheWay]
    Cloud.objects.update(retyping="never")
    assert CannotMove in refusals(on, move("web-1-data-1"))
    assert server
