"""A server on a second network of its system and off it again, on the sandbox cloud over HTTP."""

from uuid import UUID, uuid4

import pytest

from govcloud.errors import DomainError, Invalids
from govcloud.gateways import openstack
from govcloud.inventory.models import Address, Project, Resource
from govcloud.orders.drafts import ReleaseDraft
from govcloud.orders.models import Order
from govcloud.orders.rules.of_targets import NetworkHasServers
from govcloud.provisioning.actions.interfaces import OnNetwork
from govcloud.provisioning.actions.requests import ActionNotAllowed
from tests.factories.inventory import NetworkFactory
from tests.factories.orders import Scene, approve_all, approved, drafted, scene, submitted
from tests.factories.tenants import SystemFactory
from tests.integration.building import built, now, project, states, work
from tests.integration.dying import die_and_be_followed
from tests.integration.sandboxed import Sandbox
from tests.integration.test_server_actions import ITEMS, abandoned, ask, done

pytestmark = pytest.mark.django_db


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


@pytest.fixture
def server(on: Scene, building: Sandbox) -> Resource:
    built(on, items=ITEMS)
    building.ask("PUT", "/timing", {"action_seconds": 0.05})
    return Resource.objects.get(kind="server")


def net(name: str) -> Resource:
    return Resource.objects.get(kind="network", name=name)


def further(server: Resource) -> Address | None:
    return Address.objects.filter(server=server.server, released_at=None).first()


def test_a_server_is_connected_to_a_second_network_and_taken_off_again(on: Scene, server: Resource) -> None:
    operation = done(server, "add-interface", OnNetwork(net("db-net").uuid), on)
    assert (operation.status, server.status) == ("done", "active"), states()
    address = further(server)
    assert address is not None
    cloud = project(on)
    assert cloud.compute.interfaces(server.external_id)[address.port_id] == net("db-net").external_id
    assert cloud.network.get_port(address.port_id).addresses == (address.address,)

    operation = done(server, "remove-interface", OnNetwork(net("db-net").uuid), on)
    assert (operation.status, further(server)) == ("done", None), states()
    assert len(cloud.compute.interfaces(server.external_id)) == 1
    with pytest.raises(openstack.errors.NotFound):
        cloud.network.get_port(address.port_id)


def test_of_two_interfaces_on_one_network_one_goes_at_a_time(on: Scene, server: Resource) -> None:
    """We add none twice, but what was taken over may have them."""
    done(server, "add-interface", OnNetwork(net("db-net").uuid), on)
    first = further(server)
    assert first is not None
    second = Address.objects.create(
        block=first.block,
        unit=uuid4(),
        server=server.server,
        address=first.block.cidr.split("/")[0],
        port_id=str(uuid4()),
    )  # of which the cloud has nothing any more
    for left in ([first], []):
        assert done(server, "remove-interface", OnNetwork(net("db-net").uuid), on).status == "done", states()
        assert list(Address.objects.filter(server=server.server, released_at=None)) == left
    second.refresh_from_db()
    assert second.released_at is not None


def test_the_clouds_limit_on_ports_follows(on: Scene, server: Resource) -> None:
    def ports() -> int | None:
        identifier = Project.objects.get(system=on.system).external_id
        return openstack.connect(cloud="sandbox").quotas.network(identifier)["port"].limit

    before = ports()
    assert before is not None
    done(server, "add-interface", OnNetwork(net("db-net").uuid), on)
    assert ports() == before + 1
    done(server, "remove-interface", OnNetwork(net("db-net").uuid), on)
    assert ports() == before


def test_a_worker_that_dies_after_plugging_leads_to_one_interface(
    on: Scene, server: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = ask(server, "add-interface", OnNetwork(net("db-net").uuid), on)
    die_and_be_followed(monkeypatch, "_adopt", kind="interface")
    operation.refresh_from_db()
    assert operation.status == "done", states()
    assert len(project(on).compute.interfaces(server.external_id)) == 2


def test_an_interface_that_is_called_off_leaves_no_port_and_no_address(
    on: Scene, server: Resource, building: Sandbox
) -> None:
    refused = {
        "service": "compute",
        "method": "POST",
        "path": "/os-interface$",
        "action": "status",
        "status": 403,
    }
    building.ask("POST", "/faults", {**refused, "message": "no", "times": 5})
    operation = done(server, "add-interface", OnNetwork(net("db-net").uuid), on)
    assert operation.status == "parked"
    assert abandoned(operation, on).status == "undone", states()
    assert further(server) is None
    ports = project(on).network.find_ports(network_id=net("db-net").external_id)
    assert [port for port in ports if not port.device_owner.startswith("network:")] == []
    server.refresh_from_db()
    assert server.status == "active"


def test_the_first_interface_stays(on: Scene, server: Resource) -> None:
    with pytest.raises(ActionNotAllowed) as refused:
        ask(server, "remove-interface", OnNetwork(net("app-net").uuid), on)
    assert "one network" in str(refused.value.params["reason"])
    done(server, "add-interface", OnNetwork(net("db-net").uuid), on)
    with pytest.raises(DomainError) as refusal:
        ask(server, "remove-interface", OnNetwork(net("app-net").uuid), on)
    assert refusal.value.code == "management-interface"
    with pytest.raises(DomainError) as refusal:
        ask(server, "add-interface", OnNetwork(net("db-net").uuid), on)
    assert refusal.value.code == "already-on-network"


def test_only_networks_in_use_of_the_same_system_and_zone_can_be_joined(on: Scene, server: Resource) -> None:
    foreign = NetworkFactory(resource__system=SystemFactory(), resource__cloud=on.catalogue.cloud).resource
    zone = NetworkFactory(
        resource__system=on.system, resource__cloud=on.catalogue.cloud, resource__zone="private"
    ).resource
    leaving = net("db-net")
    Resource.objects.filter(pk=leaving.pk).update(status="releasing")
    wanted: list[UUID] = [foreign.uuid, zone.uuid, leaving.uuid, server.uuid, uuid4()]
    for network in wanted:
        with pytest.raises(DomainError) as refusal:
            ask(server, "add-interface", OnNetwork(network), on)
        assert (refusal.value.code, refusal.value.pointers) == ("network-not-for-server", ("/network",))


def test_a_released_server_takes_its_second_port_along_and_frees_the_network(
    on: Scene, server: Resource
) -> None:
    done(server, "add-interface", OnNetwork(net("db-net").uuid), on)
    with pytest.raises(Invalids) as refusals:
        drafted(on, at=now(), items=(ReleaseDraft(target=net("db-net").uuid, kind="network"),))
    assert [error.code for error in refusals.value.errors] == ["network-has-servers"]
    release = approved(
        on,
        at=now(),
        items=(
            ReleaseDraft(target=server.uuid, kind="server"),
            ReleaseDraft(target=net("db-net").uuid, kind="network"),
        ),
    )
    work()
    release.refresh_from_db()
    assert release.status == "fulfilled", states()
    assert further(server) is None
    assert [n for n in project(on).network.find_networks() if n.id == net("db-net").external_id] == []


def test_a_network_that_a_server_has_joined_since_its_release_was_ordered_is_not_released(
    on: Scene, server: Resource
) -> None:
    release = submitted(on, at=now(), items=(ReleaseDraft(target=net("db-net").uuid, kind="network"),))
    assert done(server, "add-interface", OnNetwork(net("db-net").uuid), on).status == "done", states()
    with pytest.raises(NetworkHasServers, match="db-net"):
        approve_all(on, release, at=now())
    assert net("db-net").status == "active"
    assert done(server, "remove-interface", OnNetwork(net("db-net").uuid), on).status == "done", states()
    assert approve_all(on, Order.objects.get(pk=release.pk), at=now()).status == "fulfilling"
