"""The stages of a case as they run: laid out for a revision, decided one by one, cancelled when there is no more need."""

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import takewhile

from django.db.models import Max, QuerySet

from govcloud.approvals import automatic, notices, policies, surplus
from govcloud.approvals.lifecycle import ConsultationStatus, StageStatus, Status
from govcloud.approvals.models import (
    APPROVING,
    Case,
    CaseStage,
    Consultation,
    Decision,
    Quorum,
    Seat,
    SeatStatus,
    Stage,
    Verb,
)
from govcloud.approvals.policies import Turn
from govcloud.approvals.routing import Matter, decides_itself
from govcloud.audit import services as audit
from govcloud.audit.services import Entry
from govcloud.calendars.services import due_after, due_along
from govcloud.lifecycle import transition
from tenants.models import User

OUTCOMES = {
    Verb.APPROVE: StageStatus.APPROVED,
    Verb.APPROVE_WITH_CONDITIONS: StageStatus.APPROVED,
    Verb.RETURN: StageStatus.RETURNED,
    Verb.REJECT: StageStatus.REJECTED,
}
ENDS = {
    Verb.APPROVE: Status.APPROVED,
    Verb.APPROVE_WITH_CONDITIONS: Status.APPROVED,
    Verb.RETURN: Status.RETURNED,
    Verb.REJECT: Status.REJECTED,
}
"""What a case becomes by its last decision."""


def planned(stages: Sequence[Stage], matter: Matter, *, at: datetime) -> list[datetime]:
    """When each stage is due if all before it take their time; what a rule decides takes none."""
    by_rule = [decides_itself(stage, matter) for stage in stages]
    days = [stage.working_days for stage, rule in zip(stages, by_rule, strict=True) if not rule]
    dues = iter(due_along(start=at, working_days=days) if days else ())
    last, along = at, []
    for rule in by_rule:
        last = last if rule else next(dues)
        along.append(last)
    return along


def lay_out(
    case: Case, stages: Sequence[Stage], dues: Sequence[datetime], matter: Matter, *, after: int, at: datetime
) -> None:
    """The stages of this revision, in positions after those of earlier ones. The first that people decide is current; where
    rules decide all of them, the case is approved.
    """
    rows = [_row(case, stage, matter, due) for stage, due in zip(stages, dues, strict=True)]
    for position, row in enumerate(rows, after + 1):
        row.position = position
    by_rule = list(takewhile(lambda row: row.auto_reason, rows))
    for row in by_rule:
        _mark_decided_by_rule(row, at=at)
    current = next(iter(rows[len(by_rule) :]), None)
    if current is not None:
        current.status, current.opened_at = StageStatus.CURRENT, at
    CaseStage.objects.bulk_create(rows)
    for row in by_rule:
        _write_down_rule(row, at=at)
    if current is None:
        _approve(case, actor=automatic.RULE, at=at)
        notices.ended(case, rows[-1], Verb.APPROVE, "", actor=automatic.RULE, at=at)
    else:
        _open_seats(current, rows, at=at)
        notices.opened(case, current, at=at)


def _row(case: Case, stage: Stage, matter: Matter, due: datetime) -> CaseStage:
    by_rule = decides_itself(stage, matter)
    return CaseStage(
        case=case,
        revision=case.revision,
        code=stage.code,
        name=stage.name,
        name_en=stage.name_en,
        role=stage.role,
        also_roles=stage.also_roles,
        quorum=stage.quorum,
        quorum_count=stage.quorum_count,
        auto_reason=automatic.in_words(stage, language="zh-hans") if by_rule else "",
        auto_reason_en=automatic.in_words(stage, language="en") if by_rule else "",
        working_days=stage.working_days,
        due_at=due,
    )


def last_position(case: Case) -> int:
    """Of all the stages the case has had so far."""
    last: int | None = case.stages.aggregate(last=Max("position"))["last"]
    return last or 0


def write_down(turn: Turn, verb: Verb, opinion: str, *, actor: User, at: datetime) -> None:
    """Write the decision and close its seat."""
    stage, seat, case = turn.stage, turn.seat, turn.stage.case
    Decision.objects.create(
        stage=stage,
        seat=seat,
        verb=verb,
        opinion=opinion,
        decider=actor,
        on_behalf_of=turn.on_behalf_of,
        revision_hash=case.revision_hash,
        at=at,
    )
    seat.status = SeatStatus.SIGNED
    seat.save(update_fields=["status"])
    _tell(
        stage,
        verb,
        opinion,
        actor=actor,
        at=at,
        role=seat.role,
        on_behalf_of=turn.on_behalf_of.audit_ref if turn.on_behalf_of else "",
    )


def move_on(
    turn: Turn, stages: Sequence[CaseStage], verb: Verb, opinion: str, *, actor: User, at: datetime
) -> None:
    """What follows from the decision: further signatures, the next stage, or the end of the case."""
    signed = {actor.pk, (turn.on_behalf_of or actor).pk}
    if verb in APPROVING:
        _release_surplus(turn.stage, stages, signed, at=at)
        if policies.open_seats(turn.stage):
            return
    _conclude(turn.stage, stages, verb, opinion, signed=signed, actor=actor, decider=actor, at=at)


def go_on_without(stages: Sequence[CaseStage], *, actor: audit.Actor, at: datetime) -> None:
    """Where everybody signs the current stage: without those who are not there any more. What follows is what the last
    signature would have brought; ``stages`` as for ``move_on``.
    """
    stage = next((each for each in stages if each.status == StageStatus.CURRENT), None)
    released = _release_surplus(stage, stages, (), at=at) if stage is not None else []
    if stage is None or not released:
        return
    case = stage.case
    entries = [
        Entry(case, {"stage": stage.code}, before={"role": seat.role}, thread=case.thread)
        for seat in released
    ]
    audit.record_many(actor=actor, verb="case.seat_released", entries=entries, at=at)
    last = stage.decision
    if last is None or last.decider is None or policies.open_seats(stage):
        return
    _conclude(
        stage, stages, Verb(last.verb), last.opinion, signed=(), actor=actor, decider=last.decider, at=at
    )


def _conclude(
    stage: CaseStage,
    stages: Sequence[CaseStage],
    verb: Verb,
    opinion: str,
    *,
    signed: Collection[int],
    actor: audit.Actor,
    decider: User,
    at: datetime,
) -> None:
    """Close the stage. People are told of it as the ``decider``'s, who signed last; ``signed`` are those whose signature ``stages``
    do not have yet.
    """
    case = stage.case
    _close(stage, OUTCOMES[verb], at=at)
    following = None
    if verb in APPROVING:
        following = _go_on(case, stages, actor=actor, reason=opinion, at=at)
    else:
        cancel_the_rest(case, at=at)
        closed_at = None if verb == Verb.RETURN else at
        transition(
            case, ENDS[verb], actor=actor, at=at, reason=opinion, thread=case.thread, closed_at=closed_at
        )
    if following is None:
        notices.ended(case, stage, verb, opinion, actor=decider, at=at)
    else:
        before = {*policies.involved_by_deciding(stages), *signed}
        notices.moved_on(case, stage, following, before=before, actor=decider, at=at)


def _go_on(
    case: Case, stages: Sequence[CaseStage], *, actor: audit.Actor, at: datetime, reason: str
) -> CaseStage | None:
    """To the next stage that people decide, which is returned; those before it are decided by their rules. Without one, the
    case is approved.
    """
    for stage in stages:
        if stage.status != StageStatus.WAITING:
            continue
        if not stage.auto_reason:
            _begin(stage, stages, at=at)
            return stage
        _mark_decided_by_rule(stage, at=at)
        stage.save(update_fields=["status", "opened_at", "due_at", "decided_at"])
        _write_down_rule(stage, at=at)
    _approve(case, actor=actor, at=at, reason=reason)
    return None


def _approve(case: Case, *, actor: audit.Actor, at: datetime, reason: str = "") -> None:
    transition(case, Status.APPROVED, actor=actor, at=at, reason=reason, thread=case.thread, closed_at=at)


def cancel_the_rest(case: Case, *, at: datetime) -> None:
    undecided = case.stages.filter(status__in=[StageStatus.WAITING, StageStatus.CURRENT])
    Seat.objects.filter(stage__case=case, status=SeatStatus.OPEN).update(status=SeatStatus.RELEASED)
    _waive(Consultation.objects.filter(stage__case=case), at=at)
    undecided.update(status=StageStatus.CANCELLED)


def _begin(stage: CaseStage, stages: Sequence[CaseStage], *, at: datetime) -> None:
    """The stage becomes current; its days count from now."""
    stage.status, stage.opened_at = StageStatus.CURRENT, at
    stage.due_at = due_after(start=at, working_days=stage.working_days)
    stage.save(update_fields=["status", "opened_at", "due_at"])
    _open_seats(stage, stages, at=at)


def _open_seats(stage: CaseStage, stages: Sequence[CaseStage], *, at: datetime) -> None:
    Seat.objects.bulk_create(
        Seat(stage=stage, role=role)
        for role, number in _signatures(stage, stages, at=at).items()
        for _one in range(number)
    )


def _signatures(stage: CaseStage, stages: Sequence[CaseStage], *, at: datetime) -> dict[str, int]:
    """How many holders of each role have to sign; of all of them at least one, whom there may have to be found first."""
    if stage.quorum != Quorum.ALL:
        return dict.fromkeys(stage.roles, stage.quorum_count or 1)
    return {role: max(1, len(people)) for role, people in _holders(stage, stages, at=at).items()}


def _holders(stage: CaseStage, stages: Sequence[CaseStage], *, at: datetime) -> dict[str, list[User]]:
    """Who may sign, by role: without those the matter is of and those who have decided on it."""
    case = stage.case
    without = policies.owners(case) | policies.involved_by_deciding(stages)
    return policies.deciders(department=case.department, roles=stage.roles, without=without, at=at)


def _release_surplus(
    stage: CaseStage, stages: Sequence[CaseStage], signed: Collection[int], *, at: datetime
) -> list[Seat]:
    """Where everybody signs: the seats that there is nobody left for. ``signed`` are those whose signature ``stages`` do not have."""
    if stage.quorum != Quorum.ALL or not policies.open_seats(stage):
        return []
    gone = {*signed, *policies.given_away(stage.seats.all())}
    left = {
        role: {person.pk for person in people} - gone
        for role, people in _holders(stage, stages, at=at).items()
    }
    released = surplus.of(stage, left)
    for seat in released:
        seat.status = SeatStatus.RELEASED
        seat.save(update_fields=["status"])
    return released


def _mark_decided_by_rule(stage: CaseStage, *, at: datetime) -> None:
    stage.status, stage.opened_at, stage.due_at, stage.decided_at = StageStatus.APPROVED, at, at, at


def _write_down_rule(stage: CaseStage, *, at: datetime) -> None:
    """The decision without a person, its rule as the opinion."""
    Decision.objects.create(
        stage=stage,
        verb=Verb.APPROVE,
        opinion=stage.auto_reason,
        revision_hash=stage.case.revision_hash,
        at=at,
    )
    _tell(stage, Verb.APPROVE, stage.auto_reason, actor=automatic.RULE, at=at)


def _close(stage: CaseStage, status: StageStatus, *, at: datetime) -> None:
    open_seats = policies.open_seats(stage)
    if open_seats:
        Seat.objects.filter(pk__in=[seat.pk for seat in open_seats]).update(status=SeatStatus.RELEASED)
    if vars(stage)["consulted"]:
        _waive(Consultation.objects.filter(stage=stage), at=at)
    stage.status, stage.decided_at = status, at
    stage.save(update_fields=["status", "decided_at"])


def _waive(consultations: QuerySet[Consultation], *, at: datetime) -> None:
    """Nobody need answer any more. The decision itself is what is told of."""
    consultations.filter(status=ConsultationStatus.ASKED).update(
        status=ConsultationStatus.WAIVED, closed_at=at
    )


def _tell(
    stage: CaseStage,
    verb: Verb,
    opinion: str,
    *,
    actor: audit.Actor,
    at: datetime,
    role: str = "",
    on_behalf_of: str = "",
) -> None:
    case = stage.case
    after = {
        "stage": stage.code,
        "status": OUTCOMES[verb],
        "verb": verb,
        "role": role,
        "revision_hash": case.revision_hash,
    }
    if on_behalf_of:
        after["on_behalf_of"] = on_behalf_of
    audit.record(
        actor=actor,
        verb="case.decided",
        subject=case,
        at=at,
        thread=case.thread,
        before={"stage": stage.code, "status": StageStatus.CURRENT},
        after=after,
        reason=opinion,
    )
