"""A department calls off what it asked for directly, on the sandbox cloud over HTTP; it ends as what is abandoned does."""

import pytest
from django.db import transaction

from govcloud.audit.models import Event
from govcloud.inventory.models import Resource
from govcloud.orders.drafts import NetworkDraft
from govcloud.provisioning import completion, engine, queue, services
from govcloud.provisioning.actions.calling_off import (
    ActionOver,
    ActionTakesAway,
    NoDirectAction,
    cancel,
    possibility,
)
from govcloud.provisioning.actions.storage import Named, OfSnapshot, ToServer
from govcloud.provisioning.lifecycle import OperationStatus
from govcloud.provisioning.models import Operation, Step
from govcloud.provisioning.services import CalledOffAlready
from tenants.models import Role
from tests.at_once import at_once, held_up
from tests.factories.inventory import whole_server
from tests.factories.orders import Scene, approved, scene
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox
from tests.integration.test_storage_actions import ask, fresh, servers

pytestmark = pytest.mark.django_db
REFUSED = {"action": "status", "status": 403, "when": "before", "message": "no", "times": 1}
STOPPING = {"service": "compute", "method": "POST", "path": "/action$"}
ATTACHING = {"service": "compute", "method": "POST", "path": "os-volume_attachments"}


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False, limits={"storage_gb": 500})


@pytest.fixture
def server(on: Scene, building: Sandbox) -> Resource:
    building.ask("PUT", "/timing", {"attach_seconds": 0.02, "action_seconds": 0.05})
    built(on, items=servers(1))
    return Resource.objects.with_particulars().get(kind="server")


@pytest.fixture
def volume(server: Resource) -> Resource:
    """Its data volume."""
    return Resource.objects.with_particulars().get(name=f"{server.name}-data-1")


def called_off(operation: Operation, on: Scene) -> Operation:
    """And what follows from it."""
    cancel(operation=operation, reason="asked for by mistake", actor=on.applicant, at=now())
    work()
    operation.refresh_from_db()
    assert operation.status == "undone", states()
    return operation


def asked_of(server: Resource, on: Scene, name: str) -> int:
    return sum(action.name == name for action in project(on).compute.actions(server.external_id))


def test_what_has_not_begun_is_never_asked_of_the_cloud(on: Scene, server: Resource) -> None:
    operation = called_off(ask(on, server, "stop"), on)
    after = fresh(server)
    assert (after.status, after.server.power, asked_of(server, on, "stop")) == ("active", "running", 0)
    told = Event.objects.get(verb="resource.action_called_off")
    assert (told.subject_id, told.thread, told.reason) == (server.uuid, server.thread, "asked for by mistake")
    assert told.after == {"action": "stop", "operation": str(operation.uuid)}
    undoing = Event.objects.get(verb="operation.undoing")
    assert (undoing.actor, undoing.reason) == (on.applicant.audit_ref, "asked for by mistake")


def test_in_the_middle_what_has_landed_is_taken_back(on: Scene, server: Resource, volume: Resource) -> None:
    ask(on, volume, "detach")
    work()
    operation = ask(on, volume, "attach", ToServer(server=server.uuid))
    while not operation.steps.filter(kind="attachment", state="done").exists():
        engine.run_due(clock=now, most=1)
    assert fresh(server).status == "changing"
    called_off(operation, on)
    assert (fresh(volume).volume.server, fresh(volume).status, fresh(server).status) == (
        None,
        "active",
        "active",
    )
    assert project(on).volumes.get_volume(volume.external_id).status == "available"


def test_what_has_landed_and_cannot_be_taken_back_is_recorded_as_it_is(
    on: Scene, server: Resource, building: Sandbox
) -> None:
    lost = {"action": "status", "status": 503, "when": "after", "times": 1}
    building.ask("POST", "/faults", {**STOPPING, **lost})
    operation = ask(on, server, "stop")
    engine.run_due(clock=now, most=1)
    called_off(operation, on)
    after = fresh(server)
    assert (after.status, after.server.power, asked_of(server, on, "stop")) == ("active", "stopped", 1)


def test_a_restart_that_has_been_asked_for_happens_once_and_the_server_can_be_used(
    on: Scene, server: Resource
) -> None:
    operation = ask(on, server, "reboot")
    engine.run_due(clock=now, most=1)
    called_off(operation, on)
    assert (fresh(server).status, asked_of(server, on, "reboot")) == ("active", 1)


def test_what_waits_for_an_administrator_is_called_off(
    on: Scene, server: Resource, volume: Resource, building: Sandbox
) -> None:
    building.ask("POST", "/faults", {**STOPPING, **REFUSED})
    operation = ask(on, server, "stop")
    work()
    operation.refresh_from_db()
    assert operation.status == "parked"
    called_off(operation, on)
    assert (fresh(server).status, fresh(server).server.power) == ("active", "running")


def test_a_second_time_and_once_it_is_over_it_is_told(on: Scene, server: Resource) -> None:
    operation = ask(on, server, "stop")
    cancel(operation=operation, reason="by mistake", actor=on.applicant, at=now())
    with pytest.raises(CalledOffAlready):
        cancel(operation=operation, reason="again", actor=on.applicant, at=now())
    work()
    with pytest.raises(ActionOver, match="undone"):
        cancel(operation=operation, reason="again", actor=on.applicant, at=now())
    done = ask(on, server, "stop")
    work()
    with pytest.raises(ActionOver, match="“stop the server” is over \\(done\\)"):
        cancel(operation=done, reason="too late", actor=on.applicant, at=now())
    assert Event.objects.filter(verb="resource.action_called_off").count() == 1


def test_an_undoing_that_waits_for_an_administrator_is_theirs(on: Scene, server: Resource) -> None:
    operation = ask(on, server, "stop")
    cancel(operation=operation, reason="by mistake", actor=on.applicant, at=now())
    Step.objects.filter(operation=operation).update(state="parked", next_run_at=None)
    Operation.objects.filter(pk=operation.pk).update(status=OperationStatus.PARKED)
    with pytest.raises(CalledOffAlready):
        cancel(operation=operation, reason="again", actor=on.applicant, at=now())
    services.abandon(operation=operation, reason="mended", actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    operation.refresh_from_db()
    assert operation.status == "undone"


def test_a_worker_that_is_busy_with_it_changes_nothing_any_more(on: Scene, server: Resource) -> None:
    operation = ask(on, server, "stop")
    held = queue.claim(at=now(), worker="busy")
    assert held is not None
    cancel(operation=operation, reason="by mistake", actor=on.applicant, at=now())
    engine.advance(held, clock=now)
    assert asked_of(server, on, "stop") == 0
    work()
    assert (fresh(server).status, fresh(server).server.power) == ("active", "running")


def test_what_takes_something_away_goes_on(on: Scene, volume: Resource) -> None:
    ask(on, volume, "snapshot", Named(name="before"))
    work()
    snapshot = volume.volume.snapshots.get()
    operation = ask(on, volume, "delete-snapshot", OfSnapshot(snapshot=snapshot.uuid))
    with pytest.raises(ActionTakesAway, match="delete a snapshot"):
        cancel(operation=operation, reason="needed still", actor=on.applicant, at=now())
    offered = possibility(operation=operation, actor=on.applicant, at=now())
    assert offered is not None
    assert "cannot be taken back" in offered.refusal
    work()
    operation.refresh_from_db()
    assert operation.status == "done"


def test_an_orders_operation_is_called_off_with_its_order(on: Scene, building: Sandbox) -> None:
    approved(on, at=now(), items=(NetworkDraft(name="app-net", zone="public"),))
    operation = Operation.objects.get()
    with pytest.raises(NoDirectAction, match="call off the order"):
        cancel(operation=operation, reason="no", actor=on.applicant, at=now())
    assert possibility(operation=operation, actor=on.applicant, at=now()) is None


# -- at the same moment


def begun(on: Scene) -> Operation:
    server = whole_server(system=on.system, cloud=on.catalogue.cloud).resource
    return ask(on, server, "stop")


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_one_calls_it_off(on: Scene) -> None:
    operation = begun(on)

    def call_off() -> None:
        cancel(operation=Operation.objects.get(pk=operation.pk), reason="no", actor=on.applicant, at=now())

    outcomes = at_once([call_off] * 3)
    assert outcomes.count(None) == 1
    assert all(isinstance(outcome, CalledOffAlready) for outcome in outcomes if outcome is not None)
    assert Event.objects.filter(verb="resource.action_called_off").count() == 1


@pytest.mark.django_db(transaction=True)
def test_what_ends_this_very_moment_is_over(on: Scene) -> None:
    operation = begun(on)
    with transaction.atomic():
        completion.lock(operation)
        Step.objects.filter(operation=operation).update(state="done", next_run_at=None)
        Operation.objects.filter(pk=operation.pk).update(status=OperationStatus.DONE, finished_at=now())
        answer = held_up(
            lambda: cancel(
                operation=Operation.objects.get(pk=operation.pk), reason="no", actor=on.applicant, at=now()
            )
        )
    with pytest.raises(ActionOver):
        answer.result(timeout=60)
    assert not Step.objects.filter(operation=operation, called_off_at__isnull=False).exists()
