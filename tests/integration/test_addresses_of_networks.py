"""Which addresses of a network its cloud gives out by itself, and which we give to servers."""

from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from govcloud.catalog.networks import FIRST_HOST
from govcloud.gateways import openstack
from govcloud.gateways.openstack import errors
from govcloud.inventory.models import Address, Resource
from tests.factories.orders import NETWORK, SERVERS, Scene, scene
from tests.integration.building import built, states

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("building")]


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False, zone="private")


def test_a_cloud_takes_no_address_that_a_server_is_to_get(on: Scene) -> None:
    """Neutron gives its own ports (of a distributed router) any address of the subnet's pools, at random."""
    built(on, items=(NETWORK,))
    network = Resource.objects.get(kind="network")
    by_itself: list[str] = []
    with suppress(errors.Conflict):
        while len(by_itself) < FIRST_HOST:
            port = {"port": {"network_id": network.external_id}}
            made = openstack.connect(cloud="sandbox").network._transport.send(
                "network", "POST", "/ports", json=port
            )
            by_itself += [each["ip_address"] for each in made.body["port"]["fixed_ips"]]
    first = ip_network(network.network.cidr)[FIRST_HOST]
    assert by_itself
    assert max(map(ip_address, by_itself)) < first
    assert (
        built(on, items=(replace(SERVERS, quantity=1, network=str(network.uuid)),)).status == "fulfilled"
    ), states()
    assert Address.objects.get().address == str(first)
