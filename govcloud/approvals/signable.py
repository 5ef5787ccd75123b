"""Whether there is somebody left to sign every open seat of a stage, and every one to come, given that each person signs once."""

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from govcloud.approvals import policies
from govcloud.approvals.lifecycle import StageStatus
from govcloud.approvals.models import CaseStage, Seat
from govcloud.approvals.policies import Turn
from tenants.models import User
from tenants.policies import scope_of

S = TypeVar("S", bound=Hashable)


def where_needed(turn: Turn, stages: Sequence[CaseStage], *, actor: User, at: datetime) -> Turn:
    """The turn on that of the seats of roles a person holds after which the others can still be signed."""
    if turn.seat.person_id is not None:
        return turn
    person = turn.on_behalf_of or actor
    held = scope_of(person, at=at)
    seats: dict[str, Seat] = {}
    for seat in policies.open_seats(turn.stage):
        if seat.person_id is None and held.holds(seat.role, department=turn.stage.case.department):
            seats.setdefault(seat.role, seat)
    if len(seats) < 2:
        return turn
    both = {actor.pk, person.pk}
    return replace(
        turn,
        seat=min(
            seats.values(), key=lambda seat: short_of(turn.stage, stages, at=at, without=both, but=seat)
        ),
    )


def short_of(
    stage: CaseStage,
    stages: Sequence[CaseStage],
    *,
    at: datetime,
    without: Collection[int] = (),
    but: Seat | None = None,
) -> int:
    """How many of a stage's open seats of a role nobody is left for; 0 is as it should be. One query.

    ``stages`` are those of the present revision with seats and decisions. Who has a seat by name signs that, and who has
    given theirs away signs nothing else. ``without`` are keys of further people who sign no seat of a role, and ``but`` is a seat
    that is not to be counted.
    """
    roles = [seat.role for seat in policies.open_seats(stage) if seat.person_id is None and seat != but]
    if not roles:
        return 0
    barred = _barred(stage, stages) | policies.given_away(stage) | {*without}
    held = policies.deciders(department=stage.case.department, roles=set(roles), without=barred, at=at)
    return unfilled(roles, {role: [person.pk for person in people] for role, people in held.items()})


def shortages(
    stage: CaseStage, stages: Sequence[CaseStage], *, at: datetime, without: Collection[int] = ()
) -> tuple[int, int]:
    """``short_of`` the stage, and of it together with all that are still to come. One query.

    A person signs once on a revision: who has a seat by name here signs nothing later either, but who has given theirs away may.
    ``without`` are keys of people who sign no seat of a role at all.
    """
    here = [(stage.pk, seat.role) for seat in policies.open_seats(stage) if seat.person_id is None]
    seats = [*here, *_to_come(stages)]
    if not seats:
        return 0, 0
    barred = _barred(stage, stages) | {*without}
    roles = {role for _stage, role in seats}
    held = policies.deciders(department=stage.case.department, roles=roles, without=barred, at=at)
    away = policies.given_away(stage)
    holders = {
        (place, role): {person.pk for person in held[role]} - (away if place == stage.pk else set())
        for place, role in set(seats)
    }
    return unfilled(here, holders), unfilled(seats, holders)


def _to_come(stages: Sequence[CaseStage]) -> Iterator[tuple[int, str]]:
    """The seats of roles, by stage (its key) and role, that stages will have for people to sign when their turn comes: where all
    holders sign, one of each role at the least.
    """
    for stage in stages:
        if stage.status == StageStatus.WAITING and not stage.auto_reason:
            for role in stage.roles:
                yield from [(stage.pk, role)] * (stage.quorum_count or 1)


def _barred(stage: CaseStage, stages: Sequence[CaseStage]) -> set[int]:
    """Who signs no seat of a role on this revision any more: it is their matter, they have decided, or have a seat by name."""
    named = {seat.person_id for seat in stage.seats.all() if seat.person_id is not None}
    return policies.owners(stage.case) | policies.involved_by_deciding(stages) | named


def unfilled(seats: Sequence[S], holders: Mapping[S, Collection[int]]) -> int:
    """How many seats stay empty at best when nobody takes two; each is given by the key under which ``holders`` has who may take it."""
    taken: dict[int, int] = {}  # a person's key -> the place of their seat

    def seated(place: int, asked: set[int]) -> bool:
        """Whether somebody takes the seat, if need be by having another take theirs."""
        for person in holders[seats[place]]:
            if person in asked:
                continue
            asked.add(person)
            if person not in taken or seated(taken[person], asked):
                taken[person] = place
                return True
        return False

    return sum(not seated(place, set()) for place in range(len(seats)))
