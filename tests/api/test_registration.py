"""Departments and systems are registered, and what is wrong with them is told."""

from collections.abc import Callable

import pytest
from rest_framework.response import Response
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


def change(client: APIClient, url: str, body: dict, version: int = 1) -> Response:
    return client.patch(url, body, headers={"If-Match": f'"{version}"'})


def test_a_department_is_changed_by_whoever_read_the_present_version(desk: APIClient) -> None:
    url = f"/api/v1/departments/{DepartmentFactory().uuid}"
    assert desk.patch(url, {"name": "新厅"}).status_code == 428
    answer = change(desk, url, {"name": "新厅"})
    assert (answer.status_code, answer.json()["name"], answer["ETag"]) == (200, "新厅", '"2"')
    assert change(desk, url, {"name": "x"}).status_code == 412


def test_a_department_asks_for_its_connection_and_the_centre_makes_it(
    desk: APIClient, signed_in: SignedIn
) -> None:
    unit = DepartmentFactory(connection="not_connected")
    applicant, url = signed_in(member(Role.APPLICANT, unit)), f"/api/v1/departments/{unit.uuid}/connection"
    assert applicant.post(url, {"connection": "requested"}).json()["connection"] == "requested"
    assert applicant.post(url, {"connection": "connected"}).status_code == 403
    assert desk.post(url, {"connection": "connected"}).json()["connection"] == "connected"
    refused = applicant.post(url, {"connection": "not_connected", "reason": "no need"})
    assert (refused.status_code, refused.json()["code"]) == (403, "role-missing")


def test_a_department_is_moved_and_closed(desk: APIClient) -> None:
    unit, above = DepartmentFactory(), DepartmentFactory()
    url = f"/api/v1/departments/{unit.uuid}"
    answer = desk.post(f"{url}/move", {"parent": str(above.uuid), "reason": "reform"})
    assert answer.json()["parent"] == str(above.uuid)
    below = desk.get("/api/v1/departments", {"below": str(above.uuid)}).json()["results"]
    assert {row["uuid"] for row in below} == {str(unit.uuid), str(above.uuid)}
    refused = desk.post(f"/api/v1/departments/{above.uuid}/closing", {"reason": "merged"})
    assert (refused.status_code, refused.json()["code"]) == (409, "unit-not-empty")
    assert desk.post(f"{url}/closing", {"reason": "merged"}).json()["closed_at"]
    open_ones = desk.get("/api/v1/departments", {"closed": "false"}).json()["results"]
    assert {row["uuid"] for row in open_ones} == {str(above.uuid)}


OWNER = {"name": "张三丰", "phone": "13812345678", "email": "zhang@example.org"}


def test_a_systems_owner_is_masked_but_for_those_who_need_it(desk: APIClient, signed_in: SignedIn) -> None:
    department = DepartmentFactory()
    client = signed_in(member(Role.APPLICANT, department))
    system = client.post("/api/v1/systems", system_body(department, owner=OWNER)).json()
    masked = {"name": "张**", "phone": "138****5678", "email": "z***@example.org"}
    assert system["owner"] == masked
    url = f"/api/v1/systems/{system['uuid']}"
    leader = signed_in(member(Role.LEADER))
    assert leader.get("/api/v1/systems").json()["results"][0]["owner"] == masked
    assert leader.get(f"{url}/owner").status_code == 403
    assert client.get(f"{url}/owner").json() == desk.get(f"{url}/owner").json() == OWNER
    events = Event.objects.filter(verb="system.owner_read").order_by("id")
    assert [event.outcome for event in events] == ["refused", "done", "done"]


def test_a_system_is_changed_and_retired_by_its_department(signed_in: SignedIn) -> None:
    department, authority = DepartmentFactory(), DepartmentFactory()
    client = signed_in(member(Role.APPLICANT, department))
    system = client.post("/api/v1/systems", system_body(department)).json()
    url = f"/api/v1/systems/{system['uuid']}"
    answer = change(client, url, {"authority": str(authority.uuid), "service_scope": "society"})
    assert (answer.status_code, answer.json()["authority"]["uuid"]) == (200, str(authority.uuid))
    assert change(client, url, {"authority": None}, version=2).json()["authority"] is None
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    assert change(stranger, url, {"name": "x"}, version=3).status_code == 404
    assert client.post(f"{url}/retirement", {"reason": "replaced"}).json()["retired_at"]
    assert change(client, url, {"name": "x"}, version=4).json()["code"] == "system-retired"
