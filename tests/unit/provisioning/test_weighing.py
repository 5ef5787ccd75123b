"""The rules of placement one by one, on facts without a database."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from govcloud.catalog.models import Cloud
from govcloud.clouds.models import AvailabilityZone, Maintenance
from govcloud.gateways.openstack.models import HostRoom
from govcloud.provisioning.weighing import Facts, Room, Wanted, weigh

WANTED = Wanted(zone="private", site="main", mlps_level=3)
UNTIL = datetime(2026, 11, 18, 6, 0, tzinfo=UTC)
ROOM = Room(
    vcpus_total=100,
    free={"VCPU": 50, "MEMORY_MB": 200},
    storage_free={"ssd": Decimal(1_000), "sas": None},
)

SERVERS = [({"VCPU": 4, "MEMORY_MB": 16}, 2)]


def cloud(pk: int, code: str, **fields: Any) -> Cloud:
    return Cloud(
        pk=pk, code=code, name=code, **{"site": "main", "mlps_level": 3, "status": "enabled", **fields}
    )


def facts(pk: int, code: str, *, on: dict[str, Any] | None = None, **known: Any) -> Facts:
    return Facts(
        cloud=cloud(pk, code, **(on or {})),
        **{"zones": frozenset({"private", "public"}), "room": ROOM, "servers": SERVERS, **known},
    )


def free(**amounts: int) -> Room:
    return replace(ROOM, free={**ROOM.free, **amounts})


def part(pk: int, code: str, level: int = 3) -> AvailabilityZone:
    return AvailabilityZone(pk=pk, code=code, mlps_level=level)


def decided(*candidates: Facts, wanted: Wanted = WANTED) -> tuple[str | None, dict[str, str]]:
    """The code of what was taken with its verdict, and the verdicts of the others."""
    decision = weigh(candidates, wanted)
    others = {_name(each.facts): str(each.verdict.value) for each in decision.others}
    if decision.taken is None:
        return None, others
    return f"{_name(decision.taken.facts)} {decision.taken.verdict.value}", others


def _name(judged: Facts) -> str:
    return judged.cloud.code + (f"/{judged.part.code}" if judged.part is not None else "")


def test_the_only_cloud_is_taken_for_that() -> None:
    assert decided(facts(1, "east")) == ("east only_one", {})


def test_of_two_clouds_the_one_with_more_room_is_taken() -> None:
    less = facts(1, "east", room=free(VCPU=49))
    assert decided(less, facts(2, "west")) == ("west most_room", {"east": "less_room"})


def test_equals_are_taken_by_their_code() -> None:
    assert decided(facts(2, "west"), facts(1, "east"))[0] == "east most_room"


def test_a_systems_things_stay_together_even_where_another_has_more_room() -> None:
    home = facts(1, "east", things=3, room=free(VCPU=8))
    assert decided(home, facts(2, "west")) == ("east system_there", {"west": "system_elsewhere"})


def test_a_server_goes_where_its_network_is_whatever_its_zone_and_site() -> None:
    wanted = replace(WANTED, network=(2, "app-net"), zone="internet")
    there = facts(2, "far", on={"site": "dr"})
    assert decided(facts(1, "east", things=9), there, wanted=wanted) == (
        "far network_there", {"east": "network_elsewhere"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "changes"),
    [
        ("other_site", {"on": {"site": "dr"}}),
        ("other_zone", {"zones": frozenset({"public"})}),
        ("level_too_high", {"on": {"mlps_level": 2}}),
        ("level_too_high", {"part": part(1, "a", level=2)}),
        ("disabled", {"on": {"status": "disabled"}}),
        ("lacks", {"lacks": "g.4c16g"}),
        ("other_size", {"other_size": "g.4c16g"}),
        ("maintenance", {"maintenance": Maintenance(reason="switches", ends_at=UNTIL)}),
        ("full", {"room": free(VCPU=7)}),
        ("full", {"room": free(MEMORY_MB=31)}),
        ("full", {"storage": {"ssd": 1_001}}),
    ],
)
def test_what_cannot_take_it_is_not_taken_and_told_why(verdict: str, changes: dict[str, Any]) -> None:
    unfit = facts(1, "east", things=1, **changes)
    taken, others = decided(unfit, facts(2, "west"))
    assert (taken, list(others.values())) == ("west only_one", [verdict])
    assert decided(unfit)[0] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"room": None},
        {"room": free(VCPU=8, MEMORY_MB=32)},
        {"storage": {"ssd": 1_000, "sas": 99_999}},
    ],
)
def test_what_just_fits_or_is_not_known_is_no_obstacle(changes: dict[str, Any]) -> None:
    assert decided(facts(1, "east", **changes))[0] == "east only_one"


def test_a_cloud_that_is_down_is_taken_only_when_no_other_can_be() -> None:
    down = facts(1, "east", usable=False, things=5)
    assert decided(down, facts(2, "west")) == ("west most_room", {"east": "down"})
    assert decided(down, facts(2, "west", lacks="ssd"))[0] == "east system_there"


def test_servers_that_one_backup_covers_go_where_the_backup_is() -> None:
    wanted = replace(WANTED, bound_to=[2])
    assert decided(facts(1, "east", things=4), facts(2, "west"), wanted=wanted) == (
        "west only_one", {"east": "backup_elsewhere"},
    )  # fmt: skip


def test_servers_wait_for_the_place_of_the_backup_that_covers_them() -> None:
    wanted = replace(WANTED, backup_waits=True)
    assert decided(facts(1, "east"), wanted=wanted) == (None, {"east": "backup_waits"})


def test_a_cloud_that_can_take_it_is_told_from_one_that_can_some_day_and_one_that_cannot() -> None:
    full = free(VCPU=0)
    decision = weigh(
        [
            facts(1, "a"),
            facts(2, "b", usable=False),
            facts(3, "c", room=full),
            facts(4, "d", zones=frozenset()),
        ],
        WANTED,
    )
    assert (decision.possible, decision.conceivable) == ({1, 2}, {1, 2, 3})


def test_of_a_clouds_parts_the_one_with_the_systems_things_is_taken_and_a_low_one_never() -> None:
    parts = [
        facts(1, "east", things=4, part=part(1, "a")),
        facts(1, "east", things=4, part=part(2, "b"), things_in_part=4),
        facts(1, "east", things=4, part=part(3, "c", level=2)),
    ]
    assert decided(*parts) == ("east/b system_there", {"east/a": "other_part", "east/c": "level_too_high"})


def test_people_are_told_of_the_obstacle_that_passes_soonest() -> None:
    under_maintenance = facts(2, "west", maintenance=Maintenance(reason="switches", ends_at=UNTIL))
    decision = weigh([facts(1, "east", lacks="ssd"), under_maintenance], WANTED)
    assert decision.obstacle is not None
    assert (decision.obstacle.subject, decision.obstacle.until) == ("switches", UNTIL)


def test_a_cloud_whose_zone_has_no_range_left_takes_no_new_network() -> None:
    full = facts(1, "east", has_ranges=False)
    assert decided(full) == (None, {"east": "no_addresses"})
    assert decided(full, facts(2, "west")) == ("west only_one", {"east": "no_addresses"})


def host(vcpus: int, memory: int, vcpus_at_most: int, memory_at_most: int) -> HostRoom:
    return {"VCPU": (vcpus, vcpus_at_most), "MEMORY_MB": (memory, memory_at_most)}


HOSTS = (host(20, 100, 16, 100), host(12, 40, 12, 40), host(18, 60, 16, 60))


@pytest.mark.parametrize(
    ("servers", "finds"),
    [
        ({(16, 64): 1}, True),
        ({(16, 64): 2}, False),
        ({(16, 60): 2}, True),
        ({(8, 30): 5}, True),
        ({(8, 30): 6}, False),
        ({(17, 8): 1}, False),
        ({(16, 64): 1, (8, 30): 5}, True),
        ({(16, 64): 1, (8, 30): 6}, False),
    ],
    ids=str,
)
def test_servers_find_hosts_with_room_for_their_size(
    servers: dict[tuple[int, int], int], *, finds: bool
) -> None:
    """What is left adds up to more than is wanted."""
    room = replace(ROOM, free={"VCPU": 500, "MEMORY_MB": 2_000}, hosts=HOSTS)
    wanted = [({"VCPU": vcpus, "MEMORY_MB": memory}, count) for (vcpus, memory), count in servers.items()]
    scattered = facts(1, "east", room=room, servers=wanted)
    expected = ("east only_one", {}) if finds else (None, {"east": "no_host"})
    assert decided(scattered) == expected
    other = facts(2, "west")
    assert decided(scattered, other)[0] == ("east most_room" if finds else "west only_one")


def test_what_a_server_takes_nothing_of_need_not_be_there() -> None:
    pinned, bare = {"PCPU": 4, "MEMORY_MB": 16}, {"CUSTOM_BAREMETAL": 1}
    hosts = ({"PCPU": (9, 8), "MEMORY_MB": (64, 64)}, {"CUSTOM_BAREMETAL": (1, 1)})
    room = replace(ROOM, free={"VCPU": 0, "PCPU": 9, "MEMORY_MB": 64}, hosts=hosts)
    assert decided(facts(1, "east", room=room, servers=[(pinned, 2), (bare, 1)])) == ("east only_one", {})
    assert decided(facts(1, "east", room=room, servers=[(pinned, 3)])) == (None, {"east": "full"})
    assert decided(facts(1, "east", room=room, servers=[(bare, 2)])) == (None, {"east": "no_host"})
    assert decided(facts(1, "east", room=room, servers=[({}, 9)])) == ("east only_one", {})
