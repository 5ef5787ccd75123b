"""Backups and snapshots of what a server has, while something is done to it: another size, its system written anew, a restart."""

from datetime import datetime

import pytest

from govcloud.inventory.models import Resource
from govcloud.protection import services as protection
from govcloud.protection.models import BackupPlan
from govcloud.provisioning import engine
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import Nothing, actions
from govcloud.provisioning.actions.rebuilding import NewSystem
from govcloud.provisioning.actions.storage import Named
from govcloud.provisioning.models import Operation, Step
from tests.factories.orders import BACKUP, Scene, approved, scene
from tests.integration.building import built, now, states, work
from tests.integration.sandboxed import Sandbox
from tests.integration.test_direct_actions import ONE_SERVER
from tests.integration.test_resizing import to, waiting_to_be_kept

pytestmark = pytest.mark.django_db


@pytest.fixture
def on() -> Scene:
    """With room for a snapshot of each volume."""
    return scene(level_3=False, mlps_level=1, limits={"storage_gb": 1_000})


@pytest.fixture
def server(on: Scene, building: Sandbox) -> Resource:
    built(on, items=(*ONE_SERVER, BACKUP))
    work()
    return Resource.objects.get(kind="server")


def asked(resource: Resource, name: str, parameters: object, on: Scene) -> Operation:
    found = Resource.objects.with_particulars().get(pk=resource.pk)
    return requests.request(
        resource=found, action=actions()[name], parameters=parameters, actor=on.applicant, at=now()
    )


def begun(kind: str) -> Step:
    """A worker works until the cloud has been asked for it."""
    while (step := Step.objects.filter(kind=kind).exclude(external_id="").first()) is None:
        engine.run_due(clock=now, most=1)
    return step


def copied(on: Scene, server: Resource) -> list[datetime]:
    """When the next backup of its volume, and a snapshot of it, were asked for."""
    BackupPlan.objects.update(next_run_at=now())
    (run,) = protection.run_due(at=now())
    system = Resource.objects.get(kind="volume", volume__server=server.pk, volume__role="system")
    kept = asked(system, "snapshot", Named(name="before"), on)
    work()
    taken = Step.objects.filter(operation__in=(run, kept), kind__in=("backup", "snapshot"), desired="present")
    assert {(step.state, step.attempts) for step in taken} == {("done", 0)}, states()
    return [step.intent_at for step in taken if step.intent_at is not None]


@pytest.mark.parametrize("change", ["resize", "rebuild", "reboot"])
def test_they_are_begun_when_that_has_ended(
    on: Scene, server: Resource, building: Sandbox, change: str
) -> None:
    building.ask("PUT", "/timing", {"action_seconds": 1})
    if change == "resize":
        approved(on, at=now(), items=to(server, "g.8c32g"))
    else:
        asked(server, change, NewSystem() if change == "rebuild" else Nothing(), on)
    begun(change)
    moments = copied(on, server)
    ended = Step.objects.get(kind="resize_confirmation" if change == "resize" else change).finished_at
    assert len(moments) == 2
    assert ended is not None
    assert min(moments) > ended


def test_they_do_not_wait_for_a_person(on: Scene, server: Resource, building: Sandbox) -> None:
    building.ask("PUT", "/timing", {"action_seconds": 0.05})
    waiting_to_be_kept(on, server, building, "g.8c32g")
    assert len(copied(on, server)) == 2
