"""A statement as a file: every line with all the figures it can be recomputed from, and the total.

Both formats are written line by line, however long the statement. Headings and names are in the language active now,
instants on the clock of the configured time zone.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from io import TextIOWrapper
from typing import IO, Any

import xlsxwriter
from django.utils.functional import Promise
from django.utils.timezone import localtime
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from govcloud.chargeback.models import Statement
from govcloud.errors import Conflict

HEADINGS: tuple[tuple[str | Promise, int], ...] = (  # and how many characters wide
    (_("Statement"), 16),
    (_("Month"), 9),
    (_("Department"), 24),
    (_("Line"), 7),
    (_("System code"), 16),
    (_("System"), 24),
    (_("Resource"), 20),
    (_("Resource identifier"), 38),
    (_("Usage segment"), 38),
    (_("Meter"), 20),
    (pgettext_lazy("of measure", "Unit"), 8),
    (_("Tariff"), 16),
    (_("From"), 26),
    (_("Until"), 26),
    (_("Quantity"), 14),
    (_("Seconds"), 18),
    (_("Seconds of the month"), 18),
    (_("Yuan per unit and month"), 18),
    (_("Rated (yuan)"), 18),
    (_("Amount (yuan)"), 14),
)
AMOUNT = len(HEADINGS) - 1

Row = tuple[Any, ...]

RISKY = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes a cell for a formula by."""

SHEET_LINES = 1_000_000
CHUNK = 2_000


class TooLongForSheet(Conflict):
    code = "too-long-for-sheet"
    message = _("%(statement)s has %(lines)s lines; a sheet holds %(most)s. Take the CSV file.")


def write_csv(*, statement: Statement, file: IO[bytes]) -> None:
    """UTF-8 with the mark by which spreadsheets know it; text they would take for a formula starts with an apostrophe."""
    text = TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow([str(heading) for heading, _width in HEADINGS])
    writer.writerows([_cell(value) for value in row] for row in _rows(statement))
    writer.writerow([str(_("Total")), *[""] * (AMOUNT - 1), statement.total])
    text.detach()  # the file stays open: it is the caller's


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(RISKY):
        return f"'{value}"
    return value.isoformat() if isinstance(value, datetime) else value


def write_xlsx(*, statement: Statement, file: IO[bytes]) -> None:
    """One sheet with a total that is a sum; text is never a formula, not even when its cell is edited.

    Raises TooLongForSheet.
    """
    lines = statement.lines.count()
    if lines > SHEET_LINES:
        raise TooLongForSheet(statement=statement.number, lines=lines, most=SHEET_LINES)
    with xlsxwriter.Workbook(file, {"constant_memory": True, "remove_timezone": True}) as book:
        book.set_properties({"title": statement.number, "created": statement.issued_at})
        sheet = book.add_worksheet(statement.number)
        bold = book.add_format({"bold": True, "bottom": 1})
        for column, (heading, width) in enumerate(HEADINGS):
            sheet.set_column(column, column, width)
            sheet.write_string(0, column, str(heading), bold)
        sheet.freeze_panes(1, 4)
        write = _writers(book, sheet)
        for number, row in enumerate(_rows(statement), start=1):
            for column, value in enumerate(row):
                write[type(value)](number, column, value)
        _write_total(book, sheet, statement, lines)


def _writers(book: Any, sheet: Any) -> Mapping[type, Callable[[int, int, Any], None]]:
    """How a value of each type is written; money to the fen is in the last column only."""
    text = book.add_format({"quote_prefix": True})
    instant = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    exact, fen = (book.add_format({"num_format": places}) for places in ("0.000000", "#,##0.00"))
    return {
        str: lambda row, column, value: sheet.write_string(row, column, value, text),
        int: sheet.write_number,
        Decimal: lambda row, column, value: sheet.write_number(
            row, column, value, fen if column == AMOUNT else exact
        ),
        datetime: lambda row, column, value: sheet.write_datetime(row, column, value, instant),
    }


def _write_total(book: Any, sheet: Any, statement: Statement, lines: int) -> None:
    bold = book.add_format({"bold": True, "top": 1, "num_format": "#,##0.00"})
    row = lines + 1
    sheet.write_string(row, 0, str(_("Total")), bold)
    if lines:
        cells = xlsxwriter.utility.xl_range(1, AMOUNT, lines, AMOUNT)
        sheet.write_formula(row, AMOUNT, f"=SUM({cells})", bold, statement.total)
    else:
        sheet.write_number(row, AMOUNT, statement.total, bold)


def _rows(statement: Statement) -> Iterator[Row]:
    """The lines in their order, each a value per heading."""
    department = statement.department
    name = "name" if (get_language() or "").startswith("zh") else "name_en"
    head = (statement.number, statement.close.month, getattr(department, name) or department.name)
    lines = statement.lines.order_by("position").values_list(
        "position",
        "system__code",
        f"system__{name}",
        "system__name",
        "resource_name",
        "segment__resource__uuid",
        "segment__uuid",
        f"meter__{name}",
        "meter__unit",
        "tariff__code",
        "start",
        "end",
        "quantity",
        "seconds",
        "month_seconds",
        "per_month",
        "rated",
        "amount",
    )
    for position, code, system, fallback, resource, unit, segment, *rest in lines.iterator(chunk_size=CHUNK):
        meter, counted, tariff, start, end, *figures = rest
        known = (
            position,
            code,
            system or fallback,
            resource,
            str(unit),
            str(segment),
            meter,
            counted,
            tariff,
        )
        yield (*head, *known, localtime(start), localtime(end), *figures)
