"""Running cases on the flow: opened, decided stage by stage, withdrawn; versions of the flow are in ``flows``."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from govcloud.approvals import automatic, pauses, policies, progress
from govcloud.approvals.flows import FlowSkipsMatters, publish, publish_default_flow
from govcloud.approvals.lifecycle import StageStatus, Status
from govcloud.approvals.models import (
    APPROVING,
    Case,
    CaseStage,
    Consultation,
    FlowVersion,
    Manner,
    Stage,
    Verb,
)
from govcloud.approvals.policies import Turn
from govcloud.approvals.routing import Matter, applicable, decides_itself
from govcloud.approvals.signable import Signers
from govcloud.audit import services as audit
from govcloud.audit.refusals import refuse
from govcloud.errors import Conflict, Invalid
from govcloud.lifecycle import transition
from tenants.models import Department, Role, User

__all__ = [
    "FlowSkipsMatters",
    "current_deciders",
    "decide",
    "go_on_without",
    "open_case",
    "preview",
    "publish",
    "publish_default_flow",
    "withdraw",
]


class NoFlow(Conflict):
    code = "no-flow-in-force"
    message = _("No approval flow is in force yet. One has to be published first.")


class CaseRunning(Conflict):
    code = "case-running"
    message = _("This is being decided already.")


class OpinionMissing(Invalid):
    code = "opinion-missing"
    message = _("Say why when you return or reject, and which when you approve with conditions.")


class OpinionAwaited(Conflict):
    code = "opinion-awaited"
    message = _("The opinion of %(person)s is awaited. Have it answered or waive it before you approve.")


class UnknownVerb(Invalid):
    code = "unknown-verb"
    message = _("A decision is one of: %(verbs)s.")


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """A stage that a matter will go through, when it is due if all before it take their time, and who can decide it.

    ``auto_reason`` is the rule that will decide it instead, in both languages; ``confirmation_days`` are those of its flow.
    """

    code: str
    name: str
    name_en: str
    role: Role
    working_days: int
    due_at: datetime
    deciders: list[User]
    also_roles: tuple[str, ...] = ()
    quorum: str = "one"
    quorum_count: int | None = None
    auto_reason: str = ""
    auto_reason_en: str = ""
    confirmation_days: int | None = None


def preview(
    *,
    department: Department,
    applicant: User,
    matter: Matter,
    at: datetime,
    case: Case | None = None,
    writers: Collection[int] = (),
) -> list[PlannedStage]:
    """Who would decide the matter and by when, if it was submitted at the instant. Three queries, however long the chain.

    Give the ``case`` of a matter that was returned: it stays on its version of the flow. An empty list of deciders says
    that nobody holds the role yet. Raises NoFlow.
    """
    stages = applicable(_flow_of(case, at=at), matter)
    dues = progress.planned(stages, matter, at=at)
    roles = {role for stage in stages for role in (stage.role, *stage.also_roles)}
    people = policies.deciders(department=department, roles=roles, without=[applicant, *writers], at=at)
    return [_planned(stage, matter, due, people) for stage, due in zip(stages, dues, strict=True)]


def _planned(stage: Stage, matter: Matter, due: datetime, people: dict[str, list[User]]) -> PlannedStage:
    by_rule = decides_itself(stage, matter)
    who = [] if by_rule else [user for role in (stage.role, *stage.also_roles) for user in people[role]]
    return PlannedStage(
        code=stage.code,
        name=stage.name,
        name_en=stage.name_en,
        role=Role(stage.role),
        working_days=stage.working_days,
        due_at=due,
        deciders=list(dict.fromkeys(who)),
        also_roles=tuple(stage.also_roles),
        quorum=stage.quorum,
        quorum_count=stage.quorum_count,
        auto_reason=automatic.in_words(stage, language="zh-hans") if by_rule else "",
        auto_reason_en=automatic.in_words(stage, language="en") if by_rule else "",
        confirmation_days=stage.flow.confirmation_days,
    )


def current_deciders(*, case: Case, at: datetime, stages: Sequence[CaseStage] | None = None) -> list[User]:
    """Who can decide the case's current stage: those its open seats name and holders of their roles, without those the
    matter is of, who decided before or who have given their part away. ``stages`` are those of ``stages_of``, if at hand.
    """
    stages = stages_of(case) if stages is None else stages
    current = next((stage for stage in stages if stage.status == StageStatus.CURRENT), None)
    if current is None:
        return []
    seats = policies.open_seats(current)
    without = policies.owners(case) | policies.involved_by_deciding(stages)
    roles = {seat.role for seat in seats if seat.person_id is None}
    others = without | policies.given_away(current.seats.all())
    people = policies.deciders(department=case.department, roles=roles, without=others, at=at)
    named = [seat.person for seat in seats if seat.person is not None and seat.person_id not in without]
    return list(dict.fromkeys([*named, *(user for role in roles for user in people[role])]))


def stages_of(case: Case) -> list[CaseStage]:
    """The stages of the present revision, with their seats and decisions; in three queries."""
    present = case.stages.filter(revision=case.revision).with_asked_noted()
    return list(present.prefetch_related("seats__person", "decisions"))


def stages_of_many(cases: Iterable[int]) -> list[list[CaseStage]]:
    """The same of several cases, by their keys, with case and department: as many queries for many as for few."""
    present = CaseStage.objects.filter(case__in=cases, revision=F("case__revision"))
    rows = present.select_related("case__department").prefetch_related("seats__person", "decisions")
    found: dict[int, list[CaseStage]] = {}
    for stage in rows.order_by("case", "position"):
        found.setdefault(stage.case_id, []).append(stage)
    return list(found.values())


@transaction.atomic
def open_case(
    *,
    matter: Matter,
    subject_kind: str,
    subject_id: UUID,
    label: str,
    department: Department,
    applicant: User,
    revision: int,
    revision_hash: str,
    thread: UUID,
    at: datetime,
    submitted_by: User | None = None,
    writers: Collection[int] = (),
    first: bool = False,
) -> Case:
    """Open a case for a revision, or open the returned case of the subject again: its first stage is then current.

    ``writers`` are the keys of those who have written of the content, in this revision or in earlier ones: they decide on none.
    Where rules decide every stage, the case is approved at once: the caller follows what has become of it.
    ``first`` says that the caller knows, under a lock of its own, that there has been no case of the subject yet.
    Raises CaseRunning when the subject is being decided already, and NoFlow.
    """
    case = None if first else _returned(subject_kind, subject_id)
    stages = applicable(_flow_of(case, at=at), matter)
    dues = progress.planned(stages, matter, at=at)
    submission: dict[str, Any] = {
        **_kept(matter),
        "subject_label": label,
        "submitted_by": submitted_by or applicant,
        "submitters": sorted({*(case.submitters if case else ()), (submitted_by or applicant).pk}),
        "writers": sorted({*(case.writers if case else ()), *writers}),
        "revision": revision,
        "revision_hash": revision_hash,
        "due_at": pauses.due_after(case, stages, matter, at=at) if case else dues[-1],
    }
    before = progress.last_position(case) if case else 0
    if case is None:
        subject = {"subject_kind": subject_kind, "subject_id": subject_id, "thread": thread}
        parties = {"department": department, "applicant": applicant}
        case = _create(Case(flow=stages[0].flow, opened_at=at, **subject, **parties, **submission))
    else:
        transition(case, Status.OPEN, actor=submission["submitted_by"], at=at, thread=thread, **submission)
    _tell_of_opening(case, stages, at=at)
    progress.lay_out(case, stages, dues, matter, after=before, at=at)
    return case


def decide(
    *, case: Case, verb: str, opinion: str, revision_hash: str, actor: User, at: datetime, stage: str = ""
) -> Case:
    """Sign the current stage. Once nobody else has to, the next one becomes current, or the case is approved; a single
    return or rejection ends it.

    ``stage`` is the code of the stage the decider looked at; left out, the stage that is current on entry is meant. Of two
    who decide one stage at once, the second is told so and decides nothing.

    Raises UnknownVerb, OpinionMissing, OpinionAwaited, NeededElsewhere where an approval by this person would leave nobody for
    another signature while others could approve, and what ``policies.require_decider`` raises.
    """
    _check_form(verb, opinion)
    seen = (
        stage or case.stages.filter(status=StageStatus.CURRENT).values_list("code", flat=True).first() or ""
    )
    try:
        with transaction.atomic():
            locked = lock(case)
            stages = stages_of(locked)
            turn = policies.require_decider(
                locked, stages, seen=seen, revision_hash=revision_hash, actor=actor, at=at
            )
            signers = Signers(turn.stage, stages, at)
            turn = signers.where_needed(turn, actor=actor)
            if verb in APPROVING:
                _require_opinions(turn.stage)
                _require_not_needed(signers, turn, actor=actor)
            progress.write_down(turn, Verb(verb), opinion.strip(), actor=actor, at=at)
            progress.move_on(turn, stages, Verb(verb), opinion.strip(), actor=actor, at=at)
    except policies.AUDITED as refusal:
        refuse(actor=actor, verb="case.decided", subject=case, at=at, thread=case.thread, reason=refusal.code)
        raise
    return locked


@transaction.atomic
def go_on_without(*, case: Case, actor: audit.Actor, at: datetime) -> Case:
    """Where everybody signs the current stage: release the seats that nobody is left for, and go on if no other is open.

    Not before an opinion that is awaited there, as nobody could approve before it: of somebody who is there to give it.

    The caller follows what has become of the case; ``surplus.cases`` are those that it is worth looking at.
    """
    locked = lock(case)
    awaited = Consultation.objects.open().filter(
        stage__case=locked, stage__status=StageStatus.CURRENT, manner=Manner.AWAITED, person__is_active=True
    )
    if locked.status == Status.OPEN and not awaited.exists():
        progress.go_on_without(stages_of(locked), actor=actor, at=at)
    return locked


def withdraw(*, case: Case, actor: User, at: datetime, reason: str = "") -> Case:
    """Take back what is being decided, or was returned. Raises CaseNotOpen and NotTheApplicant."""
    try:
        with transaction.atomic():
            locked = lock(case)
            policies.require_applicant(locked, actor=actor, at=at)
            if locked.status not in {Status.OPEN, Status.RETURNED}:
                raise policies.CaseNotOpen(status=locked.get_status_display())
            progress.cancel_the_rest(locked, at=at)
            transition(
                locked,
                Status.WITHDRAWN,
                actor=actor,
                at=at,
                reason=reason,
                thread=locked.thread,
                closed_at=at,
            )
    except policies.AUDITED as refusal:
        refuse(
            actor=actor, verb="case.withdrawn", subject=case, at=at, thread=case.thread, reason=refusal.code
        )
        raise
    return locked


def lock(case: Case) -> Case:
    """The case as it is now, for this transaction alone."""
    rows = Case.objects.select_for_update(of=("self",))
    return rows.select_related("department", "applicant", "submitted_by", "flow").get(pk=case.pk)


def _flow_of(case: Case | None, *, at: datetime) -> list[Stage]:
    """The stages of the flow that the case runs on, or that a new case would; in one query. Raises NoFlow."""
    stages = Stage.objects.select_related("flow")
    if case:
        return list(stages.filter(flow=case.flow_id))
    found = list(stages.filter(flow__in=FlowVersion.objects.in_force(at=at)[:1]))
    if not found:
        raise NoFlow
    return found


def _returned(subject_kind: str, subject_id: UUID) -> Case | None:
    """The subject's returned case, locked. Raises CaseRunning when it is being decided."""
    of_subject = Case.objects.filter(subject_kind=subject_kind, subject_id=subject_id)
    running = of_subject.filter(status__in=[Status.OPEN, Status.RETURNED])
    case = running.select_for_update(of=("self",)).select_related("department", "applicant").first()
    if case is not None and case.status == Status.OPEN:
        raise CaseRunning
    return case


def _tell_of_opening(case: Case, stages: Sequence[Stage], *, at: datetime) -> None:
    audit.record(
        actor=case.submitted_by,
        verb="case.opened",
        subject=case,
        at=at,
        thread=case.thread,
        after={
            "kind": case.kind,
            "revision": case.revision,
            "revision_hash": case.revision_hash,
            "flow": str(case.flow),
            "stages": [stage.code for stage in stages],
            "due_at": case.due_at,
        },
    )


def _create(case: Case) -> Case:
    """Two at once both find no running case; the constraint lets one of them through, and the other is undone as a whole."""
    try:
        with transaction.atomic(savepoint=False):
            case.save(force_insert=True)
    except IntegrityError:
        raise CaseRunning from None
    return case


def _check_form(verb: str, opinion: str) -> None:
    if verb not in Verb.values:
        raise UnknownVerb(verbs=_(", ").join(Verb.values), pointers=("/verb",))
    if verb != Verb.APPROVE and not opinion.strip():
        raise OpinionMissing(pointers=("/opinion",))


def _require_opinions(stage: CaseStage) -> None:
    if not vars(stage)["consulted"]:
        return
    awaited = Consultation.objects.open().filter(stage=stage, manner=Manner.AWAITED)
    consultation = awaited.select_related("person").order_by("id").first()
    if consultation is not None:
        raise OpinionAwaited(person=str(consultation.person))


def _require_not_needed(signers: Signers, turn: Turn, *, actor: User) -> None:
    """Raises NeededElsewhere where others could approve now, and nobody is left for something else once the actor has."""
    need = signers.need(turn, actor=actor)
    if need is not None and need.others:
        raise need.refusal()


def _kept(matter: Matter) -> dict[str, Any]:
    """What a case is routed by, as its columns."""
    return {**asdict(matter), "actions": sorted(matter.actions)}
