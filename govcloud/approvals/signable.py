"""Whether there is somebody left to sign every open seat of a stage, and every one to come, given that each person signs once."""

import copy
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from django.utils.translation import gettext_lazy as _

from govcloud.approvals import policies, surplus
from govcloud.approvals.lifecycle import StageStatus
from govcloud.approvals.models import CaseStage, Seat, SeatStatus
from govcloud.approvals.policies import Turn
from govcloud.errors import Conflict
from tenants.models import Membership, Role, User
from tenants.naming import name_of
from tenants.policies import scope_of

S = TypeVar("S", bound=Hashable)
NAMED = 3
"""Of the people who could sign instead."""


class NeededElsewhere(Conflict):
    code = "needed-elsewhere"
    message = _(
        "Once you have signed, nobody is left for the step “%(stage)s”: each person signs once. Leave this approval to %(people)s, or have somebody else given the role of %(roles)s."
    )


@dataclass(frozen=True, slots=True)
class Need:
    """That somebody who approves now is missed at a ``stage``: nobody is left for one of its seats.

    ``others`` could approve now in their place. Where there are none, a refusal would open no other way, and somebody has
    to be given a role of the stage in any case.
    """

    stage: CaseStage
    others: tuple[User, ...]

    @property
    def text(self) -> str:
        """For who would approve, in the language active now."""
        if self.others:
            return self.refusal().detail
        return (
            _(
                "Once you have signed, nobody is left for the step “%(stage)s”: each person signs once. Somebody else has to be given the role of %(roles)s."
            )
            % self._facts
        )

    def refusal(self) -> NeededElsewhere:
        people = _(", ").join(str(person) for person in self.others[:NAMED])
        return NeededElsewhere(people=people, **self._facts)

    @property
    def _facts(self) -> dict[str, Any]:
        roles = _(", ").join(str(Role(role).label) for role in self.stage.roles)
        return {"stage": name_of(self.stage), "roles": roles}


@dataclass(frozen=True)
class Signers:
    """Who could sign what of a case that is being decided, for all that may be done with the seats of its current stage.

    ``stages`` are those of the present revision with seats and decisions. One query, once something is asked of it; none with
    ``among``, who holds the roles (``policies.held``).
    """

    stage: CaseStage
    stages: Sequence[CaseStage]
    at: datetime
    among: Sequence[Membership] | None = None

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

    def need(self, turn: Turn, *, actor: User) -> Need | None:
        """What the approval of this turn would leave to nobody; None where nobody is missed."""
        rest, both = self._left_by(turn), _both(turn, actor)
        missed = self._missed(rest, both)
        if missed is None:
            return None
        before = self.shortages(self.stage.seats.all())

        def short(people: Collection[int]) -> bool:
            return is_shorter(self.shortages(rest, without=people), before)

        others = [person for person in self._holders_of(turn) if person != actor and not short([person.pk])]
        return Need(missed, tuple(others) if short(both) else ())

    def misses(self, person: User) -> bool:
        """Whether a seat that somebody could have signed is left to nobody if the person signs none of a role: of the stage, or
        of it and those to come. Where everybody signs, it is not waited for them.
        """
        seats = self.stage.seats.all()
        gone = {person.pk, *policies.given_away(seats)}
        left = {role: {each.pk for each in people} - gone for role, people in self._held.items()}
        rest = [seat for seat in seats if seat not in surplus.of(self.stage, left)]
        return is_shorter(self.shortages(rest, without=[person.pk]), self.shortages(seats))

    def shortages(self, seats: Collection[Seat], *, without: Collection[int] = ()) -> tuple[int, int]:
        """How many open seats of a role nobody is left for if these were the stage's ``seats``: of the stage, and of it together
        with all that are still to come; 0 is as it should be.

        Who has a seat by name signs nothing else, here or later; who has given theirs away signs nothing else here, but may
        later. ``without`` are keys of people who sign no seat of a role at all.
        """
        return self._unfilled(seats, (), without), self._unfilled(seats, self._to_come, without)

    def _unfilled(
        self, seats: Collection[Seat], to_come: Sequence[CaseStage], without: Collection[int]
    ) -> int:
        """How many seats nobody is left for: of the current stage, if it had these, and of the stages ``to_come``."""
        here = [(self.stage.pk, seat.role) for seat in seats if _is_open_to_role(seat)]
        wanted = [*here, *((stage.pk, role) for stage in to_come for role in _asked_for(stage))]
        if not wanted:
            return 0
        barred = {seat.person_id for seat in seats if seat.person_id is not None} | {*without}
        away = policies.given_away(seats)
        holders = {
            (place, role): {person.pk for person in self._held[role]}
            - (barred | away if place == self.stage.pk else barred)
            for place, role in set(wanted)
        }
        return unfilled(wanted, holders)

    def _missed(self, rest: Collection[Seat], people: Collection[int]) -> CaseStage | None:
        """The first stage that is left short if these people sign nothing any more; of the current one ``rest`` is to be signed."""
        for place, stage in enumerate((self.stage, *self._to_come)):
            until = self._to_come[:place]
            if self._unfilled(rest, until, people) > self._unfilled(rest, until, ()):
                return stage
        return None

    def _holders_of(self, turn: Turn) -> list[User]:
        """Who could sign the turn's seat."""
        if turn.seat.person is not None:
            return [turn.seat.person]
        seats = self.stage.seats.all()
        barred = {seat.person_id for seat in seats} | policies.given_away(seats)
        return [person for person in self._held[turn.seat.role] if person.pk not in barred]

    def _left_by(self, turn: Turn) -> list[Seat]:
        """The stage's seats as they are once this one is signed."""
        signed = copy.copy(turn.seat)
        signed.status = SeatStatus.SIGNED
        return [signed if seat == signed else seat for seat in self.stage.seats.all()]

    @cached_property
    def _to_come(self) -> list[CaseStage]:
        """The stages that people still have to sign when their turn comes."""
        return [each for each in self.stages if each.status == StageStatus.WAITING and not each.auto_reason]

    @cached_property
    def _held(self) -> Mapping[str, list[User]]:
        """By role who holds it, without whose matter it is and who has decided on this revision."""
        case, roles = self.stage.case, self.roles
        among = policies.read_held(case, roles=roles, at=self.at) if self.among is None else self.among
        return policies.deciders(
            department=case.department,
            roles=roles,
            without=policies.owners(case) | policies.involved_by_deciding(self.stages),
            at=self.at,
            among=among,
        )

    @property
    def roles(self) -> set[str]:
        """Those of what is open now and of what is still to come."""
        seats = policies.open_seats(self.stage)
        now = {seat.role for seat in seats if _is_open_to_role(seat)}
        return now.union(*(stage.roles for stage in self._to_come))


def signers_of(cases: Iterable[Sequence[CaseStage]], *, at: datetime) -> list[Signers]:
    """Of each case that has a current stage, given its stages with their case and department; one query for all of them."""
    found = [
        Signers(stage, stages, at)
        for stages in cases
        for stage in stages
        if stage.status == StageStatus.CURRENT
    ]
    departments = [signers.stage.case.department for signers in found]
    roles = set().union(*(signers.roles for signers in found))
    among = policies.held(departments=departments, roles=roles, at=at) if roles else []
    return [replace(signers, among=among) for signers in found]


def need_of(turn: Turn, stages: Sequence[CaseStage], *, actor: User, at: datetime) -> Need | None:
    """As ``Signers.need``, on the seat that would be signed; ``stages`` as there."""
    signers = Signers(turn.stage, stages, at)
    return signers.need(signers.where_needed(turn, actor=actor), actor=actor)


def _asked_for(stage: CaseStage) -> list[str]:
    """The roles of the seats that a stage will have: where all holders sign, one of each role at the least."""
    return [role for role in stage.roles for _each in range(stage.quorum_count or 1)]


def is_shorter(after: tuple[int, int], before: tuple[int, int]) -> bool:
    return after[0] > before[0] or after[1] > before[1]


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
