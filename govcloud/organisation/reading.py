"""Reading a workbook that somebody sent, which may be anything."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime
from io import BytesIO
from typing import Any, ClassVar, Final
from zipfile import ZipFile, ZipInfo

from django.utils.translation import gettext_lazy as _
from stdnum.cn import uscc
from xlsxwriter.utility import xl_col_to_name

from govcloud.errors import DomainError, Invalid
from govcloud.organisation.columns import FORMS, Column, Kind, SheetForm
from govcloud.workbooks import BROKEN, refuse_declarations

MOST_BYTES: Final = 1_500_000
MOST_UNPACKED: Final = 30_000_000
MOST_PARTS: Final = 500
MOST_ROWS: Final = 10_000
LONGEST_CELL: Final = 300
MOST_COLUMNS: Final = 60

ZIP, OLE2 = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


class FileTooLarge(Invalid):
    code = "workbook-too-large"
    message = _("The file has %(bytes)s bytes; at most %(most)s are read.")
    status: ClassVar[int] = 413


class UnpacksTooLarge(Invalid):
    code = "workbook-unpacks-too-large"
    message = _(
        "The file unpacks to more than %(most)s bytes or parts than a sheet of ours has: it is not read."
    )
    status: ClassVar[int] = 413


class NotAWorkbook(Invalid):
    code = "not-a-workbook"
    message = _("This is no Excel workbook (.xlsx) that can be read.")


class OldWorkbook(Invalid):
    code = "old-or-locked-workbook"
    message = _("This is an old Excel file (.xls), or one with a password: save it as .xlsx without one.")


class HasMacros(Invalid):
    code = "workbook-has-macros"
    message = _("The workbook has macros in it: save it as .xlsx without them.")


class NoSheetOfOurs(Invalid):
    code = "no-sheet-of-units"
    message = _("The workbook has none of the sheets %(sheets)s: take the template.")


class NoRows(Invalid):
    code = "workbook-without-rows"
    message = _("There is no row below the headings: nothing could be taken in.")


class TooManyRows(Invalid):
    code = "sheet-has-too-many-rows"
    message = _("The sheet “%(sheet)s” has more than %(most)s rows.")


class ColumnMissing(Invalid):
    code = "sheet-column-missing"
    message = _("There is no column “%(column)s”.")


class ColumnTwice(Invalid):
    code = "sheet-column-twice"
    message = _("The column “%(column)s” is there twice.")


class ColumnUnknown(Invalid):
    code = "sheet-column-unknown"
    message = _("No column is called “%(given)s”: take the headings of the template.")


class CellIsFormula(Invalid):
    code = "cell-is-formula"
    message = _("The cell holds a formula: paste its value instead.")


class CellTooLong(Invalid):
    code = "cell-too-long"
    message = _("The cell holds more than %(most)s characters.")


class CellNotWhole(Invalid):
    code = "cell-not-whole"
    message = _("“%(given)s” is no whole number.")


class CellNoDay(Invalid):
    code = "cell-no-day"
    message = _("“%(given)s” is no date: write it like 2026-03-16.")


class CellNoWord(Invalid):
    code = "cell-no-choice"
    message = _("“%(given)s” is none of: %(known)s.")


class CellEmpty(Invalid):
    code = "cell-empty"
    message = _("This has to be filled in.")


@dataclass(frozen=True, slots=True)
class Problem:
    """``cell`` as a spreadsheet calls it (B7); of a heading its cell, of a sheet as a whole A1."""

    sheet: str
    cell: str
    heading: str
    error: DomainError


@dataclass(frozen=True, slots=True)
class Row:
    """``number`` as the spreadsheet counts; ``values`` by field, of the columns that the file has; None for an empty cell.

    ``unread`` are the fields whose cells hold what cannot be read; ``values`` has None for them.
    """

    form: SheetForm
    sheet: str
    number: int
    values: Mapping[str, Any]
    cells: Mapping[str, str]
    unread: AbstractSet[str] = frozenset()

    @property
    def key(self) -> str:
        return str(self.values[self.form.key] or "")

    def problem(self, field_name: str, error: DomainError) -> Problem:
        """At the field's own cell, or at the row's first where the file has no such column."""
        column = next((each for each in self.form.columns if each.field == field_name), None)
        cell = self.cells.get(field_name) or f"A{self.number}"
        return Problem(self.sheet, cell, column.heading if column else "", error)


@dataclass(frozen=True, slots=True)
class Contents:
    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def of(self, form: SheetForm) -> list[Row]:
        return [row for row in self.rows if row.form is form]


def read(content: bytes) -> Contents:
    """The rows of our sheets, and what of them cannot be taken.

    Raises FileTooLarge, UnpacksTooLarge, NotAWorkbook, OldWorkbook, HasMacros, NoSheetOfOurs, NoRows and TooManyRows.
    """
    from openpyxl import load_workbook  # noqa: PLC0415  slow to load, and few processes ever read a workbook
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    _require_harmless(content)
    try:
        book = load_workbook(BytesIO(content), read_only=True, data_only=False, keep_links=False)
        sheets = [(form, each) for each in book.worksheets for form in FORMS if form.is_called(each.title)]
        lines = [(form, each.title, _lines(each)) for form, each in sheets]
    except (*BROKEN, InvalidFileException) as error:
        raise NotAWorkbook(pointers=("/file",)) from error
    if not lines:
        names = _(", ").join(f"“{form.title}”" for form in FORMS)
        raise NoSheetOfOurs(sheets=names, pointers=("/file",))
    contents = Contents()
    for form, title, cells in lines:
        if len(cells) > MOST_ROWS + 1:
            raise TooManyRows(sheet=title, most=MOST_ROWS, pointers=("/file",))
        _read_sheet(form, title, cells, contents)
    if not contents.rows and not contents.problems:
        raise NoRows(pointers=("/file",))
    return contents


def _require_harmless(content: bytes) -> None:
    """Before anything is unpacked: what a workbook would unpack to is told by its directory, and never more is unpacked."""
    if len(content) > MOST_BYTES:
        raise FileTooLarge(bytes=len(content), most=MOST_BYTES, pointers=("/file",))
    if content.startswith(OLE2):
        raise OldWorkbook(pointers=("/file",))
    if not content.startswith(ZIP):
        raise NotAWorkbook(pointers=("/file",))
    try:
        with ZipFile(BytesIO(content)) as archive:
            _require_harmless_parts(archive, archive.infolist())
    except BROKEN as error:
        raise NotAWorkbook(pointers=("/file",)) from error


def _require_harmless_parts(archive: ZipFile, parts: Sequence[ZipInfo]) -> None:
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
        raise UnpacksTooLarge(most=MOST_UNPACKED, pointers=("/file",))
    if any(part.filename.lower().endswith("vbaproject.bin") for part in parts):
        raise HasMacros(pointers=("/file",))
    refuse_declarations(archive)


def _lines(sheet: Any) -> list[tuple[Any, ...]]:
    """Of an own program's making, where empty rows at the end are none."""
    lines = list(sheet.iter_rows(max_row=MOST_ROWS + 2, max_col=MOST_COLUMNS))
    while lines and all(cell.value is None for cell in lines[-1]):
        lines.pop()
    return lines


def _read_sheet(form: SheetForm, title: str, lines: Sequence[tuple[Any, ...]], contents: Contents) -> None:
    columns = _headings(form, title, lines[0] if lines else (), contents)
    missing = [each for each in form.columns if each.required and each not in columns.values()]
    for each in missing:
        contents.problems.append(Problem(title, "A1", each.heading, ColumnMissing(column=each.heading)))
    if missing:
        return
    for number, line in enumerate(lines[1:], start=2):
        if any(_text(cell.value) for cell in line):
            contents.rows.append(_row(form, title, number, columns, line, problems=contents.problems))


def _headings(form: SheetForm, title: str, line: Sequence[Any], contents: Contents) -> dict[int, Column]:
    columns: dict[int, Column] = {}
    for position, cell in enumerate(line):
        given = _text(cell.value)
        if not given:
            continue
        where = f"{xl_col_to_name(position)}1"
        column = next((each for each in form.columns if each.is_called(given)), None)
        if column is None:
            shown = given[:LONGEST_CELL]
            contents.problems.append(Problem(title, where, shown, ColumnUnknown(given=shown)))
        elif column in columns.values():
            error = ColumnTwice(column=column.heading)
            contents.problems.append(Problem(title, where, column.heading, error))
        else:
            columns[position] = column
    return columns


def _row(
    form: SheetForm,
    title: str,
    number: int,
    columns: Mapping[int, Column],
    line: Sequence[Any],
    *,
    problems: list[Problem],
) -> Row:
    values: dict[str, Any] = {}
    cells = {column.field: f"{xl_col_to_name(at)}{number}" for at, column in columns.items()}
    unread: set[str] = set()
    row = Row(form, title, number, values, cells, unread)
    for position, column in columns.items():
        cell = line[position] if position < len(line) else None
        try:
            values[column.field] = _value(column, cell)
        except DomainError as error:
            values[column.field] = None
            unread.add(column.field)
            problems.append(row.problem(column.field, error))
    return row


def _value(column: Column, cell: Any) -> Any:
    """Raises what is wrong with the cell."""
    value = cell.value if cell is not None else None
    if cell is not None and cell.data_type == "f":
        raise CellIsFormula
    given = _text(value)
    if len(given) > LONGEST_CELL:
        raise CellTooLong(most=LONGEST_CELL)
    if not given:
        if column.required:
            raise CellEmpty
        return None
    if column.choices is not None:
        return _choice(column, given)
    match column.kind:
        case Kind.WHOLE:
            return _whole(given)
        case Kind.DAY:
            return _day(value, given)
        case Kind.CREDIT_CODE:
            return uscc.compact(given)  # in capitals, without blanks and dashes, as it is stored
    return given


def _text(value: Any) -> str:
    """Numbers without the fraction that spreadsheets add to a code or a telephone number that they took for one."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).replace("\0", "").strip()


def _choice(column: Column, given: str) -> str:
    value = column.value_of(given)
    if value is None:
        known = _(", ").join(column.word(each) for each in column.choices.values) if column.choices else ""
        raise CellNoWord(given=given, known=known)
    return value


def _whole(given: str) -> int:
    if not given.isascii() or not given.isdigit() or len(given) > 6:
        raise CellNotWhole(given=given)
    return int(given)


def _day(value: Any, given: str) -> date:
    if isinstance(value, datetime):
        return value.date()
    for form in ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日"):
        try:
            return datetime.strptime(given, form).date()  # noqa: DTZ007  a day has no zone
        except ValueError:
            continue
    raise CellNoDay(given=given)
