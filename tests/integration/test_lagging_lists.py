"""What a list does not show yet, as where the database behind a cloud's API lags: it is there, and has to be taken away."""

import pytest

from govcloud.inventory.models import Resource
from govcloud.orders.drafts import NetworkDraft
from govcloud.provisioning import engine, services
from govcloud.provisioning.actions.rules import NewRule
from govcloud.provisioning.models import Operation
from tenants.models import Role
from tests.factories.orders import Scene, approved, scene
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox
from tests.integration.test_server_actions import ask

pytestmark = pytest.mark.django_db
NET = NetworkDraft(name="app-net", zone="public")
LISTS = r"/(security-groups|security-group-rules|subnets)(\?|$)"
LAGGING = {"service": "network", "method": "GET", "action": "lag", "seconds": 60}


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


def called_off_once_made(operation: Operation, kind: str, building: Sandbox, *, shown_at: str) -> None:
    """After the step has its id and before it has seen what it made, with lists that do not show it."""
    unseen = {"service": "network", "method": "GET", "path": shown_at, "action": "status", "status": 503}
    building.ask("POST", "/faults", {**unseen, "when": "before"})
    while not operation.steps.filter(kind=kind).exclude(external_id="").exists():
        engine.run_due(clock=now, most=1)
    building.ask("DELETE", "/faults")
    building.ask("POST", "/faults", {**LAGGING, "path": LISTS})
    services.abandon(operation=operation, reason="not now", actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    building.ask("DELETE", "/faults")
    operation.refresh_from_db()
    assert operation.status == "undone", states()


def test_the_group_of_a_network_that_is_called_off_is_taken_away(on: Scene, building: Sandbox) -> None:
    approved(on, at=now(), items=(NET,))
    called_off_once_made(Operation.objects.get(), "security_group", building, shown_at="/security-groups")
    assert [group.name for group in project(on).security_groups.find_groups()] == ["default"]


def test_a_rule_that_is_called_off_lets_nothing_in(on: Scene, building: Sandbox) -> None:
    built(on, items=(NET,))
    network = Resource.objects.select_related("network").get(kind="network")
    groups, group = project(on).security_groups, network.network.security_group_id
    before = {rule.id for rule in groups.find_rules(group_id=group)}
    rule = NewRule(protocol="tcp", port_min=443, remote="0.0.0.0/0", description="the portal")
    operation = ask(network, "add-rule", rule, on)
    called_off_once_made(operation, "security_rule", building, shown_at="/security-group-rules/")
    assert {rule.id for rule in groups.find_rules(group_id=group)} == before


def test_a_network_is_built_once_of_each_part(on: Scene, building: Sandbox) -> None:
    building.ask("POST", "/faults", {**LAGGING, "path": LISTS})
    order = built(on, items=(NET,))
    building.ask("DELETE", "/faults")
    assert order.status == "fulfilled", states()
    cloud = project(on)
    assert len(cloud.network.find_subnets()) == 1
    assert len(cloud.security_groups.find_groups()) == 2, "with the project's own"
