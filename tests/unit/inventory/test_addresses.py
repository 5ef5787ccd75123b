from datetime import datetime
from ipaddress import ip_address, ip_network
from uuid import uuid4

import pytest

from govcloud.catalog import networks
from govcloud.inventory import services
from govcloud.inventory.models import Address, AddressBlock, ResourceKind
from govcloud.inventory.services import NoAddressLeft
from tests.at_once import at_once
from tests.factories.catalog import CloudFactory, ZoneFactory
from tests.factories.inventory import ResourceFactory

pytestmark = pytest.mark.django_db


def test_networks_get_ranges_that_do_not_overlap() -> None:
    zone = ZoneFactory(address_pool="10.9.0.0/24", network_prefix=26)
    blocks = [services.reserve_block(cloud=zone.cloud, zone=zone.zone, unit=uuid4()) for _ in range(4)]
    assert [block.cidr for block in blocks] == [
        "10.9.0.0/26",
        "10.9.0.64/26",
        "10.9.0.128/26",
        "10.9.0.192/26",
    ]
    with pytest.raises(NoAddressLeft, match=r"10\.9\.0\.0/24"):
        services.reserve_block(cloud=zone.cloud, zone=zone.zone, unit=uuid4())


def test_a_range_given_back_is_given_out_again(at: datetime) -> None:
    zone = ZoneFactory(address_pool="10.9.0.0/24", network_prefix=26)
    first = services.reserve_block(cloud=zone.cloud, zone=zone.zone, unit=uuid4())
    services.reserve_block(cloud=zone.cloud, zone=zone.zone, unit=uuid4())
    AddressBlock.objects.filter(pk=first.pk).update(released_at=at)
    assert services.reserve_block(cloud=zone.cloud, zone=zone.zone, unit=uuid4()).cidr == first.cidr


def test_the_same_unit_asked_for_again_keeps_its_range_and_address() -> None:
    zone, unit, server = ZoneFactory(), uuid4(), uuid4()
    block = services.reserve_block(cloud=zone.cloud, zone=zone.zone, unit=unit)
    assert services.reserve_block(cloud=zone.cloud, zone=zone.zone, unit=unit) == block
    address = services.reserve_address(block=block, unit=server)
    assert services.reserve_address(block=block, unit=server) == address


def test_two_clouds_may_use_the_same_range() -> None:
    one = ZoneFactory(cloud=CloudFactory(code="one"), address_pool="10.9.0.0/24")
    two = ZoneFactory(cloud=CloudFactory(code="two"), address_pool="10.9.0.0/24")
    cidrs = {
        services.reserve_block(cloud=zone.cloud, zone=zone.zone, unit=uuid4()).cidr for zone in (one, two)
    }
    assert len(cidrs) == 1


def test_addresses_leave_room_for_the_networks_own_and_run_out_with_the_range() -> None:
    zone = ZoneFactory(address_pool="10.9.0.0/24", network_prefix=28)
    block = services.reserve_block(cloud=zone.cloud, zone=zone.zone, unit=uuid4())
    given = [services.reserve_address(block=block, unit=uuid4()).address for _ in range(5)]
    assert given == [f"10.9.0.{number}" for number in range(10, 15)]
    with pytest.raises(NoAddressLeft):
        services.reserve_address(block=block, unit=uuid4())


def test_several_get_theirs_together_or_none_does() -> None:
    zone = ZoneFactory(address_pool="10.9.0.0/24", network_prefix=28)
    block = services.reserve_block(cloud=zone.cloud, zone=zone.zone, unit=uuid4())
    first, *others = [uuid4() for _ in range(4)]
    kept = services.reserve_address(block=block, unit=first)
    given = services.reserve_addresses(block=block, units=[others[0], first, *others[1:]])
    assert [address.address for address in given] == [f"10.9.0.{number}" for number in (11, 10, 12, 13)]
    assert given[1] == kept
    with pytest.raises(NoAddressLeft):  # one is left
        services.reserve_addresses(block=block, units=[uuid4(), uuid4()])
    assert Address.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_batches_at_once_get_different_addresses() -> None:
    zone = ZoneFactory(address_pool="10.9.0.0/16", network_prefix=24)
    block = services.reserve_block(cloud=zone.cloud, zone=zone.zone, unit=uuid4())
    batches = [[uuid4() for _ in range(20)] for _ in range(6)]
    failures = at_once(
        [lambda units=units: services.reserve_addresses(block=block, units=units) for units in batches]
    )
    assert failures == [None] * 6
    assert len(set(Address.objects.values_list("address", flat=True))) == 120


@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_different_ranges_and_addresses() -> None:
    zone = ZoneFactory(address_pool="10.9.0.0/16", network_prefix=26)
    failures = at_once(
        [lambda: services.reserve_block(cloud=zone.cloud, zone=zone.zone, unit=uuid4()) for _ in range(8)]
    )
    assert failures == [None] * 8
    block = AddressBlock.objects.order_by("first").first()
    assert block is not None
    failures = at_once([lambda: services.reserve_address(block=block, unit=uuid4()) for _ in range(8)])
    assert failures == [None] * 8
    addresses = set(Address.objects.values_list("address", flat=True))
    assert len(addresses) == 8
    assert all(ip_network(block.cidr).supernet_of(ip_network(address)) for address in addresses)


def test_what_is_left_of_a_network_is_what_can_still_be_given(at: datetime) -> None:
    network = ResourceFactory(kind=ResourceKind.NETWORK)
    cloud = network.cloud
    block = AddressBlock.objects.create(
        cloud=cloud, unit=network.unit, cidr="10.9.0.0/28", first=int(ip_address("10.9.0.0")), last=int(ip_address("10.9.0.15"))
    )  # fmt: skip
    assert services.addresses_left([network]) == {network.pk: networks.addresses_in(28)} == {network.pk: 5}
    given = [services.reserve_address(block=block, unit=uuid4()) for _ in range(4)]
    Address.objects.create(block=block, unit=uuid4(), address="10.9.0.3")  # of a server that was taken over
    assert services.addresses_left([network]) == {network.pk: 1}
    Address.objects.filter(pk=given[0].pk).update(released_at=at)
    assert services.addresses_left([network]) == {network.pk: 2}


def test_a_network_too_small_for_its_own_needs_has_no_server() -> None:
    assert [networks.addresses_in(prefix) for prefix in (24, 26, 28, 29, 30)] == [245, 53, 5, 0, 0]
