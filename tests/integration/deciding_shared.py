"""What somebody who decides shares with others: a seat that they give away, a further reviewer, an opinion."""

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import rule

from govcloud.approvals import sharing
from govcloud.approvals.models import Case, Consultation
from govcloud.approvals.models import Seat as SeatRow
from tenants.models import User
from tests import machines
from tests.integration.deciding_bureau import Bureau
from tests.integration.reference_of_deciding import PEOPLE, STEPS, Matter, Question, Seat, holds
from tests.machines import Pick

MISSED = {"nobody-left-to-sign"}


class Sharing(Bureau):
    @rule(which=machines.picks, who=machines.picks, whom=machines.picks)
    def somebody_delegates(self, which: Pick, who: Pick, whom: Pick) -> None:
        if (found := self.one(which, "in_approval")) is None:
            return
        key, matter = found
        name = self.decider(who, matter)
        other = self.someone(whom, lambda each: each != name and matter.is_fit(each))
        self.delegate(key, matter, name, other)

    def delegate(self, key: int, matter: Matter, name: str, other: str) -> bool:
        turns = self.turns(matter, name)
        seats = [matter.seats[each] for each in turns]
        return self.hand_over(
            key,
            matter,
            name,
            other,
            offered=lambda found: found.delegates,
            act=self._delegating(matter, name, other, None),
            verb="case.delegated",
            allowed=bool(seats)
            and not any(seat.person for seat in seats)
            and matter.is_fit(other)
            and other != name,
            whose=next(iter(turns.values()), name),
        )

    @rule(which=machines.picks, who=machines.picks, whom=machines.picks)
    def somebody_gives_it_to_another_or_takes_it_back(
        self,
        which: Pick,
        who: Pick,
        whom: Pick,
    ) -> None:
        given = [
            (key, matter, seat)
            for key, matter in self.matters.items()
            for seat, held in matter.open_seats().items()
            if held.person
        ]
        if not given:
            return
        key, matter, seat = given[which.number % len(given)]
        held = matter.seats[seat]
        name = self.someone(who, lambda each: each in {held.giver, held.whose})
        other = self.someone(whom, matter.is_fit)
        may = name == held.whose or (name == held.giver and held.whose in {name, *self.away(name)})
        self.hand_over(
            key,
            matter,
            name,
            other,
            offered=lambda found: [p for row, people in found.again if row.pk == seat for p in people],
            act=self._delegating(matter, name, other, seat),
            verb="case.delegated",
            allowed=may
            and name not in matter.own
            and matter.is_fit(other)
            and (other != name or name in {held.giver, held.whose}),
            whose=held.whose,
        )

    def _delegating(
        self, matter: Matter, name: str, other: str, seat: int | None
    ) -> Callable[[Case], SeatRow]:
        return lambda case: sharing.delegate(
            case=case, stage=STEPS[min(matter.step, len(STEPS) - 1)].code, person=self.person(other), reason="away",
            actor=self.person(name), at=self.now, seat=SeatRow.objects.get(pk=seat).uuid if seat else None,
        )  # fmt: skip

    @rule(which=machines.picks, who=machines.picks, whom=machines.picks)
    def somebody_adds_a_reviewer(self, which: Pick, who: Pick, whom: Pick) -> None:
        if (found := self.one(which, "in_approval")) is None:
            return
        key, matter = found
        name = self.decider(who, matter)
        other = self.someone(whom, lambda each: each != name and matter.is_fit(each))
        turns = self.turns(matter, name)
        self.hand_over(
            key,
            matter,
            name,
            other,
            offered=lambda found: found.reviewers,
            act=lambda case: sharing.add_reviewer(
                case=case, stage=STEPS[min(matter.step, len(STEPS) - 1)].code, person=self.person(other),
                reason="capacity", actor=self.person(name), at=self.now,
            ),
            verb="case.reviewer_added",
            allowed=bool(turns) and matter.is_fit(other) and other != name,
            whose=next(iter(turns.values()), name),
        )  # fmt: skip

    def hand_over(
        self,
        key: int,
        matter: Matter,
        name: str,
        other: str,
        *,
        offered: Callable[[sharing.Offered], list[User]],
        act: Callable[[Case], SeatRow],
        verb: str,
        allowed: bool,
        whose: str,
    ) -> bool:
        """A seat by name for somebody. The page offers it of whom it would not be refused, and of nobody else."""
        case = Case.objects.filter(order=key).first()
        if case is None:
            return False
        offer = offered(sharing.offered(case=case, actor=self.person(name), at=self.now))
        seat = self.attempt(lambda: act(case), allowed=allowed, unless=MISSED)
        assert (self.keys[other] in {each.pk for each in offer}) == (seat is not None)
        if seat is not None:
            role = matter.seats[seat.pk].role if seat.pk in matter.seats else ""
            assert self.names[seat.given_for_id] == whose
            matter.seats[seat.pk] = Seat(role, other, name, whose)
            matter.told.update([verb])
        return seat is not None

    @rule(
        which=machines.picks,
        who=machines.picks,
        whom=machines.picks,
        manner=st.sampled_from(["awaited", "advisory"]),
    )
    def somebody_asks_for_an_opinion(self, which: Pick, who: Pick, whom: Pick, manner: str) -> None:
        if (found := self.one(which, "in_approval")) is None or not found[1].revision:
            return
        key, matter = found
        name = self.decider(who, matter)
        asked = {each.person for each in matter.questions.values() if each.open}

        def fit(other: str) -> bool:
            decides = any(
                holds(other, role, matter.unit) for role, _unit in PEOPLE[other] if role != "applicant"
            )
            return decides and other not in matter.own | asked | {name}

        other = self.someone(whom, fit)
        question = self.attempt(
            lambda: sharing.consult(
                case=Case.objects.get(order=key), stage=STEPS[min(matter.step, len(STEPS) - 1)].code,
                person=self.person(other), question="is there room?", manner=manner,
                actor=self.person(name), at=self.now,
            ),
            allowed=bool(self.turns(matter, name)) and fit(other),
        )  # fmt: skip
        if question is not None:
            matter.questions[question.pk] = Question(name, other, manner == "awaited")
            matter.told.update(["consultation.asked"])

    @rule(which=machines.picks, who=machines.picks, what=st.sampled_from(["answered", "waived"]))
    def an_opinion_is_given_or_waived(self, which: Pick, who: Pick, what: str) -> None:
        asked = [(m, key, each) for m in self.matters.values() for key, each in m.questions.items()]
        if not asked:
            return
        matter, key, question = asked[which.number % len(asked)]

        def may(name: str) -> bool:
            if what == "waived":
                return name == question.asker or bool(self.turns(matter, name))
            return name == question.person

        name = self.someone(who, may)
        how = {"consultation": Consultation.objects.get(pk=key), "actor": self.person(name), "at": self.now}
        done = self.attempt(
            lambda: sharing.waive(**how) if what == "waived" else sharing.answer(**how, text="there is"),
            allowed=question.open and may(name),
        )
        if done is not None:
            question.open = False
            matter.told.update([f"consultation.{what}"])
