"""The monthly appraisal: how each unit's matters went, and each city's, as an Excel workbook."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any

import xlsxwriter
from django.db.models import Count, Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _

from govcloud.approvals.models import Case, CaseKind, CaseStage, Decision
from govcloud.periods import Month
from govcloud.supervision.models import Cause, Colour, SupervisionCard
from govcloud.supervision.statistics import CLOSED, COUNTED, DECIDED, Period, judged
from tenants.models import Department, Division, Role

CITY = 4
"""The first digits of a division's code (GB/T 2260) that its city has in common."""


@dataclass(frozen=True, slots=True)
class Line:
    """A unit's month, or a city's. A card counts for the unit where its own approval or confirmation was missing, and for the
    centre where another signature was, or where it is for the whole matter.
    """

    city: str
    unit: str
    committed: int = 0
    early: int = 0
    instant: int = 0
    on_the_spot: int = 0
    by_rule: int = 0
    own_steps: int = 0
    own_late: int = 0
    yellow: int = 0
    red: int = 0
    reasons: int = 0
    cards_of_centre: int = 0

    def plus(self, other: "Line") -> "Line":
        sums = {name: getattr(self, name) + getattr(other, name) for name in COUNTS}
        return replace(self, **sums)


COUNTS = (
    "committed", "early", "instant", "on_the_spot", "by_rule", "own_steps", "own_late", "yellow", "red", "reasons",
    "cards_of_centre",
)  # fmt: skip


def lines(*, month: Month) -> list[Line]:
    """One for each unit that had matters, steps or cards in the month, by city; five statements."""
    start, end = month.bounds(timezone.get_default_timezone())
    period = Period(start, end)
    found: dict[int, dict[str, int]] = {}
    for department, counts in (*_matters(period), *_own_steps(period), *_cards(period)):
        sums = found.setdefault(department, {})
        for name, count in counts.items():
            sums[name] = sums.get(name, 0) + count
    departments = Department.objects.filter(pk__in=found).select_related("division")
    cities = {city.code[:CITY]: city for city in Division.objects.filter(code__endswith="00")}
    told = (
        Line(
            city=_name(cities.get(department.division.code[:CITY], department.division)),
            unit=_name(department),
            **found[department.pk],
        )
        for department in departments.order_by("division__code", "path")
    )
    return list(told)


def by_city(units: Iterable[Line]) -> list[Line]:
    cities: dict[str, Line] = {}
    for line in units:
        cities[line.city] = cities.get(line.city, Line(line.city, "")).plus(line)
    return list(cities.values())


def _name(row: Department | Division) -> str:
    return row.name_en if get_language() == "en" and row.name_en else row.name


def _matters(period: Period) -> Iterator[tuple[int, dict[str, int]]]:
    closed = judged(Case.objects.filter(period.of("closed_at"), status__in=CLOSED))
    rows: Iterable[Mapping[str, Any]] = closed.order_by().values("department", "kind").annotate(**COUNTED)
    for row in rows:
        by_rule = {"by_rule": row["by_rule"]}
        if row["kind"] == CaseKind.INSTANT:
            yield row["department"], {"instant": row["closed"], "on_the_spot": row["on_the_spot"], **by_rule}
        else:
            yield row["department"], {"committed": row["closed"], "early": row["early"], **by_rule}


def _own_steps(period: Period) -> Iterator[tuple[int, dict[str, int]]]:
    """Steps that ask for the unit's approval, if among others. One is late by when the unit signed, however long the others
    took; not signed at all, by when it was closed.
    """
    asked = Q(role=Role.UNIT_APPROVER) | Q(also_roles__contains=[Role.UNIT_APPROVER])
    signed = Decision.objects.filter(stage=OuterRef("pk"), seat__role=Role.UNIT_APPROVER)
    late = Exists(signed.filter(at__gt=OuterRef("due_at"))) | Q(decided_at__gt=F("due_at")) & ~Exists(signed)
    steps = CaseStage.objects.filter(period.of("decided_at"), asked, status__in=DECIDED, auto_reason="")
    counted = (
        steps.order_by()
        .values("case__department")
        .annotate(own_steps=Count("pk"), own_late=Count("pk", filter=late))
    )
    for row in counted:
        yield row["case__department"], {"own_steps": row["own_steps"], "own_late": row["own_late"]}


def _cards(period: Period) -> Iterator[tuple[int, dict[str, int]]]:
    unit = Q(role=Role.UNIT_APPROVER) | Q(also_roles__contains=[Role.UNIT_APPROVER])
    confirmation = Q(confirmation__isnull=False, fulfilment=False)
    own = unit & Q(stage__isnull=False) | confirmation
    only_own = own & Q(also_roles=[])
    limit = Q(cause=Cause.LIMIT)
    cards = SupervisionCard.objects.filter(period.of("raised_at")).order_by().values("department")
    counted = cards.annotate(
        yellow=Count("pk", filter=own & limit & Q(colour=Colour.YELLOW)),
        red=Count("pk", filter=own & limit & Q(colour=Colour.RED)),
        reasons=Count("pk", filter=own & Q(cause=Cause.REASON)),
        cards_of_centre=Count("pk", filter=~only_own),
    )
    for row in counted:
        counts: dict[str, Any] = dict(row)
        yield counts.pop("department"), counts


# -- the workbook


def write(*, month: Month, file: IO[bytes]) -> None:
    """By unit, by city, and the cards one by one; in the language that is active."""
    units = lines(month=month)
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as book:
        formats = {
            "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
            "rate": book.add_format({"num_format": "0.0%"}),
            "moment": book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
        }
        counts = _headings()
        _sheet(book, _("By unit"), [_("City"), _("Unit"), *counts], map(_unit_cells, units), formats)
        _sheet(book, _("By city"), [_("City"), *counts], map(_city_cells, by_city(units)), formats)
        _sheet(book, _("Cards"), _card_headings(), _card_cells(month), formats)


def _headings() -> list[str]:
    return [
        _("Committed matters"), _("of them early"), _("Early rate"), _("Instant matters"), _("on the spot"),
        _("On-the-spot rate"), _("Decided by rules"), _("Steps of the unit"), _("of them late"), _("Yellow cards"), _("Red cards"),
        _("Cards for missing reasons"), _("Cards of the centre"),
    ]  # fmt: skip


def _unit_cells(line: Line) -> list[Any]:
    return [line.city, line.unit, *_count_cells(line)]


def _city_cells(line: Line) -> list[Any]:
    return [line.city, *_count_cells(line)]


def _count_cells(line: Line) -> list[Any]:
    return [
        line.committed, line.early, _rate(line.early, line.committed), line.instant, line.on_the_spot,
        _rate(line.on_the_spot, line.instant), line.by_rule, line.own_steps, line.own_late, line.yellow, line.red,
        line.reasons, line.cards_of_centre,
    ]  # fmt: skip


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _card_headings() -> list[str]:
    return [
        _("Raised"),
        _("Card"),
        _("Cause"),
        _("Unit"),
        _("Matter"),
        pgettext("of an approval", "Step"),
        _("Waited for"),
        pgettext("deadline", "Limit"),
    ]


def _card_cells(month: Month) -> Iterator[list[Any]]:
    start, end = month.bounds(timezone.get_default_timezone())
    cards = SupervisionCard.objects.filter(raised_at__gte=start, raised_at__lt=end)
    related = cards.select_related("department", "case", "stage", "decider").prefetch_related("people")
    for card in related.order_by("pk").iterator(chunk_size=500):
        yield [
            _local(card.raised_at), card.get_colour_display(), card.get_cause_display(), _name(card.department),
            card.case.subject_label, card.concerns, card.waited_for, _local(card.due_at),
        ]  # fmt: skip


def _local(at: Any) -> Any:
    return timezone.localtime(at, timezone.get_default_timezone()).replace(tzinfo=None, microsecond=0)


def _sheet(
    book: Any, title: str, headings: Sequence[str], rows: Iterable[Sequence[Any]], formats: Mapping[str, Any]
) -> None:
    """Text is written as text: nothing in a title becomes a formula or a link."""
    page = book.add_worksheet(title)
    page.set_column(0, len(headings) - 1, 16)
    page.freeze_panes(1, 0)
    for column, heading in enumerate(headings):
        page.write_string(0, column, str(heading), formats["head"])
    for number, row in enumerate(rows, 1):
        for column, cell in enumerate(row):
            if isinstance(cell, str):
                page.write_string(number, column, cell)
            elif isinstance(cell, float):
                page.write_number(number, column, cell, formats["rate"])
            elif isinstance(cell, int):
                page.write_number(number, column, cell)
            elif cell is not None:
                page.write_datetime(number, column, cell, formats["moment"])
