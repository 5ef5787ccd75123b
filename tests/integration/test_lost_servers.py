"""A server that somebody deleted in the cloud: everything that led to it goes with it, on the sandbox cloud over HTTP."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from govcloud.errors import DomainError
from govcloud.inventory.models import Address, FloatingAddress, Resource
from govcloud.orders.drafts import AddressDraft, ReleaseDraft
from govcloud.orders.renaming import NewName
from govcloud.provisioning import engine
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.actions.base import Nothing
from govcloud.provisioning.actions.interfaces import OnNetwork
from govcloud.provisioning.models import Step
from govcloud.quotas.models import QuotaAccount
from govcloud.reconciliation import balances, services
from govcloud.reconciliation.models import Finding
from tenants.models import Role, User
from tests.factories.orders import Scene, approved, scene
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox
from tests.integration.test_reconciliation import LATER, applied, deleted, swept
from tests.integration.test_server_actions import ITEMS, abandoned, ask, done

pytestmark = pytest.mark.django_db


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


@pytest.fixture
def admin() -> User:
    return member(Role.CLOUD_ADMIN)


@pytest.fixture
def lost(on: Scene, building: Sandbox) -> Resource:
    """Deleted by hand: a server with two interfaces and a floating address."""
    built(on, items=ITEMS)
    building.ask("PUT", "/timing", {"action_seconds": 0.05})
    server = Resource.objects.get(kind="server")
    done(server, "add-interface", OnNetwork(Resource.objects.get(name="db-net").uuid), on)
    done(Resource.objects.get(name="app-net"), "connect", Nothing(), on)
    approved(on, at=now(), items=(AddressDraft(target=server.uuid),))
    work()
    assert FloatingAddress.objects.get().address is not None, states()
    deleted(on, server)
    return server


def test_ports_addresses_and_quota_of_a_lost_server_go_with_it(
    on: Scene, admin: User, lost: Resource
) -> None:
    swept(on)
    swept(on, after=LATER)
    finding = applied(Finding.objects.get(remedy="mark_lost"), admin)
    lost.refresh_from_db()
    assert (finding.status, lost.status) == ("resolved", "released"), states()
    cloud = project(on)
    assert cloud.routing.find_floating_ips() == []
    assert [port for port in cloud.network.find_ports() if not port.device_owner.startswith("network:")] == []
    assert not Address.objects.filter(released_at=None).exists()
    assert QuotaAccount.objects.get(department=on.department, dimension="addresses").used == 0
    assert balances.ledger() == []
    swept(on, after=LATER)
    assert list(Finding.objects.exclude(status="resolved").values_list("kind", "subject")) == []


def test_the_volumes_of_a_lost_server_can_be_released(on: Scene, admin: User, lost: Resource) -> None:
    swept(on)
    swept(on, after=LATER)
    applied(Finding.objects.get(remedy="mark_lost"), admin)
    volumes = Resource.objects.filter(kind="volume")
    assert set(volumes.values_list("volume__role", "status")) == {("system", "active"), ("data", "active")}
    items = tuple(ReleaseDraft(target=each.uuid, kind="volume") for each in volumes)
    assert built(on, items=items).status == "fulfilled", states()
    assert QuotaAccount.objects.get(department=on.department, dimension="storage_gb").used == 0


@pytest.mark.parametrize("marked", ["with its server", "with another"])
def test_the_address_of_a_port_is_free_once_the_port_has_gone(
    on: Scene, admin: User, lost: Resource, marked: str
) -> None:
    """Ports that were taken over bear their server's mark; what bears another one by now is left, and keeps its address."""
    further = Address.objects.get(server=lost.server)
    freed = marked == "with its server"
    mark = f"gc-{lost.unit if freed else uuid4()}"
    project(on).network.set_tags(collection="ports", resource_id=further.port_id, tags=[mark])
    swept(on)
    swept(on, after=LATER)
    applied(Finding.objects.get(remedy="mark_lost"), admin)
    lost.refresh_from_db()
    assert lost.status == "released", states()
    there = further.port_id in {port.id for port in project(on).network.find_ports()}
    further.refresh_from_db()
    assert (there, further.released_at is not None) == (not freed, freed)


def test_what_takes_an_address_down_is_retried_and_not_abandoned(
    on: Scene, admin: User, lost: Resource, building: Sandbox
) -> None:
    swept(on)
    swept(on, after=LATER)
    refused = {"service": "network", "method": "DELETE", "path": "/floatingips/", "action": "status"}
    building.ask("POST", "/faults", {**refused, "status": 403, "message": "no", "times": 1})
    finding = applied(Finding.objects.get(remedy="mark_lost"), admin)
    assert finding.operation is not None
    assert finding.operation.status == "parked"
    with pytest.raises(DomainError) as refusal:
        provisioning.abandon(operation=finding.operation, reason="", actor=admin, at=now())
    assert refusal.value.code == "cannot-be-undone"
    provisioning.retry(operation=finding.operation, actor=admin, at=now())
    work()
    services.settle(at=now())
    lost.refresh_from_db()
    assert lost.status == "released", states()


CHANGES = {
    "rename": {"path": "/servers/[^/]*$", "method": "PUT"},
    "add-interface": {"path": "/os-interface$", "method": "POST"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_server_lost_while_the_answer_to_a_change_was_lost_is_recorded_as_lost(
    on: Scene, admin: User, building: Sandbox, settings: Any, change: str
) -> None:
    """The change waits for a person, who gives it up: only then is the server in no hand any more."""
    settings.STEP_SETTLE = timedelta(seconds=0.5)
    built(on, items=ITEMS)
    server = Resource.objects.get(kind="server")
    lost_answer = {"service": "compute", "action": "reset", "when": "before", "times": 1}
    building.ask("POST", "/faults", lost_answer | CHANGES[change])
    network = Resource.objects.get(name="db-net").uuid
    parameters = {"rename": NewName("portal"), "add-interface": OnNetwork(network)}[change]
    operation = ask(server, change, parameters, on)
    while not Step.objects.filter(operation=operation, state="unknown").exists():
        engine.run_due(clock=now, most=1)
    deleted(on, server)
    work()
    operation.refresh_from_db()
    assert operation.status == "parked"
    assert [step.last_error for step in operation.steps.filter(state="parked")] == [engine.VANISHED]
    swept(on, after=LATER)
    assert not Finding.objects.filter(remedy="mark_lost").exists(), "it is in hand"
    assert abandoned(operation, on).status == "undone", states()
    swept(on)
    swept(on, after=LATER)
    applied(Finding.objects.get(remedy="mark_lost"), admin)
    server.refresh_from_db()
    assert server.status == "released", states()
