"""Which stages a matter goes through."""

from dataclasses import replace
from decimal import Decimal

import pytest

from govcloud.approvals.flows import CHOICES
from govcloud.approvals.models import CaseKind, Priority
from govcloud.approvals.routing import (
    CONDITIONS,
    DEFAULT_FLOW,
    EXHAUSTIVE,
    Matter,
    StageRule,
    applicable,
    decides_itself,
    leaves_none_out,
)
from tenants.models import NetworkZone, Role


def codes(matter: Matter) -> list[str]:
    return [stage.code for stage in applicable(DEFAULT_FLOW, matter)]


def test_committed_matter_goes_through_the_whole_chain_in_seven_working_days() -> None:
    matter = Matter(kind="committed", zone="private", mlps_level=3)
    assert codes(matter) == ["unit_approval", "intake", "technical_review", "authority_approval"]
    assert [stage.working_days for stage in applicable(DEFAULT_FLOW, matter)] == [2, 1, 2, 2]


def test_an_urgent_matter_goes_to_the_same_people_in_four_working_days() -> None:
    normal = applicable(DEFAULT_FLOW, Matter(kind="committed", zone="private", mlps_level=3))
    urgent = applicable(
        DEFAULT_FLOW, Matter(kind="committed", zone="private", mlps_level=3, priority="urgent")
    )
    assert [stage.role for stage in urgent] == [stage.role for stage in normal]
    assert [stage.working_days for stage in urgent] == [1, 1, 1, 1]


def test_instant_matter_skips_review_and_authority() -> None:
    assert codes(Matter(kind="instant", zone="public", mlps_level=2)) == [
        "instant_unit_approval",
        "instant_intake",
    ]


def test_internet_zone_adds_an_egress_review_before_the_authority_decides() -> None:
    assert codes(Matter(kind="committed", zone="internet", mlps_level=2)) == [
        "unit_approval",
        "intake",
        "technical_review",
        "egress_review",
        "authority_approval",
    ]


@pytest.mark.parametrize(
    ("condition", "meets", "misses"),
    [
        ({"only_kind": "instant"}, {"kind": "instant"}, {"kind": "committed"}),
        ({"only_zone": "internet"}, {"zone": "internet"}, {"zone": "public"}),
        ({"min_mlps_level": 3}, {"mlps_level": 3}, {"mlps_level": 2}),
        ({"only_action": "release"}, {"actions": {"create", "release"}}, {"actions": {"create"}}),
        ({"only_quota": "over"}, {"quota": "over"}, {"quota": "within"}),
        ({"only_priority": "urgent"}, {"priority": "urgent"}, {"priority": "normal"}),
        ({"min_dr_level": 3}, {"dr_level": 3}, {"dr_level": 2}),
        ({"min_quantity": 10}, {"quantity": 10}, {"quantity": 9}),
        ({"min_amount": Decimal(1000)}, {"amount": Decimal(1000)}, {"amount": Decimal("999.99")}),
    ],
)
def test_a_condition_lets_in_what_meets_it_and_nothing_else(condition, meets, misses) -> None:
    stages = [StageRule("extra", "加签", "Extra", "leader", 1, **condition)]
    matter = {"kind": "committed", "zone": "public", "mlps_level": 1}
    assert applicable(stages, Matter(**{**matter, **meets})) == stages
    assert applicable(stages, Matter(**{**matter, **misses})) == []


@pytest.mark.parametrize(
    ("rule", "meets", "misses"),
    [
        ({"auto_quota": "within"}, {"quota": "within"}, {"quota": "over"}),
        ({"auto_sizes": "standard"}, {"sizes": "standard"}, {"sizes": "special"}),
        ({"auto_zone": "public"}, {"zone": "public"}, {"zone": "internet"}),
        ({"auto_max_mlps_level": 2}, {"mlps_level": 2}, {"mlps_level": 3}),
        ({"auto_max_quantity": 3}, {"quantity": 3}, {"quantity": 4}),
        ({"auto_below_amount": Decimal(500)}, {"amount": Decimal("499.99")}, {"amount": Decimal(500)}),
        ({"auto_below_amount": Decimal(0)}, {"amount": Decimal(-1)}, {"amount": Decimal(0)}),
    ],
)
def test_a_rule_decides_what_meets_it_and_nothing_else(rule, meets, misses) -> None:
    stage = StageRule("extra", "加签", "Extra", "leader", 1, **rule)
    matter = {"kind": "committed", "zone": "public", "mlps_level": 1}
    assert decides_itself(stage, Matter(**{**matter, **meets}))
    assert not decides_itself(stage, Matter(**{**matter, **misses}))


def test_a_stage_without_a_rule_is_decided_by_people() -> None:
    stage = StageRule("extra", "加签", "Extra", "leader", 1)
    assert not decides_itself(stage, Matter(kind="instant", zone="public", mlps_level=1))


def test_a_stage_with_a_condition_of_any_kind_is_not_for_every_matter() -> None:
    plain = StageRule("extra", "加签", "Extra", "leader", 1)
    assert leaves_none_out([plain])
    given = {name: 0 if name.startswith("min_") else "x" for name in CONDITIONS}
    assert not any(leaves_none_out([replace(plain, **{name: value})]) for name, value in given.items())


def test_stages_for_all_kinds_together_leave_no_matter_out() -> None:
    instant = StageRule("one", "受理", "One", "service_desk", 0, only_kind="instant")
    committed = replace(instant, code="two", only_kind="committed")
    assert leaves_none_out([instant, committed])
    assert not leaves_none_out([instant, replace(committed, only_zone="public")])
    assert not leaves_none_out([instant, replace(committed, only_priority="urgent")])
    assert not leaves_none_out([instant])
    assert not leaves_none_out([])


def test_the_values_that_leave_none_out_are_all_there_are() -> None:
    assert {name: set(values) for name, values in EXHAUSTIVE.items()} == {
        name: set(CHOICES[name].values) for name in EXHAUSTIVE
    }


def test_an_instant_matter_is_done_on_the_same_day() -> None:
    matter = Matter(kind="instant", zone="public", mlps_level=2)
    assert [stage.working_days for stage in applicable(DEFAULT_FLOW, matter)] == [0, 0]


def test_every_condition_must_hold() -> None:
    stage = StageRule("extra", "加签", "Extra", "leader", 1, only_zone="internet", min_mlps_level=3)
    assert applicable([stage], Matter(kind="committed", zone="internet", mlps_level=2)) == []


def test_default_flow_speaks_of_roles_kinds_and_zones_that_exist() -> None:
    assert {stage.role for stage in DEFAULT_FLOW} <= set(Role.values)
    assert {stage.only_kind for stage in DEFAULT_FLOW} - {""} <= set(CaseKind.values)
    assert {stage.only_zone for stage in DEFAULT_FLOW} - {""} <= set(NetworkZone.values)


@pytest.mark.parametrize("priority", Priority.values)
@pytest.mark.parametrize("zone", NetworkZone.values)
@pytest.mark.parametrize("kind", CaseKind.values)
def test_nothing_is_approved_by_nobody(kind: str, zone: str, priority: str) -> None:
    deciding = applicable(DEFAULT_FLOW, Matter(kind=kind, zone=zone, mlps_level=1, priority=priority))
    assert {Role.UNIT_APPROVER, Role.SERVICE_DESK} <= {stage.role for stage in deciding}
