"""What is being built is nobody's yet: nothing is led or connected to it, and it costs nothing, until it is handed over."""

import time
from typing import Any

import pytest

from govcloud.inventory.models import Resource
from govcloud.metering.models import UsageSegment
from govcloud.orders.drafts import ServerDraft, StorageDraft, VolumeDraft
from govcloud.provisioning import engine
from govcloud.provisioning.actions.base import Nothing
from govcloud.provisioning.actions.requests import ActionNotAllowed
from govcloud.provisioning.actions.storage import ToServer
from govcloud.provisioning.models import Step
from tests.factories.orders import Scene, approved, scene
from tests.integration.building import built, now, states
from tests.integration.sandboxed import Sandbox
from tests.integration.test_floating_addresses import given, items
from tests.integration.test_server_actions import ask, done

pytestmark = pytest.mark.django_db


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False, limits={"addresses": 1})


@pytest.fixture
def server(on: Scene, building: Sandbox) -> Resource:
    """One that has a floating address; beside it a volume that nobody has."""
    free = StorageDraft(name="archive", zone="public", storage_class="sas", size_gb=100)
    built(on, items=(*items(), free))
    building.ask("PUT", "/timing", {"action_seconds": 0.05})
    assert done(Resource.objects.get(kind="network"), "connect", Nothing(), on).status == "done", states()
    found = Resource.objects.get(name="web-1")
    given(on, found)
    return found


def unfinished(on: Scene) -> Resource:
    """A server that stands in the cloud and is yet to be configured and handed over."""
    draft = ServerDraft(
        name="db",
        quantity=1,
        zone="public",
        flavor="g.4c16g",
        image="debian-12",
        network=str(Resource.objects.get(kind="network").uuid),
        system_volume=VolumeDraft(storage_class="ssd", size_gb=100),
    )
    approved(on, at=now(), items=(draft,))
    while not Step.objects.filter(kind="server", label="db-1", state="done").exists():
        if not engine.run_due(clock=now, most=1):
            time.sleep(0.02)
    return Resource.objects.get(name="db-1")


def test_nothing_is_led_or_connected_to_a_server_that_is_still_being_built(
    on: Scene, server: Resource
) -> None:
    to = unfinished(on)
    asked: list[tuple[str, str]] = [("web-1", "move-address"), ("archive", "attach")]
    for name, action in asked:
        resource: Any = Resource.objects.with_particulars().get(name=name)
        with pytest.raises(ActionNotAllowed, match="“db-1” is still being built"):
            ask(resource, action, ToServer(server=to.uuid), on)
        resource.refresh_from_db()
        assert resource.status == "active"
    assert not UsageSegment.objects.filter(resource=to).exists()
