"""The last approval begins what was approved: with as many statements for many things as for few."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from govcloud.inventory import services as inventory
from govcloud.inventory.models import Resource
from govcloud.orders.drafts import ItemDraft, ReleaseDraft, RenewDraft
from tests.factories.inventory import AddressBlockFactory, whole_server
from tests.factories.orders import BACKUP, NETWORK, SERVERS, Scene, decided, scene, submitted

pytestmark = pytest.mark.django_db
FEW, MANY = 2, 20


@pytest.fixture
def on() -> Scene:
    return scene(mlps_level=1)


def servers(_on: Scene, quantity: int) -> tuple[ItemDraft, ...]:
    named = (
        replace(NETWORK, name=f"net{quantity}"),
        replace(BACKUP, name=f"dr{quantity}", capacity_gb=600 * quantity),
    )
    return (*named, replace(SERVERS, name=f"new{quantity}", network=f"net{quantity}", quantity=quantity))


def standing(on: Scene, quantity: int) -> list[Resource]:
    cloud = on.catalogue.cloud
    block = AddressBlockFactory(cloud=cloud)
    made = [whole_server(system=on.system, cloud=cloud, name=f"s{quantity}-{n}") for n in range(quantity)]
    units = [server.resource.unit for server in made]
    inventory.reserve_addresses(block=block, units=units)
    return [server.resource for server in made]


def renewals(on: Scene, quantity: int) -> tuple[ItemDraft, ...]:
    return tuple(
        RenewDraft(target=each.uuid, lease_months=3, kind="server") for each in standing(on, quantity)
    )


def releases(on: Scene, quantity: int) -> tuple[ItemDraft, ...]:
    return tuple(ReleaseDraft(target=each.uuid, kind="server") for each in standing(on, quantity))


def statements_of_the_last(on: Scene, items: tuple[ItemDraft, ...], *, at: datetime) -> list[str]:
    order = submitted(on, at=at, items=items)
    while True:
        assert order.status == "in_approval"
        with CaptureQueriesContext(connection) as queries:
            order = decided(on, order, at=at)
        if order.status != "in_approval":
            assert order.status == "fulfilling"
            return [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]


@pytest.mark.parametrize("wanted", [servers, renewals, releases])
def test_many_things_begin_with_as_many_statements_as_few(
    on: Scene, at: datetime, wanted: Callable[[Scene, int], tuple[ItemDraft, ...]]
) -> None:
    statements_of_the_last(
        on, wanted(on, 1), at=at
    )  # from here on something is promised that the clouds have not built
    few, many = (statements_of_the_last(on, wanted(on, quantity), at=at) for quantity in (FEW, MANY))
    assert len(many) <= len(few), many
