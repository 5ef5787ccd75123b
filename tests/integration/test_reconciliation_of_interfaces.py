"""Ports of a server's interfaces that somebody changed behind our back, on the sandbox cloud over HTTP."""

import pytest

from govcloud.gateways import openstack
from govcloud.gateways.openstack.models import Port
from govcloud.inventory.models import Address, Project, Resource
from govcloud.provisioning.actions.interfaces import OnNetwork
from govcloud.provisioning.models import Operation
from govcloud.reconciliation import services
from govcloud.reconciliation.models import Finding
from tenants.models import Role, User
from tests.factories.orders import Scene, scene
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox
from tests.integration.test_reconciliation import LATER, applied, deleted, row, swept, told
from tests.integration.test_server_actions import ITEMS, abandoned, done
from tests.openstack.laboratory import eventually

pytestmark = pytest.mark.django_db


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


@pytest.fixture
def admin() -> User:
    return member(Role.CLOUD_ADMIN)


@pytest.fixture
def server(on: Scene, building: Sandbox) -> Resource:
    """On two networks; nothing is found to be wrong with it."""
    built(on, items=ITEMS)
    building.ask("PUT", "/timing", {"action_seconds": 0.05})
    found = Resource.objects.get(kind="server")
    done(found, "add-interface", OnNetwork(net("db-net").uuid), on)
    swept(on)
    assert told() == []
    return found


def net(name: str) -> Resource:
    return Resource.objects.get(kind="network", name=name)


def first(server: Resource) -> Address:
    return Address.objects.get(unit=server.unit, released_at=None)


def further(server: Resource) -> Address:
    return Address.objects.get(server=server.server, released_at=None)


def port(on: Scene, address: Address) -> Port:
    return project(on).network.get_port(address.port_id)


def unplug(on: Scene, server: Resource, address: Address) -> None:
    project(on).compute.remove_interface(server.external_id, port_id=address.port_id)
    eventually(lambda: port(on, address), lambda seen: not seen.device_id)


def delete(port_id: str) -> None:
    """By an operator: nobody else may while it is in a server."""
    openstack.connect(cloud="sandbox").network.delete_port(port_id)


def missing(on: Scene) -> None:
    """Found to be, by two passes."""
    swept(on)
    swept(on, after=LATER)


def limit(on: Scene) -> int | None:
    identifier = Project.objects.get(system=on.system).external_id
    return openstack.connect(cloud="sandbox").quotas.network(identifier)["port"].limit


def all_well(on: Scene) -> bool:
    missing(on)
    return told() == []


def test_a_further_port_out_of_its_group_is_put_back(
    on: Scene, building: Sandbox, server: Resource, admin: User
) -> None:
    group, own = net("db-net").network.security_group_id, further(server)
    row(building, "port", own.port_id, security_groups=[])
    swept(on)
    assert told() == [("drifted", "port", "set_back", "open", {"security_group": (group, "")})]
    found = Finding.objects.get()
    assert (found.resource, found.unit) == (server, own.unit)
    assert applied(found, admin).status == "resolved", states()
    assert port(on, own).security_group_ids == (group,)


def test_a_further_port_gets_its_address_and_its_mark_back(
    on: Scene, building: Sandbox, server: Resource, admin: User
) -> None:
    own, subnet = further(server), net("db-net").network.subnet_id
    other = own.address.rsplit(".", 1)[0] + ".77"
    row(building, "port", own.port_id, fixed_ips=[{"subnet_id": subnet, "ip_address": other}])
    tags = ["theirs", f"gc-{server.unit}"]
    project(on).network.set_tags(collection="ports", resource_id=own.port_id, tags=tags)
    swept(on)
    ((_kind, _subject, _remedy, _status, differences),) = told()
    assert differences == {
        "address": (own.address, other),
        "mark": (f"gc-{own.unit}", f"gc-{server.unit}"),
    }
    assert applied(Finding.objects.get(), admin).status == "resolved", states()
    back = port(on, own)
    assert back.addresses == (own.address,)
    assert {"theirs", f"gc-{own.unit}"} <= back.tags
    assert f"gc-{server.unit}" not in back.tags


def test_a_further_port_that_was_unplugged_is_plugged_in_again(
    on: Scene, server: Resource, admin: User
) -> None:
    own = further(server)
    unplug(on, server, own)
    swept(on)
    assert told() == [("drifted", "port", "set_back", "open", {"attached_to": (server.external_id, "")})]
    found = Finding.objects.get()
    assert services.possible(found) == ["set_back", "adopt"]
    assert applied(found, admin).status == "resolved", states()
    assert own.port_id in project(on).compute.interfaces(server.external_id)
    assert all_well(on)


def test_that_it_was_unplugged_is_taken_into_the_record(on: Scene, server: Resource, admin: User) -> None:
    own, before = further(server), limit(on)
    unplug(on, server, own)
    swept(on)
    found = applied(Finding.objects.get(), admin, remedy="adopt")
    assert found.status == "resolved", states()
    assert not Address.objects.filter(server=server.server, released_at=None).exists()
    with pytest.raises(openstack.errors.NotFound):
        port(on, own)
    assert (before, limit(on)) == (before, (before or 0) - 1)
    server.refresh_from_db()
    assert server.status == "active"
    assert all_well(on)


def test_what_is_plugged_in_again_meanwhile_stays(on: Scene, server: Resource, admin: User) -> None:
    own = further(server)
    unplug(on, server, own)
    swept(on)
    found = Finding.objects.get()
    services.apply(finding=found, remedy="adopt", actor=admin, at=now())
    project(on).compute.add_interface(server.external_id, port_id=own.port_id)
    work()
    services.settle(at=now())
    found.refresh_from_db()
    assert (found.status, "holds it" in found.remark) == ("open", True)
    assert further(server) == own
    assert all_well(on)


def test_a_further_port_in_another_server_is_for_a_person_to_decide(
    on: Scene, building: Sandbox, server: Resource
) -> None:
    row(building, "port", further(server).port_id, device_id="somebody-elses")
    swept(on)
    (found,) = told()
    assert found[:4] == ("drifted", "port", "decide", "open")


def test_a_further_port_that_was_deleted_is_made_again_with_its_address(
    on: Scene, server: Resource, admin: User
) -> None:
    lost, group = further(server), net("db-net").network.security_group_id
    delete(lost.port_id)
    missing(on)
    found = Finding.objects.get()
    assert (found.kind, found.subject, found.status) == ("missing", "port", "open")
    assert services.possible(found) == ["set_back", "mark_lost"]
    assert applied(found, admin).status == "resolved", states()
    again = further(server)
    assert (again.pk, again.address) == (lost.pk, lost.address)
    assert again.port_id != lost.port_id
    there = port(on, again)
    assert (there.device_id, there.addresses) == (server.external_id, (lost.address,))
    assert there.security_group_ids == (group,)
    assert all_well(on)


def test_that_it_was_deleted_is_taken_into_the_record(on: Scene, server: Resource, admin: User) -> None:
    before = limit(on)
    delete(further(server).port_id)
    missing(on)
    found = applied(Finding.objects.get(), admin, remedy="mark_lost")
    assert found.status == "resolved", states()
    assert not Address.objects.filter(server=server.server, released_at=None).exists()
    assert limit(on) == (before or 0) - 1
    assert all_well(on)


def test_an_address_that_somebody_else_has_by_now_is_told_of(
    on: Scene, server: Resource, admin: User
) -> None:
    lost, network = further(server), net("db-net")
    cloud = project(on)
    delete(lost.port_id)
    theirs = cloud.network.create_port(
        name="theirs",
        network_id=network.external_id,
        subnet_id=network.network.subnet_id,
        fixed_ip=lost.address,
    )
    missing(on)
    found = applied(Finding.objects.get(kind="missing"), admin)
    told = f"{lost.address} is held in the cloud by port {theirs.id} of no device"
    assert (found.status, found.remark) == ("open", told)
    assert (further(server).port_id, further(server).address) == (lost.port_id, lost.address)


def test_one_that_is_called_off_leaves_no_port(
    on: Scene, building: Sandbox, server: Resource, admin: User
) -> None:
    delete(further(server).port_id)
    missing(on)
    refused = {
        "service": "compute",
        "method": "POST",
        "path": "/os-interface$",
        "action": "status",
        "status": 403,
    }
    building.ask("POST", "/faults", {**refused, "message": "no", "times": 5})
    found = applied(Finding.objects.get(), admin)
    assert found.status == "applying"
    operation = Operation.objects.get(action="set_back")
    assert abandoned(operation, on).status == "undone", states()
    services.settle(at=now())
    found.refresh_from_db()
    assert found.status == "open"
    ports = project(on).network.find_ports(network_id=net("db-net").external_id)
    assert [each for each in ports if not each.device_owner.startswith("network:")] == []


def test_the_port_by_which_a_server_is_managed_is_only_set_back(
    on: Scene, server: Resource, admin: User
) -> None:
    own = first(server)
    unplug(on, server, own)
    swept(on)
    found = Finding.objects.get()
    assert services.possible(found) == ["set_back"]
    assert applied(found, admin).status == "resolved", states()
    delete(own.port_id)
    missing(on)
    found = Finding.objects.get(kind="missing")
    assert services.possible(found) == ["set_back"]
    assert applied(found, admin).status == "resolved", states()
    assert (first(server).address, first(server).port_id != own.port_id) == (own.address, True)
    assert port(on, first(server)).device_id == server.external_id
    assert all_well(on)


def test_one_that_was_taken_over_bears_its_servers_mark_and_keeps_its_groups(
    on: Scene, server: Resource, admin: User
) -> None:
    own, theirs = further(server), net("app-net").network.security_group_id
    network = project(on).network
    Address.objects.filter(pk=own.pk).update(security_groups=[theirs])
    network.set_tags(collection="ports", resource_id=own.port_id, tags=[f"gc-{server.unit}"])
    network.set_port_groups(own.port_id, security_group_ids=[theirs])
    swept(on)
    assert told() == []
    delete(own.port_id)
    missing(on)
    assert applied(Finding.objects.get(), admin).status == "resolved", states()
    again = port(on, further(server))
    assert again.security_group_ids == (theirs,)
    assert f"gc-{server.unit}" in again.tags
    assert all_well(on)


def test_ports_that_went_with_their_server_are_not_told_of_for_themselves(
    on: Scene, server: Resource
) -> None:
    ports = [first(server).port_id, further(server).port_id]
    deleted(on, server)
    for each in ports:
        delete(each)
    missing(on)
    assert list(Finding.objects.filter(kind="missing").values_list("subject", flat=True)) == ["server"]
