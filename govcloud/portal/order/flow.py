"""The way of an order through its stages, drawn as steps: who, since when, due when, and what was said."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.db.models import Exists, OuterRef, Prefetch, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from govcloud.approvals import pauses, policies
from govcloud.approvals.lifecycle import ConsultationStatus, StageStatus
from govcloud.approvals.lifecycle import Status as CaseStatus
from govcloud.approvals.models import (
    CaseStage,
    Consultation,
    Decision,
    Quorum,
    Reminder,
    Seat,
    SeatOrigin,
    Verb,
)
from govcloud.approvals.services import PlannedStage
from govcloud.approvals.telling import exchanged, given_by, handed_on, rule_of, said, signed_by
from govcloud.calendars import deadlines
from govcloud.calendars.models import DayKind, SpecialDay
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order
from govcloud.periods import wall_clock
from govcloud.portal.order.cards import Card, Cards
from govcloud.portal.order.confirmations import Shown
from govcloud.portal.templatetags.portal import named
from tenants.models import Role, User

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
class Signature:
    """One of several that a station asks for: who has signed, or may."""

    people: str
    words: str
    at: datetime | None = None
    opinion: str = ""


@dataclass(frozen=True, slots=True)
class FlowStep:
    """One station: ``state`` is one of StageStatus's values, or "done"; ``people`` decided it or may decide it.

    ``signatures`` are told one by one where there are several; ``asides`` are parts given to others, opinions asked for
    and reminders.
    """

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
    signatures: tuple[Signature, ...] = ()
    asides: tuple[str, ...] = ()
    cards: tuple[Card, ...] = ()
    paused: bool = False
    paused_until: datetime | None = None

    @property
    def icon(self) -> str:
        """What the station is marked with; the others bear their number."""
        return MARKS.get(self.state, "")


def stages_of(order: Order) -> list[CaseStage]:
    """The stages of this revision and what was decided on earlier ones, with seats and decisions; none of a draft. Three queries."""
    if order.case is None:
        return []
    decisions = Decision.objects.select_related("decider", "on_behalf_of").order_by("id")
    seats = Seat.objects.select_related("person", "given_by", "given_for")
    decided = Exists(Decision.objects.filter(stage=OuterRef("pk")))
    return list(
        order.case.stages.filter(Q(revision=order.case.revision) | decided)
        .prefetch_related(Prefetch("decisions", decisions), Prefetch("seats", seats))
        .annotate(
            consulted=Exists(Consultation.objects.filter(stage=OuterRef("pk"))),
            reminded_at=Subquery(
                Reminder.objects.filter(stage=OuterRef("pk")).order_by("-at").values("at")[:1]
            ),
        )
        .order_by("position")
    )


def steps(
    order: Order,
    stages: list[CaseStage],
    cards: Cards,
    *,
    confirmation: Shown,
    planned: Sequence[PlannedStage] = (),
    at: datetime,
) -> list[FlowStep]:
    """From the application over the stages of its case to the delivery and its confirmation; two queries for a submitted order, and one each
    where opinions were asked for or it was reminded of.

    A draft has no case yet and shows the stages that are ``planned`` for it.
    """
    holders = _holders(order, stages, at=at)
    asides = _asides(stages)
    return [
        _application(order),
        *(_planned(stage) for stage in planned),
        *(
            replace(
                _stage(stage, days, holders, asides.get(stage.pk, ())),
                cards=cards.at_steps.get(stage.pk, ()),
                paused=pause is not None,
                paused_until=pause.until if pause else None,
            )
            for stage, days, pause in _with_days(order, stages, at=at)
        ),
        replace(_delivery(order, at=at), cards=cards.of_fulfilment),
        *(replace(step, cards=cards.of_confirmation) for step in _confirmation(confirmation, at=at)),
    ]


def _holders(order: Order, stages: Sequence[CaseStage], *, at: datetime) -> Mapping[str, list[User]]:
    """Who may decide what is still to be decided, by role."""
    case = order.case
    undecided = [stage for stage in stages if stage.decided_at is None]
    if case is None or case.status != CaseStatus.OPEN or not undecided:
        return {}
    rounds = [stage for stage in stages if stage.revision == case.revision]
    without = policies.owners(case) | policies.involved_by_deciding(rounds)
    roles = {role for stage in undecided for role in stage.roles}
    return policies.deciders(department=order.system.department, roles=roles, without=without, at=at)


def _asides(stages: Sequence[CaseStage]) -> Mapping[int, tuple[str, ...]]:
    """What else happened at each stage, in words: opinions asked for, reminders. Asks only where there are any."""
    told: dict[int, list[str]] = {}
    if any(stage.consulted for stage in stages):  # type: ignore[attr-defined]
        asked = Consultation.objects.filter(stage__in=stages).select_related("asked_by", "person")
        for one in asked:
            told.setdefault(one.stage_id, []).append(_opinion(one))
    if any(stage.reminded_at for stage in stages):  # type: ignore[attr-defined]
        for reminder in Reminder.objects.filter(stage__in=stages).select_related("person"):
            told.setdefault(reminder.stage_id, []).append(_reminder(reminder))
    return {stage: tuple(words) for stage, words in told.items()}


def _reminder(reminder: Reminder) -> str:
    facts = {"person": reminder.person, "at": wall_clock(reminder.at), "text": reminder.text}
    if reminder.text:
        return _("Reminded by %(person)s, %(at)s: %(text)s") % facts
    return _("Reminded by %(person)s, %(at)s") % facts


def _opinion(one: Consultation) -> str:
    asked = {
        "asker": one.asked_by,
        "person": one.person,
        "at": wall_clock(one.asked_at),
        "question": one.question,
    }
    words = _("%(asker)s asked %(person)s, %(at)s: %(question)s") % asked
    if one.status == ConsultationStatus.ASKED:
        return _("%(words)s (%(state)s)") % {"words": words, "state": one.get_status_display()}
    answer = one.answer or one.get_status_display()
    return words + " " + _("Answer: %(answer)s") % {"answer": answer}


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


def _planned(stage: PlannedStage) -> FlowStep:
    by_rule = stage.auto_reason
    return FlowStep(
        name=named(stage),
        state=StageStatus.WAITING,
        label=_("if submitted now"),
        code=stage.code,
        role="" if by_rule else _roles((stage.role, *stage.also_roles), stage),
        people=_("by rule") if by_rule else _names([str(user) for user in stage.deciders]) or _("nobody yet"),
        due=None if by_rule else stage.due_at,
        opinion=rule_of(stage),
    )


def _stage(
    stage: CaseStage, days_left: int | None, holders: Mapping[str, list[User]], asides: tuple[str, ...]
) -> FlowStep:
    """A station whose only signature is there is told by it; one that asks for several tells them one by one."""
    closed, current = stage.decided_at is not None, stage.status == StageStatus.CURRENT
    decision = stage.decision if closed else None
    needed = stage.status in {StageStatus.CURRENT, StageStatus.WAITING}
    single = len(stage.seats.all()) <= 1 and len(stage.decisions.all()) <= 1
    people = signed_by(decision) if decision else _may_decide(stage, holders) if needed else ""
    return FlowStep(
        name=named(stage),
        state=stage.status,
        label=_label(stage, decision),
        code=stage.code,
        role=_roles(stage.roles, stage) if needed and not stage.auto_reason else "",
        people=people if single or not closed else "",
        since=stage.opened_at,
        due=stage.due_at if needed else None,
        remaining=_remaining(days_left) if current and days_left is not None else "",
        late=current and days_left is not None and days_left < 0,
        decided_at=stage.decided_at,
        opinion=said(stage, decision) if decision and single else rule_of(stage) if needed else "",
        signatures=() if single else tuple(_signatures(stage)),
        asides=(*filter(None, map(handed_on, stage.seats.all())), *asides),
    )


def _label(stage: CaseStage, decision: Decision | None) -> str:
    if decision is not None and decision.verb == Verb.APPROVE_WITH_CONDITIONS:
        return _("approved with conditions")
    if decision is not None and decision.decider is None:
        return _("approved by rule")
    return stage.get_status_display()


def _signatures(stage: CaseStage) -> Iterator[Signature]:
    """Who has signed and what they said, then who still has to by name or by role."""
    for decision in stage.decisions.all():
        yield Signature(signed_by(decision), decision.get_verb_display(), decision.at, decision.opinion)
    for seat in policies.open_seats(stage):
        yield Signature(str(seat), _given(seat) or _("still to sign"))


def _given(seat: Seat) -> str:
    if seat.origin == SeatOrigin.ROLE:
        return ""
    return _("%(how)s by %(person)s, still to sign") % {
        "how": seat.get_origin_display(),
        "person": given_by(seat),
    }


def _may_decide(stage: CaseStage, holders: Mapping[str, list[User]]) -> str:
    """Who may sign what is open; of a stage to come, who holds its roles."""
    if stage.auto_reason:
        return _("by rule")
    seats = policies.open_seats(stage)
    if not seats:
        people = [user for role in stage.roles for user in holders.get(role, ())]
    else:
        people = [u for seat in seats for u in ([seat.person] if seat.person else holders.get(seat.role, ()))]
    return _names([str(user) for user in dict.fromkeys(people)]) or _("nobody yet")


def _roles(roles: Iterable[str], stage: PlannedStage | CaseStage) -> str:
    """The roles that sign, and how many of each if more than one does."""
    told = _(" and ").join(str(Role(role).label) for role in roles)
    if stage.quorum == Quorum.ONE:
        return told
    many = stage.quorum_count if stage.quorum == Quorum.SOME else _("all")
    return _("%(many)s of: %(roles)s") % {"many": many, "roles": told}


def _names(names: Sequence[str]) -> str:
    """Some of them by name, the others together."""
    if len(names) > DECIDERS_NAMED:
        return _("%(names)s and others") % {"names": _("; ").join(names[:DECIDERS_NAMED])}
    return _("; ").join(names)


def _delivery(order: Order, *, at: datetime) -> FlowStep:
    """With its limit while it is built; one query for the special days then."""
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
    due = order.case.fulfilment_due_at if order.case and state == "current" else None
    days_left = working_days_left(at, due, _worked(at, due)) if due else None
    return FlowStep(
        name=_("Delivery"),
        state=str(state),
        label=labels[state],
        people=_("automatic") if state != StageStatus.CANCELLED else "",
        since=closed,
        due=due,
        remaining=_remaining(days_left) if days_left is not None else "",
        late=days_left is not None and days_left < 0,
        decided_at=order.finished_at if order.status == Status.FULFILLED else None,
    )


def _confirmation(shown: Shown, *, at: datetime) -> Iterator[FlowStep]:
    """Where the department is asked, or will be; one query for the special days while somebody is waited for."""
    last = shown.last
    if last is None:
        if shown.expected:
            label = _("after delivery")
            yield FlowStep(name=_("Confirmation"), state=StageStatus.WAITING, label=label)
        return
    due = last.due_at if last.owed else last.remedy_due_at if last.disputed else None
    days_left = working_days_left(at, due, _worked(at, due)) if due else None
    yield FlowStep(
        name=_("Confirmation"),
        state="current" if last.owed else StageStatus.RETURNED if last.disputed else "done",
        label=_("to be confirmed by the department")
        if last.owed
        else _("defects reported; the cloud centre mends them")
        if last.disputed
        else _("confirmed"),
        role=str(Role.APPLICANT.label if last.owed else Role.CLOUD_ADMIN.label),
        since=last.asked_at,
        due=due,
        remaining=_remaining(days_left) if days_left is not None else "",
        late=days_left is not None and days_left < 0,
        decided_at=None if last.owed or last.disputed else last.answered_at,
        signatures=tuple(
            Signature(str(each.person), each.answer, each.at, each.words) for each in exchanged(shown.rounds)
        ),
    )


def _with_days(
    order: Order, stages: list[CaseStage], *, at: datetime
) -> Iterator[tuple[CaseStage, int | None, pauses.Pause | None]]:
    """Each stage with the working days left to its limit (the current one's; one query for the special days), and the
    pause that it began.
    """
    current = [stage for stage in stages if stage.status == StageStatus.CURRENT]
    worked = _worked(at, current[0].due_at) if current else {}
    standing = {pause.since: pause for pause in pauses.of(order.case, stages)} if order.case else {}
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
