"""What a system has been granted on a cloud, before any of it stands there."""

from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from govcloud.catalog.models import Cloud
from govcloud.provisioning import demand
from tests.factories.orders import NETWORK, SERVERS, Scene, approved, scene
from tests.integration.building import now

pytestmark = pytest.mark.django_db
EACH_GIB = 100 + 500
MEMORY_MIB = 16 * 1024


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False, zone="private")


def order(on: Scene, name: str, servers: int) -> None:
    network, more = replace(NETWORK, name=f"{name}-net"), replace(SERVERS, name=name, quantity=servers)
    approved(on, at=now(), items=(network, replace(more, network=network.name)))


def granted(on: Scene) -> tuple[demand.Demand, int]:
    """The demand, and how many statements it took."""
    cloud = Cloud.objects.get()
    with CaptureQueriesContext(connection) as captured:
        found = demand.granted(system=on.system, cloud=cloud)
    return found, len(captured)


def test_what_is_still_to_be_built_counts_with_its_flavor(on: Scene) -> None:
    order(on, "app", 7)
    found, _ = granted(on)
    assert (found.servers, found.vcpus, found.memory_mib) == (7, 7 * 4, 7 * MEMORY_MIB)
    assert (found.volumes, found.volume_gib, found.networks) == (2 * 7, 7 * EACH_GIB, 1)


def test_many_servers_are_counted_with_as_many_statements_as_one(on: Scene) -> None:
    order(on, "app", 1)
    one, few = granted(on)
    order(on, "web", 11)
    more, many = granted(on)
    assert more.servers == 12 * one.servers
    assert many == few
