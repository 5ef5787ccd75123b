"""An order's parts are placed one by one; what one of them takes of a cloud is not there for the next.

Decided from what is recorded of the clouds; none is asked.
"""

from datetime import datetime

import pytest

from govcloud.catalog.models import Cloud
from govcloud.clouds.models import CloudCapacity, StoragePool
from govcloud.orders import fulfilment, placing
from govcloud.orders.drafts import BackupDraft, NetworkDraft, ServerDraft, StorageDraft, VolumeDraft
from govcloud.orders.models import Order
from tests.factories.catalog import ZoneFactory
from tests.factories.clouds import room
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
