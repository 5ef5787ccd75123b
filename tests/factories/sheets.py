"""Workbooks as people send them: made with openpyxl, cell by cell."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from openpyxl import Workbook, load_workbook

from govcloud.organisation.columns import DIVISION_SHEET, SYSTEM_SHEET, UNIT_SHEET, SheetForm


def workbook(
    *,
    divisions: Sequence[Mapping[str, Any]] = (),
    units: Sequence[Mapping[str, Any]] = (),
    systems: Sequence[Mapping[str, Any]] = (),
) -> bytes:
    """With the columns that the rows name, and those that are needed."""
    book = Workbook()
    book.remove(book.active)
    for form, rows in ((DIVISION_SHEET, divisions), (UNIT_SHEET, units), (SYSTEM_SHEET, systems)):
        if rows:
            _fill(book.create_sheet(form.title), form, rows)
    return saved(book)


def _fill(sheet: Any, form: SheetForm, rows: Sequence[Mapping[str, Any]]) -> None:
    named = {name for row in rows for name in row}
    columns = [each for each in form.columns if each.required or each.field in named]
    sheet.append([column.heading for column in columns])
    for row in rows:
        sheet.append([row.get(column.field) for column in columns])


def saved(book: Any) -> bytes:
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def opened(content: bytes) -> Any:
    return load_workbook(BytesIO(content))
