"""Lists as files: CSV and XLSX, written row by row into a temporary file, so that size costs disk and not memory."""

import csv
import io
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import IO, Any

import xlsxwriter
from django.db.models import QuerySet
from django.http import FileResponse
from rest_framework import serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from api.problems import BadParameter
from govcloud import sheets

CHUNK = 500
IN_MEMORY = 1_000_000  # bytes of a file held in memory before it goes to disk
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class CSVRenderer(BaseRenderer):
    """Names the format for negotiation; the file itself is written by ``answer``."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:  # noqa: ARG002
        return JSONRenderer().render(data)


class XLSXRenderer(CSVRenderer):
    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    format = "xlsx"
    charset = None  # type: ignore[assignment]  # bytes have none
    render_style = "binary"


class Negotiation(DefaultContentNegotiation):
    """``?format=`` wins over ``Accept``; a format that there is not is a bad parameter."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        asked = request.query_params.get("format")
        if asked is None:
            chosen: tuple[BaseRenderer, str] = super().select_renderer(request, renderers, format_suffix)
            return chosen
        for renderer in renderers:
            if renderer.format == asked:
                return renderer, renderer.media_type
        raise BadParameter(parameter="format", reason=f"∉ {', '.join(r.format for r in renderers)}")


def answer(
    rows: QuerySet[Any], *, serializer: serializers.BaseSerializer[Any], format_: str, name: str
) -> FileResponse:
    """All rows as an attachment ``<name>.csv`` or ``<name>.xlsx``, one column per (nested) field, lists left as JSON.

    Raises ListTooLongForSheet or TextTooLongForCell of what is not all there in a workbook.
    """
    if format_ == "xlsx":
        sheets.require_fits(rows.count())
    columns = list(columns_of(serializer))
    cells = (row_of(serializer.to_representation(row), columns) for row in rows.iterator(chunk_size=CHUNK))
    write = write_csv if format_ == "csv" else write_xlsx
    header = [".".join(column) for column in columns]
    return attachment(lambda file: write(file, header=header, rows=cells), format_=format_, name=name)


def attachment(write: Callable[[IO[bytes]], None], *, format_: str, name: str) -> FileResponse:
    """What ``write`` writes, as a download. Nothing of it is sent before all is written."""
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  the response closes it
    try:
        write(file)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    renderer = CSVRenderer if format_ == "csv" else XLSXRenderer
    content_type = f"{renderer.media_type}; charset=utf-8" if format_ == "csv" else renderer.media_type
    return FileResponse(file, as_attachment=True, filename=f"{name}.{format_}", content_type=content_type)


def columns_of(serializer: Any, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of the serializer's fields; a nested object gives one column per field of its own."""
    for name, field in serializer.fields.items():
        if isinstance(field, serializers.Serializer):
            yield from columns_of(field, (*prefix, name))
        else:
            yield (*prefix, name)


def row_of(data: Mapping[str, Any], columns: list[tuple[str, ...]]) -> list[Any]:
    return [_cell(data, path) for path in columns]


def _cell(data: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if data is None:
            return None
        data = data[name]
    return json.dumps(data, ensure_ascii=False, default=str) if isinstance(data, (dict, list)) else data


def write_csv(file: IO[bytes], *, header: list[str], rows: Iterator[list[Any]]) -> None:
    """UTF-8 with a byte order mark, as spreadsheet programs expect it; no cell can become a formula."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    text.detach()


def harmless(cell: Any) -> Any:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front; numbers stay numbers."""
    if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) and not _numeric(cell):
        return f"'{cell}"
    return cell


def _numeric(text: str) -> bool:
    return text[1:].replace(".", "", 1).isdigit() and text[0] in "+-"


def write_xlsx(file: IO[bytes], *, header: list[str], rows: Iterator[list[Any]]) -> None:
    """One sheet; text is written as text (never as a formula or a link), numbers as numbers. Raises as ``answer``."""
    options = {"constant_memory": True, "in_memory": False}
    with xlsxwriter.Workbook(file, options) as book:
        sheet = book.add_worksheet()
        bold = book.add_format({"bold": True})
        for column, title in enumerate(header):
            sheet.write_string(0, column, title, bold)
        sheet.freeze_panes(1, 0)
        for number, row in enumerate(rows, start=1):
            for column, cell in enumerate(row):
                written = _write_cell(sheet, number, column, cell)
                sheets.require_whole(written, row=number, heading=header[column])


def _write_cell(sheet: Any, row: int, column: int, cell: Any) -> int | None:
    """What xlsxwriter says of it; None for an empty cell, which is not written."""
    written: int | None = None
    if isinstance(cell, bool):
        written = sheet.write_boolean(row, column, cell)
    elif isinstance(cell, (int, float, Decimal)):
        written = sheet.write_number(row, column, cell)
    elif cell is not None:
        written = sheet.write_string(row, column, str(cell))
    return written
