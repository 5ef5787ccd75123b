"""Rules and routers that somebody changed behind our back; on the sandbox cloud over HTTP."""

from typing import Any
from uuid import uuid4

import pytest

from govcloud.audit.models import Event
from govcloud.catalog.models import Cloud
from govcloud.errors import DomainError
from govcloud.gateways import openstack
from govcloud.inventory.models import Network, Project, Resource, SecurityRule
from govcloud.orders.drafts import NetworkDraft
from govcloud.provisioning.actions.base import Nothing
from govcloud.provisioning.models import Operation
from govcloud.reconciliation import services
from govcloud.reconciliation.models import Extent, Finding
from tenants.models import Role, User
from tests.factories.orders import Scene, scene
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox
from tests.integration.test_reconciliation import FULL, LATER, applied, swept, told
from tests.integration.test_security_rules import HTTPS, in_cloud, room
from tests.integration.test_server_actions import done

pytestmark = pytest.mark.django_db
INTRANET = {"protocol": "tcp", "port_min": 8443, "port_max": 8444, "remote": "10.30.0.0/16"}


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


@pytest.fixture
def admin() -> User:
    return member(Role.CLOUD_ADMIN)


@pytest.fixture
def network(on: Scene, building: Sandbox) -> Resource:
    assert built(on, items=(NetworkDraft(name="app-net", zone="public"),)).status == "fulfilled", states()
    return Resource.objects.select_related("network").get(kind="network")


@pytest.fixture
def rule(on: Scene, network: Resource) -> SecurityRule:
    """What the department has opened."""
    assert done(network, "add-rule", HTTPS, on).status == "done", states()
    return SecurityRule.objects.get()


@pytest.fixture
def connected(on: Scene, network: Resource) -> Network:
    assert done(network, "connect", Nothing(), on).status == "done", states()
    return Network.objects.get(resource=network)


def opened_by_hand(on: Scene, network: Resource, **rule: Any) -> str:
    group = network.network.security_group_id
    return project(on).security_groups.create_rule(group_id=group, **rule).id


def making_room(on: Scene) -> openstack.Cloud:
    """The system's project, in which an operator has made room for more than is ours."""
    identifier = Project.objects.get(system=on.system).external_id
    none = dict.fromkeys(("network", "subnet", "port", "router", "security_group", "security_group_rule"))
    openstack.connect(cloud="sandbox").quotas.set_network(identifier, none)
    return project(on)


def found(**of: Any) -> Finding:
    return Finding.objects.exclude(status="resolved").get(**of)


def refusal(finding: Finding, admin: User, *, remedy: str = "") -> str:
    """Why it is not applied; it stays as it is."""
    with pytest.raises(DomainError) as refused:
        services.apply(finding=finding, remedy=remedy, actor=admin, at=now())
    return refused.value.code


def clean(on: Scene) -> bool:
    """Nothing is found any more, however long ago it was."""
    swept(on)
    swept(on, after=LATER)
    return told() == []


def test_of_what_was_opened_and_connected_nothing_is_found(
    on: Scene, rule: SecurityRule, connected: Network
) -> None:
    assert rule.network_id == connected.pk
    sweep = swept(on)
    assert told() == []
    assert sweep.api_calls == FULL + 3, "the lists, and the limits of the one project"


# -- rules


def test_what_was_opened_to_everybody_by_hand_is_told_at_once_and_taken_out(
    on: Scene, network: Resource, admin: User
) -> None:
    opened_by_hand(on, network, protocol="tcp", port_min=22, port_max=22, remote="0.0.0.0/0")
    swept(on, extent=Extent.INCREMENTAL)
    assert told() == [
        (
            "foreign",
            "security_rule",
            "clear_away",
            "open",
            {"protocol": ("", "tcp"), "open_ports": ("", "22"), "origin": ("", "0.0.0.0/0")},
        )
    ]
    finding = found()
    assert (finding.name, finding.resource) == ("tcp 22 0.0.0.0/0", network)
    services.apply(finding=finding, actor=admin, at=now())
    network.refresh_from_db()
    assert network.status == "changing", "nobody takes up meanwhile what is about to go"
    work()
    services.settle(at=now())
    finding.refresh_from_db()
    network.refresh_from_db()
    assert (finding.status, network.status, in_cloud(on, network)) == ("resolved", "active", []), states()
    assert clean(on)


def test_a_rule_by_hand_may_stay_when_an_administrator_vouches_for_it(
    on: Scene, network: Resource, admin: User
) -> None:
    before = room(on)
    assert before is not None
    external_id = opened_by_hand(on, network, **INTRANET)
    swept(on)
    assert applied(found(), admin, remedy="adopt").status == "resolved"
    rule = SecurityRule.objects.get()
    assert (rule.external_id, rule.added_by, rule.port_min, rule.port_max, rule.remote) == (
        external_id, admin, 8443, 8444, "10.30.0.0/16",
    )  # fmt: skip
    assert room(on) == before + 1
    assert Event.objects.get(verb="security_rule.added").subject_id == network.uuid
    assert clean(on)


def test_what_a_department_may_not_open_may_not_stay_either(
    on: Scene, network: Resource, admin: User
) -> None:
    opened_by_hand(on, network, protocol="tcp", port_min=3389, port_max=3389)
    swept(on)
    assert refusal(found(), admin, remedy="adopt") == "management-port-open-to-everybody"
    assert (found().status, SecurityRule.objects.count()) == ("open", 0)


def test_rules_of_every_form_are_told_as_they_are(on: Scene, network: Resource, admin: User) -> None:
    opened_by_hand(on, network, protocol="icmp", port_min=8)
    opened_by_hand(on, network, protocol="tcp", port_min=443, port_max=443, remote="::/0", ethertype="IPv6")
    opened_by_hand(on, network, protocol="50", remote="10.30.0.0/16")
    swept(on)
    codes = {"icmp 8 0.0.0.0/0": "bad-ports", "50 * 10.30.0.0/16": "cannot-be-taken-in"}
    assert {each.name for each in Finding.objects.all()} == {*codes, "tcp 443 ::/0"}
    for name, code in codes.items():
        assert refusal(found(name=name), admin, remedy="adopt") == code
    assert applied(found(name="tcp 443 ::/0"), admin, remedy="adopt").status == "resolved"


def test_a_rule_that_lets_in_another_group_is_told_and_only_to_be_taken_out(
    on: Scene, network: Resource, admin: User
) -> None:
    theirs = making_room(on).security_groups.create_group(name="by-hand")
    body = {
        "security_group_id": network.network.security_group_id, "direction": "ingress", "ethertype": "IPv4",
        "remote_group_id": theirs.id,
    }  # fmt: skip
    project(on)._transport.send(
        "network", "POST", "/security-group-rules", json={"security_group_rule": body}
    )
    swept(on)
    finding = found(subject="security_rule")
    assert finding.name == f"any * group {theirs.id}"
    assert refusal(finding, admin, remedy="adopt") == "cannot-be-taken-in"
    assert applied(finding, admin).status == "resolved", states()


def test_a_rule_of_an_operators_own_project_in_a_group_of_ours_is_found_and_taken_out(
    on: Scene, network: Resource, admin: User
) -> None:
    operator = openstack.connect(cloud="sandbox")
    made = operator.security_groups.create_rule(
        group_id=network.network.security_group_id, protocol="6", port_min=22, port_max=22
    )
    assert made.project_id != Project.objects.get(system=on.system).external_id
    swept(on)
    assert [(each.name, each.kind) for each in Finding.objects.all()] == [("tcp 22 0.0.0.0/0", "foreign")]
    assert applied(found(), admin).status == "resolved", states()
    assert in_cloud(on, network) == []


def test_rules_outwards_from_the_network_itself_and_in_groups_that_are_not_ours_are_not_told(
    on: Scene, network: Resource
) -> None:
    opened_by_hand(on, network, protocol="tcp", port_min=80, port_max=80, remote=network.network.cidr)
    opened_by_hand(on, network, protocol="udp", direction="egress", remote="10.0.0.0/8")
    theirs = making_room(on).security_groups.create_group(name="by-hand")
    project(on).security_groups.create_rule(group_id=theirs.id, protocol="tcp")
    swept(on)
    assert [each[:2] for each in told(kind="foreign")] == [("foreign", "security_group")]


def test_a_rule_that_is_missing_is_let_in_again(
    on: Scene, network: Resource, rule: SecurityRule, admin: User
) -> None:
    project(on).security_groups.delete_rule(rule.external_id)
    swept(on)
    assert [each[:4] for each in told()] == [("missing", "security_rule", "set_back", "suspected")]
    swept(on, after=LATER)
    assert applied(found(), admin).status == "resolved", states()
    (again,) = in_cloud(on, network)
    rule.refresh_from_db()
    assert (rule.external_id, rule.removed_at, again.remote, again.port_min) == (
        again.id,
        None,
        "0.0.0.0/0",
        443,
    )
    assert Event.objects.filter(verb="security_rule.made_again", subject_id=network.uuid).count() == 1
    assert clean(on)


def test_a_rule_that_is_missing_can_be_forgotten(
    on: Scene, network: Resource, rule: SecurityRule, admin: User
) -> None:
    before = room(on)
    project(on).security_groups.delete_rule(rule.external_id)
    swept(on)
    swept(on, after=LATER)
    assert applied(found(), admin, remedy="mark_lost").status == "resolved", states()
    rule.refresh_from_db()
    network.refresh_from_db()
    assert (rule.removed_at is None, in_cloud(on, network), network.status) == (False, [], "active")
    assert before is not None
    assert room(on) == before - 1
    assert clean(on)


def test_a_missing_rule_that_somebody_made_again_by_hand_is_taken_for_it(
    on: Scene, network: Resource, rule: SecurityRule, admin: User
) -> None:
    project(on).security_groups.delete_rule(rule.external_id)
    by_hand = opened_by_hand(on, network, protocol="tcp", port_min=443, port_max=443)
    swept(on)
    swept(on, after=LATER)
    assert [each[:3] for each in told()] == [
        ("foreign", "security_rule", "clear_away"), ("missing", "security_rule", "set_back"),
    ]  # fmt: skip
    assert applied(found(kind="missing"), admin).status == "resolved", states()
    rule.refresh_from_db()
    assert (rule.external_id, len(in_cloud(on, network))) == (by_hand, 1)
    assert clean(on)


def test_a_rule_with_our_mark_that_nothing_knows_is_cleared_away_once_it_was_seen_twice(
    on: Scene, network: Resource, admin: User
) -> None:
    opened_by_hand(on, network, **INTRANET, description=f"gc-{uuid4()}")
    swept(on)
    assert [each[:4] for each in told()] == [("orphaned", "security_rule", "clear_away", "suspected")]
    swept(on, after=LATER)
    assert applied(found(), admin).status == "resolved", states()
    assert in_cloud(on, network) == []


def test_a_rule_that_somebody_took_out_already_is_stale(on: Scene, network: Resource, admin: User) -> None:
    external_id = opened_by_hand(on, network, **INTRANET)
    swept(on)
    finding = found()
    project(on).security_groups.delete_rule(external_id)
    assert refusal(finding, admin) == "finding-is-stale"
    finding.refresh_from_db()
    assert (finding.status, Operation.objects.filter(action="clear_away").count()) == ("resolved", 0)


def test_while_its_network_is_in_hand_a_rule_is_not_judged(on: Scene, network: Resource, admin: User) -> None:
    opened_by_hand(on, network, **INTRANET)
    Resource.objects.filter(pk=network.pk).update(status="changing")
    swept(on)
    assert told() == []
    Resource.objects.filter(pk=network.pk).update(status="active")
    swept(on)
    Resource.objects.filter(pk=network.pk).update(status="changing")
    assert refusal(found(), admin) == "still-moving"
    swept(on)
    assert found().status == "open"


def test_what_a_network_was_built_with_is_put_back(on: Scene, network: Resource, admin: User) -> None:
    Cloud.objects.update(management_cidr="10.255.0.1/24")
    groups, group_id = project(on).security_groups, network.network.security_group_id
    cidr = network.network.cidr
    for rule in groups.find_rules(group_id=group_id):
        if rule.remote == cidr:
            groups.delete_rule(rule.id)
    swept(on)
    expected = f"any * {cidr}, tcp 22 10.255.0.0/24"
    assert told() == [("drifted", "security_group", "set_back", "open", {"let_in": (expected, "")})]
    assert applied(found(), admin).status == "resolved", states()
    remotes = {rule.remote for rule in groups.find_rules(group_id=group_id) if rule.direction == "ingress"}
    assert remotes == {cidr, "10.255.0.0/24"}
    assert clean(on)


# -- routers


def deleted(on: Scene, connected: Network) -> None:
    routing = project(on).routing
    routing.remove_router_subnet(router_id=connected.router_id, subnet_id=connected.subnet_id)
    routing.delete_router(connected.router_id)


def led_out_by_hand(on: Scene, network: Resource) -> str:
    """A router that an operator made in the project, on the network's gateway address."""
    identifier = Project.objects.get(system=on.system).external_id
    (outside,) = project(on).network.find_networks(external=True)
    made = project(on).routing.create_router(name="by-hand", external_network_id=outside.id)
    project(on).routing.add_router_subnet(router_id=made.id, subnet_id=network.network.subnet_id)
    assert openstack.connect(cloud="sandbox").census.router(made.id).project_id == identifier
    return made.id


def test_a_router_that_was_deleted_by_hand_is_built_again(
    on: Scene, network: Resource, connected: Network, admin: User
) -> None:
    before = connected.router_id
    deleted(on, connected)
    swept(on)
    swept(on, after=LATER)
    assert [each[:4] for each in told()] == [("missing", "router", "set_back", "open")]
    assert applied(found(), admin).status == "resolved", states()
    connected.refresh_from_db()
    (router,) = project(on).routing.find_routers()
    assert (connected.router_id, connected.outside_address) == (router.id, router.outside_addresses[0])
    assert router.id != before
    swept(on)
    assert told() == []
    assert done(network, "disconnect", Nothing(), on).status == "done", states()


def test_a_router_that_was_deleted_by_hand_can_be_forgotten(
    on: Scene, network: Resource, connected: Network, admin: User
) -> None:
    deleted(on, connected)
    swept(on)
    swept(on, after=LATER)
    assert applied(found(), admin, remedy="mark_lost").status == "resolved", states()
    connected.refresh_from_db()
    assert (connected.router_id, connected.outside_address) == ("", None)
    assert clean(on)
    assert done(network, "connect", Nothing(), on).status == "done", states()


def test_a_router_that_leads_nowhere_is_led_out_again_and_its_new_address_recorded(
    on: Scene, connected: Network, admin: User
) -> None:
    cloud = making_room(on)
    path = f"/routers/{connected.router_id}"
    cloud._transport.send("network", "PUT", path, json={"router": {"external_gateway_info": None}})
    cloud.routing.create_router(name="in between", external_network_id=connected.external_network_id)
    swept(on)
    assert told(kind="drifted") == [
        ("drifted", "router", "set_back", "open", {"external_network": (connected.external_network_id, "")})
    ]
    assert applied(found(kind="drifted"), admin).status == "resolved", states()
    swept(on)
    (address,) = cloud.routing.get_router(connected.router_id).outside_addresses
    assert told(kind="drifted") == [
        ("drifted", "router", "adopt", "open", {"outside_address": (connected.outside_address, address)})
    ]
    assert applied(found(kind="drifted"), admin).status == "resolved"
    connected.refresh_from_db()
    assert connected.outside_address == address


def test_a_router_that_was_put_on_another_network_and_switched_off_is_set_back(
    on: Scene, connected: Network, admin: User
) -> None:
    cloud = making_room(on)
    theirs = cloud.network.create_network(name="by-hand")
    subnet = cloud.network.create_subnet(network_id=theirs.id, name="by-hand", cidr="192.168.7.0/24")
    cloud.routing.add_router_subnet(router_id=connected.router_id, subnet_id=subnet.id)
    cloud.routing.remove_router_subnet(router_id=connected.router_id, subnet_id=connected.subnet_id)
    body = {"router": {"admin_state_up": False}}
    cloud._transport.send("network", "PUT", f"/routers/{connected.router_id}", json=body)
    swept(on)
    assert told(subject="router") == [
        (
            "drifted",
            "router",
            "set_back",
            "open",
            {"state": ("usable", "disabled"), "on_subnets": (connected.subnet_id, subnet.id)},
        )
    ]
    assert applied(found(subject="router"), admin).status == "resolved", states()
    seen = openstack.connect(cloud="sandbox").census.router(connected.router_id)
    assert (seen.subnet_ids, seen.enabled) == ((connected.subnet_id,), True)


def test_a_way_out_that_was_built_by_hand_is_taken_down(on: Scene, network: Resource, admin: User) -> None:
    led_out_by_hand(on, network)
    swept(on)
    assert [each[:4] for each in told()] == [("foreign", "router", "clear_away", "open")]
    assert applied(found(), admin).status == "resolved", states()
    assert project(on).routing.find_routers() == []
    assert clean(on)


def test_a_way_out_that_was_built_by_hand_may_stay(on: Scene, network: Resource, admin: User) -> None:
    router_id = led_out_by_hand(on, network)
    swept(on)
    assert applied(found(), admin, remedy="adopt").status == "resolved"
    recorded = Network.objects.get(resource=network)
    (seen,) = project(on).routing.find_routers()
    assert (recorded.router_id, recorded.external_network_id, recorded.outside_address) == (
        router_id, seen.external_network_id, seen.outside_addresses[0],
    )  # fmt: skip
    assert clean(on)
    assert done(network, "disconnect", Nothing(), on).status == "done", states()


def test_a_router_that_serves_others_as_well_is_neither_taken_in_nor_taken_down(
    on: Scene, network: Resource, admin: User
) -> None:
    router_id, cloud = led_out_by_hand(on, network), making_room(on)
    theirs = cloud.network.create_network(name="by-hand")
    subnet = cloud.network.create_subnet(network_id=theirs.id, name="by-hand", cidr="192.168.7.0/24")
    cloud.routing.add_router_subnet(router_id=router_id, subnet_id=subnet.id)
    swept(on)
    finding = found(subject="router")
    assert refusal(finding, admin, remedy="adopt") == "cannot-be-taken-in"
    assert (applied(finding, admin).status, finding.remark) == ("open", "something holds it")
    assert len(openstack.connect(cloud="sandbox").census.router(router_id).subnet_ids) == 2


def test_a_router_on_nothing_of_ours_is_for_a_person_until_it_is_put_on_a_network_of_ours(
    on: Scene, network: Resource, admin: User
) -> None:
    made = project(on).routing.create_router(name="by-hand")
    swept(on)
    assert [each[:4] for each in told()] == [("foreign", "router", "decide", "open")]
    services.dismiss(finding=found(), reason="theirs", actor=admin, at=now())
    project(on).routing.add_router_subnet(router_id=made.id, subnet_id=network.network.subnet_id)
    swept(on)
    assert [each[:4] for each in told()] == [("foreign", "router", "clear_away", "open")]


def test_a_cloud_without_routers_and_floating_addresses_is_compared_in_the_rest(
    on: Scene, network: Resource, building: Sandbox
) -> None:
    opened_by_hand(on, network, **INTRANET)
    for path in ("/routers$", "/floatingips$"):
        fault = {"service": "network", "method": "GET", "path": path, "action": "status", "status": 404}
        building.ask("POST", "/faults", {**fault, "message": "The resource could not be found."})
    assert swept(on).status == "done"
    assert [each[:2] for each in told()] == [("foreign", "security_rule")]


def test_a_way_out_that_was_moved_meanwhile_is_stale(on: Scene, network: Resource, admin: User) -> None:
    router_id = led_out_by_hand(on, network)
    swept(on)
    project(on).routing.remove_router_subnet(router_id=router_id, subnet_id=network.network.subnet_id)
    assert refusal(found(), admin) == "finding-is-stale"


def test_a_way_out_that_serves_another_network_by_the_time_it_would_be_taken_down_stays(
    on: Scene, network: Resource, admin: User
) -> None:
    router_id, cloud = led_out_by_hand(on, network), making_room(on)
    swept(on)
    finding = found(subject="router")
    services.apply(finding=finding, actor=admin, at=now())
    theirs = cloud.network.create_network(name="by-hand")
    subnet = cloud.network.create_subnet(network_id=theirs.id, name="by-hand", cidr="192.168.7.0/24")
    cloud.routing.remove_router_subnet(router_id=router_id, subnet_id=network.network.subnet_id)
    cloud.routing.add_router_subnet(router_id=router_id, subnet_id=subnet.id)
    work()
    services.settle(at=now())
    finding.refresh_from_db()
    assert (finding.status, finding.remark) == ("open", "it leads somewhere else by now")
    assert openstack.connect(cloud="sandbox").census.router(router_id).subnet_ids == (subnet.id,)


def test_a_pass_does_not_judge_a_router_that_is_being_taken_down(
    on: Scene, network: Resource, connected: Network, building: Sandbox
) -> None:
    refused = {"service": "network", "method": "DELETE", "path": "/routers/", "action": "status"}
    building.ask("POST", "/faults", {**refused, "status": 403, "message": "no", "times": 1})
    assert done(network, "disconnect", Nothing(), on).status == "parked"
    assert clean(on)
