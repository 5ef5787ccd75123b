"""What a department opens on its network and closes again, on the sandbox cloud over HTTP."""

from typing import Any
from uuid import uuid4

import pytest

from govcloud.audit.models import Event
from govcloud.catalog.models import Cloud
from govcloud.errors import DomainError
from govcloud.gateways import openstack
from govcloud.inventory.models import Project, Resource, SecurityRule
from govcloud.orders.drafts import NetworkDraft
from govcloud.provisioning.actions.requests import ActionNotAllowed
from govcloud.provisioning.actions.rules import RULES, NewRule, OfRule
from tests.factories.inventory import NetworkFactory, SecurityRuleFactory
from tests.factories.orders import Scene, scene
from tests.factories.tenants import SystemFactory
from tests.integration.building import built, project, states
from tests.integration.dying import die_and_be_followed
from tests.integration.sandboxed import Sandbox
from tests.integration.test_server_actions import abandoned, ask, done

pytestmark = pytest.mark.django_db
POST = {"service": "network", "method": "POST", "path": "/security-group-rules$"}
HTTPS = NewRule(protocol="tcp", port_min=443, remote="0.0.0.0/0", description="the portal")


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


@pytest.fixture
def network(on: Scene, building: Sandbox) -> Resource:
    built(on, items=(NetworkDraft(name="app-net", zone="public"), NetworkDraft(name="db-net", zone="public")))
    return net("app-net")


def net(name: str) -> Resource:
    return Resource.objects.select_related("network").get(kind="network", name=name)


def in_cloud(on: Scene, network: Resource) -> list[openstack.models.SecurityRule]:
    """Rules that let in what was not let in from the beginning."""
    rules = project(on).security_groups.find_rules(group_id=network.network.security_group_id)
    return [rule for rule in rules if rule.direction == "ingress" and rule.remote != network.network.cidr]


def room(on: Scene) -> int | None:
    identifier = Project.objects.get(system=on.system).external_id
    return openstack.connect(cloud="sandbox").quotas.network(identifier)["security_group_rule"].limit


def test_a_network_is_opened_by_a_rule_and_closed_again(on: Scene, network: Resource) -> None:
    before = room(on)
    assert before is not None
    operation = done(network, "add-rule", HTTPS, on)
    assert (operation.status, network.status) == ("done", "active"), states()
    (rule,) = SecurityRule.objects.all()
    (found,) = in_cloud(on, network)
    assert (found.id, found.protocol, found.port_min, found.port_max, found.remote) == (
        rule.external_id, "tcp", 443, 443, "0.0.0.0/0",
    )  # fmt: skip
    assert (rule.description, rule.added_by, room(on)) == ("the portal", on.applicant, before + 1)

    assert done(network, "remove-rule", OfRule(rule=rule.uuid), on).status == "done", states()
    rule.refresh_from_db()
    assert (in_cloud(on, network), rule.removed_at is None, room(on)) == ([], False, before)
    verbs = Event.objects.filter(subject_id=network.uuid, verb__startswith="security_rule.")
    assert list(verbs.order_by("pk").values_list("verb", flat=True)) == [
        "security_rule.added",
        "security_rule.removed",
    ]


@pytest.mark.parametrize(
    ("rule", "seen"),
    [
        (NewRule(protocol="udp", port_min=5_000, port_max=5_010, remote="10.20.0.0/16"), ("udp", 5_000, 5_010, "IPv4")),
        (NewRule(protocol="tcp", remote="10.20.0.0/16"), ("tcp", None, None, "IPv4")),
        (NewRule(protocol="icmp", remote="10.0.0.0/8"), ("icmp", None, None, "IPv4")),
        (NewRule(protocol="icmp", remote="2001:db8::/32"), ("ipv6-icmp", None, None, "IPv6")),
        (NewRule(protocol="any", remote="10.20.0.7/32"), (None, None, None, "IPv4")),
        (NewRule(protocol="tcp", port_min=22, remote="10.0.0.0/8"), ("tcp", 22, 22, "IPv4")),
    ],
)  # fmt: skip
def test_rules_are_what_they_say(on: Scene, network: Resource, rule: NewRule, seen: tuple[Any, ...]) -> None:
    assert done(network, "add-rule", rule, on).status == "done", states()
    (found,) = in_cloud(on, network)
    assert (found.protocol, found.port_min, found.port_max, found.ethertype) == seen
    assert found.remote == rule.remote


def test_another_network_of_the_system_is_let_in_by_its_range(on: Scene, network: Resource) -> None:
    other = net("db-net")
    done(network, "add-rule", NewRule(protocol="tcp", port_min=5432, network=other.uuid), on)
    assert [rule.remote for rule in in_cloud(on, network)] == [other.network.cidr]


def test_a_rule_that_is_there_by_hand_is_taken_up(on: Scene, network: Resource) -> None:
    group = network.network.security_group_id
    by_hand = project(on).security_groups.create_rule(
        group_id=group, protocol="tcp", port_min=443, port_max=443
    )
    assert done(network, "add-rule", HTTPS, on).status == "done", states()
    assert [rule.external_id for rule in SecurityRule.objects.all()] == [by_hand.id]


def test_a_worker_that_dies_after_opening_leads_to_one_rule(
    on: Scene, network: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = ask(network, "add-rule", HTTPS, on)
    die_and_be_followed(monkeypatch, "_adopt", kind="security_rule")
    operation.refresh_from_db()
    assert (operation.status, len(in_cloud(on, network))) == ("done", 1), states()


def test_an_answer_that_is_lost_leads_to_one_rule(on: Scene, network: Resource, building: Sandbox) -> None:
    building.ask("POST", "/faults", {**POST, "action": "reset", "when": "after", "times": 1})
    assert done(network, "add-rule", HTTPS, on).status == "done", states()
    assert len(in_cloud(on, network)) == 1


def test_a_rule_that_is_called_off_leaves_nothing_open(
    on: Scene, network: Resource, building: Sandbox
) -> None:
    building.ask("POST", "/faults", {**POST, "action": "status", "status": 403, "message": "no", "times": 5})
    operation = done(network, "add-rule", HTTPS, on)
    assert operation.status == "parked"
    assert abandoned(operation, on).status == "undone", states()
    assert (in_cloud(on, network), SecurityRule.objects.count()) == ([], 0)


def test_a_rule_that_was_removed_by_hand_is_removed(on: Scene, network: Resource) -> None:
    done(network, "add-rule", HTTPS, on)
    (rule,) = SecurityRule.objects.all()
    project(on).security_groups.delete_rule(rule.external_id)
    assert done(network, "remove-rule", OfRule(rule=rule.uuid), on).status == "done", states()


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (NewRule(protocol="tcp", port_min=22, remote="0.0.0.0/0"), "management-port-open-to-everybody"),
        (NewRule(protocol="tcp", port_min=3_000, port_max=4_000, remote="::/0"), "management-port-open-to-everybody"),
        (NewRule(protocol="tcp", remote="0.0.0.0/1"), "management-port-open-to-everybody"),
        (NewRule(protocol="any", remote="0.0.0.0/0"), "management-port-open-to-everybody"),
        (NewRule(protocol="tcp", port_min=0, remote="10.0.0.0/8"), "bad-ports"),
        (NewRule(protocol="tcp", port_min=1, port_max=65_536, remote="10.0.0.0/8"), "bad-ports"),
        (NewRule(protocol="tcp", port_min=90, port_max=80, remote="10.0.0.0/8"), "bad-ports"),
        (NewRule(protocol="tcp", port_max=80, remote="10.0.0.0/8"), "bad-ports"),
        (NewRule(protocol="icmp", port_min=8, remote="10.0.0.0/8"), "bad-ports"),
        (NewRule(protocol="tcp", port_min=443, remote="10.0.0.1/8"), "bad-remote-range"),
        (NewRule(protocol="tcp", port_min=443, remote="everybody"), "bad-remote-range"),
        (NewRule(protocol="tcp", port_min=443, remote="fe80::1%a/128"), "bad-remote-range"),
        (NewRule(protocol="tcp", port_min=443), "one-origin"),
        (NewRule(protocol="tcp", port_min=443, remote="10.0.0.0/8", network=uuid4()), "one-origin"),
        (NewRule(protocol="tcp", port_min=443, network=uuid4()), "no-such-origin"),
    ],
)  # fmt: skip
def test_what_cannot_be_opened_is_refused(on: Scene, network: Resource, rule: NewRule, code: str) -> None:
    with pytest.raises(DomainError) as refused:
        ask(network, "add-rule", rule, on)
    assert refused.value.code == code
    network.refresh_from_db()
    assert network.status == "active"


def test_the_refusal_names_the_management_ports(on: Scene, network: Resource) -> None:
    with pytest.raises(DomainError) as refused:
        ask(network, "add-rule", NewRule(protocol="tcp", port_min=20, port_max=4_000, remote="0.0.0.0/0"), on)
    assert refused.value.params["ports"] == "SSH (22), Telnet (23), RDP (3389)"


def test_what_is_open_already_is_refused(on: Scene, network: Resource) -> None:
    done(network, "add-rule", HTTPS, on)
    within = NewRule(protocol="tcp", port_min=80, network=network.uuid)
    for rule in (HTTPS, within):
        with pytest.raises(DomainError) as refused:
            ask(network, "add-rule", rule, on)
        assert refused.value.code == "open-already"


def test_our_own_way_into_a_network_is_not_taken_for_a_departments_rule(on: Scene, network: Resource) -> None:
    Cloud.objects.update(management_cidr="10.255.0.0/24")
    with pytest.raises(DomainError) as refused:
        ask(network, "add-rule", NewRule(protocol="tcp", port_min=22, remote="10.255.0.0/24"), on)
    assert refused.value.code == "open-already"
    done(network, "add-rule", NewRule(protocol="tcp", port_min=22, remote="10.254.0.0/24"), on)


def test_another_systems_network_and_rules_are_nobody_elses(on: Scene, network: Resource) -> None:
    foreign = NetworkFactory(resource__system=SystemFactory())
    with pytest.raises(DomainError) as refused:
        ask(network, "add-rule", NewRule(protocol="tcp", port_min=443, network=foreign.resource.uuid), on)
    assert refused.value.code == "no-such-origin"
    done(network, "add-rule", HTTPS, on)
    rule = SecurityRuleFactory(network=foreign)
    with pytest.raises(DomainError) as refused:
        ask(network, "remove-rule", OfRule(rule=rule.uuid), on)
    assert refused.value.code == "no-such-rule"


def test_a_network_has_so_many_rules_and_no_more(on: Scene, network: Resource) -> None:
    with pytest.raises(ActionNotAllowed):
        ask(network, "remove-rule", OfRule(rule=uuid4()), on)
    for number in range(RULES):
        SecurityRuleFactory(network=network.network, port_min=1_000 + number, port_max=1_000 + number)
    with pytest.raises(ActionNotAllowed) as refused:
        ask(network, "add-rule", HTTPS, on)
    assert str(RULES) in str(refused.value.params["reason"])
