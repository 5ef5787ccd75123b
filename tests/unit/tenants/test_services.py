"""Registering departments and systems, and granting roles."""

from datetime import UTC, date, datetime, timedelta

import pytest

from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.errors import Invalids
from tenants import services
from tenants.models import Membership, NetworkZone, Role
from tenants.policies import scope_of
from tests.factories.tenants import (
    DepartmentFactory,
    DivisionFactory,
    SystemFactory,
    UserFactory,
    credit_code,
    grant,
    member,
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


def test_a_unit_role_holds_in_its_department_and_a_role_of_the_centre_everywhere(at: datetime) -> None:
    person, department = UserFactory(), DepartmentFactory()
    services.grant_role(user=person, role=Role.APPLICANT, department=department, actor=BY, at=at)
    services.grant_role(user=person, role=Role.FINANCE, actor=BY, at=at)
    scope = scope_of(person, at=at)
    assert scope.holds(Role.APPLICANT, department=department)
    assert not scope.holds(Role.APPLICANT, department=DepartmentFactory())
    assert scope.holds(Role.FINANCE)


def test_roles_are_held_where_they_belong_and_once(at: datetime) -> None:
    person, department = UserFactory(), DepartmentFactory()
    with pytest.raises(services.RoleNeedsDepartment):
        services.grant_role(user=person, role=Role.APPLICANT, actor=BY, at=at)
    with pytest.raises(services.RoleOfTheCentre):
        services.grant_role(user=person, role=Role.FINANCE, department=department, actor=BY, at=at)
    services.grant_role(user=person, role=Role.FINANCE, actor=BY, at=at)
    with pytest.raises(services.RoleHeldAlready):
        services.grant_role(user=person, role=Role.FINANCE, actor=BY, at=at)


def test_the_three_administrators_are_different_people(at: datetime) -> None:
    person = member(Role.SECURITY_ADMIN)
    with pytest.raises(services.SeparatedRoles, match="different people"):
        services.enter_role(user=person, role=Role.AUDIT_ADMIN, actor=BY, at=at)
    assert [m.role for m in Membership.objects.filter(user=person)] == [Role.SECURITY_ADMIN]


def test_a_role_that_is_revoked_ends_at_that_instant(at: datetime) -> None:
    person = member(Role.FINANCE)
    held = Membership.objects.get(user=person)
    services.revoke_role(membership=held, actor=BY, at=at, reason="moved to another office")
    assert not scope_of(person, at=at).holds(Role.FINANCE)
    assert scope_of(person, at=at - timedelta(seconds=1)).holds(Role.FINANCE)
    told = Event.objects.get(verb="role.revoked")
    assert (told.subject_id, told.reason) == (person.uuid, "moved to another office")


def test_a_role_that_is_revoked_before_it_begins_never_does(at: datetime) -> None:
    person, later = UserFactory(), at + timedelta(days=3)
    held = grant(person, Role.FINANCE, valid_from=later)
    services.revoke_role(membership=held, actor=BY, at=at, reason="a mistake")
    assert not Membership.objects.valid(at=later).filter(user=person).exists()


def test_a_role_that_has_ended_cannot_be_revoked(at: datetime) -> None:
    held = grant(UserFactory(), Role.FINANCE, valid_until=at)
    with pytest.raises(services.RoleEnded):
        services.revoke_role(membership=held, actor=BY, at=at, reason="again")
