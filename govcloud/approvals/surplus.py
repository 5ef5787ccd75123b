"""Seats that nobody is left for, where everybody signs: who leaves meanwhile is not waited for.

What the seats are of may go on by that, and it is the package above which knows what that is: its bell is rung, and it takes
the case on (``services.go_on_without``) under its own locks. A bell that nobody heard is rung again by the sweep of supervision.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from govcloud.approvals import policies, waiting
from govcloud.approvals.lifecycle import StageStatus, Status
from govcloud.approvals.models import CaseStage, Quorum, Seat, SeatStatus
from tenants.models import Membership

_bells: list[Callable[[], object]] = []


def when_nobody_is_left(bell: Callable[[], object]) -> None:
    """Enter a bell to ring when cases may go on; called from the AppConfig of the package that opens them."""
    _bells.append(bell)


def ring_if_any(*, at: datetime) -> None:
    """Once the transaction that took somebody away is through."""
    if cases(at=at):
        for bell in _bells:
            transaction.on_commit(bell, robust=True)


def of(stage: CaseStage, left: Mapping[str, Collection[int]]) -> list[Seat]:
    """The stage's open seats that those who are ``left`` to sign it (keys of people, by role) do not fill. A role that nobody
    has signed for keeps one.
    """
    if stage.quorum != Quorum.ALL:
        return []
    found = []
    for role in stage.roles:
        free = [seat for seat in policies.open_seats(stage) if seat.role == role and seat.person_id is None]
        signed = any(s.role == role and s.status == SeatStatus.SIGNED for s in stage.seats.all())
        found += free[max(len(left.get(role, ())), 0 if signed else 1) :]
    return found


def cases(*, at: datetime) -> list[int]:
    """Keys of cases whose current stage has such seats, in four statements however many there are."""
    free = Seat.objects.filter(stage=OuterRef("pk"), status=SeatStatus.OPEN, person=None)
    current = CaseStage.objects.filter(
        Exists(free), status=StageStatus.CURRENT, quorum=Quorum.ALL, case__status=Status.OPEN
    )
    stages = list(current.select_related("case__department").prefetch_related("seats").order_by("case"))
    left = _left_for(stages, at=at)
    return [stage.case_id for stage in stages if of(stage, left[stage.pk])]


def _left_for(stages: Collection[CaseStage], *, at: datetime) -> dict[int, dict[str, set[int]]]:
    """Who may still sign, by stage and role."""
    holders = _holders(stages, at=at)
    barred = waiting.barred_from(stages)
    return {
        stage.pk: {
            role: {
                person
                for department in (None, *stage.case.department.ancestor_ids)
                for person in holders[role, department]
            }
            - barred[stage.pk]
            for role in stage.roles
        }
        for stage in stages
    }


def _holders(stages: Iterable[CaseStage], *, at: datetime) -> Mapping[tuple[str, int | None], set[int]]:
    """Who holds which of their roles in which unit, or in the centre."""
    found: dict[tuple[str, int | None], set[int]] = defaultdict(set)
    units = {pk for stage in stages for pk in stage.case.department.ancestor_ids}
    roles = {role for stage in stages for role in stage.roles}
    if roles:
        held = Membership.objects.valid(at=at).filter(
            Q(department__isnull=True) | Q(department__in=units), role__in=roles, user__is_active=True
        )
        for role, department, person in held.values_list("role", "department", "user"):
            found[role, department].add(person)
    return found
