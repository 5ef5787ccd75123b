"""The centre's key replaced while orders are being built, on the sandbox cloud over HTTP; ``test_day2_in_guests`` looks inside."""

import time

import pytest

from govcloud.audit.services import SystemActor
from govcloud.clouds import guest_keys
from govcloud.inventory.models import Resource, Server
from govcloud.provisioning import engine, rotation
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
    guest_keys.replace(actor=OPERATOR, at=now())
    assert left() == 1  # it is not there yet, and will need the former key
    work()
    server = Resource.objects.get(kind="server")
    assert server.status == "active", states()
    assert project(on).compute.get_server(server.external_id).key_name == server.server.guest_key == before
    assert left() == 1


def test_an_order_that_begins_later_is_built_with_the_new_one(on: Scene) -> None:
    new = guest_keys.replace(actor=OPERATOR, at=now())
    built(on, items=ONE_SERVER)
    server = Resource.objects.get(kind="server")
    assert project(on).compute.get_server(server.external_id).key_name == server.server.guest_key == new.name
    assert (left(), rotation.go_on(at=now())) == (0, 0)


def test_a_server_in_which_nothing_can_be_entered_needs_no_key(on: Scene, building: Sandbox) -> None:
    built(on, items=ONE_SERVER)
    assert Step.objects.get(kind="configure").state == "skipped", building.ask("GET", "/health")
    new = guest_keys.replace(actor=OPERATOR, at=now())
    assert rotation.go_on(at=now()) == 1
    work()
    assert Operation.objects.get(action="replace-centre-key").status == "done", states()
    assert Server.objects.get().guest_key == new.name
    assert left() == 0
