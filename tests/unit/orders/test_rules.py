"""The rules that block an order, each by itself, on rows that no database has seen."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.utils.translation import override

from govcloud.catalog.models import (
    DRTier,
    Flavor,
    Image,
    Kind,
    Meter,
    Offering,
    StorageClass,
)
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import (
    BackupAllowance,
    FloatingAddress,
    Network,
    Power,
    Resource,
    Server,
    Volume,
    VolumeRole,
)
from govcloud.orders.changes import AddressLine, ExtendLine, ReleaseLine, ResizeLine
from govcloud.orders.lines import BackupLine, Line, NetworkLine, ServerLine, VolumeLine
from govcloud.orders.rules import Standing, check
from govcloud.protection.models import Frequency
from govcloud.provisioning.placement import Availability, Where
from tenants.models import Connection, Department, NetworkZone, System

SSD = StorageClass(pk=1, code="ssd", name="SSD", max_gb=2_000, meter=Meter(code="block_ssd_gb"))
SAS = StorageClass(pk=2, code="sas", name="SAS", max_gb=4_000, meter=Meter(code="block_sas_gb"))
FLAVOR = Flavor(pk=1, code="g.4c16g", name="4C16G", vcpus=4, memory_gb=16)
IMAGE = Image(pk=1, code="debian-12", name="Debian 12", min_disk_gb=20)
TIER = DRTier(
    level=3,
    rpo_minutes=24 * 60,
    off_site=True,
    provable_by_backup=True,
    max_gb=10_000,
    meter_local=Meter(code="backup_local_gb"),
    meter_off_site=Meter(code="backup_off_site_gb"),
)
NETWORK = NetworkLine(name="app-net", zone=NetworkZone.PRIVATE)
SERVERS = ServerLine(
    name="app",
    zone=NetworkZone.PRIVATE,
    quantity=2,
    flavor=FLAVOR,
    image=IMAGE,
    network_line=0,
    network=None,
    volumes=(VolumeLine(storage_class=SSD, size_gb=100), VolumeLine(storage_class=SAS, size_gb=500)),
    lease_months=12,
)
BACKUP = BackupLine(
    name="dr",
    zone=NetworkZone.PRIVATE,
    tier=TIER,
    capacity_gb=1_200,
    frequency=Frequency.DAILY,
    off_site=True,
)
EVERYTHING = Availability(
    clouds=frozenset({1}),
    flavors=frozenset({1}),
    images=frozenset({1}),
    storage_classes=frozenset({1, 2}),
    servers_on_a_network=53,
)
NETWORKS_THERE = {Where(zone=NetworkZone.PRIVATE, network=pk): EVERYTHING for pk in (8, 9)}
NOW = Standing(
    at=datetime(2026, 11, 18, 1, tzinfo=UTC),
    today=date(2026, 11, 18),
    offerings={kind: Offering(code=kind, name=kind, max_quantity=50) for kind in Kind.values},
    available={Where(zone=zone): EVERYTHING for zone in NetworkZone.values} | NETWORKS_THERE,
    taken=frozenset(),
    busy=frozenset(),
    unfinished=frozenset(),
    off_site=frozenset(),
    servers=frozenset(),
    guests={},
)


def system(**changes: Any) -> System:
    fields = {
        "mlps_level": 3,
        "filing_number": "450000-00001-26001",
        "cryptography_assessed_on": date(2026, 3, 1),
        "zone": NetworkZone.PRIVATE,
        "department": Department(name="示例厅", connection=Connection.CONNECTED),
    }
    return System(**{**fields, **changes})


def found(*lines: Line, now: Standing = NOW, **system_changes: Any) -> list[tuple[str, tuple[str, ...]]]:
    """The codes of what is wrong, with the pointers; the story's order if no lines are given."""
    judged = list(enumerate(lines or (NETWORK, SERVERS, BACKUP)))
    return [(e.code, e.pointers) for e in check(system=system(**system_changes), lines=judged, now=now)]


def codes(*lines: Line, **changes: Any) -> list[str]:
    return [code for code, _pointers in found(*lines, **changes)]


def resource(pk: int = 7, status: str = Status.ACTIVE, **particulars: Any) -> Resource:
    kind = next(iter(particulars), "server")
    built = Resource(pk=pk, kind=kind, name=f"{kind}-{pk}", status=status, zone=NetworkZone.PRIVATE)
    for name, row in particulars.items():
        setattr(built, name, row)
    return built


def volume(
    pk: int = 7, size_gb: int = 500, role: str = VolumeRole.DATA, status: str = Status.ACTIVE
) -> Resource:
    row = Volume(resource_id=pk, size_gb=size_gb, role=role, storage_class=SAS)
    built = resource(pk, status, volume=row)
    row.resource = built
    return built


def extension(target: Resource, size_gb: int = 800) -> ExtendLine:
    return ExtendLine(target=target, volume=target.volume, size_gb=size_gb)


LARGER = Flavor(pk=2, code="g.8c32g", name="8C32G", vcpus=8, memory_gb=32)


def resize(flavor: Flavor = LARGER, *, image: Image = IMAGE, status: str = Status.ACTIVE) -> ResizeLine:
    row = Server(resource_id=7, flavor=FLAVOR, image=image, vcpus=4, memory_gb=16)
    target = resource(7, status, server=row)
    target.cloud_id = 1
    return ResizeLine(target=target, server=row, flavor=flavor)


ON_THIS_CLOUD = replace(NOW, flavors=frozenset({(1, LARGER.pk), (1, FLAVOR.pk)}))


def test_an_order_that_keeps_every_rule_is_accepted() -> None:
    assert found() == []


# of systems


def test_a_department_not_connected_to_the_extranet_is_told_what_to_do_first() -> None:
    department = Department(name="示例局", connection=Connection.NOT_CONNECTED)
    judged = check(system=system(department=department), lines=[(0, NETWORK)], now=NOW)
    assert [error.code for error in judged] == ["department-not-connected"]
    assert "ask for the connection on the page of the unit" in judged[0].detail


@pytest.mark.parametrize("level", [4, 5])
def test_a_system_above_the_platforms_own_level_is_refused(level: int) -> None:
    assert found(mlps_level=level) == [("mlps-level-above-platform", ("/system",))]


def test_a_filing_number_is_needed_from_level_two_on() -> None:
    refused = [
        level for level in (1, 2, 3) if "filing-number-missing" in codes(mlps_level=level, filing_number="")
    ]
    assert refused == [2, 3]


def test_a_cryptography_assessment_is_needed_at_level_three() -> None:
    assert codes(mlps_level=2, cryptography_assessed_on=None) == []
    assert codes(mlps_level=3, cryptography_assessed_on=None) == ["cryptography-not-assessed"]


def test_an_assessment_that_is_still_to_come_is_none() -> None:
    assert codes(cryptography_assessed_on=date(2026, 11, 18)) == []
    assert codes(cryptography_assessed_on=date(2026, 11, 19)) == ["cryptography-not-assessed"]
    assert codes(cryptography_assessed_on=date(2026, 11, 19), mlps_level=2) == []


def test_giving_back_is_allowed_whatever_the_system_lacks() -> None:
    gone = ReleaseLine(target=resource(server=Server()))
    department = Department(name="示例局", connection=Connection.NOT_CONNECTED)
    assert codes(gone, mlps_level=4, filing_number="", department=department) == []


@pytest.mark.parametrize(("language", "name"), [("en", "Example bureau"), ("zh-hans", "示例局")])
def test_a_department_is_named_in_the_language_of_whoever_reads(language: str, name: str) -> None:
    department = Department(name="示例局", name_en="Example bureau", connection=Connection.NOT_CONNECTED)
    (refusal,) = check(system=system(department=department), lines=[(0, NETWORK)], now=NOW)
    with override(language):
        assert refusal.detail.startswith(name)
        assert str(refusal.params["department"]) == name


# of items


@pytest.mark.parametrize(
    ("language", "flavor", "offering", "zone"),
    [
        ("en", "General 4 vCPU", "Cloud server", "public zone"),
        ("zh-hans", "通用 4核", "云服务器", "公用区"),
    ],
)
def test_what_the_catalogue_offers_is_named_in_the_language_of_whoever_reads(
    language: str, flavor: str, offering: str, zone: str
) -> None:
    """The language of the reading counts, not that of the judging."""
    servers = replace(
        SERVERS,
        zone=NetworkZone.PUBLIC,
        quantity=51,
        flavor=Flavor(pk=2, code="g.x", name="通用 4核", name_en="General 4 vCPU", memory_gb=16),
    )
    many = Offering(code="server", name="云服务器", name_en="Cloud server", max_quantity=50)
    now = replace(NOW, offerings={**NOW.offerings, Kind.SERVER: many})
    public = replace(NETWORK, zone=NetworkZone.PUBLIC)
    judged = check(system=system(mlps_level=2), lines=list(enumerate((public, servers))), now=now)
    with override(language):
        told = {error.code: error.detail for error in judged}
    assert set(told) == {"quantity-out-of-range", "not-available-in-zone"}
    assert offering in told["quantity-out-of-range"]
    assert flavor in told["not-available-in-zone"]
    assert zone in told["not-available-in-zone"]


@pytest.mark.parametrize(("language", "name"), [("en", "General 4 vCPU"), ("zh-hans", "通用 4核")])
def test_what_is_retired_is_named_in_the_language_of_whoever_reads(
    language: str, name: str, at: datetime
) -> None:
    retired = Flavor(pk=1, code="g.x", name="通用 4核", name_en="General 4 vCPU", memory_gb=16, retired_at=at)
    lines = list(enumerate((NETWORK, replace(SERVERS, flavor=retired), BACKUP)))
    (refusal,) = check(system=system(), lines=lines, now=NOW)
    with override(language):
        assert name in refusal.detail


@pytest.mark.parametrize(("language", "name"), [("en", "Fast block storage"), ("zh-hans", "高速块存储")])
def test_a_storage_class_is_named_in_the_language_of_whoever_reads(language: str, name: str) -> None:
    fast = StorageClass(pk=1, code="fast", name="高速块存储", name_en="Fast block storage", max_gb=100)
    volumes = (SERVERS.volumes[0], VolumeLine(storage_class=fast, size_gb=101))
    lines = list(enumerate((NETWORK, replace(SERVERS, volumes=volumes), BACKUP)))
    (refusal,) = check(system=system(), lines=lines, now=NOW)
    with override(language):
        assert name in refusal.detail


@pytest.mark.parametrize("quantity", [0, -1, 51, 10**9])
def test_a_quantity_below_one_or_past_the_catalogues_maximum_is_refused(quantity: int) -> None:
    so_many = replace(SERVERS, quantity=quantity)
    judged = found(NETWORK, so_many, replace(BACKUP, capacity_gb=10_000), now=NOW)
    assert ("quantity-out-of-range", ("/items/1/quantity",)) in judged


def test_a_retired_flavor_is_refused_by_its_name(at: Any) -> None:
    retired = Flavor(pk=1, code="g.4c16g", name="4核16G", memory_gb=16, retired_at=at)
    judged = check(
        system=system(), lines=[(0, NETWORK), (1, replace(SERVERS, flavor=retired)), (2, BACKUP)], now=NOW
    )
    assert [(e.code, e.pointers) for e in judged] == [("retired", ("/items/1/flavor",))]
    assert "4核16G" in judged[0].detail
    assert "g.4c16g" in judged[0].detail


def test_a_retired_storage_class_is_refused_where_it_is_named(at: Any) -> None:
    gone = VolumeLine(storage_class=StorageClass(pk=2, code="sas", max_gb=4_000, retired_at=at), size_gb=500)
    servers = replace(SERVERS, volumes=(SERVERS.volumes[0], gone))
    assert found(NETWORK, servers, BACKUP) == [("retired", ("/items/1/data_volumes/0/storage_class",))]


def test_what_the_zones_cloud_does_not_have_is_refused() -> None:
    without = replace(EVERYTHING, flavors=frozenset())
    now = replace(NOW, available={**NOW.available, Where(zone=NetworkZone.PRIVATE): without})
    assert found(now=now) == [("not-available-in-zone", ("/items/1/flavor",))]


def test_a_zone_that_no_cloud_serves_is_refused() -> None:
    now = replace(NOW, available={})
    assert codes(now=now) == ["no-cloud-for-zone", "no-cloud-for-zone"]


def test_items_go_to_the_systems_zone_or_to_the_public_one() -> None:
    assert found(replace(NETWORK, zone=NetworkZone.INTERNET)) == [
        ("zone-not-of-the-system", ("/items/0/zone",))
    ]
    assert found(replace(NETWORK, zone=NetworkZone.PUBLIC)) == []


@pytest.mark.parametrize("name", ["", "App", "1app", "app_1", "app-", "a" * 31, "应用"])
def test_a_name_that_no_host_could_have_is_refused(name: str) -> None:
    assert found(replace(NETWORK, name=name)) == [("bad-name", ("/items/0/name",))]


def test_a_name_that_the_system_has_already_is_refused() -> None:
    assert found(now=replace(NOW, taken=frozenset({"app-2"}))) == [("name-taken", ("/items/1/name",))]


def test_two_items_cannot_have_one_name() -> None:
    judged = found(NETWORK, replace(NETWORK, zone=NetworkZone.PUBLIC))
    assert judged == [
        ("name-twice-in-order", ("/items/0/name",)),
        ("name-twice-in-order", ("/items/1/name",)),
    ]


@pytest.mark.parametrize("name", ["app-1", "app-2-system", "app-2-data-1"])
def test_no_item_has_a_name_that_servers_or_their_volumes_get(name: str) -> None:
    lines = list(enumerate((replace(NETWORK, name=name), SERVERS, BACKUP)))
    judged = check(system=system(), lines=lines, now=NOW)
    assert [(e.code, e.pointers, e.params["name"]) for e in judged] == [
        ("name-twice-in-order", ("/items/0/name",), name),
        ("name-twice-in-order", ("/items/1/name",), name),
    ]


def test_a_server_is_in_the_zone_of_its_network() -> None:
    judged = found(replace(NETWORK, zone=NetworkZone.PUBLIC), SERVERS, BACKUP)
    assert judged == [("network-in-another-zone", ("/items/1/network",))]


@pytest.mark.parametrize("existing", [True, False])
def test_a_network_takes_as_many_servers_as_it_has_addresses_for(*, existing: bool) -> None:
    on = {"network_line": None, "network": resource(9, network=None)} if existing else {}
    now = replace(NOW, addresses={9: 53})
    many, more = replace(SERVERS, quantity=50, **on), replace(SERVERS, name="web", quantity=3, **on)
    assert found(NETWORK, many, more, now=now, mlps_level=2) == []
    judged = found(NETWORK, many, replace(more, quantity=4), now=now, mlps_level=2)
    assert judged == [("network-full", ("/items/1/quantity", "/items/2/quantity"))]


def test_servers_on_two_networks_are_counted_on_each() -> None:
    other = replace(NETWORK, name="other-net")
    more = replace(SERVERS, name="web", quantity=50, network_line=2)
    assert found(NETWORK, replace(SERVERS, quantity=50), other, more, mlps_level=2) == []


def test_a_server_is_not_put_on_a_network_that_another_order_releases() -> None:
    servers = replace(SERVERS, network_line=None, network=resource(9, network=None))
    now = replace(NOW, busy=frozenset({9}))
    assert found(servers, BACKUP, now=now) == [("network-in-another-order", ("/items/0/network",))]


def test_a_network_is_not_released_under_servers_that_are_still_to_come() -> None:
    now = replace(NOW, awaited={5: 1})
    assert codes(ReleaseLine(target=resource(5, network=None)), now=now) == ["network-has-servers"]


def test_a_server_that_an_open_order_gives_a_volume_is_not_released() -> None:
    now = replace(NOW, receiving=frozenset({7}))
    assert codes(ReleaseLine(target=resource(7, server=Server())), now=now) == ["resource-in-another-order"]


def test_a_server_needs_a_network_that_is_in_use_and_stays() -> None:
    going = Resource(pk=8, kind="network", name="old", status=Status.RELEASING, zone=NetworkZone.PRIVATE)
    servers = replace(SERVERS, network_line=None, network=going)
    assert codes(servers, BACKUP) == ["network-not-in-use"]
    staying = Resource(pk=9, kind="network", name="net", status=Status.ACTIVE, zone=NetworkZone.PRIVATE)
    servers = replace(servers, network=staying)
    assert codes(servers, BACKUP) == []
    assert codes(servers, BACKUP, ReleaseLine(target=staying)) == ["network-not-in-use"]


def test_a_server_goes_where_its_network_is_and_needs_what_it_names_there() -> None:
    there = Resource(pk=9, kind="network", name="net", status=Status.ACTIVE, zone=NetworkZone.PRIVATE)
    servers = replace(SERVERS, network_line=None, network=there)
    poor = {Where(zone=NetworkZone.PRIVATE, network=9): replace(EVERYTHING, images=frozenset())}
    judged = found(servers, BACKUP, now=replace(NOW, available={**NOW.available, **poor}))
    assert judged == [("not-available-in-zone", ("/items/0/image",))]


def test_one_backup_cannot_cover_servers_that_have_no_cloud_in_common() -> None:
    at_the_other = {Where(zone=NetworkZone.PRIVATE, site="dr"): replace(EVERYTHING, clouds=frozenset({2}))}
    now = replace(NOW, available={**NOW.available, **at_the_other})
    network = replace(NETWORK, name="far-net", site="dr")
    far = replace(SERVERS, name="far", network_line=3, site="dr")
    lines = (NETWORK, SERVERS, replace(BACKUP, capacity_gb=5_000), network, far)
    assert found(*lines, now=now) == [("backup-in-one-place", ("/items/2",))]
    assert found(*lines[:4], now=now) == []


@pytest.mark.parametrize(
    ("system_gb", "data_gb", "pointer"),
    [
        (19, 500, "/items/1/system_volume/size_gb"),
        (2_001, 500, "/items/1/system_volume/size_gb"),
        (100, 0, "/items/1/data_volumes/0/size_gb"),
        (100, -1, "/items/1/data_volumes/0/size_gb"),
        (100, 4_001, "/items/1/data_volumes/0/size_gb"),
    ],
)
def test_a_volume_is_as_large_as_its_class_and_its_image_allow(
    system_gb: int, data_gb: int, pointer: str
) -> None:
    volumes = (
        VolumeLine(storage_class=SSD, size_gb=system_gb),
        VolumeLine(storage_class=SAS, size_gb=data_gb),
    )
    judged = found(NETWORK, replace(SERVERS, volumes=volumes), replace(BACKUP, capacity_gb=10_000))
    assert judged == [("size-out-of-range", (pointer,))]


@pytest.mark.parametrize("months", [0, -1, 13])
def test_a_lease_is_at_most_a_year(months: int) -> None:
    assert found(NETWORK, replace(SERVERS, lease_months=months), BACKUP) == [
        ("lease-out-of-range", ("/items/1/lease_months",))
    ]


def test_a_server_has_a_bounded_number_of_data_volumes() -> None:
    many = (SERVERS.volumes[0], *[VolumeLine(storage_class=SAS, size_gb=1)] * 11)
    assert codes(NETWORK, replace(SERVERS, volumes=many), BACKUP) == ["too-many-volumes"]


# of protection


def test_level_three_forces_off_site_backup() -> None:
    assert found(NETWORK, SERVERS) == [("off-site-backup-missing", ("/items",))]
    assert codes(NETWORK, SERVERS, mlps_level=2) == []


def test_an_off_site_backup_granted_before_is_enough() -> None:
    assert codes(NETWORK, SERVERS, now=replace(NOW, off_site=frozenset({9}))) == []


def test_a_local_backup_is_not_off_site() -> None:
    local = replace(BACKUP, off_site=False)
    assert found(NETWORK, SERVERS, local) == [
        ("dr-level-is-off-site", ("/items/2/off_site",)),
        ("off-site-backup-missing", ("/items",)),
    ]


@pytest.mark.parametrize("level", [5, 6])
def test_dr_levels_that_need_replication_are_refused(level: int) -> None:
    tier = DRTier(level=level, rpo_minutes=0, off_site=True, provable_by_backup=False, max_gb=10_000)
    assert found(replace(BACKUP, tier=tier)) == [("dr-level-needs-replication", ("/items/0/dr_level",))]


def test_a_weekly_backup_cannot_keep_a_loss_of_a_day() -> None:
    assert found(replace(BACKUP, frequency=Frequency.WEEKLY)) == [
        ("backup-too-seldom", ("/items/0/frequency",))
    ]


def test_backup_capacity_that_fits_exactly_is_enough() -> None:
    assert codes(NETWORK, SERVERS, replace(BACKUP, capacity_gb=1_200)) == []


def test_backup_capacity_below_the_volumes_is_refused_with_both_figures() -> None:
    small = replace(BACKUP, capacity_gb=1_199)
    judged = check(system=system(), lines=list(enumerate((NETWORK, SERVERS, small))), now=NOW)
    assert [(e.code, e.pointers) for e in judged] == [
        ("backup-capacity-too-small", ("/items/2/capacity_gb",))
    ]
    assert "1199" in judged[0].detail
    assert "1200" in judged[0].detail


@pytest.mark.parametrize("capacity", [0, -5, 10_001])
def test_backup_capacity_is_what_the_tier_offers(capacity: int) -> None:
    judged = found(replace(BACKUP, capacity_gb=capacity))
    assert judged == [("backup-capacity-out-of-range", ("/items/0/capacity_gb",))]


def test_an_order_has_one_backup() -> None:
    second = replace(BACKUP, name="more")
    assert found(NETWORK, SERVERS, BACKUP, second) == [("second-backup-in-order", ("/items/3",))]


def test_the_mandatory_backup_goes_with_the_last_server_and_not_before() -> None:
    allowance = resource(9, backup=BackupAllowance(tier=TIER, capacity_gb=1_200, off_site=True))
    server = resource(7, server=Server())
    now = replace(NOW, off_site=frozenset({9}), servers=frozenset({7}))
    assert found(ReleaseLine(target=allowance), now=now) == [("off-site-backup-needed", ("/items/0/target",))]
    assert codes(ReleaseLine(target=allowance), ReleaseLine(target=server), now=now) == []


# of targets


@pytest.mark.parametrize("size_gb", [500, 499, 1, 0, -800])
def test_a_volume_only_grows(size_gb: int) -> None:
    assert found(extension(volume(), size_gb)) == [("volume-only-grows", ("/items/0/size_gb",))]


def test_a_server_is_resized_to_what_its_cloud_has() -> None:
    assert found(resize(), now=ON_THIS_CLOUD) == []
    assert found(resize(), now=replace(NOW, flavors=frozenset({(2, LARGER.pk)}))) == [
        ("not-available-in-zone", ("/items/0/flavor",))
    ]


def test_a_server_is_not_resized_to_the_flavor_it_has() -> None:
    assert found(resize(FLAVOR), now=ON_THIS_CLOUD) == [("same-flavor", ("/items/0/flavor",))]


def test_a_server_is_not_resized_to_a_retired_flavor(at: datetime) -> None:
    retired = Flavor(pk=2, code="g.8c32g", name="8C32G", vcpus=8, memory_gb=32, retired_at=at)
    assert codes(resize(retired), now=ON_THIS_CLOUD) == ["retired"]


def test_neither_a_new_server_nor_a_resized_one_has_less_memory_than_its_image_needs() -> None:
    image = Image(pk=1, code="db", name="DB", min_disk_gb=20, min_memory_gb=32)
    small = Flavor(pk=2, code="g.2c8g", name="2C8G", vcpus=2, memory_gb=8)
    assert codes(resize(image=image), now=ON_THIS_CLOUD) == []
    assert found(resize(small, image=image), now=ON_THIS_CLOUD) == [
        ("flavor-too-small-for-image", ("/items/0/flavor",))
    ]
    assert "flavor-too-small-for-image" in codes(NETWORK, replace(SERVERS, image=image), BACKUP)


@pytest.mark.parametrize("status", [Status.CHANGING, Status.RELEASING])
def test_only_a_server_that_nothing_else_has_in_hand_is_resized(status: str) -> None:
    assert codes(resize(status=status), now=ON_THIS_CLOUD) == ["resource-not-in-use"]


def test_a_server_is_resized_once_and_not_in_the_order_that_releases_it() -> None:
    assert codes(resize(), resize(), now=ON_THIS_CLOUD) == ["resource-twice-in-order"] * 2
    again = ReleaseLine(target=resize().target)
    assert codes(resize(), again, now=ON_THIS_CLOUD) == ["resource-twice-in-order"] * 2
    assert codes(resize(), now=replace(ON_THIS_CLOUD, busy=frozenset({7}))) == ["resource-in-another-order"]


def test_a_volume_grows_up_to_its_classs_maximum() -> None:
    assert codes(extension(volume(), 4_000)) == []
    assert found(extension(volume(), 4_001)) == [("size-out-of-range", ("/items/0/size_gb",))]


@pytest.mark.parametrize("status", [Status.CHANGING, Status.RELEASING, Status.RELEASED])
def test_only_what_is_in_use_can_be_changed(status: str) -> None:
    assert found(extension(volume(status=status))) == [("resource-not-in-use", ("/items/0/target",))]


def test_what_another_open_order_changes_is_not_changed_again() -> None:
    now = replace(NOW, busy=frozenset({7}))
    assert found(extension(volume()), now=now) == [("resource-in-another-order", ("/items/0/target",))]


def test_a_server_is_not_released_while_an_open_order_changes_its_volume() -> None:
    data = volume(8)
    release = ReleaseLine(target=resource(7, server=Server()), volumes=(data.volume,))
    now = replace(NOW, busy=frozenset({8}))
    assert codes(release, now=now) == ["resource-in-another-order"]


@pytest.mark.parametrize("being_built", [7, 8])
def test_what_an_open_order_is_still_building_is_neither_changed_nor_released(being_built: int) -> None:
    release = ReleaseLine(target=resource(7, server=Server()), volumes=(volume(8).volume,))
    now = replace(NOW, unfinished=frozenset({being_built}))
    assert found(release, now=now) == [("resource-not-in-use", ("/items/0/target",))]


def test_an_order_names_a_resource_once() -> None:
    data = volume()
    twice = (
        ("resource-twice-in-order", ("/items/0/target",)),
        ("resource-twice-in-order", ("/items/1/target",)),
    )
    assert found(extension(data), ReleaseLine(target=data)) == list(twice)


def test_a_volume_is_not_changed_in_the_order_that_releases_its_server() -> None:
    data = volume(8)
    release = ReleaseLine(target=resource(7, server=Server()), volumes=(data.volume,))
    assert found(release, extension(data)) == [("resource-twice-in-order", ("/items/1/target",))]


def test_a_system_volume_goes_with_its_server_only() -> None:
    root = volume(role=VolumeRole.SYSTEM)
    root.volume.server = Server(resource=resource(9))
    assert codes(ReleaseLine(target=root)) == ["system-volume-goes-with-server"]


def test_a_system_volume_whose_server_was_lost_is_released_by_itself() -> None:
    assert codes(ReleaseLine(target=volume(role=VolumeRole.SYSTEM))) == []


@pytest.mark.parametrize(
    ("router_id", "given", "wrong"),
    [
        ("r-1", False, []),
        ("r-1", True, ["server-has-floating-address"]),
        ("", False, ["network-not-connected"]),
        ("", True, ["server-has-floating-address", "network-not-connected"]),
    ],
)
def test_a_server_is_reached_from_outside_once_and_through_a_router(
    router_id: str,
    given: bool,  # noqa: FBT001
    wrong: list[str],
) -> None:
    net = Network(resource=Resource(name="app-net"), router_id=router_id)
    server = resource(server=Server())
    assert codes(AddressLine(target=server, network=net, given=given, billed=False)) == wrong


def test_a_server_in_error_gets_no_address() -> None:
    server = resource(server=Server(power=Power.BROKEN))
    server.server.resource = server
    net = Network(resource=Resource(name="app-net"), router_id="r-1")
    line = AddressLine(target=server, network=net, given=False, billed=False)
    assert found(line) == [("server-in-error", ("/items/0/target",))]


def test_a_network_goes_after_the_floating_addresses_that_lead_to_its_servers() -> None:
    network, server = resource(5, network=None), resource(7, server=Server())
    address = FloatingAddress(address="203.0.113.5", server=Server(resource=server))
    now = replace(NOW, leading={5: (address,)})
    assert codes(ReleaseLine(target=network), now=now) == ["network-has-floating-addresses"]
    assert codes(ReleaseLine(target=network), ReleaseLine(target=server), now=now) == []


def test_a_network_goes_when_its_servers_have_gone_or_go_with_it() -> None:
    network = resource(5, network=None)
    server = resource(7, server=Server())
    now = replace(NOW, guests={5: frozenset({7})})
    assert found(ReleaseLine(target=network), now=now) == [("network-has-servers", ("/items/0/target",))]
    assert codes(ReleaseLine(target=network), ReleaseLine(target=server), now=now) == []


def test_everything_wrong_is_told_at_once() -> None:
    judged = codes(
        replace(NETWORK, name="Net"),
        replace(SERVERS, quantity=0, lease_months=0),
        mlps_level=3,
        filing_number="",
        cryptography_assessed_on=None,
    )
    assert judged == [
        "filing-number-missing",
        "cryptography-not-assessed",
        "bad-name",
        "quantity-out-of-range",
        "lease-out-of-range",
        "off-site-backup-missing",
    ]
