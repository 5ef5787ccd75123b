"""Registering departments and systems."""

from datetime import UTC, date, datetime

import pytest

from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.errors import Invalids
from tenants import services
from tenants.models import NetworkZone
from tests.factories.tenants import (
    DepartmentFactory,
    DivisionFactory,
    SystemFactory,
    credit_code,
)

pytestmark = pytest.mark.django_db

BY = SystemActor("test")
INVENTED = (
    "11450000MB9900013R",
    "12450000MB9900021H",
    "11450100MB990003XH",
    "11450300MB9900048U",
    "11450500MB99000561",
)


def codes_of(refusal: pytest.ExceptionInfo[Invalids]) -> set[str]:
    return {error.code for error in refusal.value.errors}


@pytest.mark.parametrize("code", INVENTED)
def test_a_credit_code_with_a_right_check_character_is_taken(code: str, at: datetime) -> None:
    department = services.register_department(
        name="示例厅", credit_code=code, division=DivisionFactory(), actor=BY, at=at
    )
    assert department.credit_code == code
    assert department.path == f"/{department.pk}/"


@pytest.mark.parametrize("code", ["11450000MB9900013S", "11450000MB990001", "", "not a code"])
def test_any_other_credit_code_is_refused(code: str, at: datetime) -> None:
    with pytest.raises(Invalids) as refusal:
        services.register_department(name="", credit_code=code, division=DivisionFactory(), actor=BY, at=at)
    assert codes_of(refusal) == {"bad-credit-code", "name-missing"}
    assert refusal.value.pointers == ("/name", "/credit_code")


def test_a_subordinate_units_path_runs_through_its_parent(at: datetime) -> None:
    parent = DepartmentFactory()
    unit = services.register_department(
        name="示例信息中心",
        credit_code=credit_code(777),
        division=parent.division,
        parent=parent,
        actor=BY,
        at=at,
    )
    assert unit.path == f"{parent.path}{unit.pk}/"
    assert unit.ancestor_ids == [*parent.ancestor_ids, unit.pk]


def test_a_credit_code_registers_one_department_only(at: datetime) -> None:
    first = DepartmentFactory()
    with pytest.raises(services.CreditCodeTaken):
        services.register_department(
            name="同名", credit_code=first.credit_code, division=first.division, actor=BY, at=at
        )


def test_a_code_that_is_taken_is_told_together_with_what_else_is_wrong(at: datetime) -> None:
    system = SystemFactory()
    with pytest.raises(Invalids) as refusal:
        services.register_department(
            name=" ",
            credit_code=system.department.credit_code,
            division=DivisionFactory(),
            actor=BY,
            at=at,
        )
    assert [(e.code, e.pointers) for e in refusal.value.errors] == [
        ("name-missing", ("/name",)),
        ("credit-code-taken", ("/credit_code",)),
    ]
    with pytest.raises(Invalids) as refusal:
        services.register_system(
            department=system.department, code=system.code, name=" ", mlps_level=2, actor=BY, at=at
        )
    assert [(e.code, e.pointers) for e in refusal.value.errors] == [
        ("name-missing", ("/name",)),
        ("system-code-taken", ("/code",)),
    ]


def test_registering_is_told_in_the_audit(at: datetime) -> None:
    department = services.register_department(
        name="示例厅", credit_code=INVENTED[0], division=DivisionFactory(), actor=BY, at=at
    )
    event = Event.objects.get(subject_id=department.uuid)
    assert (event.verb, event.actor) == ("department.registered", "system:test")


def test_everything_wrong_with_a_system_is_told_at_once(at: datetime) -> None:
    with pytest.raises(Invalids) as refusal:
        services.register_system(
            department=DepartmentFactory(),
            code="Not A Code",
            name=" ",
            mlps_level=4,
            dr_level=7,
            zone="moon",
            filing_number="12-34",
            actor=BY,
            at=at,
        )
    assert codes_of(refusal) == {
        "bad-system-code",
        "name-missing",
        "mlps-level-not-taken",
        "dr-level-unknown",
        "unknown-zone",
        "bad-filing-number",
    }


def test_a_cryptography_assessment_is_registered_from_the_day_it_is_made_on() -> None:
    here = {"department": DepartmentFactory(), "name": "应用", "mlps_level": 3, "actor": BY}
    assessed_on = date(2026, 11, 19)
    evening_before, midnight = (
        datetime(2026, 11, 18, hour, minute, tzinfo=UTC)  # by Beijing's date
        for hour, minute in ((15, 59), (16, 0))
    )
    with pytest.raises(Invalids, match="dated 2026-11-19") as refusal:
        services.register_system(
            **here, code="early", cryptography_assessed_on=assessed_on, at=evening_before
        )
    assert codes_of(refusal) == {"cryptography-assessed-in-future"}
    assert refusal.value.pointers == ("/cryptography_assessed_on",)
    system = services.register_system(
        **here, code="on-the-day", cryptography_assessed_on=assessed_on, at=midnight
    )
    assert system.cryptography_assessed_on == assessed_on


@pytest.mark.parametrize("level", [0, 4, 5])
def test_the_platform_takes_no_system_above_its_own_level(level: int, at: datetime) -> None:
    with pytest.raises(Invalids, match="MLPS level 1 to 3"):
        services.register_system(
            department=DepartmentFactory(), code="app", name="应用", mlps_level=level, actor=BY, at=at
        )


def test_a_system_is_registered_once_per_code(at: datetime) -> None:
    here = {
        "department": DepartmentFactory(),
        "code": "app",
        "name": "应用",
        "mlps_level": 3,
        "actor": BY,
        "at": at,
    }
    system = services.register_system(**here, zone=NetworkZone.PRIVATE, filing_number="450000-00001-26001")
    assert system.zone == NetworkZone.PRIVATE
    with pytest.raises(services.SystemCodeTaken):
        services.register_system(**here)
