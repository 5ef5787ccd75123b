"""What was decided after its limit before a sweep had looked: it gets its red card all the same, for whom it waited at the limit."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Prefetch, QuerySet

from govcloud.approvals.models import Case, CaseStage, Decision
from govcloud.approvals.policies import owners
from govcloud.approvals.waiting import Waiting
from govcloud.supervision.models import Cause, Colour, SupervisionCard
from govcloud.supervision.statistics import CLOSED, DECIDED

BATCH = 500
OF_THE_WHOLE: Mapping[str, Any] = {
    "case": OuterRef("pk"), "stage": None, "fulfilment": False, "confirmation": None
}  # fmt: skip
"""Which cards of a case are for the matter as a whole."""


def stages(*, at: datetime, since: datetime) -> Iterator[tuple[SupervisionCard, Waiting]]:
    """Steps that people have decided ``since`` then."""
    rows = CaseStage.objects.filter(
        decided_at__gt=F("due_at"), decided_at__gte=since, status__in=DECIDED, auto_reason=""
    )
    without = without_card(
        rows.select_related("case__department"), Colour.RED, Cause.LIMIT, stage=OuterRef("pk")
    )
    for stage in without.prefetch_related(_signatures("decisions")):
        card = card_of(Colour.RED, Cause.LIMIT, stage.case, stage, due_at=stage.due_at, at=at)
        yield card, _waited(stage, [each for each in stage.decisions.all() if each.at > stage.due_at])


def cases(*, at: datetime, since: datetime) -> Iterator[tuple[SupervisionCard, Waiting]]:
    """Matters that were approved or rejected since then. A matter that was withdrawn has nobody to answer for it."""
    rows = Case.objects.filter(closed_at__gt=F("due_at"), closed_at__gte=since, status__in=CLOSED)
    without = without_card(rows.select_related("department"), Colour.RED, Cause.LIMIT, **OF_THE_WHOLE)
    decided = CaseStage.objects.exclude(decided_at=None).order_by("position")
    for case in without.prefetch_related(
        Prefetch("stages", decided.select_related("case")), _signatures("stages__decisions")
    ):
        passed = (stage for stage in case.stages.all() if stage.decided_at and stage.decided_at > case.due_at)
        waited_for = next(passed, None)
        if waited_for is None:
            continue
        card = card_of(Colour.RED, Cause.LIMIT, case, None, due_at=case.due_at, at=at)
        yield (
            card,
            _waited(waited_for, [each for each in waited_for.decisions.all() if each.at > case.due_at]),
        )


def without_card(rows: QuerySet[Any], colour: Colour, cause: Cause, **which: Any) -> QuerySet[Any]:
    return rows.filter(~Exists(SupervisionCard.objects.filter(colour=colour, cause=cause, **which))).order_by(
        "pk"
    )[:BATCH]


def card_of(
    colour: Colour,
    cause: Cause,
    case: Case,
    stage: CaseStage | None,
    *,
    due_at: datetime,
    at: datetime,
) -> SupervisionCard:
    return SupervisionCard(
        colour=colour, cause=cause, case=case, stage=stage, department=case.department, due_at=due_at, raised_at=at
    )  # fmt: skip


def _signatures(path: str) -> "Prefetch[str, Any, str]":
    return Prefetch(
        path, Decision.objects.filter(decider__isnull=False).select_related("seat").order_by("pk")
    )


def _waited(stage: CaseStage, signed: Sequence[Decision]) -> Waiting:
    """Whose signatures were missing at the limit: those that came after it; nobody's where who was waited for has left."""
    seats = [each.seat for each in signed if each.seat is not None]
    return Waiting(
        stage=stage.pk,
        roles=tuple(dict.fromkeys(seat.role or stage.role for seat in seats)) or (stage.role,),
        open_to=(),
        named=tuple(seat.person_id for seat in seats if seat.person_id is not None),
        signed=tuple(each.decider_id for each in signed if each.decider_id is not None),
        without=frozenset(owners(stage.case)),
        standing_in=frozenset(),
    )
