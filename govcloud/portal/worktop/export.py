"""The list of orders as a file, in the language of the page it was asked for on."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import xlsxwriter
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.orders.models import Order
from govcloud.portal.templatetags.portal import named

HEADINGS: tuple[str | Promise, ...] = (
    _("Number"),
    _("Title"),
    _("Department"),
    _("System"),
    _("Applicant"),
    _("Status"),
    _("Price per month (yuan)"),
    _("Submitted"),
    _("Finished"),
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def _rows(orders: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    """``orders`` are Order rows annotated with ``monthly_total``."""
    for order in orders:
        yield (
            order.number,
            order.title,
            named(order.system.department),
            named(order.system),
            str(order.applicant),
            order.get_status_display(),
            order.monthly_total,
            _local(order.submitted_at),
            _local(order.finished_at),
        )


def _local(at: datetime | None) -> datetime | None:
    """The wall clock of the installation, without the offset that spreadsheets do not know."""
    return timezone.localtime(at).replace(tzinfo=None, microsecond=0) if at else None


def plain(value: object) -> object:
    """The value as a CSV cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value


def write_csv(orders: Iterable[Order]) -> bytes:
    """UTF-8 with the mark by which spreadsheets know it."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow([str(heading) for heading in HEADINGS])
    writer.writerows([plain(value) for value in row] for row in _rows(orders))
    return file.getvalue().encode("utf-8-sig")


def write_xlsx(orders: Iterable[Order]) -> bytes:
    """Strings are written as strings: nothing in a title becomes a formula or a link."""
    file = io.BytesIO()
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(file, options) as book:
        sheet = book.add_worksheet(str(_("Orders")))
        bold = book.add_format({"bold": True, "bottom": 1})
        formats = {datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm"})}
        money = book.add_format({"num_format": "#,##0.00"})
        sheet.set_column(0, len(HEADINGS) - 1, 20)
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, [str(heading) for heading in HEADINGS], bold)
        for number, row in enumerate(_rows(orders), start=1):
            for column, value in enumerate(row):
                sheet.write(number, column, value, formats.get(type(value), money))
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of file a list can be had as."""

    content_type: str
    write: Callable[[Iterable[Order]], bytes]


FORMS: dict[str, Form] = {
    "csv": Form("text/csv; charset=utf-8", write_csv),
    "xlsx": Form("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", write_xlsx),
}
