"""Running cases whose applicant leaves: another applicant takes them over."""

from collections.abc import Collection, Iterable
from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from govcloud.approvals.lifecycle import Status
from govcloud.approvals.models import Case, Decision, Seat, SeatOrigin, SeatStatus
from govcloud.audit import services as audit
from govcloud.audit.services import Entry
from tenants.models import User

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


def vacate(*, person: User) -> int:
    """Seats that somebody who leaves has by name, or has given away: open again to the holders of their role; returns how many.

    One that was added to those of the stage is asked for no more, as long as another is left.
    """
    mine = Seat.objects.filter(Q(person=person) | Q(given_by=person), status=SeatStatus.OPEN)
    by_role = mine.exclude(role="").filter(origin=SeatOrigin.DELEGATED)
    freed = by_role.update(origin=SeatOrigin.ROLE, person=None, given_by=None, given_at=None, reason="")
    others = Seat.objects.filter(stage=OuterRef("stage"), status=SeatStatus.OPEN).exclude(pk=OuterRef("pk"))
    added = mine.filter(person=person, origin=SeatOrigin.ADDED).filter(Exists(others))
    return freed + added.update(status=SeatStatus.RELEASED)


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
