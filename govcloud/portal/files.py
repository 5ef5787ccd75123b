"""Lists as files, in the language of the page they were asked for on."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

import xlsxwriter
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud import sheets
from govcloud.audit import services as audit
from govcloud.errors import Conflict
from govcloud.sheets import ListTooLongForSheet, TextTooLongForCell
from tenants.models import User

T = TypeVar("T")

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Sheet:
    """``name`` is the file's, ``title`` what people call the list."""

    name: str
    title: str | Promise
    headings: Sequence[str | Promise]
    rows: Iterable[Sequence[object]]


def local(at: datetime | None) -> datetime | None:
    """The wall clock of the installation, without the offset that spreadsheets do not know."""
    return timezone.localtime(at).replace(tzinfo=None, microsecond=0) if at else None


def plain(value: object) -> object:
    """The value as a CSV cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value


def write_csv(sheet: Sheet) -> bytes:
    """UTF-8 with the mark by which spreadsheets know it."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow([str(heading) for heading in sheet.headings])
    writer.writerows([plain(value) for value in row] for row in sheet.rows)
    return file.getvalue().encode("utf-8-sig")


def write_xlsx(sheet: Sheet) -> bytes:
    """Strings are written as strings: nothing in a title becomes a formula or a link.

    Raises ListTooLongForSheet or TextTooLongForCell of what would not be all there.
    """
    file = io.BytesIO()
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(file, options) as book:
        page = book.add_worksheet(str(sheet.title))
        bold = book.add_format({"bold": True, "bottom": 1})
        formats = {
            datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
            date: book.add_format({"num_format": "yyyy-mm-dd"}),
            int: book.add_format({"num_format": "0"}),
        }
        money = book.add_format({"num_format": "#,##0.00"})
        page.set_column(0, len(sheet.headings) - 1, 20)
        page.freeze_panes(1, 0)
        page.write_row(0, 0, [str(heading) for heading in sheet.headings], bold)
        for number, row in enumerate(sheet.rows, start=1):
            for column, value in enumerate(row):
                written = page.write(number, column, value, formats.get(type(value), money))
                sheets.require_whole(written, row=number, heading=sheet.headings[column])
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of file a list can be had as."""

    content_type: str
    write: Callable[[Sheet], bytes]


class ListTooLongForFile(Conflict):
    """Of a list that no page shows whole either."""

    code = "list-too-long-for-file"
    message = _("The list has more rows than the %(most)s that a file is made of. Narrow it first.")


FORMS: dict[str, Form] = {
    "csv": Form("text/csv; charset=utf-8", write_csv),
    "xlsx": Form("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", write_xlsx),
}


def hand_out(
    request: HttpRequest,
    rows: Sequence[T] | QuerySet[Any, T],
    told: Callable[[list[T]], Sheet],
    *,
    most: int | None = None,
    form: str,
    query: str,
    actor: User,
    at: datetime,
) -> HttpResponse:
    """A list as a file, all pages of it, or the page that tells why not; every export leaves an audit event.

    A list of more than ``most`` rows is not read to its end, and none of it handed out. Raises Http404 for a form there is not.
    """
    if form not in FORMS:
        raise Http404
    try:
        with transaction.atomic():
            listed = _whole(rows, most=most)
            sheet = told(listed)
            if form == "xlsx":
                sheets.require_fits(len(listed))
            response = download(sheet, form, at=at)
            after = {"format": form, "rows": len(listed), "query": query.removeprefix("?")}
            audit.record(
                actor=actor, verb="list.exported", subject=None, at=at, label=sheet.name, after=after
            )
    except (ListTooLongForSheet, TextTooLongForCell) as refusal:
        asked = request.META.get("QUERY_STRING", "")
        csv_file = f"{request.path.removesuffix(form)}csv{'?' if asked else ''}{asked}"
        return _no_file(request, refusal, csv_file=csv_file)
    except ListTooLongForFile as refusal:
        return _no_file(request, refusal)
    return response


def _whole(rows: Sequence[T] | QuerySet[Any, T], *, most: int | None) -> list[T]:
    """Raises ListTooLongForFile."""
    listed = list(rows if most is None else rows[: most + 1])
    if most is not None and len(listed) > most:
        raise ListTooLongForFile(most=most)
    return listed


def _no_file(request: HttpRequest, refusal: Conflict, *, csv_file: str = "") -> HttpResponse:
    context = {"detail": refusal.detail, "csv_file": csv_file}
    return render(request, "portal/no_file.html", context, status=409)


def download(sheet: Sheet, form: str, *, at: datetime) -> HttpResponse:
    response = HttpResponse(FORMS[form].write(sheet), content_type=FORMS[form].content_type)
    stamp = f"{timezone.localtime(at):%Y%m%d-%H%M}"
    response["Content-Disposition"] = f'attachment; filename="{sheet.name}-{stamp}.{form}"'
    return response
