"""Units and systems are exchanged as a workbook."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from rest_framework.response import Response
from rest_framework.test import APIClient

from govcloud.audit.models import Event
from govcloud.organisation import reading
from tenants.models import Department, Role, User
from tests.factories.sheets import opened, workbook
from tests.factories.tenants import DepartmentFactory, DivisionFactory, credit_code, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]
URL = "/api/v1/unit-sheet"
GOOD = {"credit_code": credit_code(90_000), "name": "示例厅", "division": "450000"}


@pytest.fixture
def desk(signed_in: SignedIn) -> APIClient:
    DivisionFactory()
    return signed_in(member(Role.SERVICE_DESK))


def send(client: APIClient, content: bytes, **fields: Any) -> Response:
    file = BytesIO(content)
    file.name = "units.xlsx"
    headers = fields.pop("headers", {})
    return client.post(URL, {"file": file, **fields}, format="multipart", headers=headers)


def test_a_dry_run_tells_and_an_import_does(desk: APIClient) -> None:
    answer = send(desk, workbook(units=[GOOD]), dry_run="true")
    assert (answer.status_code, answer.json()["applied"], answer.json()["created"]) == (200, False, 1)
    assert not Department.objects.exists()
    assert send(desk, workbook(units=[GOOD])).json()["applied"] is True
    assert Department.objects.get().name == "示例厅"


def test_a_dry_run_tells_what_is_wrong_by_cell_and_an_import_is_refused_with_it(desk: APIClient) -> None:
    content = workbook(units=[GOOD, {**GOOD, "credit_code": credit_code(90_001), "division": "999999"}])
    told = send(desk, content, dry_run="true").json()["problems"]
    assert [(each["sheet"], each["cell"], each["code"]) for each in told] == [
        ("单位 Units", "C3", "no-such-division")
    ]
    answer = send(desk, content)
    assert (answer.status_code, answer.json()["code"]) == (422, "sheet-has-problems")
    assert [(each["cell"], each["code"]) for each in answer.json()["params"]["problems"]] == [
        ("C3", "no-such-division")
    ]
    assert not Department.objects.exists()


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"a,b\n", 422, "not-a-workbook"),
        (bytes(reading.MOST_BYTES + 1), 413, "workbook-too-large"),
    ],
)
def test_what_is_no_workbook_is_refused(desk: APIClient, content: bytes, status: int, code: str) -> None:
    answer = send(desk, content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_json_is_not_what_is_wanted_here(desk: APIClient) -> None:
    answer = desk.post(URL, {"file": "x"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")
    assert desk.post(URL, {}, format="multipart").json()["errors"][0]["pointer"] == "/file"


def test_an_import_sent_twice_under_one_key_is_done_once(desk: APIClient) -> None:
    head = b'--line\r\nContent-Disposition: form-data; name="file"; filename="u.xlsx"\r\n\r\n'
    body = head + workbook(units=[GOOD]) + b"\r\n--line--\r\n"
    form = {"content_type": "multipart/form-data; boundary=line", "headers": {"Idempotency-Key": "import-1"}}
    first, second = (desk.generic("POST", URL, body, **form) for _time in range(2))
    assert first.json() == second.json()
    assert (first.json()["created"], second["Idempotency-Replayed"]) == (1, "true")
    assert Event.objects.filter(verb="units.imported").count() == 1


def test_the_register_is_taken_out_and_the_template_is_empty(desk: APIClient) -> None:
    DepartmentFactory(name="在册单位")
    book = opened(desk.get(URL).content)
    assert [cell.value for cell in book["单位 Units"]["B"]][1:] == ["在册单位"]
    assert Event.objects.get(verb="units.exported").after == {"units": 1, "systems": 0}
    template = desk.get(f"{URL}/template")
    assert template["Content-Disposition"].startswith('attachment; filename="units-and-systems-template')
    assert opened(template.content)["单位 Units"].max_row == 1


def test_sheets_are_the_registrars(signed_in: SignedIn) -> None:
    applicant = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    assert applicant.get(URL).status_code == 403
    assert send(applicant, workbook(units=[GOOD])).status_code == 403
