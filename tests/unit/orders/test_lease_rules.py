"""The rules about extending leases, each by itself, on rows that no database has seen."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils.translation import override

from govcloud.catalog.models import Cloud
from govcloud.inventory import leases
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, Server, Volume, VolumeRole
from govcloud.orders.changes import ExtendLine, ReleaseLine, RenewLine, ResizeLine
from govcloud.orders.planner import key_of
from govcloud.orders.renewing import RenewalPlan, renew
from govcloud.orders.rules import check
from tests.unit.orders.test_rules import FLAVOR, IMAGE, NOW, SAS, system
from tests.unit.orders.test_rules import LARGER as ANOTHER

AT = NOW.at
SOON = AT + timedelta(days=10)


def let(
    kind: str = "server", *, end: datetime | None = SOON, status: str = Status.ACTIVE, pk: int = 7
) -> Resource:
    built = Resource(pk=pk, kind=kind, name=f"{kind}-{pk}", status=status, zone="private", lease_end=end)
    built.cloud_id = 1
    return built


def server(**changes: Any) -> Resource:
    built = let(**changes)
    built.server = Server(resource=built, flavor=FLAVOR, image=IMAGE, vcpus=4, memory_gb=16)
    return built


def renewal(target: Resource, months: int = 6) -> RenewLine:
    return RenewLine(target=target, lease_months=months)


def found(*lines: Any) -> list[tuple[str, tuple[str, ...]]]:
    return [(e.code, e.pointers) for e in check(system=system(), lines=list(enumerate(lines)), now=NOW)]


def test_a_lease_that_runs_out_is_extended() -> None:
    assert found(renewal(server())) == []


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.CHANGING, Status.SUSPENDED])
def test_it_does_not_matter_what_is_done_with_the_thing_meanwhile(status: str) -> None:
    assert found(renewal(server(status=status))) == []


@pytest.mark.parametrize("status", [Status.RELEASING, Status.RELEASED])
def test_what_is_being_released_or_taken_back_is_not_let_any_longer(status: str) -> None:
    assert found(renewal(server(status=status))) == [("lease-over", ("/items/0/target",))]


@pytest.mark.parametrize("months", [0, 13])
def test_a_lease_is_extended_by_a_month_to_a_year(months: int) -> None:
    past = server(end=AT - timedelta(days=1))
    assert found(renewal(past, months)) == [("lease-out-of-range", ("/items/0/lease_months",))]


def test_a_lease_that_has_ended_can_be_let_for_a_whole_year_again() -> None:
    assert found(renewal(server(end=AT - timedelta(days=300)), 12)) == []


def test_no_lease_ends_later_than_a_year_from_now_and_the_refusal_says_until_when() -> None:
    line = renewal(server(end=datetime(2027, 3, 1, tzinfo=UTC)), 12)
    with override("en"):
        (refusal,) = check(system=system(), lines=[(0, line)], now=NOW)
        assert refusal.code == "lease-too-long"
        assert "March 1, 2028; the latest possible end is Nov. 18, 2027" in refusal.detail
    assert found(renewal(server(end=datetime(2027, 3, 1, tzinfo=UTC)), 8)) == []


def test_the_volumes_of_a_server_go_by_its_lease() -> None:
    volume = let("volume", pk=8)
    volume.volume = Volume(resource=volume, size_gb=100, role=VolumeRole.DATA, server=server().server)
    assert found(renewal(volume)) == [("lease-follows-server", ("/items/0/target",))]


def test_a_volume_by_itself_has_a_lease_of_its_own() -> None:
    volume = let("volume", pk=8)
    volume.volume = Volume(resource=volume, size_gb=100, role=VolumeRole.DATA, server=None)
    assert found(renewal(volume)) == []


def test_a_network_has_no_lease() -> None:
    assert found(renewal(let("network", end=None))) == [("no-lease", ("/items/0/target",))]


def test_a_resource_is_renewed_once_and_not_in_the_order_that_releases_it() -> None:
    target = server()
    twice = "resource-twice-in-order"
    assert [code for code, _at in found(renewal(target), renewal(target))] == [twice] * 2
    assert [code for code, _at in found(renewal(target), ReleaseLine(target=target))] == [twice] * 2


def test_what_is_suspended_is_renewed_or_released_and_nothing_else() -> None:
    target = server(status=Status.SUSPENDED)
    line = ResizeLine(target=target, server=target.server, flavor=ANOTHER)
    assert ("resource-suspended", ("/items/0/target",)) in found(line)
    assert found(ReleaseLine(target=target)) == []


def test_the_volume_of_a_suspended_server_is_not_changed() -> None:
    suspended, volume = server(status=Status.SUSPENDED), let("volume", pk=8)
    volume.volume = Volume(resource=volume, size_gb=100, storage_class=SAS, server=suspended.server)
    volume.cloud = Cloud(online_extend=True)
    line = ExtendLine(target=volume, volume=volume.volume, size_gb=200)
    (refusal,) = check(system=system(), lines=[(0, line)], now=NOW)
    assert (refusal.code, refusal.params["name"]) == ("resource-suspended", "server-7")


def test_a_renewal_takes_nothing_of_the_quota_and_costs_nothing_more() -> None:
    line = renewal(server())
    assert [part.amounts for part in line.parts()] == [{}]
    assert line.quantities() == {}


# -- how long


@pytest.mark.parametrize(
    ("end", "months", "until"),
    [
        ("2026-11-30T08:00", 3, "2027-02-28T08:00"),
        ("2027-01-31T08:00", 1, "2027-02-28T08:00"),
        ("2026-01-01T08:00", 12, "2027-11-18T09:00"),  # it has ended: a year from now
        ("2026-12-18T09:00", 11, "2027-11-18T09:00"),
    ],
)
def test_months_are_added_to_what_is_left_by_the_wall_clock(end: str, months: int, until: str) -> None:
    begun, ended = (datetime.fromisoformat(f"{text}+08:00") for text in (end, until))
    assert leases.extended(begun, months=months, at=AT) == ended


# -- the steps


def test_each_lease_is_extended_by_itself_and_a_suspended_server_comes_back_afterwards() -> None:
    units = [uuid4(), uuid4()]
    plans = [
        RenewalPlan(
            unit=unit, resource=unit, name="app", months=6, runs_until=NOW.at, resumes=unit == units[1]
        )
        for unit in units
    ]
    steps = renew(plans)
    assert [(step.kind, step.needs) for step in steps] == [
        ("lease", ()),
        ("lease", ()),
        ("resumption", (key_of(units[1], "lease"),)),
    ]


def test_what_grew_meanwhile_is_taken_up_by_a_server_that_comes_back() -> None:
    unit, volume = uuid4(), str(uuid4())
    plan = RenewalPlan(
        unit=unit, resource=unit, name="app", months=6, runs_until=NOW.at, resumes=True, grown=(volume,)
    )
    _lease, back, grow = renew([plan])
    assert (grow.kind, grow.needs, grow.desired_state["volumes"]) == ("grow", (back.key,), [volume])
    assert grow.desired_state["may_be_skipped"]
