"""The stages of a case as they run: laid out for a revision, decided one by one, cancelled when there is no more need."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Max

from govcloud.approvals import notices
from govcloud.approvals.lifecycle import StageStatus, Status
from govcloud.approvals.models import Case, CaseStage, Decision, Stage, Verb
from govcloud.audit import services as audit
from govcloud.calendars.services import due_after
from govcloud.lifecycle import transition
from tenants.models import User

OUTCOMES = {
    Verb.APPROVE: StageStatus.APPROVED,
    Verb.RETURN: StageStatus.RETURNED,
    Verb.REJECT: StageStatus.REJECTED,
}
ENDS = {Verb.APPROVE: Status.APPROVED, Verb.RETURN: Status.RETURNED, Verb.REJECT: Status.REJECTED}
"""What a case becomes by its last decision."""


def lay_out(
    case: Case, stages: Sequence[Stage], dues: Sequence[datetime], *, after: int, at: datetime
) -> None:
    """The stages of this revision, in positions after those of earlier ones; the first is current."""
    rows = CaseStage.objects.bulk_create(
        CaseStage(
            case=case,
            revision=case.revision,
            position=after + n,
            code=stage.code,
            name=stage.name,
            name_en=stage.name_en,
            role=stage.role,
            working_days=stage.working_days,
            status=StageStatus.CURRENT if n == 1 else StageStatus.WAITING,
            opened_at=at if n == 1 else None,
            due_at=due,
        )
        for n, (stage, due) in enumerate(zip(stages, dues, strict=True), 1)
    )
    notices.opened(case, rows[0], at=at)


def last_position(case: Case) -> int:
    """Of all the stages the case has had so far."""
    last: int | None = case.stages.aggregate(last=Max("position"))["last"]
    return last or 0


def write_down(stage: CaseStage, verb: Verb, opinion: str, *, actor: User, at: datetime) -> None:
    """Write the decision and close its stage."""
    case = stage.case
    Decision.objects.create(
        stage=stage, verb=verb, opinion=opinion, decider=actor, revision_hash=case.revision_hash, at=at
    )
    stage.status, stage.decided_at = OUTCOMES[verb], at
    stage.save(update_fields=["status", "decided_at"])
    audit.record(
        actor=actor,
        verb="case.decided",
        subject=case,
        at=at,
        thread=case.thread,
        before={"stage": stage.code, "status": StageStatus.CURRENT},
        after={"stage": stage.code, "status": stage.status, "revision_hash": case.revision_hash},
        reason=opinion,
    )


def move_on(
    case: Case,
    decided: CaseStage,
    stages: Sequence[CaseStage],
    verb: Verb,
    opinion: str,
    *,
    actor: User,
    at: datetime,
) -> None:
    """What follows from the decision: the next stage, or the end of the case."""
    following = next((stage for stage in stages if stage.position > decided.position), None)
    if verb == Verb.APPROVE and following is not None:
        following.status, following.opened_at = StageStatus.CURRENT, at
        following.due_at = due_after(start=at, working_days=following.working_days)
        following.save(update_fields=["status", "opened_at", "due_at"])
        before = [stage.decision.decider_id for stage in stages if stage.decided_at is not None]
        notices.moved_on(case, decided, following, before=before, actor=actor, at=at)
        return
    cancel_the_rest(case)
    closed_at = None if verb == Verb.RETURN else at
    transition(case, ENDS[verb], actor=actor, at=at, reason=opinion, thread=case.thread, closed_at=closed_at)
    notices.ended(case, decided, verb, opinion, actor=actor, at=at)


def cancel_the_rest(case: Case) -> None:
    undecided = case.stages.filter(status__in=[StageStatus.WAITING, StageStatus.CURRENT])
    undecided.update(status=StageStatus.CANCELLED)
