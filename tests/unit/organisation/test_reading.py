"""A workbook that somebody sent may be anything: what is no sheet of ours is refused, what is wrong in one is told by cell."""

import random
import zipfile
from datetime import date, datetime
from io import BytesIO

import pytest

from govcloud.errors import DomainError
from govcloud.organisation import reading, writing
from govcloud.organisation.columns import FORMS, SYSTEM_SHEET, UNIT_SHEET
from tests.factories.sheets import growing, opened, saved, workbook
from tests.factories.tenants import credit_code

UNIT = {"credit_code": credit_code(1), "name": "示例厅", "division": "450000"}
SYSTEM = {"code": "oa", "name": "办公", "department": credit_code(1), "mlps_level": 2}


def zipped(**parts: bytes) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/"), content)
    return file.getvalue()


def with_part(name: str, content: bytes) -> bytes:
    file = BytesIO(workbook(units=[UNIT]))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


BOMB = with_part("xl/media/bomb.xml", b" " * (reading.MOST_UNPACKED + 1))
ENTITIES = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not-a-workbook"),
        (b"name,code\n", "not-a-workbook"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), "old-or-locked-workbook"),
        (b"PK\x03\x04" + bytes(100), "not-a-workbook"),
        (zipped(readme=b"hello"), "not-a-workbook"),
        (bytes(reading.MOST_BYTES + 1), "workbook-too-large"),
        (BOMB, "workbook-unpacks-too-large"),
        (with_part("xl/vbaProject.bin", b"macro"), "workbook-has-macros"),
        (with_part("xl/entities.xml", ENTITIES), "not-a-workbook"),
        (growing(workbook(units=[UNIT]), encoding="utf-16"), "not-a-workbook"),
        (growing(workbook(units=[UNIT]), suffix="dat"), "not-a-workbook"),
    ],
    ids=["empty", "csv", "xls", "torn", "zip", "large", "bomb", "macros", "entities", "utf-16", "dat"],
)
def test_what_is_no_workbook_is_refused_before_it_is_unpacked(content: bytes, code: str) -> None:
    assert len(content) < reading.MOST_BYTES or code == "workbook-too-large"
    with pytest.raises(DomainError) as refusal:
        reading.read(content)
    assert refusal.value.code == code


def test_a_workbook_of_something_else_is_told_which_sheets_are_wanted() -> None:
    book = opened(workbook(units=[UNIT]))
    book.worksheets[0].title = "Budget"
    with pytest.raises(reading.NoSheetOfOurs) as refusal:
        reading.read(saved(book))
    assert "单位 Units" in refusal.value.detail


def outcome_of(content: bytes) -> str:
    try:
        reading.read(content)
    except DomainError as refusal:
        return refusal.code
    return "read"


def test_whatever_is_broken_in_a_workbook_is_a_refusal_and_never_an_error() -> None:
    whole, dice = workbook(units=[UNIT] * 3, systems=[SYSTEM]), random.Random(20)  # noqa: S311
    outcomes = set()
    for _try in range(300):
        torn = bytearray(whole[: dice.randrange(4, len(whole))] if dice.random() < 0.3 else whole)
        for _bit in range(dice.randrange(1, 6)):
            torn[dice.randrange(4, len(torn))] = dice.randrange(256)
        outcomes.add(outcome_of(bytes(torn)))
    assert "not-a-workbook" in outcomes
    assert outcomes <= {"not-a-workbook", "no-sheet-of-units", "workbook-unpacks-too-large", "read"}


def test_a_sheet_with_more_rows_than_are_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_ROWS", 3)
    assert len(reading.read(workbook(units=[UNIT] * 3)).rows) == 3
    with pytest.raises(reading.TooManyRows):
        reading.read(workbook(units=[UNIT] * 4))


def test_values_are_read_whatever_the_spreadsheet_made_of_them() -> None:
    given = {
        **SYSTEM,
        "mlps_level": 2.0,
        "cryptography_assessed_on": datetime(2026, 3, 16),  # noqa: DTZ001
        "zone": "专用区 / private zone",
        "data_class": "内部数据",
        "service_scope": "THE PUBLIC",
        "owner_phone": 13812345678,
        "name": " 办公 ",
    }
    (row,) = reading.read(workbook(systems=[given])).rows
    assert row.values["mlps_level"] == 2
    assert row.values["cryptography_assessed_on"] == date(2026, 3, 16)
    assert (row.values["zone"], row.values["data_class"], row.values["service_scope"]) == (
        "private",
        "internal",
        "society",
    )
    assert (row.values["owner_phone"], row.values["name"]) == ("13812345678", "办公")


@pytest.mark.parametrize(
    ("field", "given", "code"),
    [
        ("mlps_level", "two", "cell-not-whole"),
        ("mlps_level", 2.5, "cell-not-whole"),
        ("mlps_level", "-1", "cell-not-whole"),
        ("mlps_level", "²", "cell-not-whole"),
        ("cryptography_assessed_on", "soon", "cell-no-day"),
        ("zone", "moon", "cell-no-choice"),
        ("name", "=1+1", "cell-is-formula"),
        ("name", "名" * 301, "cell-too-long"),
        ("name", None, "cell-empty"),
    ],
)
def test_what_a_cell_cannot_hold_is_told_with_the_cell(field: str, given: object, code: str) -> None:
    contents = reading.read(workbook(systems=[SYSTEM, {**SYSTEM, field: given}]))
    (problem,) = contents.problems
    columns = [each.field for each in SYSTEM_SHEET.columns if each.required or each.field == field]
    assert (problem.cell, problem.error.code) == (f"{'ABCDE'[columns.index(field)]}3", code)


def test_headings_are_known_in_either_language_and_others_are_told() -> None:
    book = opened(workbook(units=[UNIT]))
    sheet = book.worksheets[0]
    sheet["A1"], sheet["B1"], sheet["C1"], sheet["D1"] = "统一社会信用代码", "NAME", "division", "Colour"
    contents = reading.read(saved(book))
    assert contents.rows[0].values == UNIT
    assert [(each.cell, each.error.code) for each in contents.problems] == [("D1", "sheet-column-unknown")]


def test_a_column_that_is_needed_and_one_that_is_there_twice_are_told() -> None:
    book = opened(workbook(units=[UNIT]))
    book.worksheets[0]["C1"] = "Name"
    codes = {each.error.code for each in reading.read(saved(book)).problems}
    assert codes == {"sheet-column-missing", "sheet-column-twice"}


def test_the_template_is_read_back_as_empty_and_explains_every_column() -> None:
    with pytest.raises(reading.NoRows):
        reading.read(writing.blank())
    notes = opened(writing.blank())["说明 Notes"]
    assert notes.max_row == 1 + sum(len(form.columns) for form in FORMS)


def test_what_is_written_is_read_back_and_nothing_becomes_a_formula() -> None:
    unit = {**UNIT, "name": "=1+1", "name_en": "@x", "parent": None, "connection": "requested"}
    content = writing.written([(UNIT_SHEET, [unit])], notes=False)
    (row,) = reading.read(content).rows
    assert row.values == unit
