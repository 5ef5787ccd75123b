"""Running cases whose people change: another applicant takes them over, and seats by name of who decides no more are free."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import cast

from django.db import transaction
from django.db.models import Q

from govcloud.approvals import notices, policies, surplus, waiting
from govcloud.approvals.lifecycle import StageStatus, Status
from govcloud.approvals.models import Case, CaseStage, Decision, Seat, SeatOrigin, SeatStatus
from govcloud.approvals.queries import SeatQuerySet
from govcloud.approvals.services import stages_of_many
from govcloud.approvals.signable import signers_of
from govcloud.audit import services as audit
from govcloud.audit.services import Entry
from tenants.access import grants
from tenants.models import Membership, User

RUNNING = (Status.OPEN, Status.RETURNED)


def deciders_of(cases: Iterable[int]) -> set[tuple[int, int]]:
    """Case and person (primary keys), of whatever has been decided or is theirs by name to decide, by themselves or through a
    substitute: nobody becomes the applicant of what they decide.
    """
    decided = Decision.objects.filter(stage__case__in=cases)
    seats = Seat.objects.filter(stage__case__in=cases, status=SeatStatus.OPEN, person__isnull=False)
    signed = decided.values_list("stage__case", "decider", "on_behalf_of")
    found = {(case, pk) for case, *people in signed for pk in people if pk is not None}
    given = seats.values_list("stage__case", "person", "given_by", "given_for")
    return found | {(case, pk) for case, *people in given for pk in people if pk is not None}


def missed(*, cases: Iterable[Case], people: Collection[User], at: datetime) -> set[tuple[int, int]]:
    """Case and person (primary keys) where nobody would be left to sign something of a case that is being decided, if the person
    became its applicant. As many queries for many cases as for few.
    """
    decided = stages_of_many([case.pk for case in cases if case.status == Status.OPEN])
    return {
        (signers.stage.case_id, person.pk)
        for signers in signers_of(decided, at=at)
        for person in people
        if signers.misses(person)
    }


def revoke(*, membership: Membership, actor: User, at: datetime, reason: str) -> None:
    """Take a role away; what the person has by name to decide is free at once. Raises RoleMissing and RoleEnded."""
    with transaction.atomic():
        grants.revoke(membership=membership, actor=actor, at=at, reason=reason)
        vacate(person=membership.user, actor=actor, at=at)


@transaction.atomic
def vacate(*, actor: audit.Actor, at: datetime, person: User | None = None) -> int:
    """Free the seats by name of those who decide nothing any more in the case's department (they left, or their role was
    revoked or has run out), and what these have given away; of one ``person``, or of everybody. Returns how many.

    They are open to the holders of their role. One that was added to those of the stage is asked for no more while another is open;
    the last one is open to the stage's role. Where everybody signs a stage and nobody is left for a seat of it, the bell is rung
    (``surplus``). One query for each who has a seat by name or has given one.
    """
    named = _named(person)
    cases = {seat.stage.case_id for seat in _lost(named, at=at)}
    list(Case.objects.select_for_update().filter(pk__in=cases).order_by("pk"))
    freed, released = [], []
    # As they are now that nobody else changes them. What is lost since then in a case that is not locked, the next look finds.
    for seat in _lost(named.filter(stage__case__in=cases), at=at):
        before = {"person": cast("User", seat.person).audit_ref}
        case, after = seat.stage.case, {"stage": seat.stage.code}
        if _needs_another(seat):
            _open_to_role(seat, at=at)
            freed.append(Entry(case, {**after, "role": seat.role}, before=before, thread=case.thread))
        else:
            _release(seat)
            released.append(Entry(case, after, before=before, thread=case.thread))
    audit.record_many(actor=actor, verb="case.seat_freed", entries=freed, at=at)
    audit.record_many(actor=actor, verb="case.seat_released", entries=released, at=at)
    surplus.ring_if_any(at=at)
    return len(freed) + len(released)


def _named(person: User | None) -> SeatQuerySet:
    """Open seats by name of current stages, with what is looked at of them."""
    named = Seat.objects.filter(
        status=SeatStatus.OPEN, person__isnull=False, stage__status=StageStatus.CURRENT
    ).select_related("person", "given_by", "given_for", "stage__case__department")
    return (
        named if person is None else named.filter(Q(person=person) | Q(given_by=person) | Q(given_for=person))
    )


def _lost(named: SeatQuerySet, *, at: datetime) -> list[Seat]:
    """Those whose holder may not sign them, or whose giver could not give them any more, or whose part it was could not sign it."""
    known: dict[int, User] = {}  # so that each person's roles are read once

    def decides(user: User | None, seat: Seat) -> bool:
        user = user and known.setdefault(user.pk, user)
        return (
            user is not None
            and user.is_active
            and policies.decides_for(user, seat.stage.case.department, at=at)
        )

    return [
        seat
        for seat in named
        if not decides(seat.person, seat)
        or (
            seat.origin == SeatOrigin.DELEGATED
            and not (decides(seat.given_by, seat) and decides(seat.given_for, seat))
        )
    ]


def _needs_another(seat: Seat) -> bool:
    """Whether somebody else has to sign it: all but an added one beside which another is open. The last one is kept, since it is a
    signature that moves a case on.
    """
    others = Seat.objects.filter(stage=seat.stage, status=SeatStatus.OPEN).exclude(pk=seat.pk)
    return seat.origin == SeatOrigin.DELEGATED or not others.exists()


def _open_to_role(seat: Seat, *, at: datetime) -> None:
    """To the holders of its role, who are told; of an added one to those of the first of the stage's that somebody can sign for."""
    seat.origin, seat.role = SeatOrigin.ROLE, seat.role or _signable_role(seat.stage, at=at)
    seat.person, seat.given_by, seat.given_for, seat.given_at, seat.reason = None, None, None, None, ""
    seat.save(update_fields=["origin", "role", "person", "given_by", "given_for", "given_at", "reason"])
    notices.freed(seat, at=at)


def _signable_role(stage: CaseStage, *, at: datetime) -> str:
    """The stage's own where nobody is left for any: then it waits for a new holder."""
    held = policies.deciders(
        department=stage.case.department, roles=stage.roles, without=waiting.barred(stage), at=at
    )
    return next((role for role in stage.roles if held[role]), stage.role)


def _release(seat: Seat) -> None:
    seat.status = SeatStatus.RELEASED
    seat.save(update_fields=["status"])


def lock(*, person: User) -> None:
    """Whatever somebody who leaves applied for, has a seat by name in or gave one: all of it at once and in one order, so that
    two who free seats do not wait for each other.
    """
    applied = Case.objects.filter(applicant=person, status__in=RUNNING)
    cases = applied.order_by().values("pk").union(_named(person).order_by().values("stage__case"))
    list(Case.objects.select_for_update().filter(pk__in=cases).order_by("pk").values_list("pk", flat=True))


def reassign(*, cases: Collection[Case], to: User, actor: audit.Actor, at: datetime) -> None:
    """Of running cases; who submitted them stays as it was. Runs in the transaction that reassigns what they are about."""
    moved = Case.objects.filter(pk__in=[case.pk for case in cases], status__in=RUNNING)
    locked = list(moved.select_for_update(of=("self",)).select_related("applicant"))
    moved.update(applicant=to)
    entries = [
        Entry(
            case,
            {"applicant": to.audit_ref},
            before={"applicant": case.applicant.audit_ref},
            thread=case.thread,
        )
        for case in locked
    ]
    audit.record_many(actor=actor, verb="case.reassigned", entries=entries, at=at)
    surplus.ring_if_any(at=at)
