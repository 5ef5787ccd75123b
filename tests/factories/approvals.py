"""A flow in force, the people of its chain, and cases opened and decided the way the product does it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from govcloud.approvals import services, sharing
from govcloud.approvals.lifecycle import StageStatus, Status
from govcloud.approvals.models import Absence, Case, CaseKind, CaseStage, Consultation, FlowVersion, Seat
from govcloud.approvals.routing import Matter, StageRule
from govcloud.audit.services import SystemActor
from tenants.models import Department, NetworkZone, Role, User
from tests.factories.tenants import BEGINNING, DepartmentFactory, member

COMMITTED = Matter(kind=CaseKind.COMMITTED, zone=NetworkZone.PRIVATE, mlps_level=3)
INSTANT = Matter(kind=CaseKind.INSTANT, zone=NetworkZone.PUBLIC, mlps_level=2)

DIGEST = "a" * 64
"""The hash of the revision that cases are opened with."""


def default_flow() -> FlowVersion:
    return services.publish_default_flow(actor=SystemActor("tests"), at=BEGINNING)


INTAKE = StageRule("intake", "受理", "Intake", Role.SERVICE_DESK, 1)


def flow(*stages: StageRule, at: datetime) -> FlowVersion:
    """A further version with these stages, in force at once."""
    return services.publish(
        name="试行流程", stages=stages, in_force_from=at, actor=SystemActor("tests"), at=at
    )


def one_stage_flow(at: datetime, **how: Any) -> FlowVersion:
    """A further version, with nothing but intake."""
    version = {"name": "试行流程", "stages": [INTAKE], "in_force_from": at, **how}
    return services.publish(actor=SystemActor("tests"), at=at, **version)


@dataclass(frozen=True, slots=True)
class Chain:
    """A department and one person for each role that an order of it meets."""

    department: Department
    applicant: User
    unit_approver: User
    service_desk: User
    technical_reviewer: User
    cloud_admin: User
    authority_approver: User

    def of(self, role: str) -> User:
        decider: User = getattr(self, role)
        return decider


def chain(department: Department | None = None) -> Chain:
    """The default flow in force, and its people."""
    default_flow()
    department = department or DepartmentFactory()
    people = {
        field: member(Role(field), department) for field in Chain.__annotations__ if field != "department"
    }
    return Chain(department=department, **people)


def case_of(people: Chain, *, at: datetime, matter: Matter = COMMITTED, **how: Any) -> Case:
    """A case just opened for the chain's applicant."""
    subject = how.pop("subject_id", None) or uuid4()
    submission = {
        "revision": 1,
        "revision_hash": DIGEST,
        "label": "GC-2026-000001",
        "applicant": people.applicant,
        **how,
    }
    return services.open_case(
        matter=matter,
        subject_kind="order",
        subject_id=subject,
        thread=subject,
        department=people.department,
        at=at,
        **submission,
    )


def current_stage(case: Case) -> CaseStage:
    return case.stages.get(status=StageStatus.CURRENT)


def decide(case: Case, actor: User, at: datetime, verb: str = "approve", **how: Any) -> Case:
    """One person's decision on the present revision; what is not an approval gets a reason."""
    opinion = "" if verb == "approve" else "请补充说明"
    how = {"opinion": opinion, "revision_hash": case.revision_hash, **how}
    return services.decide(case=case, verb=verb, actor=actor, at=at, **how)


def delegate(case: Case, actor: User, person: User, at: datetime, **how: Any) -> Seat:
    """The actor's part in the current stage is given to the person."""
    how = {"stage": current_stage(case).code, "reason": "出差", **how}
    return sharing.delegate(case=case, person=person, actor=actor, at=at, **how)


def add_reviewer(case: Case, actor: User, person: User, at: datetime) -> Seat:
    """The actor has the person sign the current stage as well."""
    stage = current_stage(case).code
    return sharing.add_reviewer(case=case, stage=stage, person=person, reason="涉及容量", actor=actor, at=at)


def consulted(case: Case, person: User, *, at: datetime) -> Consultation:
    """Asked for an opinion by who decides now."""
    return sharing.consult(
        case=case,
        stage=current_stage(case).code,
        person=person,
        question="容量是否足够？",
        manner="advisory",
        actor=services.current_deciders(case=case, at=at)[0],
        at=at,
    )


def absence(person: User, substitute: User, *, begins: datetime, days: int = 1) -> Absence:
    return Absence.objects.create(
        person=person,
        substitute=substitute,
        starts_at=begins,
        ends_at=begins + timedelta(days=days),
        named_at=begins,
    )


def drafted() -> FlowVersion:
    """A draft with the stages of the version that was published last."""
    published = FlowVersion.objects.exclude(number=None).latest("number")
    flow_version = FlowVersion.objects.create(name="草稿", based_on=published)
    for stage in published.stages.all():
        stage.pk, stage.flow = None, flow_version
        stage.save(force_insert=True)
    return flow_version


def approved_up_to(case: Case, code: str, people: Chain, *, at: datetime) -> Case:
    """Approved by the people of the chain in turn, until the stage of this code is current ("" for all of them)."""
    while case.status == Status.OPEN and (stage := current_stage(case)).code != code:
        case = services.decide(
            case=case,
            verb="approve",
            opinion="",
            revision_hash=case.revision_hash,
            actor=people.of(stage.role),
            at=at,
        )
    return case
