"""Chapter 6: the month ends, is rated and closed; finance reads the statement, and the story does the sum itself."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from openpyxl import load_workbook

from govcloud.demo.story.client import Json
from govcloud.demo.story.recomputing import by_hand, line_by_hand
from govcloud.demo.story.stage import CLOUD_ADMIN, FINANCE, UNIT_APPROVER, ZONE, Stage


def bill(stage: Stage) -> None:
    month = _end_month(stage)
    _close_up_to(stage, month)
    finance, department = stage.people[FINANCE], stage.system["department"]["uuid"]
    stage.statement = next(iter(finance.all("statements", month=_name(month), department=department)))
    stage.teller.claim(
        f"statement {stage.statement['number']} is issued", stage.statement["status"] == "issued"
    )
    lines = list(finance.all(f"statements/{stage.statement['uuid']}/lines"))
    _check_lines(stage, lines)
    _check_against_usage(stage, lines, month)
    _check_exports(stage, lines)
    confirmed = stage.people[UNIT_APPROVER].post(f"statements/{stage.statement['uuid']}/confirmation", {})
    stage.teller.claim("the department confirms it", confirmed["status"] == "confirmed")
    _note(stage, lines)


def _end_month(stage: Stage) -> datetime:
    """The clock goes to the first morning of the next month; returns the first instant of the month that is over."""
    admin = stage.people[CLOUD_ADMIN]
    start = stage.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    morning = _next(start) + timedelta(hours=9)
    told = datetime.fromisoformat(admin.put("demo-clock", {"to": morning.isoformat()})["now"])
    stage.teller.claim(f"it is {told.astimezone(ZONE):%Y-%m-%d %H:%M} now", told >= morning)
    return start


def _close_up_to(stage: Stage, month: datetime) -> None:
    """Months are closed in order: any before this one that are still open come first."""
    finance = stage.people[FINANCE]
    closed = [str(row["month"]) for row in finance.all("month-closes")]
    first = finance.get("usage-segments", ordering="period", page_size=1)["results"]
    began = datetime.fromisoformat(first[0]["start"]).astimezone(ZONE) if first else month
    due = began.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while due <= month:
        if _name(due) not in closed and _name(due) >= max(closed, default=""):
            close = finance.post("month-closes", {"month": _name(due)})
            stage.teller.claim(
                f"{_name(due)} is rated and closed: {close['lines']} lines, {close['total']} yuan",
                close["lines"],
            )
        due = _next(due)


def _check_lines(stage: Stage, lines: list[Json]) -> None:
    claim = stage.teller.claim
    wrong = [line for line in lines if Decimal(line["amount"]) != line_by_hand(line)]
    claim(f"each of {len(lines)} lines can be recomputed from its own figures", not wrong, found=wrong)
    total = sum((Decimal(line["amount"]) for line in lines), Decimal())
    stated = Decimal(stage.statement["total"])
    claim(f"they sum to the total of {stated} yuan", total == stated, found=total)


def _check_against_usage(stage: Stage, lines: list[Json], month: datetime) -> None:
    """Usage and prices as the API has them, worked out here, against the lines of this system."""
    finance, claim = stage.people[FINANCE], stage.teller.claim
    segments = list(finance.all("usage-segments", system=stage.system["uuid"]))
    tariff = next(iter(finance.all("tariffs", in_force_at=month.isoformat())))
    prices = {price["meter"]["code"]: Decimal(price["per_month"]) for price in tariff["prices"]}
    expected = by_hand(segments=segments, prices=prices, month=(month, _next(month)))
    ours = [line for line in lines if line["system"] == stage.system["uuid"]]
    found = {(line["segment"], _utc(line["start"])): Decimal(line["amount"]) for line in ours}
    wanted = {(segment, _utc(start)): amount for (segment, start), amount in expected.items()}
    claim(
        f"worked out from {len(segments)} segments, {len(ours)} lines agree to the fen",
        found == wanted,
        found=found,
    )
    sas = [Decimal(line["quantity"]) for line in ours if line["resource_name"] == "app-1-data-1"]
    claim("the volume is billed by both its sizes", set(sas) == {Decimal(500), Decimal(800)}, found=sas)
    stage.teller.facts["recomputed"] = {
        "lines": len(wanted),
        "amount": sum(wanted.values(), Decimal()),
        "billed": sum(found.values(), Decimal()),
    }
    stage.teller.facts["segments"] = [
        {
            "resource": s["resource_name"],
            "meter": s["meter"]["code"],
            "quantity": s["quantity"],
            "start": s["start"],
            "end": s["end"],
        }
        for s in segments
    ]


def _check_exports(stage: Stage, lines: list[Json]) -> None:
    finance, claim = stage.people[FINANCE], stage.teller.claim
    path = f"statements/{stage.statement['uuid']}/export"
    amounts = sorted(Decimal(line["amount"]) for line in lines)
    text = finance.download(path, format="csv").decode("utf-8-sig")
    claim("the CSV has the same lines", sorted(_amounts(csv.reader(io.StringIO(text)))) == amounts)
    book = load_workbook(io.BytesIO(finance.download(path, format="xlsx")), read_only=True, data_only=True)
    rows = (
        [str(cell) if cell is not None else "" for cell in row]
        for row in book.worksheets[0].iter_rows(values_only=True)
    )
    claim("and so has the XLSX", sorted(_amounts(rows)) == amounts)


def _amounts(rows: Iterator[list[str]]) -> Iterator[Decimal]:
    """The column of amounts, of the rows that have a line number."""
    heading = next(row for row in rows if "Line" in row)
    number, amount = heading.index("Line"), heading.index("Amount (yuan)")
    for row in rows:
        if row[number].isdigit():
            yield Decimal(row[amount]).quantize(Decimal("0.01"))


def _note(stage: Stage, lines: list[Json]) -> None:
    names = (
        "resource_name",
        "quantity",
        "start",
        "end",
        "seconds",
        "month_seconds",
        "per_month",
        "rated",
        "amount",
    )
    stage.teller.facts["statement"] = {
        "number": stage.statement["number"],
        "month": stage.statement["month"],
        "total": stage.statement["total"],
        "lines": [
            {"meter": line["meter"]["code"], **{name: line[name] for name in names}}
            for line in lines
            if line["system"] == stage.system["uuid"]
        ],
    }


def _next(month: datetime) -> datetime:
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def _name(month: datetime) -> str:
    return f"{month:%Y-%m}"


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text)
