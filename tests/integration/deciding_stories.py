"""What takes several people one after another, and comes about too seldom where each does something at random."""

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests import machines
from tests.integration.deciding_shared import Sharing
from tests.integration.reference_of_deciding import (
    PEOPLE,
    STEPS,
    UP_THE_TREE,
    Matter,
    applies,
    can_stand_in,
)
from tests.machines import Pick

HOURS = st.sampled_from([1, 9, 24, 72])


class Stories(Sharing):
    """Each is told from its beginning to its end, whatever else has been done to the order before."""

    # -- where a story begins

    def being_decided(
        self, which: Pick, *, step: int, like: Callable[[Matter], object] = bool
    ) -> tuple[int, Matter] | None:
        """An order that has come to the step, which nobody has signed yet: one that is ``like`` that, if there is one, or else a
        new one.
        """
        at_hand = [
            (key, matter)
            for key, matter in self.matters.items()
            if matter.state == "in_approval" and matter.is_before(step) and like(matter)
        ]
        found = which.of(at_hand) if at_hand else self.begin(which.number)
        if found is None:
            return None
        key, matter = found
        while matter.state == "in_approval" and matter.step < step:
            assert self.one_more_signs(key, matter, first=which.number)
        return key, matter

    def begin(self, number: int) -> tuple[int, Matter] | None:
        """A small order, as far as there is room for it."""
        unit = sorted(UP_THE_TREE)[number % len(UP_THE_TREE)]
        if self.room(unit) < 10:
            return None
        names = [name for name in PEOPLE if applies(name, unit)]
        key = self.draft(unit, 1, names[number % len(names)])
        assert key is not None
        self.submit(key, self.matters[key], names[(number + 1) % len(names)])
        return key, self.matters[key]

    def signs_themselves(self, matter: Matter) -> list[str]:
        """Who could sign a seat of a role, and nobody stands in for them yet."""
        return [
            name
            for name in PEOPLE
            if not self.is_away(name)
            and any(
                whose == name and not matter.seats[seat].person
                for seat, whose in self.turns(matter, name).items()
            )
        ]

    # -- substitutes

    @rule(
        which=machines.picks, who=machines.picks, whom=machines.picks, step=st.sampled_from([0, 1, 2, 2, 2])
    )
    def a_substitute_signs_and_then_who_was_away(self, which: Pick, who: Pick, whom: Pick, step: int) -> None:
        """At the last step there is another seat for them, but they have been heard by then."""

        def both(key: int, matter: Matter, name: str, other: str) -> None:
            for each in (other, name):
                self.decide(key, matter, each, verb="approve")

        self.stood_in_for(which, who, whom, step=step, then=both)

    @rule(which=machines.picks, who=machines.picks, whom=machines.picks, step=st.integers(0, len(STEPS) - 1))
    def a_substitute_comes_too_late(self, which: Pick, who: Pick, whom: Pick, step: int) -> None:
        def once_it_is_over(key: int, matter: Matter, _name: str, other: str) -> None:
            self.agenda.pass_by(25 * 3600)
            self.decide(key, matter, other, verb="approve")

        self.stood_in_for(which, who, whom, step=step, then=once_it_is_over)

    def stood_in_for(
        self,
        which: Pick,
        who: Pick,
        whom: Pick,
        *,
        step: int,
        then: Callable[[int, Matter, str, str], object],
    ) -> None:
        """Somebody whose turn it is goes away for a day, and names somebody who has nothing to sign there but for them."""
        if (found := self.being_decided(which, step=step)) is None:
            return
        key, matter = found
        if (name := Pick(who.number).of(self.signs_themselves(matter))) is None:
            return
        free = [
            each for each in PEOPLE if can_stand_in(each, name) and each not in matter.own | matter.decided
        ]
        other = Pick(whom.number).of([each for each in free if not self.turns(matter, each)] or free)
        if other is not None and self.go_away(name, other, days=1):
            then(key, matter, name, other)

    @rule(which=machines.picks, who=machines.picks, whom=machines.picks)
    def somebody_stands_in_and_it_is_their_own_matter(self, which: Pick, who: Pick, whom: Pick) -> None:
        if (found := self.being_decided(which, step=0)) is None:
            return
        key, matter = found
        pairs = [
            (name, other)
            for name in self.signs_themselves(matter)
            for other in sorted(matter.own)
            if can_stand_in(other, name)
        ]
        pair = Pick(who.number + whom.number).of(pairs)
        if pair is not None and self.go_away(*pair, days=1):
            self.decide(key, matter, pair[1], verb="approve")

    # -- seats

    @rule(which=machines.picks, who=machines.picks, whom=machines.picks)
    def somebody_gives_their_part_away_and_signs_all_the_same(
        self, which: Pick, who: Pick, whom: Pick
    ) -> None:
        """At the last step, where there is another seat of their role."""
        if (found := self.being_decided(which, step=len(STEPS) - 1)) is None:
            return
        key, matter = found
        name = Pick(who.number).of(self.signs_themselves(matter))
        if name is None:
            return
        fit = [
            each for each in PEOPLE if each != name and matter.is_fit(each) and not self.turns(matter, each)
        ]
        other = Pick(whom.number).of(fit)
        if other is not None and self.delegate(key, matter, name, other):
            self.decide(key, matter, name, verb="approve")

    @rule(
        which=machines.picks,
        who=machines.picks,
        step=st.integers(1, len(STEPS) - 1),
        verb=st.sampled_from(["approve", "return", "reject"]),
    )
    def the_second_to_sign_ends_it_or_lets_it_go_on(
        self, which: Pick, who: Pick, step: int, verb: str
    ) -> None:
        """At a step that takes two."""
        if (found := self.being_decided(which, step=step)) is None:
            return
        key, matter = found
        assert self.one_more_signs(key, matter, first=who.number)
        name = Pick(who.number).of([each for each in PEOPLE if self.turns(matter, each)])
        if name is not None:
            self.decide(key, matter, name, verb=verb)

    @rule(which=machines.picks)
    def whoever_is_needed_for_a_later_step_would_sign_this_one(self, which: Pick) -> None:
        """Where three hold the last step's role and it is the matter of one of them, the others are needed there."""
        found = self.being_decided(which, step=1, like=lambda matter: "una" in matter.own)
        if found is None:
            return
        key, matter = found
        for name in PEOPLE:
            turns = self.turns(matter, name)
            if turns and matter.needs_elsewhere(name, turns):
                self.decide(key, matter, name, verb="approve")

    # -- revisions

    @rule(
        which=machines.picks,
        who=machines.picks,
        size=st.integers(1, 6),
        hours=HOURS,
    )
    def it_comes_back_corrected_and_is_decided_as_it_was(
        self, which: Pick, who: Pick, size: int, hours: int
    ) -> None:
        """By somebody who has read what it said before, by somebody who has read neither, and then as it is now."""
        if (found := self.being_decided(which, step=which.number % len(STEPS))) is None:
            return
        key, matter = found
        name = Pick(who.number).of([each for each in PEOPLE if self.turns(matter, each)])
        if name is None or not self.decide(key, matter, name, verb="return"):
            return
        self.agenda.pass_by(hours * 3600)
        author = next(each for each in PEOPLE if applies(each, matter.unit))
        self.edit(key, matter, author, size)
        self.submit(key, matter, author)
        for seen in ("the first revision", "another revision", "this"):
            name = Pick(who.number).of([each for each in PEOPLE if self.turns(matter, each)])
            if name is not None:
                self.decide(key, matter, name, verb="approve", seen=seen)

    # -- quota

    @rule(unit=st.sampled_from(sorted(UP_THE_TREE)), who=machines.picks)
    def somebody_asks_for_more_than_is_left_and_then_for_all_of_it(self, unit: str, who: Pick) -> None:
        """And takes that back: there is room for others then."""
        left = int(self.room(unit)) // 10
        name = self.someone(Pick(who.number), lambda each: applies(each, unit))
        key = self.draft(unit, left + 1, name)
        assert key is not None
        matter = self.matters[key]
        self.submit(key, matter, name)
        if left:
            self.edit(key, matter, name, left)
            self.submit(key, matter, name)
        self.withdraw(key, matter, name, reason="not needed")
