"""What a thing of somebody's project would become, and what holds it back."""

from typing import Any
from uuid import uuid4

import pytest

from govcloud.catalog.models import CloudStorageClass, Flavor, Image, StorageClass
from govcloud.takeover.assessment import Knowledge, assess, name_for
from govcloud.takeover.models import Candidate, Port

FLAVOR, IMAGE, CLASS = Flavor(pk=1, vcpus=4, memory_gb=16), Image(pk=1), StorageClass(pk=1)
KNOWN: dict[str, Any] = {
    "flavors": {"g.4c16g": FLAVOR},
    "images": {"debian-12": IMAGE},
    "storage_classes": {"sas": CLASS},
    "scales": {1: CloudStorageClass(storage_class=CLASS, ordered_gb_per_built_gb=1)},
    "owned": set(),
    "networks": set(),
    "known_marks": set(),
    "parts": {},
    "level": 3,
    "ranges": [],
}


def network(**columns: Any) -> Candidate:
    shape = {"cidr": "10.0.1.0/24", "gateway": "10.0.1.1", "subnets": 1, "cloud_status": "ACTIVE"}
    return Candidate(**{"kind": "network", "external_id": "net", **shape, **columns})


def server(**columns: Any) -> Candidate:
    size = {"flavor_name": "g.4c16g", "vcpus": 4, "memory_mib": 16_384, "image_name": "debian-12"}
    return Candidate(**{"kind": "server", "external_id": "srv", "cloud_status": "ACTIVE", **size, **columns})


def volume(**columns: Any) -> Candidate:
    of = {"volume_type": "sas", "size_gib": 500, "cloud_status": "in-use", "held_by": ["srv"]}
    return Candidate(**{"kind": "volume", "external_id": "vol", **of, **columns})


def port(**columns: Any) -> Port:
    return Port(
        **{
            "external_id": "port",
            "network_id": "net",
            "held_by": "srv",
            "addresses": ["10.0.1.9"],
            **columns,
        }
    )


def judged(*candidates: Candidate, ports: list[Port] | None = None, **known: Any) -> list[list[str]]:
    assess(candidates, [port()] if ports is None else ports, Knowledge(**{**KNOWN, **known}))
    return [each.obstacles for each in candidates]


def test_what_the_catalogue_knows_comes_along() -> None:
    one, disk = server(), volume()
    assert judged(network(), one, disk) == [[], [], []]
    assert (one.flavor, one.image) == (FLAVOR, IMAGE)
    assert (disk.storage_class, disk.size_gb) == (CLASS, 500)


def test_a_size_is_recorded_in_the_scale_of_its_class() -> None:
    scale = CloudStorageClass(storage_class=CLASS, ordered_gb_per_built_gb=10)
    disk = volume(held_by=[])
    judged(disk, scales={1: scale})
    assert disk.size_gb == 5_000


@pytest.mark.parametrize(
    ("thing", "obstacle"),
    [
        (server(flavor_name="m1.large"), "flavor_unknown"),
        (server(vcpus=8), "flavor_differs"),
        (server(memory_mib=16_000), "flavor_differs"),
        (server(image_name="gone"), "image_unknown"),
        (server(cloud_status="ERROR"), "not_at_rest"),
        (server(cloud_status="resize_prep"), "not_at_rest"),
        (server(mark=uuid4()), "owned_elsewhere"),
        (volume(held_by=[], volume_type="nvme"), "class_unknown"),
        (volume(held_by=[], cloud_status="error_deleting"), "not_at_rest"),
        (volume(held_by=["a", "b"]), "shared_volume"),
        (volume(held_by=[], snapshots=1), "has_snapshots"),
        (network(external_id="n2", subnets=2), "subnets"),
        (network(external_id="n2", gateway=""), "subnets"),
        (network(external_id="n2", cloud_status="shared"), "shared_network"),
    ],
)
def test_what_stands_against_it_is_named(thing: Candidate, obstacle: str) -> None:
    assert judged(network(), thing)[1] == [obstacle]


@pytest.mark.parametrize(
    ("ports", "obstacle"),
    [
        ([], "no_network"),
        ([port(network_id="public")], "no_network"),
        ([port(), port(network_id="public")], "foreign_network"),
        ([port(addresses=[])], "several_addresses"),
        ([port(addresses=["10.0.1.9", "10.0.1.10"])], "several_addresses"),
        ([port(addresses=["fd00::9"])], "several_addresses"),
    ],
)
def test_interfaces_that_our_record_has_no_room_for_are_named(ports: list[Port], obstacle: str) -> None:
    assert judged(network(), server(), ports=ports)[1] == [obstacle]


def test_a_network_that_is_the_systems_already_is_as_good_as_one_that_comes_along() -> None:
    assert judged(network(), server(), owned={"net"}, networks={"net"}) == [["already_owned"], []]


def test_what_cannot_come_holds_back_what_cannot_be_without_it() -> None:
    overlapping = [(int.from_bytes(bytes([10, 0, 0, 0])), int.from_bytes(bytes([10, 0, 255, 255])))]
    found = judged(network(), server(), volume(), ranges=overlapping)
    assert found == [["range_taken"], ["no_network"], ["server_stays"]]
    assert judged(network(), server(), volume(snapshots=1))[1:] == [["volume_stays"], ["has_snapshots"]]


def test_a_volume_of_a_server_that_nobody_has_listed_stays() -> None:
    assert judged(volume(held_by=["elsewhere"]), server())[0] == ["server_stays"]


def test_a_mark_that_is_left_over_from_us_is_no_obstacle() -> None:
    mark = uuid4()
    assert judged(network(), server(mark=mark), known_marks={mark})[1] == []


def test_an_availability_zone_has_to_be_registered_where_the_cloud_has_some() -> None:
    assert judged(network(), server(availability_zone="b"), parts={"a": 3})[1] == ["part_unknown"]
    assert judged(network(), server(availability_zone="a"), parts={"a": 3})[1] == []


def test_an_availability_zone_has_to_take_systems_of_that_level() -> None:
    assert judged(network(), server(availability_zone="a"), parts={"a": 2}, level=3)[1] == ["part_too_low"]
    assert judged(network(), server(availability_zone="a"), parts={"a": 2}, level=2)[1] == []


@pytest.mark.parametrize(
    ("found", "taken", "name"),
    [
        ("OA-DB 01", (), "oa-db-01"),
        ("web", ("web", "web-2"), "web-3"),
        ("数据库", (), "server"),
        ("01.example.org", (), "server-01-example-org"),
        ("x" * 90, (), "x" * 40),
        ("-", (), "server"),
    ],
)
def test_names_are_as_orders_give_them(found: str, taken: tuple[str, ...], name: str) -> None:
    assert name_for(found, "server", taken) == name
