"""Statements as files that finance can recompute."""

import csv
import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO, StringIO

import openpyxl
import pytest
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils import translation

from govcloud.chargeback import exports
from govcloud.chargeback.exports import HEADINGS, TooLongForSheet, write_csv, write_xlsx
from govcloud.chargeback.rating import rate
from govcloud.chargeback.services import close_month
from govcloud.metering.models import UsageSegment
from govcloud.money import fen
from govcloud.periods import Month
from tenants.models import Role
from tests.factories.catalog import MeterFactory
from tests.factories.chargeback import tariff
from tests.factories.inventory import ResourceFactory
from tests.factories.metering import UsageSegmentFactory
from tests.factories.tenants import DepartmentFactory, SystemFactory, member

pytestmark = pytest.mark.django_db

START = datetime(2026, 10, 31, 16, tzinfo=UTC)
END = datetime(2026, 11, 30, 16, tzinfo=UTC)
RISKY = '=HYPERLINK("http://example.org")'


@pytest.fixture
def statement():
    """Three resources for a third of the month, one of them with a name made to be run as a formula."""
    tariff()
    system = SystemFactory(
        department=DepartmentFactory(name="示例厅", name_en="Example"), name="业务", name_en=""
    )
    for name in ("app-1", RISKY, "-1"):
        resource = ResourceFactory(system=system, name=name)
        UsageSegmentFactory(
            resource=resource, period=DateTimeTZRange(START, START + timedelta(days=10, hours=1))
        )
    return close_month(month=Month(2026, 11), actor=member(Role.FINANCE), at=END).statements.get()


def as_csv(statement) -> list[list[str]]:
    file = BytesIO()
    write_csv(statement=statement, file=file)
    return list(csv.reader(StringIO(file.getvalue().decode("utf-8-sig"), newline="")))


def as_sheet(statement):
    file = BytesIO()
    write_xlsx(statement=statement, file=file)
    return openpyxl.load_workbook(file).active


def test_a_csv_file_starts_with_the_mark_spreadsheets_know_utf_8_by(statement):
    file = BytesIO()

    write_csv(statement=statement, file=file)

    assert file.getvalue().startswith(b"\xef\xbb\xbf")
    assert not file.closed


def test_every_line_can_be_recomputed_from_the_file_alone(statement):
    header, *rows, total = as_csv(statement)
    lines = [dict(zip(header, row, strict=True)) for row in rows]

    for line in lines:
        rated = rate(
            quantity=Decimal(line["Quantity"]),
            per_month=Decimal(line["Yuan per unit and month"]),
            seconds=Decimal(line["Seconds"]),
            month_seconds=int(line["Seconds of the month"]),
        )
        assert (Decimal(line["Rated (yuan)"]), Decimal(line["Amount (yuan)"])) == (rated, fen(rated))
        covered = datetime.fromisoformat(line["Until"]) - datetime.fromisoformat(line["From"])
        assert Decimal(line["Seconds"]) == Decimal(covered.total_seconds())
    assert sum(Decimal(line["Amount (yuan)"]) for line in lines) == Decimal(total[-1]) == statement.total


def test_a_line_names_what_it_is_for(statement):
    header, first, *_rest = as_csv(statement)

    line = dict(zip(header, first, strict=True))
    assert (line["Statement"], line["Month"], line["Department"]) == (statement.number, "2026-11", "Example")
    assert (line["System"], line["Resource"], line["Meter"], line["Unit"]) == (
        "业务",
        "app-1",
        "vcpu",
        "vCPU",
    )
    assert line["Resource identifier"] == str(statement.lines.first().segment.resource.uuid)
    assert line["From"] == "2026-11-01T00:00:00+08:00"


def test_names_are_in_the_language_of_who_asks(statement):
    with translation.override("zh-hans"):
        _header, first, *_rest = as_csv(statement)

    assert first[2] == "示例厅"


def test_text_made_to_be_run_is_only_text_in_csv(statement):
    resources = [row[6] for row in as_csv(statement)[1:-1]]

    assert resources == ["app-1", f"'{RISKY}", "'-1"]


def test_text_made_to_be_run_is_only_text_in_a_sheet_even_when_edited(statement):
    cell = as_sheet(statement).cell(3, 7)

    assert (cell.value, cell.data_type, cell.quotePrefix) == (RISKY, "s", True)


def test_a_sheet_has_numbers_instants_and_a_sum(statement):
    sheet = as_sheet(statement)

    assert [cell.value for cell in sheet[1]] == [str(heading) for heading, _width in HEADINGS]
    last = sheet.max_row
    assert sheet.cell(last, 20).value == f"=SUM(T2:T{last - 1})"
    amounts = [Decimal(str(sheet.cell(row, 20).value)) for row in range(2, last)]
    assert sum(amounts) == statement.total
    assert sheet.cell(2, 13).value == datetime(2026, 11, 1)  # noqa: DTZ001  sheets know the wall clock only
    assert sheet.title == statement.number


def test_a_sheet_s_sum_reads_the_total_before_it_is_computed(statement):
    file = BytesIO()
    write_xlsx(statement=statement, file=file)

    cached = openpyxl.load_workbook(file, data_only=True).active
    assert Decimal(str(cached.cell(cached.max_row, 20).value)) == statement.total


def test_the_same_statement_gives_the_same_file(statement):
    first, second = BytesIO(), BytesIO()

    for file in (first, second):
        write_csv(statement=statement, file=file)

    assert first.getvalue() == second.getvalue()


def test_what_does_not_fit_a_sheet_is_refused_and_not_cut_off(statement, monkeypatch):
    monkeypatch.setattr(exports, "SHEET_LINES", 2)

    with pytest.raises(TooLongForSheet) as refused:
        write_xlsx(statement=statement, file=BytesIO())

    assert refused.value.params["lines"] == 3


def test_a_long_statement_takes_no_more_queries_and_little_memory(django_assert_max_num_queries, tmp_path):
    tariff()
    resource = ResourceFactory()
    meter = MeterFactory()
    UsageSegment.objects.bulk_create(
        UsageSegment(
            resource=resource,
            meter=meter,
            quantity=4,
            period=DateTimeTZRange(START + timedelta(minutes=n), START + timedelta(minutes=n + 1)),
        )
        for n in range(5_000)
    )
    statement = close_month(month=Month(2026, 11), actor=member(Role.FINANCE), at=END).statements.get()

    with django_assert_max_num_queries(6), (tmp_path / "long.csv").open("wb") as file:
        tracemalloc.start()
        write_csv(statement=statement, file=file)
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert (tmp_path / "long.csv").stat().st_size > 1_000_000
    assert peak < 8_000_000
