"""The clouds' own limits after something was called off or abandoned: of what is granted still, on the sandbox cloud over HTTP."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from govcloud.inventory.models import Resource
from govcloud.orders import cancellation
from govcloud.orders.models import Order
from govcloud.provisioning import engine, project_limits, services
from govcloud.provisioning.actions.interfaces import OnNetwork
from govcloud.provisioning.actions.storage import Named
from govcloud.provisioning.models import Operation, Step
from govcloud.reconciliation.models import Finding
from tests.factories.orders import NETWORK, SERVERS, Scene, approved, scene
from tests.integration.building import built, now, states, work
from tests.integration.sandboxed import Sandbox
from tests.integration.test_reconciliation import LATER, swept
from tests.integration.test_resizing import ACTION, to
from tests.integration.test_server_actions import ITEMS, abandoned, ask

pytestmark = pytest.mark.django_db
VOLUMES = {"service": "volume", "method": "POST", "path": "/volumes$", "action": "status", "status": 400}
QUOTAS = {"service": "compute", "method": "PUT", "path": "/os-quota-sets/", "action": "status", "times": 1}


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False, zone="private")


@pytest.fixture
def public() -> Scene:
    return scene(level_3=False)


def limits(on: Scene) -> dict[str, int | None]:
    """Those of the cloud. Fails where one is another than what has been granted."""
    (found,) = project_limits.of_system(on.system)
    assert found.limits is not None
    assert [each for each in found.limits if not each.agrees] == []
    return {each.name: each.limit for each in found.limits}


def nothing_found(on: Scene) -> bool:
    swept(on)
    swept(on, after=LATER)
    return not Finding.objects.exclude(status="resolved").exists()


def first_servers_parked(on: Scene, building: Sandbox) -> Order:
    """An order of two servers, of which the cloud refuses a volume."""
    building.ask("POST", "/faults", {**VOLUMES, "when": "before", "message": "no", "times": 1})
    order = approved(on, at=now(), items=(NETWORK, SERVERS))
    work()
    assert Step.objects.filter(state="parked").count() == 1, states()
    return order


def cancel(order: Order, on: Scene, *names: str) -> None:
    units = [step.unit for step in Step.objects.filter(kind="server", label__in=names)] if names else None
    cancellation.cancel(order=order, reason="not needed", units=units, actor=on.applicant, at=now())
    work()
    order.refresh_from_db()


def parked_server() -> str:
    parked = Step.objects.get(state="parked").label
    return next(name for name in ("app-1", "app-2") if parked.startswith(name))


def test_of_an_order_that_is_called_off_no_limit_is_left(on: Scene, building: Sandbox) -> None:
    order = first_servers_parked(on, building)
    services.abandon(
        operation=Operation.objects.get(thread=order.uuid), reason="no", actor=on.applicant, at=now()
    )
    work()
    order.refresh_from_db()
    assert order.status == "cancelled", states()
    found = limits(on)
    assert (found["instances"], found["gigabytes"], found["network"]) == (0, 0, 0)
    assert nothing_found(on)


def test_limits_follow_one_server_of_several_that_is_called_off(on: Scene, building: Sandbox) -> None:
    order = first_servers_parked(on, building)
    cancel(order, on, parked_server())
    assert Operation.objects.get(thread=order.uuid).status == "done", states()
    found = limits(on)
    assert (found["instances"], found["cores"], found["volumes"]) == (1, 4, 2)
    assert nothing_found(on)


def test_parts_that_are_called_off_one_after_the_other_are_followed_by_one_setting(
    on: Scene, building: Sandbox
) -> None:
    order = approved(on, at=now(), items=(NETWORK, SERVERS))
    while Step.objects.filter(kind="volume").exclude(external_id="").count() < 4:
        engine.run_due(clock=now, most=1)
    operation = Operation.objects.get(thread=order.uuid)
    for server in Step.objects.filter(kind="server"):
        services.abandon_units(
            operation=operation,
            units={server.unit: [server.desired_state["system_volume"], *_data_of(server)]},
            reason="no", actor=on.applicant, at=now(),
        )  # fmt: skip
    assert Step.objects.filter(kind="compute_quota").count() == 2
    work()
    found = limits(on)
    assert (found["instances"], found["volumes"], found["network"]) == (0, 0, 1)


def _data_of(server: Step) -> list[Any]:
    attached = Step.objects.filter(kind="attachment", desired_state__server=str(server.unit))
    return [each.desired_state["volume"] for each in attached]


def test_an_operation_abandoned_after_a_part_of_it_leaves_no_limit(on: Scene, building: Sandbox) -> None:
    order = first_servers_parked(on, building)
    never_ends = {"service": "volume", "method": "DELETE", "path": "/volumes/", "action": "status"}
    building.ask("POST", "/faults", {**never_ends, "status": 403, "message": "no", "times": 1})
    cancel(order, on, parked_server())
    operation = Operation.objects.get(thread=order.uuid)
    assert operation.status == "parked", states()
    services.abandon(operation=operation, reason="all of it", actor=on.applicant, at=now())
    work()
    operation.refresh_from_db()
    assert operation.status == "undone", states()
    assert limits(on)["instances"] == 0


def test_limits_that_the_cloud_does_not_take_back_are_tried_again_and_told(
    on: Scene, building: Sandbox
) -> None:
    order = first_servers_parked(on, building)
    building.ask("POST", "/faults", {**QUOTAS, "status": 503, "when": "before", "times": 2})
    operation = Operation.objects.get(thread=order.uuid)
    assert abandoned(operation, on).status == "undone", states()
    assert limits(on)["instances"] == 0

    order = approved(on, at=now(), items=(NETWORK, SERVERS))
    while not Step.objects.filter(operation__thread=order.uuid, kind="compute_quota", state="done").exists():
        engine.run_due(clock=now, most=1)
    building.ask("POST", "/faults", {**QUOTAS, "status": 403, "when": "before", "message": "not you"})
    operation = Operation.objects.get(thread=order.uuid)
    assert abandoned(operation, on).status == "parked"
    assert "not you" in operation.steps.get(state="parked").last_error
    assert abandoned(operation, on).status == "undone", states()
    assert limits(on)["instances"] == 0


@pytest.fixture
def server(public: Scene, building: Sandbox) -> Resource:
    built(public, items=ITEMS)
    building.ask("PUT", "/timing", {"action_seconds": 0.05})
    return Resource.objects.get(kind="server")


def snapshot(on: Scene, server: Resource) -> Operation:
    volume = Resource.objects.with_particulars().get(volume__server=server.server, volume__role="data")
    return ask(volume, "snapshot", Named(name="before"), on)


def interface(on: Scene, server: Resource) -> Operation:
    return ask(server, "add-interface", OnNetwork(Resource.objects.get(name="db-net").uuid), on)


def resize(on: Scene, server: Resource) -> Operation:
    return Operation.objects.get(thread=approved(on, at=now(), items=to(server, "g.8c32g")).uuid)


REFUSED: dict[str, tuple[Callable[[Scene, Resource], Operation], dict[str, Any]]] = {
    "snapshot": (snapshot, {"service": "volume", "method": "POST", "path": "/snapshots$"}),
    "interface": (interface, {"service": "compute", "method": "POST", "path": "/os-interface$"}),
    "resize": (resize, {name: ACTION[name] for name in ("service", "method", "path")}),
}


@pytest.mark.parametrize("change", REFUSED)
def test_limits_raised_for_a_change_that_is_abandoned_are_as_before(
    public: Scene, server: Resource, building: Sandbox, settings: Settings, change: str
) -> None:
    settings.STEP_SETTLE = timedelta(seconds=0.5)
    before = limits(public)
    begin, request = REFUSED[change]
    refused = {**request, "action": "status", "status": 403, "when": "before", "message": "no", "times": 1}
    building.ask("POST", "/faults", refused)
    operation = begin(public, server)
    work()
    assert Step.objects.filter(operation=operation, state="parked").exists(), states()
    assert abandoned(operation, public).status == "undone", states()
    assert limits(public) == before
