"""A new network goes where the zone still has a range for it, and waits where none has."""

from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from govcloud.catalog.models import Cloud, Zone
from govcloud.inventory.models import AddressBlock
from govcloud.orders import fulfilment, placing
from govcloud.orders.drafts import NetworkDraft, ServerDraft, VolumeDraft
from govcloud.orders.models import Order
from tests.factories.clouds import room
from tests.factories.inventory import AddressBlockFactory, NetworkFactory
from tests.factories.orders import Scene, approved, larger_cloud, scene

pytestmark = pytest.mark.django_db

ITEMS = (NetworkDraft(name="one-net", zone="private"), NetworkDraft(name="two-net", zone="private"))


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False, zone="private")


@pytest.fixture
def main(on: Scene, at: datetime) -> Cloud:
    """It has two ranges in the private zone, and the less room."""
    room(on.catalogue.cloud, at=at, vcpus=64)
    Zone.objects.filter(cloud=on.catalogue.cloud, zone="private").update(
        address_pool="10.20.0.0/25", network_prefix=26
    )
    return on.catalogue.cloud


def given(cloud: Cloud, cidr: str, **fields: Any) -> AddressBlock:
    addresses = ip_network(cidr)
    return AddressBlockFactory(
        cloud=cloud, cidr=cidr, first=int(addresses[0]), last=int(addresses[-1]), **fields
    )


def place(order: Order) -> str | None:
    row = order.placements.get()
    return row.cloud.code if row.cloud else None


def test_the_other_cloud_is_taken_where_one_has_no_range_left(on: Scene, main: Cloud, at: datetime) -> None:
    larger = larger_cloud(on, "private", at=at)
    given(larger, "10.50.0.0/16")
    assert place(approved(on, at=at, items=ITEMS)) == main.code


def test_all_networks_of_an_order_need_one(on: Scene, main: Cloud, at: datetime) -> None:
    given(main, "10.20.0.0/26")
    order = approved(on, at=at, items=ITEMS)
    assert place(order) is None
    assert "has no addresses left for another network in the" in placing.decided(order)[0].why


def test_it_waits_and_begins_once_a_range_has_been_given_back(on: Scene, main: Cloud, at: datetime) -> None:
    block = given(main, "10.20.0.64/26")
    order = approved(on, at=at, items=ITEMS)
    assert fulfilment.place_waiting(order.pk, at=at) == []
    AddressBlock.objects.filter(pk=block.pk).update(released_at=at)
    assert fulfilment.place_waiting(order.pk, at=at + timedelta(minutes=1)) != []
    assert place(order) == main.code
    ranges = AddressBlock.objects.filter(cloud=main, released_at=None).values_list("cidr", flat=True)
    assert sorted(ranges) == ["10.20.0.0/26", "10.20.0.64/26"]


def test_servers_on_a_network_that_stands_need_none(on: Scene, main: Cloud, at: datetime) -> None:
    network = NetworkFactory(
        resource__system=on.system, resource__cloud=main, resource__zone="private"
    ).resource
    given(main, "10.20.0.0/26", unit=network.unit)
    given(main, "10.20.0.64/26")
    server = ServerDraft(
        name="web", zone="private", flavor="g.4c16g", image="debian-12", network=str(network.uuid),
        system_volume=VolumeDraft(storage_class="ssd", size_gb=100),
    )  # fmt: skip
    assert place(approved(on, at=at, items=(server,))) == main.code
