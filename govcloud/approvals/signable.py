"""Whether there is somebody left to sign every open seat of a stage, and every one to come, given that each person signs once."""

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from govcloud.approvals import policies
from govcloud.approvals.lifecycle import StageStatus
from govcloud.approvals.models import CaseStage, Seat, SeatStatus
from govcloud.approvals.policies import Turn
from tenants.models import User
from tenants.policies import scope_of

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True)
class Signers:
    """Who could sign what of a case that is being decided, for all that may be done with the seats of its current stage.

    ``stages`` are those of the present revision with seats and decisions. One query, once something is asked of it.
    """

    stage: CaseStage
    stages: Sequence[CaseStage]
    at: datetime

    def where_needed(self, turn: Turn, *, actor: User) -> Turn:
        """The turn on that of the seats of roles a person holds after which the others can still be signed."""
        if turn.seat.person_id is not None:
            return turn
        person = turn.on_behalf_of or actor
        held = scope_of(person, at=self.at)
        seats: dict[str, Seat] = {}
        for seat in policies.open_seats(self.stage):
            if seat.person_id is None and held.holds(seat.role, department=self.stage.case.department):
                seats.setdefault(seat.role, seat)
        if len(seats) < 2:
            return turn
        return min(
            (replace(turn, seat=seat) for seat in seats.values()),
            key=lambda each: self.shortages(self._left_by(each), without=_both(each, actor)),
        )

    def shortages(self, seats: Collection[Seat], *, without: Collection[int] = ()) -> tuple[int, int]:
        """How many open seats of a role nobody is left for if these were the stage's ``seats``: of the stage, and of it together
        with all that are still to come; 0 is as it should be.

        Who has a seat by name signs nothing else, here or later; who has given theirs away signs nothing else here, but may
        later. ``without`` are keys of people who sign no seat of a role at all.
        """
        here = [(self.stage.pk, seat.role) for seat in seats if _is_open_to_role(seat)]
        wanted = [*here, *self._to_come()]
        if not wanted:
            return 0, 0
        barred = {seat.person_id for seat in seats if seat.person_id is not None} | {*without}
        away = policies.given_away(seats)
        holders = {
            (place, role): {person.pk for person in self._held[role]}
            - (barred | away if place == self.stage.pk else barred)
            for place, role in set(wanted)
        }
        return unfilled(here, holders), unfilled(wanted, holders)

    def _left_by(self, turn: Turn) -> list[Seat]:
        """The stage's seats but for the one that is signed."""
        return [seat for seat in self.stage.seats.all() if seat.pk != turn.seat.pk]

    def _to_come(self) -> Iterator[tuple[int, str]]:
        """The seats of roles, by stage (its key) and role, that stages will have for people to sign when their turn comes: where
        all holders sign, one of each role at the least.
        """
        for stage in self.stages:
            if stage.status == StageStatus.WAITING and not stage.auto_reason:
                for role in stage.roles:
                    yield from [(stage.pk, role)] * (stage.quorum_count or 1)

    @cached_property
    def _held(self) -> Mapping[str, list[User]]:
        """By role who holds it, without whose matter it is and who has decided on this revision."""
        roles = {seat.role for seat in policies.open_seats(self.stage) if _is_open_to_role(seat)}
        case = self.stage.case
        return policies.deciders(
            department=case.department,
            roles=roles | {role for _stage, role in self._to_come()},
            without=policies.owners(case) | policies.involved_by_deciding(self.stages),
            at=self.at,
        )


def _is_open_to_role(seat: Seat) -> bool:
    return seat.status == SeatStatus.OPEN and seat.person_id is None


def _both(turn: Turn, actor: User) -> set[int]:
    """Whom a signature bars from others: who signs, and on whose behalf."""
    return {actor.pk, (turn.on_behalf_of or actor).pk}


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
