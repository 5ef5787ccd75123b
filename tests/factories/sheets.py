"""Workbooks as people send them: made with openpyxl, cell by cell."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import pairwise
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

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


ENCODINGS = {
    "utf-8": "utf-8", "utf-8-sig": "utf-8", "utf-16": "utf-16", "utf-16-le": "utf-16", "utf-16-be": "utf-16",
    "iso-8859-15": "iso-8859-15",
}  # fmt: skip
"""By the name that Python knows them by, what XML calls them: with a byte order mark and without."""


def growing(content: bytes, *, encoding: str = "utf-8", suffix: str = "xml") -> bytes:
    """The workbook, its first sheet in that encoding, under that ending, and its last cell growing a thousandfold."""
    sheet, file = f"xl/worksheets/sheet1.{suffix}", BytesIO()
    declared = "".join(f'<!ENTITY {after} "{f"&{before};" * 10}">' for before, after in pairwise("abcd"))
    head = f'<?xml version="1.0" encoding="{ENCODINGS[encoding]}"?><!DOCTYPE worksheet [<!ENTITY a "lol">{declared}]>'
    with ZipFile(BytesIO(content)) as plain, ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for part in plain.infolist():
            body = plain.read(part)
            if part.filename == "xl/worksheets/sheet1.xml":
                text = head + body.decode().replace(
                    "</t></is></c></row></sheetData>", "&d;</t></is></c></row></sheetData>"
                )
                archive.writestr(sheet, text.encode(encoding, "xmlcharrefreplace"))
            else:
                archive.writestr(
                    part.filename, body.replace(b"worksheets/sheet1.xml", sheet.removeprefix("xl/").encode())
                )
    return file.getvalue()


def opened(content: bytes) -> Any:
    return load_workbook(BytesIO(content))
