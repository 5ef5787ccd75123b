"""Servers reached from outside their network: routers and floating addresses, on the sandbox cloud over HTTP."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from govcloud.audit.models import Event
from govcloud.catalog.models import FLOATING_ADDRESS, Meter
from govcloud.chargeback.models import Price, Tariff
from govcloud.errors import DomainError, Invalids
from govcloud.gateways import openstack
from govcloud.inventory.models import FloatingAddress, Network, Project, Resource
from govcloud.metering.models import UsageSegment
from govcloud.orders import services
from govcloud.orders.drafts import AddressDraft, NetworkDraft, ReleaseDraft, ServerDraft, VolumeDraft
from govcloud.orders.models import Order
from govcloud.orders.readiness import reckon
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.actions.base import Nothing
from govcloud.provisioning.actions.requests import ActionNotAllowed
from govcloud.provisioning.actions.storage import ToServer
from govcloud.provisioning.models import Operation, Step
from govcloud.quotas.models import QuotaAccount
from govcloud.quotas.services import QuotaExceeded
from govcloud.reconciliation import balances
from tenants.models import Role
from tests.factories.catalog import MeterFactory
from tests.factories.orders import Scene, approve_all, approved, drafted, scene, submitted
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.dying import die_and_be_followed
from tests.integration.sandboxed import Sandbox
from tests.integration.test_server_actions import abandoned, ask, done

pytestmark = pytest.mark.django_db
POST = {"service": "network", "method": "POST", "path": "/floatingips$"}


def items(*, zone: str = "public", quantity: int = 1) -> tuple[Any, ...]:
    server = ServerDraft(
        name="web",
        quantity=quantity,
        zone=zone,
        flavor="g.4c16g",
        image="debian-12",
        network="app-net",
        system_volume=VolumeDraft(storage_class="ssd", size_gb=100),
    )
    return NetworkDraft(name="app-net", zone=zone), server


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False, limits={"addresses": 1})


@pytest.fixture
def network(on: Scene, building: Sandbox) -> Resource:
    """A network with a server on it, which nothing leads out of yet."""
    built(on, items=items())
    building.ask("PUT", "/timing", {"action_seconds": 0.05})
    return Resource.objects.get(kind="network")


@pytest.fixture
def server(on: Scene, network: Resource) -> Resource:
    """A server whose network is connected to the outside."""
    assert done(network, "connect", Nothing(), on).status == "done", states()
    return Resource.objects.get(name="web-1")


def floating(server: Resource) -> FloatingAddress | None:
    return FloatingAddress.objects.filter(server=server.pk, released_at=None).first()


def ordered(on: Scene, server: Resource) -> Order:
    order = approved(on, at=now(), items=(AddressDraft(target=server.uuid),))
    work()
    order.refresh_from_db()
    server.refresh_from_db()
    return order


def given(on: Scene, server: Resource) -> FloatingAddress:
    order = ordered(on, server)
    found = floating(server)
    assert (order.status, server.status) == ("fulfilled", "active"), states()
    assert found is not None
    return found


def account(on: Scene) -> tuple[int, int]:
    row = QuotaAccount.objects.get(department=on.department, dimension="addresses")
    return row.held, row.used


def in_cloud(on: Scene) -> list[openstack.models.FloatingIp]:
    return project(on).routing.find_floating_ips()


def limits(on: Scene) -> dict[str, int | None]:
    identifier = Project.objects.get(system=on.system).external_id
    found = openstack.connect(cloud="sandbox").quotas.network(identifier)
    return {name: found[name].limit for name in ("router", "floatingip")}


def by_hand(on: Scene) -> openstack.models.Router:
    """A router that an operator made in the project, for which there is no room of ours."""
    identifier = Project.objects.get(system=on.system).external_id
    openstack.connect(cloud="sandbox").quotas.set_network(identifier, {"router": 2})
    return project(on).routing.create_router(name="by-hand")


def port_id(server: Resource) -> str:
    return next(iter(openstack_ports(server)))


def openstack_ports(server: Resource) -> dict[str, str]:
    cloud = openstack.connect(
        cloud="sandbox", project_id=Project.objects.get(system=server.system).external_id
    )
    return cloud.compute.interfaces(server.external_id)


# -- the way out


def test_a_network_is_connected_to_the_outside_and_disconnected_again(on: Scene, network: Resource) -> None:
    operation = done(network, "connect", Nothing(), on)
    assert (operation.status, network.status) == ("done", "active"), states()
    recorded = Network.objects.get(resource=network)
    (router,) = project(on).routing.find_routers()
    assert (router.id, router.external_network_id) == (recorded.router_id, recorded.external_network_id)
    assert router.outside_addresses == (recorded.outside_address,)
    ports = project(on).network.find_ports(server_id=router.id, network_id=network.external_id)
    assert [port.addresses for port in ports] == [(recorded.gateway,)]

    assert done(network, "disconnect", Nothing(), on).status == "done", states()
    assert project(on).routing.find_routers() == []
    recorded.refresh_from_db()
    assert (recorded.router_id, recorded.external_network_id, recorded.outside_address) == ("", "", None)
    verbs = Event.objects.filter(subject_id=network.uuid, verb__startswith="network.")
    assert list(verbs.order_by("pk").values_list("verb", flat=True)) == [
        "network.connected",
        "network.disconnected",
    ]


@pytest.mark.parametrize("kind", ["router", "router_interface"])
def test_a_worker_that_dies_while_connecting_leaves_one_router(
    on: Scene, network: Resource, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = ask(network, "connect", Nothing(), on)
    die_and_be_followed(monkeypatch, "_adopt", kind=kind)
    operation.refresh_from_db()
    assert operation.status == "done", states()
    assert len(project(on).routing.find_routers()) == 1


def test_a_connection_that_is_called_off_leaves_no_router(
    on: Scene, network: Resource, building: Sandbox
) -> None:
    refused = {"service": "network", "method": "PUT", "path": "/add_router_interface$", "action": "status"}
    building.ask("POST", "/faults", {**refused, "status": 403, "message": "no", "times": 5})
    operation = done(network, "connect", Nothing(), on)
    assert operation.status == "parked"
    assert abandoned(operation, on).status == "undone", states()
    assert project(on).routing.find_routers() == []
    assert Network.objects.get(resource=network).router_id == ""


def test_a_zone_says_which_external_network_is_meant(on: Scene, network: Resource, building: Sandbox) -> None:
    zone = on.catalogue.zones["public"]
    zone.external_network = "extranet"
    zone.save()
    operation = done(network, "connect", Nothing(), on)
    assert operation.status == "parked"
    assert "0 external networks called 'extranet'" in Step.objects.get(kind="router").last_error
    zone.external_network = "public"
    zone.save()
    provisioning.retry(operation=operation, actor=on.applicant, at=now())
    work()
    operation.refresh_from_db()
    assert operation.status == "done", states()


# -- an address


def test_a_server_gets_a_floating_address_and_gives_it_back(on: Scene, server: Resource) -> None:
    address = given(on, server)
    (found,) = in_cloud(on)
    assert (found.id, found.address, found.port_id) == (address.external_id, address.address, port_id(server))
    assert found.tags >= {f"gc-{address.unit}", "govcloud"}
    assert (account(on), limits(on)) == ((0, 1), {"router": 1, "floatingip": 1})
    assert [each.differences for each in balances.ledger()] == []

    assert done(server, "give-back-address", Nothing(), on).status == "done", states()
    assert (in_cloud(on), floating(server)) == ([], None)
    assert (account(on), limits(on)) == ((0, 0), {"router": 1, "floatingip": 0})
    verbs = Event.objects.filter(subject_id=server.uuid, verb__startswith="floating_address.")
    assert list(verbs.order_by("pk").values_list("verb", flat=True)) == [
        "floating_address.given",
        "floating_address.released",
    ]


def test_quota_is_held_from_submission_and_refused_beyond_the_limit(on: Scene, network: Resource) -> None:
    done(network, "connect", Nothing(), on)
    server = Resource.objects.get(name="web-1")
    order = submitted(on, at=now(), items=(AddressDraft(target=server.uuid),))
    assert account(on) == (1, 0)
    services.withdraw(order=order, reason="不再需要", actor=on.applicant, at=now())
    assert account(on) == (0, 0)
    QuotaAccount.objects.filter(department=on.department, dimension="addresses").update(limit=0)
    with pytest.raises(QuotaExceeded):
        submitted(on, at=now(), items=(AddressDraft(target=server.uuid),))


@pytest.mark.parametrize("moment", ["_adopt", "_intend"])
def test_a_worker_that_dies_while_getting_one_leads_to_one(
    on: Scene, server: Resource, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = approved(on, at=now(), items=(AddressDraft(target=server.uuid),))
    die_and_be_followed(monkeypatch, moment, kind="floating_address")
    order.refresh_from_db()
    assert order.status == "fulfilled", states()
    assert len(in_cloud(on)) == 1


@pytest.mark.parametrize("fault", [{"action": "reset", "when": "after"}, {"action": "status", "status": 502}])
def test_an_answer_that_is_lost_leads_to_one_address(
    on: Scene, server: Resource, building: Sandbox, fault: dict[str, Any]
) -> None:
    building.ask("POST", "/faults", {**POST, **fault, "times": 1})
    address = given(on, server)
    assert [each.id for each in in_cloud(on)] == [address.external_id]


def test_an_order_that_is_called_off_gives_address_and_quota_back(
    on: Scene, server: Resource, building: Sandbox
) -> None:
    building.ask("POST", "/faults", {**POST, "action": "status", "status": 403, "message": "no", "times": 5})
    order = ordered(on, server)
    operation = Operation.objects.get(thread=order.uuid)
    assert operation.status == "parked"
    assert abandoned(operation, on).status == "undone", states()
    server.refresh_from_db()
    assert (in_cloud(on), floating(server), account(on), server.status) == ([], None, (0, 0), "active")


def test_an_address_that_stands_is_taken_down_when_the_rest_is_called_off(
    on: Scene, server: Resource, building: Sandbox
) -> None:
    tags = {"service": "network", "method": "PUT", "path": "/floatingips/[^/]*/tags$", "action": "status"}
    building.ask("POST", "/faults", {**tags, "status": 403, "message": "no", "times": 5})
    order = ordered(on, server)
    assert len(in_cloud(on)) == 1
    operation = Operation.objects.get(thread=order.uuid)
    assert abandoned(operation, on).status == "undone", states()
    assert (in_cloud(on), account(on)) == ([], (0, 0))


# -- what is refused


def codes(on: Scene, server: Resource) -> list[str]:
    with pytest.raises(Invalids) as refused:
        drafted(on, at=now(), items=(AddressDraft(target=server.uuid),))
    return [error.code for error in refused.value.errors]


def test_the_network_has_to_be_connected_first(on: Scene, network: Resource) -> None:
    assert codes(on, Resource.objects.get(name="web-1")) == ["network-not-connected"]


def test_a_server_has_one_floating_address(on: Scene, server: Resource) -> None:
    given(on, server)
    assert codes(on, server) == ["server-has-floating-address"]


def test_a_network_stays_connected_while_addresses_lead_through_it(on: Scene, server: Resource) -> None:
    address = given(on, server)
    network = Resource.objects.get(kind="network")
    with pytest.raises(ActionNotAllowed) as refused:
        ask(network, "disconnect", Nothing(), on)
    assert str(address.address) in str(refused.value.params["reason"])


def test_a_network_that_was_disconnected_meanwhile_stops_the_last_approval(
    on: Scene, server: Resource
) -> None:
    order = submitted(on, at=now(), items=(AddressDraft(target=server.uuid),))
    done(Resource.objects.get(kind="network"), "disconnect", Nothing(), on)
    with pytest.raises(DomainError) as refused:
        approve_all(on, order, at=now())
    assert refused.value.code == "network-not-connected"
    assert FloatingAddress.objects.count() == 0


# -- the Internet zone


def test_in_the_internet_zone_an_address_is_reviewed_for_egress(on: Scene, building: Sandbox) -> None:
    on.chain[Role.CLOUD_ADMIN] = member(Role.CLOUD_ADMIN)
    on.system.zone = "internet"
    on.system.save()
    built(on, items=items(zone="internet"))
    done(Resource.objects.get(kind="network"), "connect", Nothing(), on)
    order = drafted(on, at=now(), items=(AddressDraft(target=Resource.objects.get(name="web-1").uuid),))
    assert "egress_review" in [stage.code for stage in reckon(order=order, at=now()).route]


# -- moving


def two(on: Scene) -> tuple[Resource, Resource]:
    built(on, items=items(quantity=2))
    done(Resource.objects.get(kind="network"), "connect", Nothing(), on)
    first, second = Resource.objects.filter(kind="server").order_by("name")
    return first, second


def test_an_address_moves_to_another_server_of_the_system(on: Scene, building: Sandbox) -> None:
    first, second = two(on)
    address = given(on, first)
    assert done(first, "move-address", ToServer(server=second.uuid), on).status == "done", states()
    (found,) = in_cloud(on)
    assert (found.address, found.port_id) == (address.address, port_id(second))
    assert (floating(first), floating(second)) == (None, address)
    assert account(on) == (0, 1)


def test_a_move_that_is_called_off_brings_it_back(
    on: Scene, building: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two(on)
    address = given(on, first)
    put = {"service": "network", "method": "PUT", "path": f"/floatingips/{address.external_id}$"}
    building.ask("POST", "/faults", {**put, "action": "truncate", "times": 1})
    get = {**put, "method": "GET", "action": "status", "status": 403, "message": "no", "times": 1}
    building.ask("POST", "/faults", get)
    operation = done(first, "move-address", ToServer(server=second.uuid), on)
    assert operation.status == "parked"
    assert abandoned(operation, on).status == "undone", states()
    (found,) = in_cloud(on)
    assert (found.port_id, floating(first)) == (port_id(first), address)


def test_a_move_is_called_off_although_the_port_that_it_came_from_has_vanished(
    on: Scene, building: Sandbox
) -> None:
    first, second = two(on)
    address = given(on, first)
    put = {"service": "network", "method": "PUT", "path": f"/floatingips/{address.external_id}$"}
    building.ask("POST", "/faults", {**put, "action": "truncate", "times": 1})
    get = {**put, "method": "GET", "action": "status", "status": 403, "message": "no", "times": 1}
    building.ask("POST", "/faults", get)
    operation = done(first, "move-address", ToServer(server=second.uuid), on)
    openstack.connect(cloud="sandbox").network.delete_port(port_id(first))
    assert abandoned(operation, on).status == "undone", states()
    (found,) = in_cloud(on)
    assert (found.port_id, floating(first)) == (None, address)


def test_a_network_that_an_address_is_moving_to_stays_connected(on: Scene, building: Sandbox) -> None:
    first, _second = two(on)
    network = NetworkDraft(name="other-net", zone="public")
    server = replace(items()[1], name="other", network="other-net")
    built(on, items=(network, server))
    other = Resource.objects.get(name="other-net")
    done(other, "connect", Nothing(), on)
    given(on, first)
    ask(first, "move-address", ToServer(server=Resource.objects.get(name="other-1").uuid), on)
    with pytest.raises(ActionNotAllowed):
        ask(other, "disconnect", Nothing(), on)
    work()
    assert FloatingAddress.objects.get().network.resource == other
    assert done(Resource.objects.get(name="app-net"), "disconnect", Nothing(), on).status == "done", states()


def test_it_moves_only_where_it_can_lead(on: Scene, building: Sandbox) -> None:
    first, second = two(on)
    given(on, first)
    for stranger in (uuid4(), first.uuid):
        with pytest.raises(DomainError) as refused:
            ask(first, "move-address", ToServer(server=stranger), on)
        assert refused.value.code == "address-cannot-move-there"
    with pytest.raises(ActionNotAllowed) as nothing:
        ask(second, "move-address", ToServer(server=first.uuid), on)
    assert "no floating address" in str(nothing.value.params["reason"])
    Resource.objects.update(zone="internet")
    with pytest.raises(DomainError) as refused:
        ask(first, "move-address", ToServer(server=second.uuid), on)
    assert refused.value.code == "egress-review-needed"


# -- the bill


def test_where_the_catalogue_has_a_meter_an_address_is_quoted_and_billed_with_its_server(
    on: Scene, server: Resource
) -> None:
    meter = MeterFactory(code=FLOATING_ADDRESS)
    Price.objects.create(tariff=Tariff.objects.get(), meter=meter, per_month=10)
    order = drafted(on, at=now(), items=(AddressDraft(target=server.uuid),))
    assert [line.meter.code for line in services.quote(order=order, at=now()).lines] == [FLOATING_ADDRESS]
    given(on, server)
    segments = UsageSegment.objects.filter(resource=server, meter__code=FLOATING_ADDRESS)
    assert [segment.quantity for segment in segments.going_on()] == [1]
    done(server, "give-back-address", Nothing(), on)
    assert list(segments.going_on()) == []
    assert UsageSegment.objects.filter(resource=server).going_on().count() == 2


def test_without_a_meter_it_costs_nothing(on: Scene, server: Resource) -> None:
    assert not Meter.objects.filter(code=FLOATING_ADDRESS).exists()
    order = drafted(on, at=now(), items=(AddressDraft(target=server.uuid),))
    assert services.quote(order=order, at=now()).monthly_total == 0


# -- release


def test_a_released_server_gives_its_address_back_first(on: Scene, server: Resource) -> None:
    given(on, server)
    release = approved(on, at=now(), items=(ReleaseDraft(target=server.uuid, kind="server"),))
    work()
    release.refresh_from_db()
    assert release.status == "fulfilled", states()
    assert (in_cloud(on), account(on), floating(server)) == ([], (0, 0), None)
    assert services.quote(order=Order.objects.earliest("pk"), at=now()).monthly_total > 0
    assert services.quote(order=Order.objects.get(items__floating__isnull=False), at=now()).lines == ()
    steps = Step.objects.filter(operation__thread=release.uuid, kind__in=["floating_address", "server"])
    assert [step.kind for step in steps.order_by("finished_at")] == ["floating_address", "server"]


def test_a_released_network_takes_its_router_along_and_no_other(on: Scene, server: Resource) -> None:
    given(on, server)
    other = by_hand(on)
    network = Resource.objects.get(kind="network")
    with pytest.raises(Invalids) as refused:
        drafted(on, at=now(), items=(ReleaseDraft(target=network.uuid, kind="network"),))
    assert "network-has-floating-addresses" in [error.code for error in refused.value.errors]
    both = (
        ReleaseDraft(target=server.uuid, kind="server"),
        ReleaseDraft(target=network.uuid, kind="network"),
    )
    release = approved(on, at=now(), items=both)
    work()
    release.refresh_from_db()
    assert release.status == "fulfilled", states()
    assert [router.id for router in project(on).routing.find_routers()] == [other.id]
    project(on).routing.delete_router(other.id)
