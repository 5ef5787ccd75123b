"""Which addresses of a network its cloud gives out by itself, and which we give to servers."""

from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address, ip_network
from uuid import uuid4

import pytest
from pytest_django import Settings

from govcloud.catalog.networks import FIRST_HOST
from govcloud.gateways import openstack
from govcloud.gateways.openstack import errors
from govcloud.inventory.models import Address, AddressBlock, Resource
from govcloud.orders.drafts import ServerDraft
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.models import Step
from tests.factories.orders import NETWORK, SERVERS, Scene, approved, scene
from tests.integration.building import built, now, project, states, work

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


def taken_by_hand(on: Scene) -> tuple[Resource, str]:
    """A network of whose addresses for servers somebody gave the first to a port of their own; and that port's id."""
    built(on, items=(NETWORK,))
    network = Resource.objects.get(kind="network")
    port = openstack.connect(cloud="sandbox").network.create_port(
        name="theirs",
        network_id=network.external_id,
        subnet_id=network.network.subnet_id,
        fixed_ip=str(ip_network(network.network.cidr)[FIRST_HOST]),
    )
    return network, port.id


def servers(network: Resource, quantity: int) -> tuple[ServerDraft]:
    return (replace(SERVERS, quantity=quantity, network=str(network.uuid)),)


def test_a_server_gets_another_address_where_something_has_the_one_that_it_was_promised(on: Scene) -> None:
    network, _port = taken_by_hand(on)
    assert built(on, items=servers(network, 2)).status == "fulfilled", states()
    given = {str(ip_network(network.network.cidr)[FIRST_HOST + n]) for n in (1, 2)}
    assert set(Address.objects.values_list("address", flat=True)) == given
    in_cloud = project(on).compute.find_servers()
    assert {each for server in in_cloud for of in server.addresses.values() for each in of} == given


def test_where_the_network_has_no_other_address_it_is_told_what_has_it(on: Scene, settings: Settings) -> None:
    settings.STEP_ATTEMPTS = 2
    network, port = taken_by_hand(on)
    order = approved(on, at=now(), items=servers(network, 1))
    block = AddressBlock.objects.get(unit=network.unit)
    others = [str(each) for each in ip_network(block.cidr)][FIRST_HOST + 1 : -1]
    Address.objects.bulk_create(Address(block=block, unit=uuid4(), address=each) for each in others)
    work()
    step = Step.objects.get(operation__thread=order.uuid, kind="port")
    assert step.state == "parked", states()
    assert f"is held in the cloud by port {port} of no device" in step.last_error
    Address.objects.filter(address=others[-1]).delete()
    provisioning.retry(operation=step.operation, actor=on.applicant, at=now())
    work()
    order.refresh_from_db()
    assert order.status == "fulfilled", states()
    assert Address.objects.exclude(port_id="").get().address == others[-1]
