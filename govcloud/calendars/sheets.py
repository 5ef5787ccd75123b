"""Days as people have them in a file: CSV or XLSX with the columns date, kind and name, a heading above them."""

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Final

from django.utils.translation import gettext_lazy as _

from govcloud.calendars.editing import Row
from govcloud.errors import Invalid
from govcloud.workbooks import BROKEN, refuse_declarations

MOST_BYTES: Final = 1_000_000
MOST_UNPACKED: Final = 20_000_000  # bytes: a workbook is a ZIP, and a small one can hold a very large one
MOST_ROWS: Final = 2_000
ZIP_START: Final = b"PK\x03\x04"


class UnreadableSheet(Invalid):
    code = "calendar-file-unreadable"
    message = _("This is neither a CSV file in UTF-8 nor an Excel workbook (.xlsx).")


class SheetEmpty(Invalid):
    code = "calendar-file-empty"
    message = _("There is no line below the heading: nothing could be taken in.")


class SheetTooLarge(Invalid):
    code = "calendar-file-too-large"
    message = _("A calendar's file has at most %(rows)s lines and %(bytes)s bytes.")


def read(content: bytes) -> list[Row]:
    """The lines below the heading that are not empty, numbered as in the file.

    Raises UnreadableSheet, SheetEmpty and SheetTooLarge.
    """
    if len(content) > MOST_BYTES:
        raise SheetTooLarge(rows=MOST_ROWS, bytes=MOST_BYTES, pointers=("/file",))
    lines = _workbook(content) if content.startswith(ZIP_START) else _csv(content)
    rows = []
    for number, line in enumerate(lines, 1):
        if number > MOST_ROWS + 1:
            raise SheetTooLarge(rows=MOST_ROWS, bytes=MOST_BYTES, pointers=("/file",))
        cells = [*map(_text, line[:3]), "", "", ""]
        if number > 1 and any(cells):
            rows.append(Row(number, cells[0], cells[1], cells[2]))
    if not rows:
        raise SheetEmpty(pointers=("/file",))
    return rows


def _csv(content: bytes) -> Iterator[Sequence[object]]:
    if b"\0" in content:  # the database keeps none
        raise UnreadableSheet(pointers=("/file",))
    try:
        yield from csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableSheet(pointers=("/file",)) from error


def _workbook(content: bytes) -> Iterator[Sequence[object]]:
    import openpyxl  # noqa: PLC0415  slow to load, and few processes ever read a workbook
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    file = io.BytesIO(content)
    try:
        with zipfile.ZipFile(file) as parts:
            if sum(part.file_size for part in parts.infolist()) > MOST_UNPACKED:
                raise SheetTooLarge(rows=MOST_ROWS, bytes=MOST_BYTES, pointers=("/file",))
            refuse_declarations(parts)
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        yield from book.worksheets[0].iter_rows(values_only=True, max_row=MOST_ROWS + 2, max_col=3)
    except (*BROKEN, InvalidFileException) as error:
        raise UnreadableSheet(pointers=("/file",)) from error


def _text(cell: object) -> str:
    if isinstance(cell, datetime | date):
        return f"{cell:%Y-%m-%d}"
    return "" if cell is None else str(cell).strip()
