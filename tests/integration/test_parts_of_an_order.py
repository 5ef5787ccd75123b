"""An order's parts are placed one by one; what one of them takes of a cloud is not there for the next.

Decided from what is recorded of the clouds; none is asked.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from govcloud.catalog.models import Cloud
from govcloud.clouds.models import CloudCapacity, Maintenance, StoragePool
from govcloud.orders import fulfilment, placing
from govcloud.orders.cancellation import cancel, left_of
from govcloud.orders.drafts import BackupDraft, NetworkDraft, ServerDraft, StorageDraft, VolumeDraft
from govcloud.orders.models import Order, Unit
from govcloud.orders.results import PLANNED, results
from govcloud.provisioning.models import Operation
from govcloud.provisioning.services import CalledOffAlready
from govcloud.quotas.models import QuotaAccount
from tests.factories.catalog import ZoneFactory
from tests.factories.clouds import MaintenanceFactory, room
from tests.factories.inventory import ServerFactory
from tests.factories.orders import Scene, approve_all, approved, larger_cloud, scene, submitted

pytestmark = pytest.mark.django_db


def server(name: str, zone: str) -> ServerDraft:
    return ServerDraft(
        name=name, zone=zone, flavor="g.4c16g", image="debian-12", network=f"{name}-net",
        system_volume=VolumeDraft(storage_class="ssd", size_gb=100),
    )  # fmt: skip


ITEMS = (
    NetworkDraft(name="inner-net", zone="private"),
    server("inner", "private"),
    NetworkDraft(name="outer-net", zone="public"),
    server("outer", "public"),
)


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False, zone="private")


@pytest.fixture
def main(on: Scene) -> Cloud:
    return on.catalogue.cloud


def places(order: Order) -> dict[str, str | None]:
    return {row.zone: row.cloud.code if row.cloud else None for row in order.placements.all()}


def test_a_part_waits_where_another_of_the_order_takes_the_last_room(
    on: Scene, main: Cloud, at: datetime
) -> None:
    row = room(main, at=at, vcpus=6)
    order = approved(on, at=at, items=ITEMS)
    assert places(order) == {"private": main.code, "public": None}
    assert "has not enough room left" in placing.decided(order)[1].why
    CloudCapacity.objects.filter(pk=row.pk).update(vcpus_total=8)
    assert fulfilment.place_waiting(order.pk, at=at) != []
    assert places(order) == {"private": main.code, "public": main.code}


def test_a_part_goes_elsewhere_where_another_takes_the_last_room_and_so_it_is_foreseen(
    on: Scene, main: Cloud, at: datetime
) -> None:
    room(main, at=at, vcpus=6)
    other = larger_cloud(on, "public", at=at)
    order = submitted(on, at=at, items=ITEMS)
    foreseen = {shown.row.zone: shown.row.cloud for shown in fulfilment.placements(order, at=at)}
    assert foreseen == {"private": main, "public": other}
    order = approve_all(on, order, at=at)
    assert places(order) == {"private": main.code, "public": other.code}


def test_a_backup_goes_where_all_its_servers_find_room_together(on: Scene, main: Cloud, at: datetime) -> None:
    """The smaller cloud comes first: the system is at home there."""
    room(main, at=at, vcpus=6)
    ServerFactory(resource__system=on.system, resource__cloud=main, resource__zone="private")
    other = larger_cloud(on, "public", at=at)
    ZoneFactory(cloud=other, zone="private", address_pool="10.51.0.0/16")
    backup = BackupDraft(name="dr", dr_level=3, capacity_gb=400, frequency="daily", off_site=True)
    order = approved(on, at=at, items=(*ITEMS, backup))
    assert places(order) == {"private": other.code, "public": other.code}


def test_volumes_for_several_servers_share_the_room_of_their_class(
    on: Scene, main: Cloud, at: datetime
) -> None:
    room(main, at=at, vcpus=64)
    StoragePool.objects.create(cloud=main, name="h@sas#sas", total_gb=500, free_gb=350)
    there = {"resource__system": on.system, "resource__cloud": main, "resource__zone": "private"}
    holders = [ServerFactory(**there, resource__name=name).resource for name in ("db-1", "db-2")]
    order = approved(
        on, at=at,
        items=tuple(
            StorageDraft(
                name=f"of-{holder.name}", zone="private", storage_class="sas", size_gb=300, server=holder.uuid
            )
            for holder in holders
        ),
    )  # fmt: skip
    assert [row.cloud for row in order.placements.all()] == [main, None]


# -- what waits is called off by itself


@pytest.fixture
def other(on: Scene, main: Cloud, at: datetime) -> Cloud:
    """It takes what is public; what is private waits for the end of a maintenance."""
    room(main, at=at, vcpus=64)
    MaintenanceFactory(cloud=main, announced_at=at)
    return larger_cloud(on, "public", at=at)


def call_off(on: Scene, order: Order, *names: str, at: datetime) -> Order:
    units = Unit.objects.filter(item__order=order, name__in=names)
    return cancel(order=order, reason="no", units=[each.uuid for each in units], actor=on.applicant, at=at)


def outcomes(order: Order) -> dict[str, str]:
    told = results(order)
    return {
        unit.name: told.get(unit.uuid, PLANNED).outcome
        for unit in Unit.objects.filter(item__order=order, server=None)
    }


def held(on: Scene) -> dict[str, int]:
    return dict(QuotaAccount.objects.filter(department=on.department).values_list("dimension", "held"))


def maintained(cloud: Cloud, *, at: datetime) -> None:
    Maintenance.objects.filter(cloud=cloud).update(ends_at=at)


def test_a_server_that_waits_is_called_off_and_the_rest_waits_on(
    on: Scene, main: Cloud, other: Cloud, at: datetime
) -> None:
    items = (*ITEMS, replace(ITEMS[1], name="second"))
    order = approved(on, at=at, items=items)
    call_off(on, order, "inner-1", at=at)
    assert held(on)["servers"] == 2
    assert outcomes(order)["inner-1"] == "removed"
    with pytest.raises(CalledOffAlready):
        call_off(on, order, "inner-1", at=at)
    assert {part.unit.name for part in left_of(order).parts} == {
        "inner-net", "second-1", "outer-net", "outer-1"
    }  # fmt: skip
    maintained(main, at=at)
    (begun,) = fulfilment.place_waiting(order.pk, at=at + timedelta(minutes=1))
    built = Unit.objects.filter(operation=begun, server=None).values_list("name", flat=True)
    assert set(built) == {"inner-net", "second-1"}


def test_a_network_that_waits_goes_with_its_servers_while_the_rest_is_built(
    on: Scene, main: Cloud, other: Cloud, at: datetime
) -> None:
    order = approved(on, at=at, items=ITEMS)
    call_off(on, order, "inner-net", at=at)
    assert (held(on)["servers"], fulfilment.waiting()) == (1, [])
    assert outcomes(order) == {
        "inner-net": "removed", "inner-1": "removed", "outer-net": "under_way", "outer-1": "under_way"
    }  # fmt: skip


def test_nothing_that_was_called_off_while_it_waited_is_offered_once_more(
    on: Scene, main: Cloud, other: Cloud, at: datetime
) -> None:
    order = approved(on, at=at, items=ITEMS)
    call_off(on, order, "inner-net", "outer-net", at=at)
    left = left_of(order)
    assert (left.parts, left.more, left.all_goes) == ([], False, False)


@pytest.mark.parametrize("site", ["main", "dr"])
def test_a_backup_waits_on_when_its_server_is_called_off(
    on: Scene, main: Cloud, at: datetime, site: str
) -> None:
    type(main).objects.filter(pk=main.pk).update(site=site)
    room(main, at=at, vcpus=64)
    MaintenanceFactory(cloud=main, announced_at=at)
    backup = BackupDraft(name="dr", dr_level=3, capacity_gb=400, frequency="daily", off_site=True)
    items = (replace(ITEMS[0], site=site), ITEMS[1], backup)
    order = approved(on, at=at, items=items)
    call_off(on, order, "inner-1", at=at)
    maintained(main, at=at)
    (begun,) = fulfilment.place_waiting(order.pk, at=at + timedelta(minutes=1))
    assert set(Unit.objects.filter(operation=begun).values_list("name", flat=True)) == {"inner-net", "dr"}
    assert not order.placements.waiting().exists()


def test_a_backup_goes_with_the_servers_that_are_left(on: Scene, main: Cloud, at: datetime) -> None:
    room(main, at=at, vcpus=64)
    MaintenanceFactory(cloud=main, announced_at=at)
    backup = BackupDraft(name="dr", dr_level=3, capacity_gb=400, frequency="daily", off_site=True)
    order = approved(on, at=at, items=(*ITEMS, backup))
    call_off(on, order, "inner-net", at=at)
    maintained(main, at=at)
    begun = fulfilment.place_waiting(order.pk, at=at + timedelta(minutes=1))
    built = Unit.objects.filter(operation__in=begun, server=None).values_list("name", flat=True)
    assert set(built) == {"outer-net", "outer-1", "dr"}
    assert not order.placements.waiting().exists()
    assert Operation.objects.get(pk=begun[0].pk).cloud == main


def test_an_order_of_which_all_waited_ends_with_the_last_part_that_is_called_off(
    on: Scene, main: Cloud, at: datetime
) -> None:
    room(main, at=at, vcpus=64)
    MaintenanceFactory(cloud=main, announced_at=at)
    order = approved(on, at=at, items=ITEMS[:2])
    assert call_off(on, order, "inner-1", at=at).status == "fulfilling"
    assert call_off(on, order, "inner-net", at=at).status == "cancelled"
    assert set(outcomes(order).values()) == {"removed"}
    assert set(held(on).values()) == {0}
