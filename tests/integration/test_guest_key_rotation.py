"""The centre's key replaced while orders are being built, on the sandbox cloud over HTTP; ``test_day2_in_guests`` looks inside."""

import time

import pytest

from govcloud.audit.services import SystemActor
from govcloud.catalog.models import CloudImage
from govcloud.clouds import guest_keys
from govcloud.inventory.models import Resource, Server
from govcloud.provisioning import engine, rotation, services
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import actions
from govcloud.provisioning.actions.rebuilding import NewSystem
from govcloud.provisioning.models import Operation, Step
from tests.factories.orders import Scene, approved, scene
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox
from tests.integration.test_direct_actions import ONE_SERVER

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("building")]
OPERATOR = SystemActor("test")


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


def left() -> int:
    standing = rotation.standing(at=now())
    assert standing is not None
    return standing.left


def work_until_done(kind: str) -> None:
    for _visit in range(400):
        if Step.objects.filter(kind=kind, state="done").exists():
            return
        if not engine.run_due(clock=now, most=1):
            time.sleep(0.02)
    raise AssertionError(states())


def test_an_order_under_way_is_built_with_the_key_that_its_cloud_knows(on: Scene) -> None:
    approved(on, at=now(), items=ONE_SERVER)
    work_until_done("keypair")
    before = guest_keys.current().name
    rotation.replace(actor=OPERATOR, at=now())
    assert left() == 1  # it is not there yet, and will need the former key
    work()
    server = Resource.objects.get(kind="server")
    assert server.status == "active", states()
    assert project(on).compute.get_server(server.external_id).key_name == server.server.guest_key == before
    assert left() == 1


def test_an_order_that_begins_later_is_built_with_the_new_one(on: Scene) -> None:
    new = rotation.replace(actor=OPERATOR, at=now())
    built(on, items=ONE_SERVER)
    server = Resource.objects.get(kind="server")
    assert project(on).compute.get_server(server.external_id).key_name == server.server.guest_key == new.name
    assert (left(), rotation.go_on(at=now())) == (0, 0)


def test_a_server_in_which_nothing_can_be_entered_needs_no_key(on: Scene, building: Sandbox) -> None:
    built(on, items=ONE_SERVER)
    assert Step.objects.get(kind="configure").state == "skipped", building.ask("GET", "/health")
    new = rotation.replace(actor=OPERATOR, at=now())
    assert rotation.go_on(at=now()) == 1
    work()
    assert Operation.objects.get(action="replace-centre-key").status == "done", states()
    assert Server.objects.get().guest_key == new.name
    assert left() == 0


def test_a_server_of_which_nobody_knows_how_to_enter_it_is_left_to_its_department(
    on: Scene, building: Sandbox
) -> None:
    """Its image has gone, and its system volume has kept nothing of it."""
    built(on, items=ONE_SERVER)
    CloudImage.objects.update(cloud_name="withdrawn")
    volume = Resource.objects.get(volume__role="system").external_id
    building.ask("POST", f"/rows/volume/{volume}", {"image_metadata": {}})
    rotation.replace(actor=OPERATOR, at=now())
    assert rotation.go_on(at=now()) == 1
    work()
    server = Resource.objects.get(kind="server")
    assert server.status == "active", states()
    assert Operation.objects.get(action="replace-centre-key").status == "done"
    assert "withdrawn" in dict(rotation.missing(at=now()))[server]
    standing = rotation.standing(at=now())
    assert standing is not None
    assert (standing.tried, standing.in_hand, standing.waiting) == (1, 0, 0)


@pytest.mark.parametrize("kind", ["new_key", "former_keys"])
def test_called_off_it_leaves_the_server_as_it_is(on: Scene, kind: str) -> None:
    built(on, items=ONE_SERVER)
    former = Server.objects.get().guest_key
    rotation.replace(actor=OPERATOR, at=now())
    rotation.go_on(at=now())
    if kind == "former_keys":
        work_until_done("new_key")
    operation = Operation.objects.get(action="replace-centre-key")
    services.abandon(operation=operation, reason="not now", actor=on.applicant, at=now())
    work()
    operation.refresh_from_db()
    server = Resource.objects.get(kind="server")
    assert (operation.status, server.status, server.server.guest_key) == ("undone", "active", former), (
        states()
    )


def test_a_rebuild_that_an_earlier_release_has_asked_for_ends(on: Scene) -> None:
    built(on, items=ONE_SERVER)
    server = Resource.objects.get(kind="server")
    requests.request(
        resource=server, action=actions()["rebuild"], parameters=NewSystem(), actor=on.applicant, at=now()
    )
    for _visit in range(400):
        asked = Step.objects.get(kind="rebuild")
        if asked.external_id:
            break
        engine.run_due(clock=now, most=1)
    outputs = {name: value for name, value in asked.outputs.items() if name != "guest_key"}
    Step.objects.filter(pk=asked.pk, state="settling").update(outputs=outputs)
    work()
    assert Operation.objects.get(action="rebuild").status == "done", states()
