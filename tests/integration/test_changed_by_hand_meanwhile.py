"""What an open order is about, changed by hand in the cloud meanwhile: quota is counted once, and none stays held."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from govcloud.catalog.models import Flavor
from govcloud.gateways.openstack import errors
from govcloud.inventory.models import Address, Resource, Server, Volume
from govcloud.metering.models import UsageSegment
from govcloud.orders.drafts import ExtendDraft, ItemDraft, ReleaseDraft, ResizeDraft
from govcloud.orders.models import Order
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.context import Context
from govcloud.provisioning.kinds.compute import VolumeKind
from govcloud.provisioning.models import Operation
from govcloud.quotas import services as quotas
from govcloud.quotas.ledger import Hold
from govcloud.quotas.models import QuotaAccount
from govcloud.reconciliation import services
from govcloud.reconciliation.adoption import ClaimedByOrder
from govcloud.reconciliation.models import Finding
from tenants.models import Role, User
from tests.factories.orders import Scene, approve_all, scene, submitted
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox
from tests.integration.test_direct_actions import ONE_SERVER
from tests.integration.test_reconciliation import applied, row, swept

pytestmark = pytest.mark.django_db
NO_ROOM = {
    "service": "compute", "method": "POST", "path": "/servers/[^/]*/action$", "action": "build_error", "times": 1,
}  # fmt: skip


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


@pytest.fixture
def server(on: Scene, building: Sandbox) -> Resource:
    """4 vCPU and 16 GB, with a volume of 100 GB."""
    built(on, items=ONE_SERVER)
    building.ask("PUT", "/timing", {"action_seconds": 0.05})
    return Resource.objects.get(kind="server")


@pytest.fixture
def volume(server: Resource) -> Resource:
    return Resource.objects.get(kind="volume")


@pytest.fixture
def admin() -> User:
    return member(Role.CLOUD_ADMIN)


def larger(server: Resource, flavor: str = "g.8c32g") -> tuple[ItemDraft]:
    return (ResizeDraft(target=server.uuid, flavor=flavor),)


def longer(volume: Resource, size_gb: int = 200) -> tuple[ItemDraft]:
    return (ExtendDraft(target=volume.uuid, size_gb=size_gb),)


def moved_by_hand(on: Scene, server: Resource, sandbox: Sandbox, name: str = "g.8c32g") -> None:
    flavor = next(each for each in project(on).compute.flavors() if each.name == name)
    specs = {"id": flavor.id, "name": name, "vcpus": flavor.vcpus, "ram": flavor.memory_mib, "disk": 0}
    row(sandbox, "server", server.external_id, flavor={**specs, "extra_specs": {}})


def grown_by_hand(volume: Resource, sandbox: Sandbox, size: int = 200) -> None:
    row(sandbox, "volume", volume.external_id, size=size)


def counted_at_once(on: Scene, **more: int) -> None:
    """As if the finding had been adopted before that was refused."""
    source = uuid4()
    quotas.hold(department=on.department, holds=[Hold(source, more)], at=now())
    quotas.commit(source=source, at=now())


def taken_into_the_record(on: Scene, server: Resource) -> None:
    """The flavor, although an order was about the server."""
    flavor = Flavor.objects.get(code="g.8c32g")
    Server.objects.filter(resource=server).update(flavor=flavor, vcpus=8, memory_gb=32)
    counted_at_once(on, vcpus=4, memory_gb=16)


def size_taken_into_the_record(on: Scene, volume: Resource, size_gb: int = 200) -> None:
    Volume.objects.filter(resource=volume).update(size_gb=size_gb)
    counted_at_once(on, storage_gb=size_gb - 100)


def accounts(on: Scene, *dimensions: str) -> list[tuple[int, int]]:
    """What is held and used of each."""
    found = {each.dimension: each for each in QuotaAccount.objects.filter(department=on.department)}
    return [(found[name].held, found[name].used) for name in dimensions]


def carried_out(on: Scene, order: Order) -> str:
    approve_all(on, order, at=now())
    work()
    order.refresh_from_db()
    return order.status


def abandoned(on: Scene, order: Order) -> str:
    operation = Operation.objects.get(thread=order.uuid)
    provisioning.abandon(operation=operation, reason="by hand", actor=on.applicant, at=now())
    work()
    order.refresh_from_db()
    return order.status


def billed(resource: Resource) -> dict[str, int]:
    going_on = UsageSegment.objects.filter(resource=resource, period__endswith=None)
    return {each.meter.code: int(each.quantity) for each in going_on}


# the finding


def refused_and_carried_out(on: Scene, order: Order, admin: User) -> None:
    """The finding is refused with the order's number, and over once the order is."""
    before = accounts(on, "vcpus", "memory_gb", "storage_gb")
    swept(on)
    finding = Finding.objects.exclude(status="resolved").get()
    with pytest.raises(ClaimedByOrder) as refusal:
        services.apply(finding=finding, actor=admin, at=now())
    assert order.number in refusal.value.detail
    finding.refresh_from_db()
    assert (finding.status, accounts(on, "vcpus", "memory_gb", "storage_gb")) == ("open", before)
    assert carried_out(on, order) == "fulfilled", states()
    swept(on)
    assert not Finding.objects.exclude(status="resolved").exists()


def test_a_flavor_is_not_taken_into_the_record_while_an_order_is_about_the_server(
    on: Scene, server: Resource, building: Sandbox, admin: User
) -> None:
    order = submitted(on, at=now(), items=larger(server))
    moved_by_hand(on, server, building)
    refused_and_carried_out(on, order, admin)
    assert accounts(on, "vcpus", "memory_gb") == [(0, 8), (0, 32)]


def test_a_size_is_not_taken_into_the_record_while_an_order_is_about_the_volume(
    on: Scene, volume: Resource, building: Sandbox, admin: User
) -> None:
    order = submitted(on, at=now(), items=longer(volume))
    grown_by_hand(volume, building)
    refused_and_carried_out(on, order, admin)
    assert accounts(on, "storage_gb") == [(0, 200)]


def test_what_is_not_counted_is_taken_into_the_record_all_the_same(
    on: Scene, server: Resource, building: Sandbox, admin: User
) -> None:
    submitted(on, at=now(), items=larger(server))
    row(building, "server", server.external_id, name="renamed")
    swept(on)
    finding = Finding.objects.exclude(status="resolved").get()
    assert applied(finding, admin, remedy="adopt").status == "resolved"


# the order: it finds that the cloud is as it wants it


@pytest.mark.parametrize("record", ["has it too", "is as before"])
def test_a_server_that_has_its_new_flavor_already_is_counted_once(
    on: Scene, server: Resource, building: Sandbox, record: str
) -> None:
    order = submitted(on, at=now(), items=larger(server))
    moved_by_hand(on, server, building)
    if record == "has it too":
        taken_into_the_record(on, server)
    assert carried_out(on, order) == "fulfilled", states()
    assert accounts(on, "vcpus", "memory_gb") == [(0, 8), (0, 32)]
    assert billed(server) == {"vcpu": 8, "memory_gb": 32}
    assert "resize" not in {each.name for each in project(on).compute.actions(server.external_id)}


def test_a_smaller_flavor_that_the_server_has_already_gives_back_what_it_does_not_need_once(
    on: Scene, server: Resource, building: Sandbox
) -> None:
    order = submitted(on, at=now(), items=larger(server, "g.2c4g"))
    moved_by_hand(on, server, building, "g.2c4g")
    assert carried_out(on, order) == "fulfilled", states()
    assert accounts(on, "vcpus", "memory_gb") == [(0, 2), (0, 4)]


@pytest.mark.parametrize("record", ["has it too", "is as before"])
def test_a_volume_that_has_its_new_size_already_is_counted_once(
    on: Scene, volume: Resource, building: Sandbox, record: str
) -> None:
    order = submitted(on, at=now(), items=longer(volume))
    grown_by_hand(volume, building)
    if record == "has it too":
        size_taken_into_the_record(on, volume)
    assert carried_out(on, order) == "fulfilled", states()
    assert accounts(on, "storage_gb") == [(0, 200)]
    assert billed(volume) == {"block_ssd_gb": 200}


def test_a_volume_that_is_recorded_as_larger_stays_so(on: Scene, volume: Resource, building: Sandbox) -> None:
    order = submitted(on, at=now(), items=longer(volume))
    grown_by_hand(volume, building, 300)
    size_taken_into_the_record(on, volume, 300)
    assert carried_out(on, order) == "fulfilled", states()
    assert (Volume.objects.get().size_gb, accounts(on, "storage_gb")) == (300, [(0, 300)])


# and when it is called off


@pytest.mark.parametrize("asked", ["in vain", "never"])
def test_a_resize_called_off_holds_nothing_although_the_record_has_the_flavor(
    on: Scene, server: Resource, building: Sandbox, asked: str
) -> None:
    order = submitted(on, at=now(), items=larger(server))
    building.ask("POST", "/faults", NO_ROOM)
    approve_all(on, order, at=now())
    if asked == "in vain":
        work()
    moved_by_hand(on, server, building)
    taken_into_the_record(on, server)
    assert abandoned(on, order) == "cancelled", states()
    assert accounts(on, "vcpus", "memory_gb") == [(0, 8), (0, 32)]
    assert Server.objects.get().flavor.code == "g.8c32g"


def test_an_extension_called_off_holds_nothing_although_the_record_has_the_size(
    on: Scene, volume: Resource, building: Sandbox
) -> None:
    order = submitted(on, at=now(), items=longer(volume))
    approve_all(on, order, at=now())
    grown_by_hand(volume, building)
    size_taken_into_the_record(on, volume)
    assert abandoned(on, order) == "cancelled", states()
    assert accounts(on, "storage_gb") == [(0, 200)]


def test_a_server_whose_port_has_lost_its_address_is_released_all_the_same(
    on: Scene, server: Resource, building: Sandbox
) -> None:
    port_id = Address.objects.get(unit=server.unit).port_id
    row(building, "port", port_id, fixed_ips=[])
    order = built(on, items=(ReleaseDraft(target=server.uuid, kind="server"),))
    assert order.status == "fulfilled", states()
    assert project(on).network.find_ports(server_id=server.external_id) == []
    with pytest.raises(errors.NotFound):
        project(on).network.get_port(port_id)


@pytest.mark.parametrize("status", ["awaiting-transfer", "in-use"])
def test_a_release_that_its_volume_holds_up_says_what_the_volume_is(
    on: Scene,
    volume: Resource,
    building: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
) -> None:
    monkeypatch.setattr(VolumeKind, "patience", timedelta(seconds=1))
    by_hand: dict[str, str] = {}

    def delete(self: VolumeKind, context: Context, external_id: str, remove: Any = VolumeKind.remove) -> None:
        if not by_hand:
            by_hand["status"] = status
            row(building, "volume", external_id, status=status)
        remove(self, context, external_id)

    monkeypatch.setattr(VolumeKind, "remove", delete)
    server = Resource.objects.get(kind="server")
    built(on, items=(ReleaseDraft(target=server.uuid, kind="server"),))
    held_up = Operation.objects.get(kind="release").steps.get(kind="volume")
    assert (held_up.state, held_up.last_error) == (
        "parked", f"still being removed after 0:00:01: the volume is {status}",
    )  # fmt: skip
    row(building, "volume", volume.external_id, status="available")
    provisioning.retry(operation=held_up.operation, actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    assert Operation.objects.get(kind="release").status == "done", states()
