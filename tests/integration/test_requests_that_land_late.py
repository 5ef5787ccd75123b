"""Requests taken for lost that land after all: what they would undo by then waits for them."""

from datetime import timedelta

import pytest
from pytest_django import Settings

from govcloud.inventory.models import Resource
from govcloud.provisioning import engine, services
from govcloud.provisioning.actions.base import Nothing
from govcloud.provisioning.actions.storage import ToServer
from tenants.models import Role
from tests.factories.orders import Scene, scene
from tests.factories.tenants import member
from tests.integration.building import built, now, states, work
from tests.integration.sandboxed import Sandbox
from tests.integration.test_storage_actions import ask, done, in_cloud, servers

pytestmark = pytest.mark.django_db
KINDS = {"attach": "attachment", "detach": "detachment"}
UNDOES = {"attach": "DELETE", "detach": "POST"}


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


@pytest.fixture
def volume(on: Scene, building: Sandbox) -> Resource:
    """A data volume at its server."""
    building.ask("PUT", "/timing", {"attach_seconds": 0.02})
    built(on, items=servers(1))
    return Resource.objects.with_particulars().get(name="web-1-data-1")


@pytest.mark.parametrize("name", ["attach", "detach"])
def test_what_calls_off_and_was_sent_twice_is_waited_for_before_the_same_is_asked_for_again(
    on: Scene, volume: Resource, building: Sandbox, name: str, settings: Settings
) -> None:
    server = Resource.objects.get(kind="server")
    if name == "attach":
        done(on, volume, "detach")
    parameters = ToServer(server=server.uuid) if name == "attach" else Nothing()
    building.ask(
        "PUT", "/timing", {"attach_seconds": 2}
    )  # so that it is still under way when it is called off
    operation = ask(on, volume, name, parameters)
    while not operation.steps.filter(kind=KINDS[name]).exclude(external_id="").exists():
        engine.run_due(clock=now, most=1)
    undoing = {"service": "compute", "method": UNDOES[name], "path": "os-volume_attachments"}
    building.ask("POST", "/faults", {**undoing, "action": "reset", "when": "before", "times": 1})
    services.abandon(operation=operation, reason="not now", actor=member(Role.CLOUD_ADMIN), at=now())
    building.ask("PUT", "/timing", {"attach_seconds": 0.02})
    work()
    operation.refresh_from_db()
    assert operation.status == "undone", states()
    assert bool(in_cloud(on, volume).attached_to) == (name == "detach")

    again = ask(on, volume, name, parameters)
    wanted = again.steps.get(kind=KINDS[name])
    while "may still land" not in wanted.last_error and wanted.state != "done":
        engine.run_due(clock=now)
        wanted.refresh_from_db()
    assert bool(in_cloud(on, volume).attached_to) == (name == "detach")
    settings.STEP_SETTLE = timedelta(0)
    work()
    again.refresh_from_db()
    assert again.status == "done", states()
    assert bool(in_cloud(on, volume).attached_to) == (name == "attach")
