"""How servers are reached from outside, as callers see it: routers, rules, floating addresses, and the order for one."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from govcloud.inventory.models import Network, Resource, SecurityRule
from govcloud.provisioning.models import Operation
from tenants.models import NetworkZone, Role, User
from tests.factories.inventory import (
    FloatingAddressFactory,
    NetworkFactory,
    SecurityRuleFactory,
    whole_server,
)
from tests.factories.tenants import DepartmentFactory, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def network() -> Resource:
    return NetworkFactory().resource


@pytest.fixture
def applicant(signed_in: SignedIn, network: Resource) -> APIClient:
    return signed_in(member(Role.APPLICANT, network.system.department))


def actions(resource: Resource) -> str:
    return f"/api/v1/resources/{resource.uuid}/actions"


def test_a_network_lists_what_it_can_take_and_why_not(applicant: APIClient, network: Resource) -> None:
    listed = {row["action"]: row for row in applicant.get(actions(network), headers=ENGLISH).json()}
    assert {name for name, row in listed.items() if row["allowed"]} == {"connect", "add-rule"}
    assert listed["disconnect"]["reason"] == "it is not connected"


def test_connecting_a_network_answers_with_its_operation(applicant: APIClient, network: Resource) -> None:
    answer = applicant.post(actions(network), {"action": "connect"})
    assert (answer.status_code, answer.json()["action"]) == (202, "connect")
    steps = Operation.objects.get(uuid=answer.json()["uuid"]).steps.values_list("kind", flat=True)
    assert list(steps) == ["network_quota", "router", "router_interface"]


def test_a_network_shows_its_router_and_its_outside_address(applicant: APIClient, network: Resource) -> None:
    Network.objects.filter(resource=network).update(
        router_id="r-1", external_network_id="e-1", outside_address="203.0.113.9"
    )
    shown = applicant.get(f"/api/v1/resources/{network.uuid}").json()["network"]
    assert (shown["router_id"], shown["outside_address"]) == ("r-1", "203.0.113.9")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"action": "add-rule"}, "/protocol"),
        ({"action": "add-rule", "protocol": "ftp", "remote": "10.0.0.0/8"}, "/protocol"),
        ({"action": "add-rule", "protocol": "tcp", "port_min": "ssh", "remote": "10.0.0.0/8"}, "/port_min"),
        ({"action": "add-rule", "protocol": "tcp", "port_min": 0, "remote": "10.0.0.0/8"}, "/port_min"),
        ({"action": "add-rule", "protocol": "tcp", "port_min": 80}, "/remote"),
        ({"action": "add-rule", "protocol": "tcp", "port_min": 80, "remote": "10.0.0.1/8"}, "/remote"),
        ({"action": "add-rule", "protocol": "tcp", "network": "app-net"}, "/network"),
        ({"action": "add-rule", "protocol": "any", "remote": "10.0.0.0/8", "description": "x" * 201}, "/description"),
        ({"action": "remove-rule", "rule": "first"}, "/rule"),
        ({"action": "remove-rule", "rule": "8b0a8a36-7c0e-4f0b-9d6b-3f8b1de8a001"}, "/rule"),
    ],
)  # fmt: skip
def test_what_a_rule_needs_is_told_where_it_is_missing(
    applicant: APIClient, network: Resource, body: dict[str, Any], pointer: str
) -> None:
    SecurityRuleFactory(network=network.network)
    answer = applicant.post(actions(network), body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert not Operation.objects.exists()


def test_opening_a_management_port_to_everybody_is_refused_by_name(
    applicant: APIClient, network: Resource
) -> None:
    rule = {"action": "add-rule", "protocol": "tcp", "port_min": 22, "remote": "0.0.0.0/0"}
    answer = applicant.post(actions(network), rule, headers=ENGLISH)
    assert (answer.status_code, answer.json()["code"]) == (409, "management-port-open-to-everybody")
    assert "SSH (22)" in answer.json()["detail"]


def test_rules_are_shown_to_those_who_may_see_their_network(
    applicant: APIClient, signed_in: SignedIn, network: Resource
) -> None:
    rule = SecurityRuleFactory(network=network.network, remote="10.20.0.0/16")
    SecurityRuleFactory(network=network.network, removed_at=network.built_at)
    (shown,) = applicant.get(f"/api/v1/security-rules?network={network.uuid}&in_force=true").json()["results"]
    assert (shown["protocol"], shown["port_min"], shown["remote"]) == ("tcp", 443, "10.20.0.0/16")
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    assert stranger.get(f"/api/v1/security-rules/{rule.uuid}").status_code == 404
    assert (
        stranger.post(actions(network), {"action": "remove-rule", "rule": str(rule.uuid)}).status_code == 404
    )
    assert SecurityRule.objects.filter(removed_at=None).count() == 1


def test_a_server_shows_its_floating_address(applicant: APIClient, network: Resource) -> None:
    server = whole_server(system=network.system)
    given = FloatingAddressFactory(server=server)
    FloatingAddressFactory(server=server, released_at=network.built_at)
    assert (
        applicant.get(f"/api/v1/resources/{server.resource.uuid}").json()["floating_address"] == given.address
    )
    listed = applicant.get(f"/api/v1/floating-addresses?in_force=true&search={given.address}")
    (shown,) = listed.json()["results"]
    assert (shown["address"], shown["server"]) == (given.address, str(server.resource.uuid))


def test_without_an_address_there_is_none_to_move_or_to_give_back(
    applicant: APIClient, network: Resource
) -> None:
    server = whole_server(system=network.system).resource
    listed = {row["action"]: row["reason"] for row in applicant.get(actions(server), headers=ENGLISH).json()}
    assert listed["move-address"] == listed["give-back-address"] == "it has no floating address"
    answer = applicant.post(actions(server), {"action": "give-back-address"})
    assert (answer.status_code, answer.json()["code"]) == (409, "action-not-allowed")


@pytest.mark.parametrize(
    "change", [{}, {"flavor": "g.8c32g", "floating_address": True}, {"floating_address": False}]
)
def test_a_change_of_a_server_is_one_change(
    applicant: APIClient, network: Resource, change: dict[str, Any]
) -> None:
    server = whole_server(system=network.system).resource
    item = {"action": "change", "kind": "server", "target": str(server.uuid), **change}
    body = {
        "system": str(server.system.uuid), "title": "变更", "declares_classified": False, "items": [item],
    }  # fmt: skip
    answer = applicant.post("/api/v1/orders", body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "one-change")


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        (
            "10.20.30.5/16",
            (
                "“10.20.30.5/16” is an address inside of a range: "
                "write 10.20.0.0/16 for the whole range, or 10.20.30.5/32 for this address alone."
            ),
        ),
        (
            "2001:db8::5/32",
            (
                "“2001:db8::5/32” is an address inside of a range: "
                "write 2001:db8::/32 for the whole range, or 2001:db8::5/128 for this address alone."
            ),
        ),
        ("10.0.0.0/33", "“10.0.0.0/33” is not a range of addresses, such as 10.20.0.0/16 or 2001:db8::/32."),
    ],
)
def test_who_is_let_in_is_asked_for_once_more_with_what_may_have_been_meant(
    applicant: APIClient, network: Resource, remote: str, told: str
) -> None:
    body = {"action": "add-rule", "protocol": "tcp", "port_min": 443, "remote": remote}
    answer = applicant.post(actions(network), body, headers=ENGLISH)
    (error,) = answer.json()["errors"]
    assert (error["code"], error["pointer"], error["detail"]) == ("bad-remote-range", "/remote", told)


def test_in_the_internet_zone_moving_an_address_is_not_offered(signed_in: SignedIn) -> None:
    server = whole_server(zone=NetworkZone.INTERNET).resource
    FloatingAddressFactory(server=server.server)
    browser = signed_in(member(Role.APPLICANT, server.system.department))
    rows = {row["action"]: row for row in browser.get(actions(server), headers=ENGLISH).json()}
    assert rows["give-back-address"]["allowed"]
    assert not rows["move-address"]["allowed"]
    assert "order one for the other" in rows["move-address"]["reason"]
