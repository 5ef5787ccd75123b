"""The way of an order through its stages, drawn as steps: who, since when, due when, and what was said."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from govcloud.approvals import pauses
from govcloud.approvals.lifecycle import StageStatus
from govcloud.approvals.models import Case, CaseStage, Decision
from govcloud.approvals.services import PlannedStage
from govcloud.calendars import deadlines
from govcloud.calendars.models import DayKind, SpecialDay
from govcloud.errors import DomainError
from govcloud.orders import services
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order
from govcloud.portal.templatetags.portal import named
from tenants.models import Membership, Role

DECIDERS_NAMED = 3
"""Of those who may decide a stage, so many are named; a service desk can be a whole room."""

MARKS = {
    "done": "check",
    "approved": "check",
    "rejected": "x",
    "returned": "arrow-back-up",
    "cancelled": "ban",
}


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One station: ``state`` is one of StageStatus's values, or "done"; ``people`` decided it or may decide it."""

    name: str
    state: str
    label: str
    code: str = ""
    role: str = ""
    people: str = ""
    since: datetime | None = None
    due: datetime | None = None
    remaining: str = ""
    late: bool = False
    decided_at: datetime | None = None
    opinion: str = ""
    paused: bool = False
    paused_until: datetime | None = None

    @property
    def icon(self) -> str:
        """What the station is marked with; the others bear their number."""
        return MARKS.get(self.state, "")


def steps(order: Order, *, at: datetime) -> list[FlowStep]:
    """From the application over the stages of its case to the delivery; two queries for a submitted order.

    A draft has no case yet and shows the stages that are planned for it, which costs what ``services.route`` does.
    """
    stages = list(_stages(order, order.case, at=at)) if order.case else []
    return [
        _application(order),
        *(_planned(stage) for stage in _route(order, at=at)),
        *(_stage(stage, days, standing) for stage, days, standing in _with_days(stages, at=at)),
        _delivery(order),
    ]


def _stages(order: Order, case: Case, *, at: datetime) -> QuerySet[CaseStage]:
    """The stages of this revision and what was decided on earlier ones; for undecided ones, who may decide."""
    department = order.system.department
    holders = (
        Membership.objects.valid(at=at)
        .filter(Q(department__isnull=True) | Q(department__in=department.ancestor_ids), role=OuterRef("role"))
        .exclude(user__in=[case.applicant_id, case.submitted_by_id])
        .exclude(user__is_active=False)
        .order_by("user__display_name")
    )
    return (
        CaseStage.objects.filter(Q(revision=case.revision) | Q(decision__isnull=False), case=case)
        .select_related("decision__decider")
        .annotate(
            holders=ArraySubquery(holders.values("user__display_name").distinct()[: DECIDERS_NAMED + 1])
        )
        .order_by("position")
    )


def _application(order: Order) -> FlowStep:
    submitted = order.submitted_at
    return FlowStep(
        name=_("Application"),
        state="done" if submitted else "current",
        label=_("submitted") if submitted else _("not submitted yet"),
        people=str(order.applicant),
        since=order.created_at,
        decided_at=submitted,
    )


def _route(order: Order, *, at: datetime) -> Sequence[PlannedStage]:
    """The stages of a draft; none where they cannot be told yet, say for want of a price, which the page tells of."""
    if order.status != Status.DRAFT:
        return ()
    try:
        return services.route(order=order, at=at)
    except DomainError:
        return ()


def _planned(stage: PlannedStage) -> FlowStep:
    return FlowStep(
        name=named(stage),
        state=StageStatus.WAITING,
        label=_("if submitted now"),
        code=stage.code,
        role=str(stage.role.label),
        people=_names([str(user) for user in stage.deciders]) or _("nobody yet"),
        due=stage.due_at,
    )


def _stage(stage: CaseStage, days_left: int | None, pause: pauses.Pause | None) -> FlowStep:
    decision: Decision | None = getattr(stage, "decision", None)
    current, cancelled = stage.status == StageStatus.CURRENT, stage.status == StageStatus.CANCELLED
    return FlowStep(
        name=named(stage),
        state=stage.status,
        label=stage.get_status_display(),
        code=stage.code,
        role="" if cancelled else str(Role(stage.role).label),
        people=_people(stage, decision),
        since=stage.opened_at,
        due=None if decision or cancelled else stage.due_at,
        remaining=_remaining(days_left) if current and days_left is not None else "",
        late=current and days_left is not None and days_left < 0,
        decided_at=decision.at if decision else None,
        opinion=decision.opinion if decision else "",
        paused=pause is not None,
        paused_until=pause.until if pause else None,
    )


def _people(stage: CaseStage, decision: Decision | None) -> str:
    """Who decided; else, unless nobody need any more, who may."""
    if decision is not None:
        return str(decision.decider)
    if stage.status == StageStatus.CANCELLED:
        return ""
    names: list[str] = stage.holders  # type: ignore[attr-defined]
    return _names(names)


def _names(names: Sequence[str]) -> str:
    """Some of them by name, the others together."""
    if len(names) > DECIDERS_NAMED:
        return _("%(names)s and others") % {"names": _("; ").join(names[:DECIDERS_NAMED])}
    return _("; ").join(names)


def _delivery(order: Order) -> FlowStep:
    state = {
        Status.FULFILLING: "current",
        Status.FULFILLED: "done",
        Status.REJECTED: StageStatus.CANCELLED,
        Status.WITHDRAWN: StageStatus.CANCELLED,
        Status.CANCELLED: StageStatus.CANCELLED,
    }.get(Status(order.status), StageStatus.WAITING)
    labels = {
        "current": _("being built"),
        "done": _("delivered"),
        StageStatus.CANCELLED: _("no longer needed"),
        StageStatus.WAITING: _("after approval"),
    }
    closed = order.case.closed_at if order.case and state in {"current", "done"} else None
    return FlowStep(
        name=_("Delivery"),
        state=str(state),
        label=labels[state],
        people=_("automatic") if state != StageStatus.CANCELLED else "",
        since=closed,
        decided_at=order.finished_at if order.status == Status.FULFILLED else None,
    )


def _with_days(
    stages: list[CaseStage], *, at: datetime
) -> Iterator[tuple[CaseStage, int | None, pauses.Pause | None]]:
    """Each stage with the working days left to its limit (the current one's; one query for the special days), and the
    pause that it began.
    """
    current = [stage for stage in stages if stage.status == StageStatus.CURRENT]
    worked = _worked(at, current[0].due_at) if current else {}
    standing = {pause.since: pause for pause in pauses.of(stages)}
    for stage in stages:
        days = working_days_left(at, stage.due_at, worked) if stage in current else None
        yield stage, days, standing.get(stage.decided_at) if stage.decided_at else None


def _worked(*instants: datetime) -> dict[date, bool]:
    """The dates from the first instant to the last on which the week's pattern does not hold."""
    days = sorted(timezone.localdate(instant) for instant in instants)
    special = SpecialDay.objects.filter(day__range=(days[0], days[-1]))
    return {day: kind == DayKind.WORK for day, kind in special.values_list("day", "kind")}


def working_days_left(at: datetime, due: datetime, worked: Mapping[date, bool]) -> int:
    """Working days after the day of ``at`` up to that of ``due``: 0 on the last day, negative once it is over.

    ``worked`` is as in ``calendars.deadlines``.
    """
    today, last = timezone.localdate(at), timezone.localdate(due)
    if at > due:
        return -max(1, _working(last, today, worked))
    return _working(today, last, worked)


def _working(after: date, to: date, worked: Mapping[date, bool]) -> int:
    days = (after + timedelta(days=n) for n in range(1, (to - after).days + 1))
    return sum(deadlines.is_working(day, worked=worked) for day in days)


def _remaining(days: int) -> str:
    if days < 0:
        return ngettext("overdue by %(days)s working day", "overdue by %(days)s working days", -days) % {
            "days": -days
        }
    if days == 0:
        return _("due today")
    return ngettext("%(days)s working day left", "%(days)s working days left", days) % {"days": days}
