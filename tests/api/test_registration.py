"""Departments and systems are registered, and what is wrong with them is told."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from govcloud.audit.models import Event
from govcloud.quotas.models import Dimension, QuotaAccount
from tenants.models import Department, Role, User
from tests.factories.tenants import DepartmentFactory, DivisionFactory, credit_code, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


@pytest.fixture
def desk(signed_in: SignedIn) -> APIClient:
    return signed_in(member(Role.SERVICE_DESK))


def department_body(**changes: object) -> dict:
    DivisionFactory()
    return {"name": "示例厅", "credit_code": credit_code(77_777), "division": "450000", **changes}


def test_a_department_is_registered_with_empty_accounts(desk: APIClient) -> None:
    answer = desk.post("/api/v1/departments", department_body(connection="connected"))
    assert answer.status_code == 201, answer.content
    department = Department.objects.get(uuid=answer.json()["uuid"])
    assert desk.get(answer["Location"]).json()["credit_code"] == department.credit_code
    accounts = QuotaAccount.objects.filter(department=department)
    assert {a.dimension: a.limit for a in accounts} == dict.fromkeys(Dimension.values, 0)
    assert Event.objects.filter(verb="department.registered", subject_id=department.uuid).exists()


@pytest.mark.parametrize(
    ("changes", "status", "pointer"),
    [
        ({"credit_code": "11450000MB9900013X"}, 422, "/credit_code"),
        ({"name": " "}, 422, "/name"),
        ({"division": "999999"}, 422, "/division"),
        ({"parent": "00000000-0000-0000-0000-000000000000"}, 404, "/parent"),
    ],
)
def test_a_wrong_department_is_refused_with_its_pointer(
    desk: APIClient, changes: dict, status: int, pointer: str
) -> None:
    answer = desk.post("/api/v1/departments", department_body(**changes))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (status, pointer)
    assert not Department.objects.exists()


def test_a_credit_code_is_registered_once(desk: APIClient) -> None:
    body = department_body()
    desk.post("/api/v1/departments", body)
    answer = desk.post("/api/v1/departments", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "credit-code-taken")


def test_departments_do_not_register_departments(signed_in: SignedIn) -> None:
    applicant = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    assert applicant.post("/api/v1/departments", department_body()).status_code == 403


def system_body(department: Department, **changes: object) -> dict:
    return {"department": str(department.uuid), "code": "tax", "name": "税务", "mlps_level": 2, **changes}


def test_an_applicant_registers_a_system_of_the_department(signed_in: SignedIn) -> None:
    department = DepartmentFactory()
    client = signed_in(member(Role.APPLICANT, department))
    answer = client.post("/api/v1/systems", system_body(department, filing_number="450100-00021-26003"))
    assert (answer.status_code, answer.json()["department"]["uuid"]) == (201, str(department.uuid))
    again = client.post("/api/v1/systems", system_body(department))
    assert (again.status_code, again.json()["code"]) == (409, "system-code-taken")


def test_everything_wrong_with_a_system_is_told_at_once(signed_in: SignedIn) -> None:
    department = DepartmentFactory()
    body = system_body(department, code="Tax!", mlps_level=4, filing_number="42", dr_level=7)
    answer = signed_in(member(Role.APPLICANT, department)).post("/api/v1/systems", body)
    assert answer.status_code == 422
    assert {e["pointer"]: e["code"] for e in answer.json()["errors"]} == {
        "/code": "bad-system-code",
        "/mlps_level": "mlps-level-not-taken",
        "/filing_number": "bad-filing-number",
        "/dr_level": "dr-level-unknown",
    }


def test_nobody_registers_a_system_for_another_department(signed_in: SignedIn) -> None:
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    answer = stranger.post("/api/v1/systems", system_body(DepartmentFactory()))
    assert answer.status_code == 404
    assert Event.objects.filter(verb="access.refused").exists()
