from datetime import datetime

import pytest
from django.test import Client

from govcloud.inventory.models import Server
from govcloud.orders.models import Order
from tests.factories.inventory import NetworkFactory, whole_server
from tests.factories.orders import Scene, drafted, scene
from tests.portal.conftest import Signed


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def on(db: None) -> Scene:
    return scene()


@pytest.fixture
def browser(on: Scene, signed_in: Signed) -> Client:
    return signed_in(on.applicant)


@pytest.fixture
def order(on: Scene, at: datetime) -> Order:
    """A draft with a network, two servers and a backup."""
    return drafted(on, at=at)


@pytest.fixture
def server(on: Scene) -> Server:
    """One that the system has, with its two volumes and the network."""
    NetworkFactory(resource__system=on.system, resource__cloud=on.catalogue.cloud, resource__name="old-net")
    server = whole_server(system=on.system, cloud=on.catalogue.cloud, name="old-1")
    for volume in server.volumes.select_related("resource"):
        volume.resource.name = f"old-1-{volume.role}"  # those of the factory could be an order's
        volume.resource.save()
    return server
