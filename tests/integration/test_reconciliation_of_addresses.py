"""Floating addresses that somebody changed behind our back; on the sandbox cloud over HTTP."""

from ipaddress import ip_network

import pytest

from govcloud.audit.models import Event
from govcloud.catalog.models import FLOATING_ADDRESS
from govcloud.chargeback.models import Price, Tariff
from govcloud.gateways import openstack
from govcloud.gateways.openstack import models
from govcloud.inventory.models import Address, FloatingAddress, Network, Project, Resource
from govcloud.metering.models import UsageSegment
from govcloud.provisioning.actions.base import Nothing
from govcloud.quotas.models import QuotaAccount
from govcloud.reconciliation import services
from govcloud.reconciliation.models import Finding
from tenants.models import Role, User
from tests.factories.catalog import MeterFactory
from tests.factories.leases import ending
from tests.factories.leases import swept as ended
from tests.factories.orders import Scene, scene
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox
from tests.integration.test_floating_addresses import given, in_cloud, items, limits
from tests.integration.test_reconciliation import LATER, applied, deleted, swept, told
from tests.integration.test_reconciliation_of_reach import clean, found, making_room, refusal
from tests.integration.test_server_actions import done

pytestmark = pytest.mark.django_db


@pytest.fixture
def on() -> Scene:
    found = scene(level_3=False, limits={"addresses": 2})
    Price.objects.create(tariff=Tariff.objects.get(), meter=MeterFactory(code=FLOATING_ADDRESS), per_month=10)
    return found


@pytest.fixture
def admin() -> User:
    return member(Role.CLOUD_ADMIN)


@pytest.fixture
def connected(on: Scene, building: Sandbox) -> Network:
    """A network that leads outside, with two servers on it."""
    assert built(on, items=items(quantity=2)).status == "fulfilled", states()
    building.ask("PUT", "/timing", {"action_seconds": 0.05})
    network = Resource.objects.get(kind="network")
    assert done(network, "connect", Nothing(), on).status == "done", states()
    return Network.objects.get(resource=network)


@pytest.fixture
def address(on: Scene, connected: Network) -> FloatingAddress:
    """Of the first server."""
    assert connected.router_id
    return given(on, server(1))


def server(number: int) -> Resource:
    return Resource.objects.select_related("server").get(name=f"web-{number}")


def port(number: int) -> str:
    return Address.objects.get(unit=server(number).unit).port_id


def by_hand(on: Scene, connected: Network, number: int) -> models.FloatingIp:
    """Given to a server in the cloud by hand; an operator has made room for it."""
    identifier = Project.objects.get(system=on.system).external_id
    openstack.connect(cloud="sandbox").quotas.set_network(identifier, {"floatingip": 5})
    return project(on).routing.create_floating_ip(
        external_network_id=connected.external_network_id, port_id=port(number)
    )


def used(on: Scene) -> int:
    return QuotaAccount.objects.get(department=on.department, dimension="addresses").used


def billed(number: int) -> bool:
    going_on = UsageSegment.objects.filter(resource=server(number), period__endswith=None)
    return going_on.filter(meter__code=FLOATING_ADDRESS).exists()


def test_of_a_floating_address_as_it_was_given_nothing_is_found(on: Scene, address: FloatingAddress) -> None:
    assert address.external_id
    assert clean(on)


def test_a_floating_address_that_was_deleted_by_hand_is_given_again(
    on: Scene, address: FloatingAddress, admin: User
) -> None:
    project(on).routing.delete_floating_ip(address.external_id)
    swept(on)
    swept(on, after=LATER)
    assert [each[:4] for each in told()] == [("missing", "floating_address", "set_back", "open")]
    finding = found()
    assert (finding.name, finding.resource) == (address.address, server(1))
    assert applied(finding, admin).status == "resolved", states()
    (again,) = in_cloud(on)
    address.refresh_from_db()
    assert (again.id, again.address, again.port_id) == (address.external_id, address.address, port(1))
    assert (used(on), billed(1), address.released_at) == (1, True, None)
    assert Event.objects.filter(verb="floating_address.made_again", subject_id=server(1).uuid).count() == 1
    assert clean(on)


def test_an_address_that_somebody_else_has_by_now_is_not_given_again_and_can_be_forgotten(
    on: Scene, connected: Network, address: FloatingAddress, admin: User
) -> None:
    project(on).routing.delete_floating_ip(address.external_id)
    operator = openstack.connect(cloud="sandbox")
    other = operator.routing.create_floating_ip(external_network_id=connected.external_network_id)
    assert other.address == address.address, "the sandbox gives the first that is free"
    swept(on)
    swept(on, after=LATER)
    finding = found(kind="missing")
    assert applied(finding, admin).status == "open"
    assert "already allocated" in finding.remark
    assert applied(finding, admin, remedy="mark_lost").status == "resolved", states()
    address.refresh_from_db()
    assert (address.released_at is None, used(on), billed(1)) == (False, 0, False)


@pytest.mark.parametrize("lost", ["address", "server"])
def test_what_is_forgotten_of_a_suspended_server_does_not_begin_to_meter_it(
    on: Scene, address: FloatingAddress, admin: User, lost: str
) -> None:
    suspended = ending(server(1), at=now())
    ended(at=now())
    work()
    suspended.refresh_from_db()
    assert (suspended.status, billed(1)) == ("suspended", False), states()
    segments = UsageSegment.objects.filter(resource=suspended)
    before = segments.count()
    project(on).routing.delete_floating_ip(address.external_id)
    if lost == "server":
        deleted(on, suspended)
    swept(on)
    swept(on, after=LATER)
    findings = Finding.objects.filter(kind="missing", status="open")
    finding = findings.get(subject="server" if lost == "server" else "floating_address")
    assert applied(finding, admin, remedy="mark_lost").status == "resolved", states()
    suspended.refresh_from_db()
    assert (suspended.status, used(on)) == ("released" if lost == "server" else "suspended", 0)
    assert (segments.count(), segments.going_on().exists()) == (before, False)


def test_a_floating_address_that_leads_elsewhere_is_brought_back(
    on: Scene, address: FloatingAddress, admin: User
) -> None:
    project(on).routing.bind_floating_ip(address.external_id, port_id=port(2))
    swept(on)
    assert told() == [("drifted", "floating_address", "set_back", "open", {"leads_to": (port(1), port(2))})]
    assert applied(found(), admin).status == "resolved", states()
    (seen,) = in_cloud(on)
    assert (seen.port_id, server(1).status) == (port(1), "active")
    assert clean(on)


def test_a_floating_address_without_its_mark_that_leads_nowhere_is_set_back(
    on: Scene, address: FloatingAddress, admin: User
) -> None:
    cloud = project(on)
    body = {"floatingip": {"description": "", "port_id": None}}
    cloud._transport.send("network", "PUT", f"/floatingips/{address.external_id}", json=body)
    cloud.network.set_tags(collection="floatingips", resource_id=address.external_id, tags=["theirs"])
    swept(on)
    mark = f"gc-{address.unit}"
    assert told() == [
        ("drifted", "floating_address", "set_back", "open", {"mark": (mark, ""), "leads_to": (port(1), "")})
    ]
    assert refusal(found(), admin, remedy="adopt") == "remedy-not-possible"
    assert applied(found(), admin).status == "resolved", states()
    (seen,) = in_cloud(on)
    assert (seen.port_id, {"theirs", mark} <= seen.tags) == (port(1), True)


def test_the_record_follows_a_floating_address_to_another_server_with_its_bill(
    on: Scene, address: FloatingAddress, admin: User
) -> None:
    project(on).routing.bind_floating_ip(address.external_id, port_id=port(2))
    swept(on)
    assert applied(found(), admin, remedy="adopt").status == "resolved"
    address.refresh_from_db()
    assert (address.server, billed(1), billed(2), used(on)) == (server(2).server, False, True, 1)
    assert clean(on)


def test_one_that_leads_to_what_is_not_ours_cannot_be_followed(
    on: Scene, connected: Network, address: FloatingAddress, admin: User
) -> None:
    theirs = making_room(on).network.create_port(
        name="by-hand",
        network_id=connected.resource.external_id,
        subnet_id=connected.subnet_id,
        fixed_ip=str(ip_network(connected.cidr)[40]),
    )
    project(on).routing.bind_floating_ip(address.external_id, port_id=theirs.id)
    swept(on)
    finding = found(subject="floating_address")
    assert refusal(finding, admin, remedy="adopt") == "cannot-be-taken-in"
    assert found(subject="floating_address").status == "open"


def test_a_way_in_that_was_given_by_hand_is_taken_away(on: Scene, connected: Network, admin: User) -> None:
    seen = by_hand(on, connected, 2)
    swept(on)
    assert [each[:4] for each in told(kind="foreign")] == [
        ("foreign", "floating_address", "clear_away", "open")
    ]
    assert found(kind="foreign").differences.get(field="address").found == seen.address
    assert applied(found(kind="foreign"), admin).status == "resolved", states()
    assert (in_cloud(on), used(on), server(2).status) == ([], 0, "active")


def test_a_way_in_that_leads_to_something_else_by_the_time_it_would_be_given_back_stays(
    on: Scene, connected: Network, admin: User
) -> None:
    seen = by_hand(on, connected, 2)
    theirs = making_room(on).network.create_port(
        name="by-hand",
        network_id=connected.resource.external_id,
        subnet_id=connected.subnet_id,
        fixed_ip=str(ip_network(connected.cidr)[40]),
    )
    swept(on)
    finding = found(kind="foreign", subject="floating_address")
    services.apply(finding=finding, actor=admin, at=now())
    project(on).routing.bind_floating_ip(seen.id, port_id=theirs.id)
    work()
    services.settle(at=now())
    finding.refresh_from_db()
    assert [each.port_id for each in in_cloud(on)] == [theirs.id]
    assert (finding.status, finding.remark) == ("open", "it leads somewhere else by now")
    assert server(2).status == "active"


def test_a_way_in_that_was_given_by_hand_may_stay_with_quota_and_bill(
    on: Scene, connected: Network, admin: User
) -> None:
    seen = by_hand(on, connected, 2)
    swept(on)
    assert applied(found(kind="foreign"), admin, remedy="adopt").status == "resolved"
    taken = FloatingAddress.objects.get()
    assert (taken.external_id, taken.address, taken.server) == (seen.id, seen.address, server(2).server)
    assert (used(on), billed(2), limits(on)["floatingip"]) == (1, True, 1)
    assert f"gc-{taken.unit}" in in_cloud(on)[0].tags
    assert clean(on)


def test_a_way_in_that_was_let_be_is_told_of_again_when_it_leads_to_another_server(
    on: Scene, connected: Network, admin: User
) -> None:
    seen = by_hand(on, connected, 1)
    swept(on)
    services.dismiss(finding=found(kind="foreign"), reason="known", actor=admin, at=now())
    swept(on)
    assert found(kind="foreign").status == "dismissed"
    project(on).routing.bind_floating_ip(seen.id, port_id=port(2))
    swept(on)
    finding = found(kind="foreign")
    assert (finding.status, finding.resource) == ("open", server(2))
    assert applied(finding, admin, remedy="adopt").status == "resolved"
    assert FloatingAddress.objects.get().server == server(2).server


def test_in_the_internet_zone_none_stays_without_its_review(
    on: Scene, connected: Network, admin: User
) -> None:
    by_hand(on, connected, 2)
    Resource.objects.update(zone="internet")
    swept(on)
    assert refusal(found(kind="foreign"), admin, remedy="adopt") == "cannot-be-taken-in"
    assert (FloatingAddress.objects.count(), used(on)) == (0, 0)


def test_the_router_that_floating_addresses_need_is_not_forgotten(
    on: Scene, connected: Network, address: FloatingAddress, admin: User
) -> None:
    routing = project(on).routing
    routing.bind_floating_ip(address.external_id, port_id=None)
    routing.remove_router_subnet(router_id=connected.router_id, subnet_id=connected.subnet_id)
    routing.delete_router(connected.router_id)
    swept(on)
    swept(on, after=LATER)
    assert refusal(found(subject="router"), admin, remedy="mark_lost") == "addresses-lead-through"
    assert applied(found(subject="router"), admin).status == "resolved", states()
    assert applied(found(subject="floating_address"), admin).status == "resolved", states()
    assert in_cloud(on)[0].port_id == port(1)
    swept(on)
    assert told() == []
