"""Whether there is somebody left to sign every open seat of a stage, given that each person signs once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from govcloud.approvals import policies
from govcloud.approvals.models import CaseStage, Seat
from govcloud.approvals.policies import Turn
from tenants.models import User
from tenants.policies import scope_of


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
    case = stage.case
    barred = {*policies.owners(case), *policies.involved_by_deciding(stages), *without}
    barred |= {seat.person_id for seat in stage.seats.all() if seat.person_id is not None}
    barred |= policies.given_away(stage)
    held = policies.deciders(department=case.department, roles=set(roles), without=barred, at=at)
    return unfilled(roles, {role: [person.pk for person in people] for role, people in held.items()})


def unfilled(seats: Sequence[str], holders: Mapping[str, Collection[int]]) -> int:
    """How many seats stay empty at best, each given by its role, when nobody takes two."""
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
