"""What people are told as a case moves: those whose turn it is, and those who have applied."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from govcloud.approvals import policies, waiting
from govcloud.approvals.models import Absence, Case, CaseStage, Consultation, Seat, Verb
from govcloud.audit.services import Actor
from govcloud.notifications import services as notifications
from govcloud.notifications.kinds import Kind
from govcloud.notifications.services import Posting
from tenants.models import Role

NAMED = 5
"""Of the cases in one notice; the others are counted."""

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
    action = case.actions[0] if len(case.actions) == 1 else ""
    posting = _to_applicants(ENDS[verb], case, decided, actor, opinion=opinion, action=action)
    notifications.post_many(postings=[posting], at=at)


def given(seat: Seat, *, before: Collection[int], actor: Actor, at: datetime) -> None:
    """Tell whoever was given a seat, or added to sign as well; who decided ``before`` stands in for nobody here."""
    if seat.person_id is not None:
        facts = {"asker": actor.audit_name, "due_at": seat.stage.due_at, "opinion": seat.reason}
        _tell(Kind.CASE_GIVEN, seat.stage, [seat.person_id], facts, before=before, at=at)


def freed(seat: Seat, *, at: datetime) -> None:
    """Tell the holders of its role, but for who cannot sign it, that a seat which was somebody's by name is open to them."""
    stage = seat.stage
    without, standing_in = sorted(waiting.barred(stage)), sorted(waiting.standing_in(stage))
    posting = replace(
        _waits(stage.case, stage), roles=[Role(seat.role)], without=without, standing_in=standing_in
    )
    notifications.post_many(postings=[posting], at=at)


def consulted(asked: Consultation, *, actor: Actor, at: datetime) -> None:
    facts = {"asker": actor.audit_name, "opinion": asked.question}
    _tell(Kind.CASE_CONSULTED, asked.stage, [asked.person_id], facts, at=at)


def answered(asked: Consultation, *, actor: Actor, at: datetime) -> None:
    facts = {"decider": actor.audit_name, "opinion": asked.answer}
    _tell(Kind.CASE_ANSWERED, asked.stage, [asked.asked_by_id], facts, at=at)


def reminded(
    stage: CaseStage, people: Collection[int], *, before: Collection[int], actor: Actor, at: datetime
) -> None:
    """Tell these people; who decided ``before`` stands in for nobody here."""
    facts = {"asker": actor.audit_name, "due_at": stage.due_at}
    _tell(Kind.CASE_REMINDED, stage, people, facts, before=before, at=at)


def stand_in_begins(absence: Absence, cases: Sequence[Case], *, at: datetime) -> None:
    """Tell the substitute what waits for the person now: the cases in one notice."""
    labels = ", ".join(case.subject_label for case in cases[:NAMED])
    facts = {
        "person": absence.person.audit_name,
        "ends_at": absence.ends_at,
        "count": len(cases),
        "labels": labels if len(cases) <= NAMED else f"{labels}, …",
    }
    notifications.post(
        kind=Kind.ABSENCE_BEGAN, subject=absence, facts=facts, people=[absence.substitute_id], at=at
    )


def substitute_leaves(absence: Absence, *, at: datetime) -> None:
    """Tell who is away, until when as it was agreed."""
    facts = {"substitute": absence.substitute.audit_name, "ends_at": absence.ends_at}
    notifications.post(
        kind=Kind.ABSENCE_SUBSTITUTE_LEFT, subject=absence, facts=facts, people=[absence.person_id], at=at
    )


def _tell(
    kind: Kind,
    stage: CaseStage,
    people: Collection[int],
    facts: dict[str, Any],
    *,
    before: Collection[int] = (),
    at: datetime,
) -> None:
    case = stage.case
    told = {"label": case.subject_label, "stage": stage.name, "stage_en": stage.name_en}
    posting = Posting(
        kind=kind, subject=case, facts={**told, **facts}, people=list(people),
        without=sorted({*policies.owners(case), *before}), department=case.department, thread=case.thread,
    )  # fmt: skip
    notifications.post_many(postings=[posting], at=at)


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
        without=sorted({*policies.owners(case), *before}),
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
