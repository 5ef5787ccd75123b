"""Publishing flows, and running cases on them: opened, decided stage by stage, withdrawn."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from govcloud.approvals import pauses, policies, progress
from govcloud.approvals.lifecycle import StageStatus, Status
from govcloud.approvals.models import Case, FlowVersion, Stage, Verb
from govcloud.approvals.routing import DEFAULT_FLOW, Matter, StageRule, applicable
from govcloud.audit import services as audit
from govcloud.audit.refusals import refuse
from govcloud.calendars.services import due_along
from govcloud.errors import Conflict, Invalid
from govcloud.lifecycle import ChangedMeanwhile, transition
from tenants.models import Department, Role, User


class NoFlow(Conflict):
    code = "no-flow-in-force"
    message = _("No approval flow is in force yet. One has to be published first.")


class FlowSkipsMatters(Invalid):
    code = "flow-skips-matters"
    message = _("At least one stage must apply to every matter, or some would be approved by nobody.")


class CaseRunning(Conflict):
    code = "case-running"
    message = _("This is being decided already.")


class OpinionMissing(Invalid):
    code = "opinion-missing"
    message = _("Say why when you return or reject.")


class UnknownVerb(Invalid):
    code = "unknown-verb"
    message = _("A decision is one of: %(verbs)s.")


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """A stage that a matter will go through, when it is due if all before it take their time, and who can decide it."""

    code: str
    name: str
    name_en: str
    role: Role
    working_days: int
    due_at: datetime
    deciders: list[User]


@transaction.atomic
def publish(
    *, name: str, stages: Sequence[StageRule], in_force_from: datetime, actor: audit.Actor, at: datetime
) -> FlowVersion:
    """Publish the next version of the flow; it never changes again, and running cases stay on theirs.

    Raises FlowSkipsMatters, and ChangedMeanwhile when somebody else publishes at the same moment.
    """
    if not any(stage.unconditional for stage in stages):
        raise FlowSkipsMatters
    last = FlowVersion.objects.aggregate(last=Max("number"))["last"] or 0
    try:
        with transaction.atomic():
            flow = FlowVersion.objects.create(number=last + 1, name=name, in_force_from=in_force_from)
    except IntegrityError:
        raise ChangedMeanwhile from None
    Stage.objects.bulk_create(
        Stage(flow=flow, position=n, **asdict(stage)) for n, stage in enumerate(stages, 1)
    )
    flow.published_at = at
    flow.save(update_fields=["published_at"])
    audit.record(
        actor=actor,
        verb="flow.published",
        subject=None,
        label=str(flow),
        at=at,
        after={
            "number": flow.number,
            "in_force_from": in_force_from,
            "stages": [stage.code for stage in stages],
        },
    )
    return flow


def publish_default_flow(*, actor: audit.Actor, at: datetime) -> FlowVersion:
    """Have the default flow in force: published now, unless it is what new cases are routed by already."""
    flow = FlowVersion.objects.in_force(at=at).first()
    if flow is not None and _rules(flow.stages.all()) == list(DEFAULT_FLOW):
        return flow
    return publish(name="标准审批流程", stages=DEFAULT_FLOW, in_force_from=at, actor=actor, at=at)


def preview(
    *, department: Department, applicant: User, matter: Matter, at: datetime, case: Case | None = None
) -> list[PlannedStage]:
    """Who would decide the matter and by when, if it was submitted at the instant. Three queries, however long the chain.

    Give the ``case`` of a matter that was returned: it stays on its version of the flow. An empty list of deciders says
    that nobody holds the role yet. Raises NoFlow.
    """
    stages = applicable(_flow_of(case, at=at), matter)
    dues = due_along(start=at, working_days=[stage.working_days for stage in stages])
    people = policies.deciders(
        department=department, roles={stage.role for stage in stages}, without=[applicant], at=at
    )
    return [
        PlannedStage(
            code=stage.code,
            name=stage.name,
            name_en=stage.name_en,
            role=Role(stage.role),
            working_days=stage.working_days,
            due_at=due,
            deciders=people[stage.role],
        )
        for stage, due in zip(stages, dues, strict=True)
    ]


def current_deciders(*, case: Case, at: datetime) -> list[User]:
    """Who can decide the case's current stage: its role's holders without those the matter is of or who decided before."""
    stages = list(case.stages.filter(revision=case.revision).select_related("decision__decider"))
    current = next((stage for stage in stages if stage.status == StageStatus.CURRENT), None)
    if current is None:
        return []
    involved = [
        case.applicant,
        case.submitted_by,
        *(s.decision.decider for s in stages if s.decided_at is not None),
    ]
    people = policies.deciders(department=case.department, roles={current.role}, without=involved, at=at)
    return people[current.role]


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
) -> Case:
    """Open a case for a revision, or open the returned case of the subject again: its first stage is then current.

    Raises CaseRunning when the subject is being decided already, and NoFlow.
    """
    case = _returned(subject_kind, subject_id)
    stages = applicable(_flow_of(case, at=at), matter)
    dues = due_along(start=at, working_days=[stage.working_days for stage in stages])
    submission: dict[str, Any] = {
        "kind": matter.kind,
        "subject_label": label,
        "submitted_by": submitted_by or applicant,
        "revision": revision,
        "revision_hash": revision_hash,
        "due_at": pauses.due_after(case, stages, at=at) if case else dues[-1],
    }
    before = progress.last_position(case) if case else 0
    if case is None:
        subject = {"subject_kind": subject_kind, "subject_id": subject_id, "thread": thread}
        parties = {"department": department, "applicant": applicant}
        case = _create(Case(flow=stages[0].flow, opened_at=at, **subject, **parties, **submission))
    else:
        transition(case, Status.OPEN, actor=submission["submitted_by"], at=at, thread=thread, **submission)
    progress.lay_out(case, stages, dues, after=before, at=at)
    _tell_of_opening(case, stages, at=at)
    return case


def decide(
    *, case: Case, verb: str, opinion: str, revision_hash: str, actor: User, at: datetime, stage: str = ""
) -> Case:
    """Decide the current stage: the next one becomes current, or the case is approved, returned or rejected.

    ``stage`` is the code of the stage the decider looked at; left out, the stage that is current on entry is meant. Of two
    who decide one stage at once, the second is told so and decides nothing.

    Raises UnknownVerb, OpinionMissing, and what ``policies.require_decider`` lists.
    """
    _check_form(verb, opinion)
    seen = (
        stage or case.stages.filter(status=StageStatus.CURRENT).values_list("code", flat=True).first() or ""
    )
    try:
        with transaction.atomic():
            locked = _locked(case)
            stages = list(locked.stages.filter(revision=locked.revision).select_related("decision"))
            current = policies.require_decider(
                locked, stages, seen=seen, revision_hash=revision_hash, actor=actor, at=at
            )
            progress.write_down(current, Verb(verb), opinion.strip(), actor=actor, at=at)
            progress.move_on(locked, current, stages, Verb(verb), opinion.strip(), actor=actor, at=at)
    except policies.AUDITED as refusal:
        refuse(actor=actor, verb="case.decided", subject=case, at=at, thread=case.thread, reason=refusal.code)
        raise
    return locked


def withdraw(*, case: Case, actor: User, at: datetime, reason: str = "") -> Case:
    """Take back what is being decided, or was returned. Raises CaseNotOpen and NotTheApplicant."""
    try:
        with transaction.atomic():
            locked = _locked(case)
            policies.require_applicant(locked, actor=actor, at=at)
            if locked.status not in {Status.OPEN, Status.RETURNED}:
                raise policies.CaseNotOpen(status=locked.get_status_display())
            progress.cancel_the_rest(locked)
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


def _rules(stages: Iterable[Stage]) -> list[StageRule]:
    return [
        StageRule(**{field.name: getattr(stage, field.name) for field in fields(StageRule)})
        for stage in stages
    ]


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
    case = of_subject.filter(status__in=[Status.OPEN, Status.RETURNED]).select_for_update().first()
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
    """Two at once both find no running case; the constraint lets one of them through."""
    try:
        with transaction.atomic():
            case.save(force_insert=True)
    except IntegrityError:
        raise CaseRunning from None
    return case


def _check_form(verb: str, opinion: str) -> None:
    if verb not in Verb.values:
        raise UnknownVerb(verbs=", ".join(Verb.values), pointers=("/verb",))
    if verb != Verb.APPROVE and not opinion.strip():
        raise OpinionMissing(pointers=("/opinion",))


def _locked(case: Case) -> Case:
    return Case.objects.select_for_update(of=("self",)).select_related("department").get(pk=case.pk)
