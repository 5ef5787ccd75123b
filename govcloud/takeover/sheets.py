"""Candidates chosen in a spreadsheet: a list as it was exported, with what shall be taken over and under which name."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID
from zipfile import ZipFile

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from govcloud.audit import services as audit
from govcloud.errors import DomainError, Invalid
from govcloud.takeover import services
from govcloud.takeover.models import Candidate, Takeover
from govcloud.workbooks import BROKEN, refuse_declarations

IDENTIFIER, NAME, TAKE = "external_id", "name", "take"
YES = frozenset({"yes", "y", "1", "true", "x", "是"})


class NotASheet(Invalid):
    code = "not-a-candidate-sheet"
    message = _("The file is no CSV or Excel sheet with the columns external_id and take.")


class NoSuchCandidate(Invalid):
    code = "no-such-candidate"
    message = _("The project has nothing with the id “%(given)s”.")


@dataclass(frozen=True, slots=True)
class Row:
    """``number`` as the spreadsheet counts."""

    number: int
    external_id: str
    name: str
    take: bool


@dataclass(frozen=True, slots=True)
class Wrong:
    row: Row
    error: DomainError


def read(path: Path) -> list[Row]:
    """Lines that name nothing are left out: spreadsheets leave such behind. Raises NotASheet."""
    try:
        cells = list(_workbook(path) if path.suffix.lower() == ".xlsx" else _text(path))
    except (*BROKEN, csv.Error, InvalidFileException) as error:
        raise NotASheet from error
    header = [str(each).strip() for each in cells[0]] if cells else []
    if IDENTIFIER not in header or TAKE not in header:
        raise NotASheet
    rows = (
        _row(number, dict(zip(header, line, strict=False))) for number, line in enumerate(cells[1:], start=2)
    )
    return [row for row in rows if row.external_id]


def _row(number: int, line: dict[str, str]) -> Row:
    found = {column: line.get(column, "").strip() for column in (IDENTIFIER, NAME, TAKE)}
    return Row(number, found[IDENTIFIER], found[NAME], found[TAKE].lower() in YES)


def _text(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.reader(file)


def _workbook(path: Path) -> Iterator[list[str]]:
    with ZipFile(path) as parts:
        refuse_declarations(parts)
    sheet = load_workbook(path, read_only=True, data_only=True).worksheets[0]
    for line in sheet.iter_rows(values_only=True):
        yield ["" if cell is None else str(cell) for cell in line]


def choose(
    *, takeover: Takeover, rows: Sequence[Row], actor: audit.Actor, at: datetime
) -> tuple[list[UUID], list[Wrong]]:
    """Give the candidates their names; returns those to be taken over, and what is wrong with which row. The rest stands."""
    known = {each.external_id: each for each in takeover.candidates.all()}
    chosen: list[UUID] = []
    wrong: list[Wrong] = []
    for row in rows:
        if not row.take:
            continue
        try:
            with transaction.atomic():
                chosen.append(_chosen(known, row, actor=actor, at=at).uuid)
        except DomainError as error:
            wrong.append(Wrong(row, error))
    return chosen, wrong


def _chosen(known: dict[str, Candidate], row: Row, *, actor: audit.Actor, at: datetime) -> Candidate:
    candidate = known.get(row.external_id)
    if candidate is None:
        raise NoSuchCandidate(given=row.external_id)
    if row.name and row.name != candidate.name:
        services.rename(candidate=candidate, name=row.name, actor=actor, at=at)
    return candidate
