"""A decision shared with others: a seat delegated to one person, a further reviewer added, an opinion asked for."""

import contextlib
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.approvals import notices, policies
from govcloud.approvals.lifecycle import ConsultationStatus
from govcloud.approvals.models import (
    Case,
    CaseStage,
    Consultation,
    Manner,
    Seat,
    SeatOrigin,
)
from govcloud.approvals.policies import AUDITED, DECIDING, SelfApproval, Turn
from govcloud.approvals.services import lock, stages_of
from govcloud.approvals.signable import shortages, where_needed
from govcloud.audit import services as audit
from govcloud.audit.refusals import refuse
from govcloud.errors import Conflict, Forbidden, Invalid
from govcloud.lifecycle import transition
from tenants.models import Role, User

MOST_SEATS = 20
CONSULTED = DECIDING | {Role.LEADER, Role.SUPERVISOR}
"""Who can be asked for an opinion; it decides nothing."""


class ReasonMissing(Invalid):
    code = "handing-over-unexplained"
    message = _("Say why you hand it to somebody else.")


class PersonUnfit(Invalid):
    code = "person-unfit"
    message = _("%(person)s cannot take this: it needs somebody who decides here and has no part in it yet.")


class NobodyLeftToSign(Conflict):
    code = "nobody-left-to-sign"
    message = _(
        "%(person)s is needed for another signature of this step or of a later one, and each person signs once. Choose somebody else."
    )


class NotToBeHandedOn(Forbidden):
    code = "not-to-be-handed-on"
    message = _(
        "What was given to you by name you decide yourself; who gave it to you can give it to another."
    )


class TooManySeats(Conflict):
    code = "too-many-seats"
    message = _("A stage is signed by at most %(most)s.")


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

    Who gave a seat (``seat``) may give it to yet another, or take it back by naming themselves. Raises ReasonMissing,
    PersonUnfit, SelfApproval for the applicant, NotToBeHandedOn, NobodyLeftToSign where the person is needed for another
    seat of this stage or of a later one, and what ``policies.require_decider`` raises.
    """
    _require(reason, ReasonMissing, "/reason")
    with _audited(case, verb="case.delegated", actor=actor, at=at), transaction.atomic():
        locked = lock(case)
        stages = stages_of(locked)
        given = _seat_to_give(locked, stages, seat, seen=stage, actor=actor, at=at)
        _require_fit(locked, stages, given.stage, person, at=at)
        if person == actor and given.given_by_id != actor.pk:
            raise PersonUnfit(person=str(person), pointers=("/person",))
        before = {"stage": given.stage.code, "person": given.person.audit_ref if given.person else given.role}
        origin = SeatOrigin.DELEGATED if given.role else SeatOrigin.ADDED
        changes = {
            "origin": origin,
            "person": person,
            "given_by": actor,
            "given_at": at,
            "reason": reason.strip(),
        }
        short = shortages(given.stage, stages, at=at)
        # by itself, since a seat that has found its person may hide another that loses its only one
        _require_no_shorter(short, shortages(given.stage, stages, at=at, without=[person.pk]), person)
        _change(given, **changes)
        _require_no_shorter(short, shortages(given.stage, stages, at=at), person)
        after = {"stage": given.stage.code, "person": person.audit_ref}
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
        _require_fit(locked, stages, turn.stage, person, at=at)
        if person == actor:
            raise PersonUnfit(person=str(person), pointers=("/person",))
        if len(turn.stage.seats.all()) >= MOST_SEATS:
            raise TooManySeats(most=MOST_SEATS)
        _require_no_shorter(
            shortages(turn.stage, stages, at=at),
            shortages(turn.stage, stages, at=at, without=[person.pk]),
            person,
        )
        added = Seat.objects.create(
            stage=turn.stage,
            origin=SeatOrigin.ADDED,
            person=person,
            given_by=actor,
            given_at=at,
            reason=reason.strip(),
        )
        after = {"stage": turn.stage.code, "person": person.audit_ref}
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
            raise PersonUnfit(person=str(person), pointers=("/person",))
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
    return locked


def waive(*, consultation: Consultation, actor: User, at: datetime) -> Consultation:
    """The answer is not needed any more. Raises NotTheAsker, and WrongState when it is there."""
    case = consultation.stage.case
    with _audited(case, verb="consultation.waived", actor=actor, at=at), transaction.atomic():
        locked = _locked(consultation)
        decides = policies.seat_of(locked.stage, actor, at=at) is not None
        if actor.pk != locked.asked_by_id and (not decides or actor.pk in policies.owners(case)):
            raise NotTheAsker
        transition(locked, ConsultationStatus.WAIVED, actor=actor, at=at, thread=case.thread, closed_at=at)
    return locked


def candidates(*, case: Case, at: datetime) -> list[User]:
    """Who a seat of the case can be given to, or who can be added: people who decide there and have no part in it yet."""
    without = policies.owners(case) | policies.involved_by_deciding(stages_of(case))
    return _people(case, DECIDING, without, at=at)


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
) -> Seat:
    given = next(
        (
            s
            for stage in stages
            for s in policies.open_seats(stage)
            if s.uuid == seat and s.given_by_id == actor.pk
        ),
        None,
    )
    if given is not None:
        if actor.pk in policies.owners(case):
            raise SelfApproval
        if not policies.decides_for(actor, case.department, at=at):
            raise policies.NotADecider(roles=", ".join(str(Role(role).label) for role in given.stage.roles))
        return given
    turn = _turn(case, stages, seen=seen, actor=actor, at=at)
    if turn.seat.person_id is not None:
        raise NotToBeHandedOn
    return where_needed(turn, stages, actor=actor, at=at).seat


def _turn(case: Case, stages: Sequence[CaseStage], *, seen: str, actor: User, at: datetime) -> Turn:
    return policies.require_decider(case, stages, seen=seen, revision_hash=None, actor=actor, at=at)


def _require_fit(
    case: Case, stages: Sequence[CaseStage], stage: CaseStage, person: User, *, at: datetime
) -> None:
    """Raises SelfApproval for whose matter it is, and PersonUnfit for who may not or has decided or sits there already."""
    if person.pk in policies.owners(case):
        raise SelfApproval(pointers=("/person",))
    decided = person.pk in policies.involved_by_deciding(stages)
    sits = any(seat.person_id == person.pk for seat in stage.seats.all())
    decides = person.is_active and policies.decides_for(person, case.department, at=at)
    if decided or sits or not decides:
        raise PersonUnfit(person=str(person), pointers=("/person",))


def _require_no_shorter(before: tuple[int, int], after: tuple[int, int], person: User) -> None:
    """Raises NobodyLeftToSign where a seat that somebody could have signed is left to nobody, in the stage or later on."""
    if after[0] > before[0] or after[1] > before[1]:
        raise NobodyLeftToSign(person=str(person), pointers=("/person",))


def _change(seat: Seat, **changes: Any) -> None:
    for name, value in changes.items():
        setattr(seat, name, value)
    seat.save(update_fields=list(changes))


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
