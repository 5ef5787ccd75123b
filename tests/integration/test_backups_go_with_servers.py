"""An order's one backup covers all of its servers, so all of them go to one cloud: also where that is not the first choice.

Decided from what is recorded of the clouds; none is asked.
"""

from datetime import datetime, timedelta

import pytest

from govcloud.catalog.models import Cloud
from govcloud.clouds.models import Maintenance
from govcloud.orders import fulfilment, placing
from govcloud.orders.drafts import BackupDraft, NetworkDraft, ServerDraft, VolumeDraft
from govcloud.orders.models import Order
from tests.factories.catalog import ZoneFactory
from tests.factories.clouds import MaintenanceFactory, room
from tests.factories.orders import Scene, approved, larger_cloud, scene

pytestmark = pytest.mark.django_db


def server(name: str, zone: str) -> ServerDraft:
    return ServerDraft(
        name=name, zone=zone, flavor="g.4c16g", image="debian-12", network=f"{name}-net",
        system_volume=VolumeDraft(storage_class="ssd", size_gb=100),
    )  # fmt: skip


ITEMS = (
    NetworkDraft(name="inner-net", zone="private"),
    server("inner", "private"),
    NetworkDraft(name="outer-net", zone="public"),
    server("outer", "public"),
    BackupDraft(name="dr", dr_level=3, capacity_gb=400, frequency="daily", off_site=True),
)
"""The backup goes with the first servers, those of the private zone."""


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False, zone="private")


@pytest.fixture
def main(on: Scene, at: datetime) -> Cloud:
    """It offers every zone."""
    room(on.catalogue.cloud, at=at, vcpus=64)
    return on.catalogue.cloud


def places(order: Order) -> dict[str, str | None]:
    return {row.zone: row.cloud.code if row.cloud else None for row in order.placements.all()}


def test_the_backup_goes_to_a_cloud_on_which_all_the_servers_can_be(
    on: Scene, main: Cloud, at: datetime
) -> None:
    larger_cloud(on, "private", at=at)
    order = approved(on, at=at, items=ITEMS)
    assert places(order) == {"private": main.code, "public": main.code}


def test_where_all_can_be_in_several_places_the_best_is_taken(on: Scene, main: Cloud, at: datetime) -> None:
    large = larger_cloud(on, "private", at=at)
    ZoneFactory(cloud=large, zone="public", address_pool="10.51.0.0/16")
    order = approved(on, at=at, items=ITEMS)
    assert places(order) == {"private": large.code, "public": large.code}


def test_servers_wait_for_the_place_of_the_backup_that_covers_them(
    on: Scene, main: Cloud, at: datetime
) -> None:
    larger_cloud(on, "public", at=at)
    row = MaintenanceFactory(cloud=main, announced_at=at)
    order = approved(on, at=at, items=ITEMS)
    assert places(order) == {"private": None, "public": None}
    why = {shown.row.zone: shown.why for shown in placing.decided(order)}
    assert "the backup of this order has no place yet" in why["public"]
    assert "maintenance" in why["private"]
    assert fulfilment.place_waiting(order.pk, at=at) == []
    Maintenance.objects.filter(pk=row.pk).update(ends_at=at)
    fulfilment.place_waiting(order.pk, at=at + timedelta(minutes=1))
    assert places(order) == {"private": main.code, "public": main.code}


def test_the_backup_goes_where_all_can_be_also_when_it_is_decided_again(
    on: Scene, main: Cloud, at: datetime
) -> None:
    large = larger_cloud(on, "private", at=at)
    here, there = (MaintenanceFactory(cloud=cloud, announced_at=at) for cloud in (main, large))
    order = approved(on, at=at, items=ITEMS)
    assert places(order) == {"private": None, "public": None}
    Maintenance.objects.filter(pk__in=[here.pk, there.pk]).update(ends_at=at)
    fulfilment.place_waiting(order.pk, at=at + timedelta(minutes=1))
    assert places(order) == {"private": main.code, "public": main.code}


def test_servers_do_not_wait_for_a_backup_that_was_called_off(on: Scene, main: Cloud, at: datetime) -> None:
    large = larger_cloud(on, "public", at=at)
    MaintenanceFactory(cloud=main, announced_at=at)
    order = approved(on, at=at, items=ITEMS)
    order.placements.filter(zone="private").update(called_off_at=at)
    fulfilment.place_waiting(order.pk, at=at + timedelta(minutes=1))
    assert places(order) == {"private": None, "public": large.code}
