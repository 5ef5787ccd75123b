"""What people are told as a case moves: those whose turn it is, and those who have applied."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from govcloud.approvals.models import Case, CaseStage, Verb
from govcloud.audit.services import Actor
from govcloud.notifications import services as notifications
from govcloud.notifications.kinds import Kind
from govcloud.notifications.services import Posting
from tenants.models import Role

ENDS = {
    Verb.APPROVE: Kind.CASE_APPROVED,
    Verb.APPROVE_WITH_CONDITIONS: Kind.CASE_APPROVED,
    Verb.RETURN: Kind.CASE_RETURNED,
    Verb.REJECT: Kind.CASE_REJECTED,
}


def opened(case: Case, stage: CaseStage, *, at: datetime) -> None:
    """Tell those who can decide the first stage."""
    notifications.post_many(postings=[_waits(case, stage)], at=at)


def moved_on(
    case: Case,
    decided: CaseStage,
    following: CaseStage,
    *,
    before: Collection[int],
    actor: Actor,
    at: datetime,
) -> None:
    """Tell those whose turn it is, but for who decided ``before``; and the applicant that it goes on, and where."""
    further = _to_applicants(
        Kind.CASE_STAGE_APPROVED, case, decided, actor,
        next_stage=following.name, next_stage_en=following.name_en,
    )  # fmt: skip
    notifications.post_many(postings=[_waits(case, following, *before), further], at=at)


def ended(case: Case, decided: CaseStage, verb: Verb, opinion: str, *, actor: Actor, at: datetime) -> None:
    """Tell the applicant how it was decided."""
    notifications.post_many(
        postings=[_to_applicants(ENDS[verb], case, decided, actor, opinion=opinion)], at=at
    )


def _waits(case: Case, stage: CaseStage, *before: int) -> Posting:
    department = case.department
    return Posting(
        kind=Kind.CASE_WAITING,
        subject=case,
        facts={
            "label": case.subject_label,
            "department": department.name,
            "department_en": department.name_en,
            "stage": stage.name,
            "stage_en": stage.name_en,
            "due_at": stage.due_at,
        },
        roles=[Role(role) for role in stage.roles],
        without=[case.applicant_id, case.submitted_by_id, *before],
        department=department,
        thread=case.thread,
    )


def _to_applicants(kind: Kind, case: Case, stage: CaseStage, actor: Actor, **facts: Any) -> Posting:
    told = {"label": case.subject_label, "stage": stage.name, "stage_en": stage.name_en}
    return Posting(
        kind=kind,
        subject=case,
        facts={**told, "decider": actor.audit_name, **facts},
        people=[case.applicant_id, case.submitted_by_id],
        department=case.department,
        thread=case.thread,
    )
