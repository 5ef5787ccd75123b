"""Running cases whose people change: another applicant takes them over, and seats by name of who decides no more are free."""

from collections.abc import Collection, Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from govcloud.approvals import notices
from govcloud.approvals.lifecycle import StageStatus, Status
from govcloud.approvals.models import Case, Decision, Seat, SeatOrigin, SeatStatus
from govcloud.approvals.policies import decides_for
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
    given = seats.values_list("stage__case", "person", "given_by")
    return found | {(case, pk) for case, *people in given for pk in people if pk is not None}


def revoke(*, membership: Membership, actor: User, at: datetime, reason: str) -> None:
    """Take a role away; what the person has by name to decide is free at once. Raises RoleMissing and RoleEnded."""
    with transaction.atomic():
        grants.revoke(membership=membership, actor=actor, at=at, reason=reason)
        vacate(person=membership.user, actor=actor, at=at)


@transaction.atomic
def vacate(*, actor: audit.Actor, at: datetime, person: User | None = None) -> int:
    """Free the seats by name of those who decide nothing any more in the case's department (they left, or their role was
    revoked or has run out), and what these have given away; of one ``person``, or of everybody. Returns how many.

    They are open again to the holders of their role. One that was added to those of the stage is asked for no more, as long as
    another is left. One query for each who has a seat by name or has given one.
    """
    found = _lost(person, at=at)
    list(
        Case.objects.select_for_update().filter(pk__in={seat.stage.case_id for seat in found}).order_by("pk")
    )
    freed = [
        Entry(
            seat.stage.case,
            {"stage": seat.stage.code, "role": seat.role},
            before={"person": before.audit_ref},
            thread=seat.stage.case.thread,
        )
        for seat in (_lost(person, at=at) if found else ())  # as they are now that nobody else changes them
        if (before := seat.person) is not None and _free(seat, at=at)
    ]
    audit.record_many(actor=actor, verb="case.seat_freed", entries=freed, at=at)
    return len(freed)


def _lost(person: User | None, *, at: datetime) -> list[Seat]:
    """Open seats by name whose holder may not sign them, or whose giver could not give them any more."""
    named = Seat.objects.filter(
        status=SeatStatus.OPEN, person__isnull=False, stage__status=StageStatus.CURRENT
    ).select_related("person", "given_by", "stage__case__department")
    if person is not None:
        named = named.filter(Q(person=person) | Q(given_by=person))
    known: dict[int, User] = {}  # so that each person's roles are read once

    def decides(user: User | None, seat: Seat) -> bool:
        user = user and known.setdefault(user.pk, user)
        return user is not None and user.is_active and decides_for(user, seat.stage.case.department, at=at)

    return [
        seat
        for seat in named
        if not decides(seat.person, seat)
        or (seat.origin == SeatOrigin.DELEGATED and not decides(seat.given_by, seat))
    ]


def _free(seat: Seat, *, at: datetime) -> bool:
    """Back to the holders of its role, who are told; an added one is asked for no more, as long as another is left."""
    if seat.origin == SeatOrigin.DELEGATED:
        seat.origin, seat.person, seat.given_by, seat.given_at, seat.reason = (
            SeatOrigin.ROLE,
            None,
            None,
            None,
            "",
        )
        seat.save(update_fields=["origin", "person", "given_by", "given_at", "reason"])
        notices.freed(seat, at=at)
        return True
    if not Seat.objects.filter(stage=seat.stage, status=SeatStatus.OPEN).exclude(pk=seat.pk).exists():
        return False
    seat.status = SeatStatus.RELEASED
    seat.save(update_fields=["status"])
    return True


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
