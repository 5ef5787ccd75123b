"""Rules, routers and floating addresses that somebody changed behind our back; on the sandbox cloud over HTTP."""

from typing import Any

import pytest

from govcloud.audit.models import Event
from govcloud.errors import DomainError
from govcloud.gateways import openstack
from govcloud.gateways.openstack import Cloud, errors
from govcloud.inventory.models import FloatingAddress, Network, Project, Resource, SecurityRule
from govcloud.metering.models import UsageSegment
from govcloud.provisioning.actions.base import Nothing
from govcloud.provisioning.actions.rules import OfRule
from govcloud.provisioning.models import Operation
from govcloud.quotas.models import QuotaAccount
from govcloud.reconciliation import services
from govcloud.reconciliation.models import Finding
from tenants.models import Role, User
from tests.factories.orders import Scene, scene
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox
from tests.integration.test_floating_addresses import given, items
from tests.integration.test_reconciliation import LATER, applied, row, swept, told
from tests.integration.test_security_rules import HTTPS, in_cloud
from tests.integration.test_server_actions import ask, done

pytestmark = pytest.mark.django_db
SSH_FROM_ANYWHERE = {"protocol": ("", "tcp"), "open_ports": ("", "22"), "origin": ("", "0.0.0.0/0")}


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False, limits={"addresses": 2})


@pytest.fixture
def admin() -> User:
    return member(Role.CLOUD_ADMIN)


@pytest.fixture
def network(on: Scene, building: Sandbox) -> Resource:
    """A network with two servers on it."""
    assert built(on, items=items(quantity=2)).status == "fulfilled", states()
    building.ask("PUT", "/timing", {"action_seconds": 0.05})
    return Resource.objects.select_related("network").get(kind="network")


@pytest.fixture
def connected(on: Scene, network: Resource) -> Network:
    assert done(network, "connect", Nothing(), on).status == "done", states()
    return Network.objects.get(resource=network)


@pytest.fixture
def address(on: Scene, connected: Network) -> FloatingAddress:
    return given(on, Resource.objects.get(name="web-1"))


def opened(on: Scene, network: Resource) -> SecurityRule:
    assert done(network, "add-rule", HTTPS, on).status == "done", states()
    return SecurityRule.objects.get()


def by_hand(on: Scene, network: Resource, **rule: Any) -> str:
    """Opened in the cloud by hand."""
    group = network.network.security_group_id
    return project(on).security_groups.create_rule(group_id=group, **rule).id


def found(**of: Any) -> Finding:
    return Finding.objects.exclude(status="resolved").get(**of)


def port_of(server: str) -> str:
    return Resource.objects.get(name=server).server.resource.unit and _ports()[server]


def _ports() -> dict[str, str]:
    from govcloud.inventory.models import Address

    units = {each.unit: each.name for each in Resource.objects.filter(kind="server")}
    return {units[each.unit]: each.port_id for each in Address.objects.filter(unit__in=units)}


def outside(on: Scene) -> str:
    (found,) = project(on).network.find_networks(external=True)
    return found.id


def test_of_what_was_opened_and_connected_nothing_is_found(
    on: Scene, network: Resource, address: FloatingAddress
) -> None:
    opened(on, network)
    sweep = swept(on)
    assert told() == []
    assert sweep.api_calls == 5 + 4 + 3, "a page of each kind, the routers' legs, and the limits of the one project"


# -- rules


def test_a_rule_opened_by_hand_to_everybody_is_told_at_once_and_taken_out(
    on: Scene, network: Resource, admin: User
) -> None:
    by_hand(on, network, protocol="tcp", port_min=22, port_max=22, remote="0.0.0.0/0")
    swept(on)
    assert told() == [("foreign", "security_rule", "clear_away", "open", SSH_FROM_ANYWHERE)]
    finding = found()
    assert (finding.name, finding.resource) == ("tcp 22 0.0.0.0/0", network)
    services.apply(finding=finding, actor=admin, at=now())
    network.refresh_from_db()
    assert network.status == "changing", "nobody takes up meanwhile what is about to go"
    work()
    services.settle(at=now())
    network.refresh_from_db()
    assert (found_status(finding), network.status, in_cloud(on, network)) == ("resolved", "active", [])
    swept(on)
    assert told() == []


def found_status(finding: Finding) -> str:
    finding.refresh_from_db()
    return finding.status
