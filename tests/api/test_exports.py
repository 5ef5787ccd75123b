"""Every list can be taken out as a file."""

import csv
import io
from collections.abc import Callable
from decimal import Decimal

import pytest
from openpyxl import load_workbook
from rest_framework.test import APIClient

from govcloud.audit import services as audit
from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from tenants.models import Role, User
from tests.api.house import AT
from tests.factories.catalog import catalogue
from tests.factories.chargeback import statement
from tests.factories.tenants import DepartmentFactory, SystemFactory, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


@pytest.fixture
def reader(signed_in: SignedIn) -> APIClient:
    department = DepartmentFactory(name="财政厅")
    SystemFactory(department=department, code="a", name="=HYPERLINK(1)")
    SystemFactory(department=department, code="b", name="+86", level_3=True)
    return signed_in(member(Role.APPLICANT, department))


def content_of(answer: object) -> bytes:
    content = b"".join(answer.streaming_content)
    for close in answer._resource_closers:  # close() would end the test's own connection to the database
        close()
    return content


def test_a_list_as_csv_has_a_column_per_field_and_all_rows(reader: APIClient) -> None:
    answer = reader.get("/api/v1/systems?format=csv&page_size=1")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "systems-" in answer["Content-Disposition"]
    text = content_of(answer).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["code"] for row in rows] == ["a", "b"]
    assert rows[0]["department.name"] == "财政厅"


def test_no_cell_of_a_csv_can_become_a_formula(reader: APIClient) -> None:
    rows = list(
        csv.DictReader(io.StringIO(content_of(reader.get("/api/v1/systems?format=csv")).decode("utf-8-sig")))
    )
    assert [row["name"] for row in rows] == ["'=HYPERLINK(1)", "+86"]


def test_a_list_as_xlsx_keeps_text_as_text(reader: APIClient) -> None:
    answer = reader.get("/api/v1/systems?format=xlsx&fields=code,name,mlps_level&ordering=-code")
    sheet = load_workbook(io.BytesIO(content_of(answer))).active
    assert [[cell.value for cell in row] for row in sheet.rows] == [
        ["code", "name", "mlps_level"],
        ["b", "+86", 3],
        ["a", "=HYPERLINK(1)", 2],
    ]
    assert sheet["B3"].data_type == "s"


def test_an_export_keeps_to_the_filters_and_to_what_one_may_see(reader: APIClient) -> None:
    SystemFactory(code="foreign")
    text = content_of(reader.get("/api/v1/systems?format=csv&mlps_level=3&fields=code")).decode("utf-8-sig")
    assert text.split() == ["code", "b"]


def test_a_workbook_that_would_lose_text_is_refused_and_the_csv_file_has_it(signed_in: SignedIn) -> None:
    long = {"text": "x" * 40_000}
    audit.record(actor=SystemActor("tests"), verb="order.drafted", subject=None, at=AT, after=long)
    client = signed_in(member(Role.AUDIT_ADMIN))
    url = "/api/v1/audit-events?verb=order.drafted&fields=verb,after"
    answer = client.get(f"{url}&format=xlsx")
    assert (answer.status_code, answer["Content-Type"]) == (409, "application/problem+json")
    assert answer.json()["code"] == "text-too-long-for-cell"
    assert answer.json()["params"] == {"row": 1, "heading": "after", "most": 32_767}
    assert not Event.objects.filter(verb="list.exported").exists()
    assert "x" * 40_000 in content_of(client.get(f"{url}&format=csv")).decode()
    assert Event.objects.filter(verb="list.exported").count() == 1


def test_a_workbook_that_would_lose_rows_is_refused(
    reader: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("govcloud.sheets.MOST_ROWS", 1)
    answer = reader.get("/api/v1/systems?format=xlsx")
    assert (answer.status_code, answer.json()["code"]) == (409, "list-too-long-for-sheet")
    assert "CSV" in answer.json()["detail"]
    assert not Event.objects.filter(verb="list.exported").exists()
    assert content_of(reader.get("/api/v1/systems?format=csv"))
    assert content_of(reader.get("/api/v1/systems?format=xlsx&mlps_level=3"))


def test_taking_a_list_out_is_audited(reader: APIClient) -> None:
    content_of(reader.get("/api/v1/systems?format=csv&mlps_level=3"))
    event = Event.objects.get(verb="list.exported")
    assert (event.subject_label, event.after["format"]) == ("systems", "csv")


def test_the_accept_header_asks_as_well(reader: APIClient) -> None:
    answer = reader.get("/api/v1/systems", headers={"Accept": "text/csv"})
    assert answer["Content-Type"].startswith("text/csv")
    assert content_of(answer)


@pytest.mark.parametrize(
    "name", ["flavors", "dr-tiers", "clouds", "offerings", "divisions", "operations", "orders"]
)
def test_every_kind_of_list_exports(signed_in: SignedIn, name: str) -> None:
    catalogue()
    answer = signed_in(member(Role.CLOUD_ADMIN)).get(f"/api/v1/{name}?format=xlsx")
    assert load_workbook(io.BytesIO(content_of(answer))).active.max_row >= 1


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_statement_is_a_file_whose_lines_sum_to_its_total(signed_in: SignedIn, form: str) -> None:
    issued = statement()
    answer = signed_in(member(Role.FINANCE)).get(f"/api/v1/statements/{issued.uuid}/export?format={form}")
    assert issued.number in answer["Content-Disposition"]
    content = content_of(answer)
    if form == "xlsx":
        rows = [[cell.value for cell in row] for row in load_workbook(io.BytesIO(content)).active.rows][1:-1]
    else:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))[1:-1]
    assert sum(Decimal(str(row[-1])) for row in rows) == issued.total
    assert Event.objects.get(verb="statement.exported").subject_id == issued.uuid


def test_a_statement_that_no_sheet_holds_was_not_taken_out(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("govcloud.chargeback.exports.SHEET_LINES", 0)
    answer = signed_in(member(Role.FINANCE)).get(f"/api/v1/statements/{statement().uuid}/export?format=xlsx")
    assert (answer.status_code, answer.json()["code"]) == (409, "too-long-for-sheet")
    assert not Event.objects.filter(verb="statement.exported").exists()


def test_a_statement_is_no_json_file(signed_in: SignedIn) -> None:
    answer = signed_in(member(Role.FINANCE)).get(f"/api/v1/statements/{statement().uuid}/export?format=json")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-parameter")
