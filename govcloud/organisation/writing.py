"""Writing the workbook of divisions, units and systems, filled in or blank."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from io import BytesIO
from typing import Any

import xlsxwriter

from govcloud.organisation.columns import FORMS, Column, Kind, SheetForm
from govcloud.organisation.reading import MOST_ROWS


def written(sheets: Iterable[tuple[SheetForm, Iterable[Mapping[str, Any]]]], *, notes: bool) -> bytes:
    """A workbook with these rows (values by field), and, where ``notes``, a sheet that explains the columns."""
    file = BytesIO()
    told = list(sheets)
    with xlsxwriter.Workbook(file, {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        styles = {
            "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
            "must": book.add_format(
                {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top", "bg_color": "#FFF2CC"}
            ),
            "text": book.add_format({"num_format": "@"}),
            "day": book.add_format({"num_format": "yyyy-mm-dd"}),
        }
        for form, rows in told:
            _write_sheet(book.add_worksheet(form.title), form, rows, styles)
        if notes:
            _write_notes(book.add_worksheet("说明 Notes"), [form for form, _rows in told], styles)
    return file.getvalue()


def _write_sheet(
    page: Any, form: SheetForm, rows: Iterable[Mapping[str, Any]], styles: Mapping[str, Any]
) -> None:
    page.freeze_panes(1, 1)
    for position, column in enumerate(form.columns):
        style = styles["day"] if column.kind == Kind.DAY else styles["text"]
        page.set_column(position, position, column.width, style)
        page.write_string(0, position, column.heading, styles["must" if column.required else "head"])
        if column.choices is not None:
            words = [column.word(value) for value in column.choices.values]
            page.data_validation(
                1, position, MOST_ROWS, position, {"validate": "list", "source": words, "ignore_blank": True}
            )
    for number, row in enumerate(rows, start=1):
        for position, column in enumerate(form.columns):
            _write_cell(page, number, position, column, value=row.get(column.field), styles=styles)


def _write_cell(
    page: Any, row: int, position: int, column: Column, *, value: Any, styles: Mapping[str, Any]
) -> None:
    """Text as text, whatever it begins with: nothing that somebody typed becomes a formula."""
    if value in (None, ""):
        return
    if isinstance(value, date):
        page.write_datetime(row, position, datetime(value.year, value.month, value.day), styles["day"])  # noqa: DTZ001
    elif isinstance(value, int):
        page.write_number(row, position, value)
    else:
        page.write_string(row, position, column.word(value) if column.choices else str(value))


def _write_notes(page: Any, forms: Iterable[SheetForm], styles: Mapping[str, Any]) -> None:
    page.set_column(0, 1, 34)
    page.set_column(2, 2, 90)
    for position, heading in enumerate(("工作表 / Sheet", "列 / Column", "填写说明 / How to fill it in")):
        page.write_string(0, position, heading, styles["head"])
    columns = [(form, column) for form in forms for column in form.columns]
    for number, (form, column) in enumerate(columns, start=1):
        page.write_string(number, 0, form.title)
        page.write_string(number, 1, column.heading)
        page.write_string(number, 2, _note(column))


def _note(column: Column) -> str:
    parts = ["必填 / needed"] if column.required else []
    if column.note_chinese:
        parts.append(f"{column.note_chinese} / {column.note_english}")
    if column.choices is not None:
        parts.append("; ".join(column.word(value) for value in column.choices.values))
    return "。".join(parts)


def blank() -> bytes:
    """The template: the columns with the words they take, and what they mean."""
    return written([(form, ()) for form in FORMS], notes=True)
