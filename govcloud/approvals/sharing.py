"""A decision shared with others: a seat delegated to one person, a further reviewer added, an opinion asked for."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.approvals import fitness, notices, policies, surplus
from govcloud.approvals.lifecycle import ConsultationStatus, StageStatus
from govcloud.approvals.models import (
    Case,
    CaseStage,
    Consultation,
    Manner,
    Seat,
    SeatOrigin,
)
from govcloud.approvals.policies import AUDITED, SelfApproval, Turn
from govcloud.approvals.services import lock, stages_of
from govcloud.approvals.signable import Signers
from govcloud.audit import services as audit
from govcloud.audit.refusals import refuse
from govcloud.errors import Conflict, DomainError, Forbidden, Invalid
from govcloud.lifecycle import transition
from tenants.models import DECIDING, Role, User
from tenants.policies import read_scopes

CONSULTED = DECIDING | {Role.LEADER, Role.SUPERVISOR}
"""Who can be asked for an opinion; it decides nothing."""


class ReasonMissing(Invalid):
    code = "handing-over-unexplained"
    message = _("Say why you hand it to somebody else.")


class NotToBeHandedOn(Forbidden):
    code = "not-to-be-handed-on"
    message = _(
        "What was given to you by name you decide yourself; who gave it to you can give it to another."
    )


class SeatGone(Conflict):
    code = "seat-gone"
    message = _(
        "This part is not yours to give any more: it has been signed, or is free again. Look at it once more."
    )


class QuestionMissing(Invalid):
    code = "question-missing"
    message = _("Say what you ask.")


class AnswerMissing(Invalid):
    code = "answer-missing"
    message = _("An answer says something.")


class ConsultedAlready(Conflict):
    code = "consulted-already"
    message = _("%(person)s has been asked and has not answered yet.")


class NotConsulted(Forbidden):
    code = "not-consulted"
    message = _("Only who was asked answers.")


class NotTheAsker(Forbidden):
    code = "not-the-asker"
    message = _("Only who asked waives the answer, or who decides now.")


REFUSALS: tuple[type[Forbidden], ...] = (*AUDITED, NotToBeHandedOn, NotConsulted, NotTheAsker)
"""Refusals that are recorded: somebody tried what is not theirs to do."""


def delegate(
    *,
    case: Case,
    stage: str,
    person: User,
    reason: str,
    actor: User,
    at: datetime,
    seat: UUID | None = None,
) -> Seat:
    """Give one's seat of the current stage to another person, for this stage alone; they decide it in their own name.

    Who gave a seat (``seat``), and for whom a substitute gave it, may give it to yet another, or take it back by naming themselves. Raises ReasonMissing,
    PersonUnfit, SelfApproval for the applicant, NotToBeHandedOn, SeatGone, NobodyLeftToSign where the person is needed for another
    seat of this stage or of a later one, and what ``policies.require_decider`` raises.
    """
    _require(reason, ReasonMissing, "/reason")
    with _audited(case, verb="case.delegated", actor=actor, at=at), transaction.atomic():
        locked = lock(case)
        stages = stages_of(locked)
        was, absent = _seat_to_give(locked, stages, seat, seen=stage, actor=actor, at=at)
        signers = Signers(was.stage, stages, at)
        fitness.require_delegable(signers, was, person, actor=actor, on_behalf_of=absent)
        given = fitness.handed_to(was, person, actor, absent)
        given.given_at, given.reason = at, reason.strip()
        given.save(update_fields=["origin", "person", "given_by", "given_for", "given_at", "reason"])
        before = {"stage": was.stage.code, "person": was.person.audit_ref if was.person else was.role}
        after = {"stage": was.stage.code, "person": person.audit_ref, **_on_behalf_of(given, actor)}
        _tell("case.delegated", locked, actor=actor, at=at, before=before, after=after, reason=reason)
        if person != actor:
            notices.given(given, before=policies.involved_by_deciding(stages), actor=actor, at=at)
    return given


def add_reviewer(*, case: Case, stage: str, person: User, reason: str, actor: User, at: datetime) -> Seat:
    """Have another person sign the current stage as well before it closes.

    Raises ReasonMissing, PersonUnfit, SelfApproval for the applicant, TooManySeats, NobodyLeftToSign where the person is needed
    for another seat of this stage or of a later one, and what ``policies.require_decider`` raises.
    """
    _require(reason, ReasonMissing, "/reason")
    with _audited(case, verb="case.reviewer_added", actor=actor, at=at), transaction.atomic():
        locked = lock(case)
        stages = stages_of(locked)
        turn = _turn(locked, stages, seen=stage, actor=actor, at=at)
        fitness.require_addable(Signers(turn.stage, stages, at), person, actor=actor)
        added = Seat.objects.create(
            stage=turn.stage,
            origin=SeatOrigin.ADDED,
            person=person,
            given_by=actor,
            given_for=turn.on_behalf_of or actor,
            given_at=at,
            reason=reason.strip(),
        )
        after = {"stage": turn.stage.code, "person": person.audit_ref, **_on_behalf_of(added, actor)}
        _tell("case.reviewer_added", locked, actor=actor, at=at, after=after, reason=reason)
        notices.given(added, before=policies.involved_by_deciding(stages), actor=actor, at=at)
    return added


def consult(
    *, case: Case, stage: str, person: User, question: str, manner: str, actor: User, at: datetime
) -> Consultation:
    """Ask for an opinion on the current stage. Where it is ``awaited``, nobody approves before it is there or waived.

    Raises QuestionMissing, PersonUnfit, ConsultedAlready, and what ``policies.require_decider`` raises.
    """
    _require(question, QuestionMissing, "/question")
    with _audited(case, verb="consultation.asked", actor=actor, at=at), transaction.atomic():
        locked = lock(case)
        turn = _turn(locked, stages_of(locked), seen=stage, actor=actor, at=at)
        if person == actor or person not in consulted(case=locked, at=at):
            raise fitness.PersonUnfit(person=str(person), pointers=("/person",))
        if turn.stage.consultations.filter(person=person, status=ConsultationStatus.ASKED).exists():
            raise ConsultedAlready(person=str(person), pointers=("/person",))
        asked = Consultation.objects.create(
            stage=turn.stage,
            asked_by=actor,
            person=person,
            question=question.strip(),
            manner=Manner(manner),
            asked_at=at,
        )
        after = {"stage": turn.stage.code, "person": person.audit_ref, "manner": manner}
        audit.record(
            actor=actor,
            verb="consultation.asked",
            subject=asked,
            at=at,
            thread=locked.thread,
            after=after,
            reason=question.strip(),
        )
        notices.consulted(asked, actor=actor, at=at)
    return asked


def answer(*, consultation: Consultation, text: str, actor: User, at: datetime) -> Consultation:
    """Raises AnswerMissing, NotConsulted, and WrongState once the stage is decided or the answer was waived."""
    _require(text, AnswerMissing, "/answer")
    case = consultation.stage.case
    with _audited(case, verb="consultation.answered", actor=actor, at=at), transaction.atomic():
        locked = _locked(consultation)
        if actor.pk != locked.person_id:
            raise NotConsulted
        said: dict[str, Any] = {"answer": text.strip(), "closed_at": at}
        transition(
            locked,
            ConsultationStatus.ANSWERED,
            actor=actor,
            at=at,
            reason=text.strip(),
            thread=case.thread,
            **said,
        )
        notices.answered(locked, actor=actor, at=at)
        _waits_no_more(locked, at=at)
    return locked


def waive(*, consultation: Consultation, actor: User, at: datetime) -> Consultation:
    """The answer is not needed any more. Raises NotTheAsker, and WrongState when it is there."""
    case = consultation.stage.case
    with _audited(case, verb="consultation.waived", actor=actor, at=at), transaction.atomic():
        locked = _locked(consultation)
        if actor.pk != locked.asked_by_id and not _decides_now(locked.stage, actor, at=at):
            raise NotTheAsker
        transition(locked, ConsultationStatus.WAIVED, actor=actor, at=at, thread=case.thread, closed_at=at)
        _waits_no_more(locked, at=at)
    return locked


def _waits_no_more(consultation: Consultation, *, at: datetime) -> None:
    """A step that everybody signs may have waited for nothing else any more."""
    if consultation.manner == Manner.AWAITED:
        surplus.ring_if_any(at=at)


def _decides_now(stage: CaseStage, actor: User, *, at: datetime) -> bool:
    """By themselves or for somebody who is away; nobody at a stage that is decided, or of a case that is."""
    if stage.status != StageStatus.CURRENT:
        return False
    return policies.turn_of(stage.case, stages_of(stage.case), actor=actor, at=at) is not None


@dataclass(frozen=True, slots=True)
class Offered:
    """Whom somebody can share the current stage with now: none of these is refused, and everybody else is.

    Who can have their seat (``delegates``), sign as well (``reviewers``) or be asked (``consulted``); and who can have each of the
    seats that they have given to others (``again``).
    """

    delegates: list[User] = field(default_factory=list)
    reviewers: list[User] = field(default_factory=list)
    consulted: list[User] = field(default_factory=list)
    again: list[tuple[Seat, list[User]]] = field(default_factory=list)


def offered(*, case: Case, actor: User, at: datetime) -> Offered:
    """As many statements for many people as for few. Nothing for who has no seat to sign there and has given none."""
    stages = stages_of(case)
    current = next((stage for stage in stages if stage.status == StageStatus.CURRENT), None)
    if current is None:
        return Offered()
    turn = policies.turn_of(case, stages, actor=actor, at=at)
    given = (
        policies.given_by(actor, stages, at=at)
        if _passes(lambda: _require_giver(case, current, actor, at=at))
        else []
    )
    people = eligible(case=case, at=at) if turn or given else []
    signers = Signers(current, stages, at)

    def delegable(seat: Seat) -> list[User]:
        absent = turn.on_behalf_of if turn else None
        return _fit(
            people,
            lambda person: fitness.require_delegable(signers, seat, person, actor=actor, on_behalf_of=absent),
        )

    again = [(seat, delegable(seat)) for seat in given]
    if turn is None:
        return Offered(again=again)
    own = signers.where_needed(turn, actor=actor).seat
    asked = set(current.consultations.open().values_list("person", flat=True))
    return Offered(
        delegates=delegable(own) if own.person_id is None else [],
        reviewers=_fit(people, lambda person: fitness.require_addable(signers, person, actor=actor)),
        consulted=[one for one in consulted(case=case, at=at) if one != actor and one.pk not in asked],
        again=again,
    )


def eligible(*, case: Case, at: datetime) -> list[User]:
    """Everybody who decides in the case's department, whatever else keeps them from this case. Two queries."""
    people = _people(case, list(Role), (), at=at)
    read_scopes(people, at=at)
    return [person for person in people if policies.decides_for(person, case.department, at=at)]


def consulted(*, case: Case, at: datetime) -> list[User]:
    """Who can be asked for an opinion: everybody who decides or watches there, but not whose matter it is."""
    return _people(case, CONSULTED, policies.owners(case), at=at)


@contextlib.contextmanager
def _audited(case: Case, *, verb: str, actor: User, at: datetime) -> Iterator[None]:
    """Around the transaction: refusals that matter outlive it."""
    try:
        yield
    except REFUSALS as refusal:
        refuse(actor=actor, verb=verb, subject=case, at=at, thread=case.thread, reason=refusal.code)
        raise


def _people(case: Case, roles: Collection[Role], without: Collection[int], *, at: datetime) -> list[User]:
    held = policies.deciders(department=case.department, roles=roles, without=without, at=at)
    people = dict.fromkeys(user for users in held.values() for user in users)
    return sorted(people, key=lambda user: (str(user), user.pk))


def _seat_to_give(
    case: Case, stages: Sequence[CaseStage], seat: UUID | None, *, seen: str, actor: User, at: datetime
) -> tuple[Seat, User | None]:
    """And on whose behalf; of a seat that was given before, whose part it was is written down in it."""
    given = next((each for each in policies.given_by(actor, stages, at=at) if each.uuid == seat), None)
    if given is not None:
        _require_giver(case, given.stage, actor, at=at)
        return given, None
    turn = _turn(case, stages, seen=seen, actor=actor, at=at)
    if seat is not None:
        raise SeatGone(pointers=("/seat",))  # and not their own seat instead
    if turn.seat.person_id is not None:
        raise NotToBeHandedOn
    return Signers(turn.stage, stages, at).where_needed(turn, actor=actor).seat, turn.on_behalf_of


def _on_behalf_of(seat: Seat, actor: User) -> dict[str, str]:
    """For the trail: whose part it was, where that is not who gave it."""
    whose = seat.given_for
    return {"on_behalf_of": whose.audit_ref} if whose is not None and whose != actor else {}


def _require_giver(case: Case, stage: CaseStage, actor: User, *, at: datetime) -> None:
    """Raises SelfApproval and NotADecider for who may not give it any more."""
    if actor.pk in policies.owners(case):
        raise SelfApproval
    if not policies.decides_for(actor, case.department, at=at):
        raise policies.NotADecider(roles=_(", ").join(str(Role(role).label) for role in stage.roles))


def _turn(case: Case, stages: Sequence[CaseStage], *, seen: str, actor: User, at: datetime) -> Turn:
    return policies.require_decider(case, stages, seen=seen, revision_hash=None, actor=actor, at=at)


def _fit(people: Collection[User], required: Callable[[User], None]) -> list[User]:
    """Those of whom it is not refused."""
    return [person for person in people if _passes(partial(required, person))]


def _passes(required: Callable[[], object]) -> bool:
    try:
        required()
    except DomainError:
        return False
    return True


def _locked(consultation: Consultation) -> Consultation:
    """The consultation as it is now; its case is locked, as by everything that changes what belongs to a case."""
    lock(consultation.stage.case)
    return Consultation.objects.select_related("stage__case__department").get(pk=consultation.pk)


def _require(text: str, missing: type[Invalid], pointer: str) -> None:
    if not text.strip():
        raise missing(pointers=(pointer,))


def _tell(verb: str, case: Case, *, actor: User, at: datetime, reason: str, **told: Any) -> None:
    audit.record(
        actor=actor, verb=verb, subject=case, at=at, thread=case.thread, reason=reason.strip(), **told
    )
