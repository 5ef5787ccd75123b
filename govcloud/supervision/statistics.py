"""How deciding goes: matters in time, early and on the spot; what each step of each flow version takes; cards.

A handful of statements whatever the number of matters: the database counts by days, and what those days are in working
days is worked out here.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from govcloud.approvals.lifecycle import StageStatus, Status
from govcloud.approvals.models import Case, CaseKind, CaseStage, Confirmation, Decision
from govcloud.calendars import deadlines
from govcloud.calendars import services as calendars
from govcloud.supervision.models import CONFIRMATION, FULFILMENT, Cause, Colour, SupervisionCard
from tenants.models import Department

CLOSED = (Status.APPROVED, Status.REJECTED)
DECIDED = (StageStatus.APPROVED, StageStatus.RETURNED, StageStatus.REJECTED)


@dataclass(frozen=True, slots=True)
class Period:
    """``[start, end)``; ``within`` narrows to a department and those below it."""

    start: datetime
    end: datetime
    within: Department | None = None

    def of(self, column: str, department: str = "department") -> Q:
        when = Q(**{f"{column}__gte": self.start, f"{column}__lt": self.end})
        if self.within is None:
            return when
        return when & Q(**{f"{department}__path__startswith": self.within.path})


@dataclass(frozen=True, slots=True)
class Matters:
    """Matters decided for good in the period. Early: on a day before that of the limit. On the spot: on the day of opening.

    All but ``by_rule`` are of those that people have decided: what rules alone decide is no merit of theirs.
    """

    kind: str
    closed: int = 0
    by_rule: int = 0
    early: int = 0
    in_time: int = 0
    on_the_spot: int = 0

    @property
    def early_rate(self) -> float | None:
        return self.early / self.closed if self.closed else None

    @property
    def in_time_rate(self) -> float | None:
        return self.in_time / self.closed if self.closed else None

    @property
    def on_the_spot_rate(self) -> float | None:
        return self.on_the_spot / self.closed if self.closed else None


@dataclass(frozen=True, slots=True)
class StageFigures:
    """A step of a flow version: how often it was decided, and in how many working days (0: on the day it came; None of one that has
    cards and was not decided at all).
    """

    flow: int
    code: str
    name: str
    name_en: str
    limit: int
    decided: int
    late: int
    mean_days: float | None
    median_days: int | None
    p90_days: int | None
    yellow: int = 0
    red: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    period: Period
    matters: Sequence[Matters]
    stages: Sequence[StageFigures]
    cards: Mapping[str, int] = field(default_factory=dict)
    """By ``yellow``, ``red`` and ``reason``, those for whole matters included."""


def figures(*, period: Period) -> Figures:
    """Seven statements."""
    cards, steps = _cards(period)
    return Figures(
        period=period,
        matters=_matters(period),
        stages=_stages(period, cards, steps),
        cards={
            "yellow": sum(n for (_f, _c, colour, cause), n in cards.items() if (colour, cause) == YELLOW),
            "red": sum(n for (_f, _c, colour, _cause), n in cards.items() if colour == Colour.RED),
            "reason": sum(n for (_f, _c, _colour, cause), n in cards.items() if cause == Cause.REASON),
        },
    )


YELLOW = (Colour.YELLOW, Cause.LIMIT)


def judged(cases: QuerySet[Case]) -> QuerySet[Case]:
    """With the local days on which they were opened, were due and were closed, and whether anybody has decided on them."""
    zone = timezone.get_default_timezone()
    return cases.annotate(
        by_people=Exists(Decision.objects.filter(stage__case=OuterRef("pk"), decider__isnull=False)),
        opened_on=TruncDate("opened_at", tzinfo=zone),
        due_on=TruncDate("due_at", tzinfo=zone),
        closed_on=TruncDate("closed_at", tzinfo=zone),
    )


BY_PEOPLE = Q(by_people=True)
COUNTED = {
    "closed": Count("pk", filter=BY_PEOPLE),
    "by_rule": Count("pk", filter=~BY_PEOPLE),
    "early": Count("pk", filter=BY_PEOPLE & Q(closed_on__lt=F("due_on"))),
    "in_time": Count("pk", filter=BY_PEOPLE & Q(closed_at__lte=F("due_at"))),
    "on_the_spot": Count("pk", filter=BY_PEOPLE & Q(closed_on=F("opened_on"))),
}


def _matters(period: Period) -> list[Matters]:
    closed = judged(Case.objects.filter(period.of("closed_at"), status__in=CLOSED))
    counted = {row["kind"]: row for row in closed.order_by().values("kind").annotate(**COUNTED)}
    return [Matters(**counted.get(kind, {"kind": kind})) for kind in CaseKind.values]


Step = tuple[int, str, str, str, int]
"""Flow version, code, name, English name, working days."""

Card = tuple[int, str | None, str, str]


def _cards(period: Period) -> tuple[dict[Card, int], set[Step]]:
    """How many, by flow version, step (None: for the whole matter), colour and cause; and the steps with cards for a limit."""
    rows = (
        SupervisionCard.objects.filter(period.of("raised_at"))
        .order_by()
        .annotate(confirmed=Q(confirmation__isnull=False))
        .values_list(
            "case__flow__number", "stage__code", "stage__name", "stage__name_en", "stage__working_days",
            "fulfilment", "case__flow__fulfilment_days", "confirmed", "case__flow__confirmation_days", "colour", "cause",
        )
        .annotate(Count("pk"))
    )  # fmt: skip
    cards: dict[Card, int] = defaultdict(int)
    steps: set[Step] = set()
    for flow, *stage, fulfilment, days, confirmation, days_to_confirm, colour, cause, count in rows:
        if fulfilment:  # the remedy of defects as well
            code, name, name_en, limit = (*FULFILMENT, days)
        elif confirmation:
            code, name, name_en, limit = (*CONFIRMATION, days_to_confirm)
        else:
            code, name, name_en, limit = stage
        cards[flow, code, colour, cause] += count
        if code is not None and cause == Cause.LIMIT:
            steps.add((flow or 0, code, name, name_en, limit))
    return cards, steps


def _stages(period: Period, cards: Mapping[Card, int], steps: Collection[Step]) -> list[StageFigures]:
    zone = timezone.get_default_timezone()
    by_people = CaseStage.objects.filter(auto_reason="")  # a rule takes no time
    decided = by_people.filter(period.of("decided_at", "case__department"), status__in=DECIDED)
    rows: list[Any] = list(
        decided.annotate(
            since=TruncDate("opened_at", tzinfo=zone), until=TruncDate("decided_at", tzinfo=zone)
        )
        .order_by()
        .values(
            "case__flow__number", "code", "name", "name_en", "working_days", "since", "until"
        )
        .annotate(times=Count("pk"), late=Count("pk", filter=Q(decided_at__gt=F("due_at"))))
    )  # fmt: skip
    rows += [*_built(period), *_confirmed(period)]
    special = _special([row["since"] for row in rows] + [row["until"] for row in rows])
    groups: dict[Step, list[tuple[int, int, int]]] = defaultdict(list)
    for row in rows:
        key = (row["case__flow__number"] or 0, row["code"], row["name"], row["name_en"], row["working_days"])
        days = deadlines.working_days_between(row["since"], row["until"], worked=special)
        groups[key].append((days, row["times"], row["late"]))
    decided_ones = {key[:2] for key in groups}
    for step in steps:
        if step[:2] not in decided_ones:
            groups[step] = []
    return [_figures_of(key, taken, cards) for key, taken in sorted(groups.items())]


def _built(period: Period) -> list[dict[str, Any]]:
    """What was built in the period, in rows like those of steps: from its approval on."""
    built = Case.objects.filter(period.of("fulfilled_at"), fulfilment_due_at__isnull=False)
    return _followed(
        built, FULFILMENT, flow="flow", since="closed_at", until="fulfilled_at", due="fulfilment_due_at"
    )


def _confirmed(period: Period) -> list[dict[str, Any]]:
    """What departments answered in the period, confirmations and defects alike, in rows like those of steps."""
    answered = Confirmation.objects.filter(period.of("answered_at", "case__department"))
    return _followed(
        answered, CONFIRMATION, flow="case__flow", since="asked_at", until="answered_at", due="due_at"
    )


def _followed(
    rows: QuerySet[Any], step: tuple[str, str, str], *, flow: str, since: str, until: str, due: str
) -> list[dict[str, Any]]:
    """What came after the stages, counted by days; the columns are named as those of ``rows``."""
    zone = timezone.get_default_timezone()
    code, name, name_en = step
    counted = (
        rows.annotate(
            first=TruncDate(since, tzinfo=zone),
            last=TruncDate(until, tzinfo=zone),
        )
        .order_by()
        .values_list(f"{flow}__number", f"{flow}__{code}_days", "first", "last")
        .annotate(times=Count("pk"), late=Count("pk", filter=Q(**{f"{until}__gt": F(due)})))
    )
    return [
        {
            "case__flow__number": number, "code": code, "name": name, "name_en": name_en, "working_days": days,
            "since": first, "until": last, "times": times, "late": late,
        }
        for number, days, first, last, times, late in counted
    ]  # fmt: skip


def _figures_of(key: Step, taken: Sequence[tuple[int, int, int]], cards: Mapping[Card, int]) -> StageFigures:
    flow, code, name, name_en, limit = key
    times = sum(count for _days, count, _late in taken)
    return StageFigures(
        flow=flow,
        code=code,
        name=name,
        name_en=name_en,
        limit=limit,
        decided=times,
        late=sum(late for _days, _count, late in taken),
        mean_days=sum(days * count for days, count, _late in taken) / times if times else None,
        median_days=share_done_by(taken, Fraction(1, 2)) if times else None,
        p90_days=share_done_by(taken, Fraction(9, 10)) if times else None,
        yellow=cards.get((flow, code, *YELLOW), 0),
        red=cards.get((flow, code, Colour.RED, Cause.LIMIT), 0),
    )


def share_done_by(taken: Iterable[tuple[int, int, int]], share: Fraction) -> int:
    """The least number of days in which such a share of them was done."""
    ordered = sorted(taken)
    wanted = share * sum(count for _days, count, _late in ordered)
    done = 0
    for days, count, _late in ordered:
        done += count
        if done >= wanted:
            return days
    raise ValueError("nothing was done")


def _special(days: Sequence[date]) -> dict[date, bool]:
    return calendars.special_days(first=min(days), last=max(days)) if days else {}
