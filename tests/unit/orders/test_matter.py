"""Instant or committed: what decides how many people an order goes by."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from govcloud.approvals.models import CaseKind, Priority
from govcloud.catalog.models import Flavor, Image, Meter, StorageClass
from govcloud.catalog.models import Line as FlavorLine
from govcloud.inventory.models import Network, Resource, Volume
from govcloud.orders.changes import AddressLine, ExtendLine, LimitLine, ReleaseLine
from govcloud.orders.lines import NetworkLine, ServerLine, VolumeLine
from govcloud.orders.matter import kind_of, matter_of
from govcloud.quotas.models import Dimension
from tenants.models import NetworkZone, System

SSD = StorageClass(code="ssd", meter=Meter(code="block_ssd_gb"))
GENERAL = Flavor(code="g.2c4g", line=FlavorLine.GENERAL, vcpus=2, memory_gb=4)
DOMESTIC = Flavor(code="x.2c4g", line=FlavorLine.DOMESTIC, vcpus=2, memory_gb=4)
NETWORK = NetworkLine(name="net", zone=NetworkZone.PUBLIC)
SERVERS = ServerLine(
    name="app",
    zone=NetworkZone.PUBLIC,
    quantity=2,
    flavor=GENERAL,
    image=Image(),
    network_line=0,
    network=None,
    volumes=(VolumeLine(storage_class=SSD, size_gb=40),),
    lease_months=12,
)
DISK = Resource(kind="volume", name="app-1-data-1", zone=NetworkZone.PRIVATE)
EXTENSION = ExtendLine(target=DISK, volume=Volume(size_gb=500, storage_class=SSD), size_gb=800)
LOWER = LimitLine(
    dimension=Dimension.VCPUS, limit=50, before=100, lasting_before=100, zone=NetworkZone.PUBLIC
)
RAISED = replace(LOWER, before=1_000)
"""While 1,000 of which 100 last are in force."""
DAY = date(2026, 12, 31)
RENEWED = replace(LOWER, limit=100, until=DAY)
SMALL = System(mlps_level=2, zone=NetworkZone.PUBLIC)
PRIVATE = replace(SERVERS, zone=NetworkZone.PRIVATE)


@pytest.mark.parametrize(
    ("why", "level", "lines", "kind"),
    [
        ("a small standard order in the public zone", 2, (NETWORK, SERVERS), CaseKind.INSTANT),
        ("a third server", 2, (NETWORK, replace(SERVERS, quantity=3)), CaseKind.COMMITTED),
        ("three servers in two items", 2, (SERVERS, replace(SERVERS, quantity=1)), CaseKind.COMMITTED),
        ("the domestic line", 2, (NETWORK, replace(SERVERS, flavor=DOMESTIC)), CaseKind.COMMITTED),
        ("MLPS level 3", 3, (NETWORK, SERVERS), CaseKind.COMMITTED),
        ("the private zone", 2, (PRIVATE,), CaseKind.COMMITTED),
        ("a larger volume, even at level 3", 3, (EXTENSION,), CaseKind.INSTANT),
        ("less quota", 3, (LOWER,), CaseKind.INSTANT),
        (
            "a limit where there was none",
            3,
            (replace(LOWER, before=None, lasting_before=None),),
            CaseKind.INSTANT,
        ),
        ("more quota", 1, (replace(LOWER, limit=101),), CaseKind.COMMITTED),
        ("more and less quota", 1, (LOWER, replace(LOWER, limit=101)), CaseKind.COMMITTED),
        ("what is there for a time, to last", 1, (replace(RAISED, limit=1_000),), CaseKind.COMMITTED),
        ("a bit less of it, to last", 1, (replace(RAISED, limit=999),), CaseKind.COMMITTED),
        ("a temporary raise given up", 3, (replace(RAISED, limit=100),), CaseKind.INSTANT),
        ("a lower temporary raise", 1, (replace(RAISED, limit=500, until=DAY),), CaseKind.COMMITTED),
        ("a temporary raise for longer", 1, (RENEWED,), CaseKind.COMMITTED),
        ("giving back", 3, (ReleaseLine(target=DISK),), CaseKind.INSTANT),
        ("giving back and a larger volume", 3, (ReleaseLine(target=DISK), EXTENSION), CaseKind.INSTANT),
    ],
)
def test_what_is_small_standard_or_given_back_is_instant(
    why: str, level: int, lines: tuple[ServerLine, ...], kind: CaseKind
) -> None:
    system = System(mlps_level=level, zone=NetworkZone.PUBLIC)
    assert kind_of(system=system, lines=lines, within_quota=True) == kind, why


def test_beyond_the_quota_nothing_is_instant_but_giving_back() -> None:
    assert kind_of(system=SMALL, lines=(NETWORK, SERVERS), within_quota=False) == CaseKind.COMMITTED
    assert kind_of(system=SMALL, lines=(EXTENSION,), within_quota=False) == CaseKind.COMMITTED
    assert kind_of(system=SMALL, lines=(ReleaseLine(target=DISK),), within_quota=False) == CaseKind.INSTANT


def test_the_most_exposed_zone_routes_the_whole_order() -> None:
    lines = (NETWORK, replace(SERVERS, zone=NetworkZone.INTERNET))
    matter = matter_of(system=SMALL, lines=lines, monthly_total=Decimal(726), within_quota=True)
    assert (matter.zone, matter.amount, matter.mlps_level) == (NetworkZone.INTERNET, Decimal(726), 2)


def test_a_matter_says_what_is_done_to_how_much_and_how_special_it_is() -> None:
    lines = (NETWORK, replace(SERVERS, flavor=DOMESTIC), ReleaseLine(target=DISK))
    system = System(mlps_level=2, dr_level=3, zone=NetworkZone.PUBLIC)
    matter = matter_of(
        system=system, lines=lines, monthly_total=Decimal(0), within_quota=False, priority=Priority.URGENT
    )
    assert (matter.actions, matter.quantity, matter.dr_level) == ({"create", "release"}, 4, 3)
    assert (matter.quota, matter.priority, matter.sizes) == ("over", "urgent", "special")


def test_an_order_that_creates_nothing_is_routed_by_its_systems_zone() -> None:
    system = System(mlps_level=2, zone=NetworkZone.INTERNET)
    matter = matter_of(system=system, lines=(EXTENSION,), monthly_total=Decimal(0), within_quota=True)
    assert matter.zone == NetworkZone.INTERNET


def test_a_server_reached_from_the_internet_is_reviewed_for_it_and_is_instant_within_quota() -> None:
    reached = AddressLine(
        target=Resource(kind="server", name="web-1", zone=NetworkZone.INTERNET),
        network=Network(router_id="r-1"),
        given=False,
        billed=False,
    )
    matter = matter_of(system=SMALL, lines=(reached,), monthly_total=Decimal(0), within_quota=True)
    assert (matter.zone, matter.kind) == (NetworkZone.INTERNET, CaseKind.INSTANT)
