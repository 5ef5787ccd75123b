"""Orders and their cases, whatever people do in whatever order: against the reference in ``reference_of_deciding``."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from govcloud.approvals import absences, sharing
from govcloud.approvals import services as approvals
from govcloud.approvals.models import Absence as AbsenceRow
from govcloud.approvals.models import Case, CaseStage, Consultation, Decision
from govcloud.approvals.models import Seat as SeatRow
from govcloud.approvals.routing import StageRule
from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.calendars.models import DayKind, SpecialDay
from govcloud.orders import cancellation
from govcloud.orders import services as orders
from govcloud.orders.drafts import StorageDraft
from govcloud.orders.models import Order, Revision, Unit
from govcloud.provisioning import engine
from govcloud.provisioning.models import Operation
from govcloud.quotas.models import EntryKind, QuotaAccount, QuotaEntry
from tenants.models import Role, User
from tests import machines
from tests.chaos.agenda import Agenda
from tests.factories.catalog import catalogue
from tests.factories.chargeback import tariff
from tests.factories.quotas import opened
from tests.factories.tenants import DepartmentFactory, SystemFactory, UserFactory, grant
from tests.integration import virtual
from tests.integration.reference_of_deciding import (
    EDITABLE,
    ENDS,
    HOLIDAY,
    LIMITS,
    MADE_UP,
    PEOPLE,
    STEPS,
    UP_THE_TREE,
    Absence,
    Matter,
    Question,
    Seat,
    applies,
    can_stand_in,
    end_of,
    holds,
    room,
)
from tests.machines import Pick

T = TypeVar("T")
AT = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)
WRONG_HASH = "0" * 64
NEEDED = {"needed-elsewhere"}
MISSED = {"nobody-left-to-sign"}
AUDITED = {
    "self-approval",
    "not-a-decider",
    "not-to-be-handed-on",
    "not-consulted",
    "not-the-asker",
    "quota-exceeded",
}
"""Refusals that leave a record, however little else they leave."""
CASES = {"open": "in_approval", "returned": "returned", "rejected": "rejected", "withdrawn": "withdrawn"}
"""The state of the order, by that of its case; an approved one has been built, is being built, or was called off."""


class Deciding(RuleBasedStateMachine):
    """A bureau with two units below it, which share its quota."""

    def __init__(self) -> None:
        super().__init__()
        self.agenda = Agenda(AT)
        self.matters: dict[int, Matter] = {}
        self.absences: dict[int, Absence] = {}
        self.own_then: dict[tuple[int, int], set[str]] = {}  # whose a revision was
        with ExitStack() as stack:
            stack.enter_context(transaction.atomic())
            stack.enter_context(virtual.cloud(self.agenda))
            self._people_and_units()
            self._catalogue_and_flow()
            self.stack = stack.pop_all()

    def _people_and_units(self) -> None:
        self.units = {"bureau": DepartmentFactory()}
        for unit in ("office", "institute"):
            self.units[unit] = DepartmentFactory(parent=self.units["bureau"])
        for unit, limit in LIMITS.items():
            opened(self.units[unit], storage_gb=limit)
        self.systems = {unit: SystemFactory(department=each) for unit, each in self.units.items()}
        self.keys, self.names = {}, {}
        for name, roles in PEOPLE.items():
            person = UserFactory(username=name)
            for role, unit in roles:
                grant(person, Role(role), self.units.get(unit))
            self.keys[name], self.names[person.pk] = person.pk, name

    def _catalogue_and_flow(self) -> None:
        catalogue()
        tariff()
        SpecialDay.objects.create(day=HOLIDAY, kind=DayKind.REST, name="holiday")
        SpecialDay.objects.create(day=MADE_UP, kind=DayKind.WORK, name="made up")
        stages = [
            StageRule(step.code, step.code, step.code, first, step.days, **_others(first, others))
            for step in STEPS
            for first, *others in [step.signatures]
        ]
        approvals.publish(
            name="flow", stages=stages, in_force_from=AT, actor=SystemActor("tests"), at=self.now
        )

    def teardown(self) -> None:
        try:
            self.everything_can_be_approved()
            self.the_cloud_builds()
            self.orders_and_cases_are_where_they_should_be()
            self.quota_is_held_for_what_is_open()
        finally:
            transaction.set_rollback(True)
            self.stack.close()

    # -- what the rules are made of

    @property
    def now(self) -> datetime:
        return self.agenda.now

    def person(self, name: str) -> User:
        """Read anew, as with each request."""
        return User.objects.get(pk=self.keys[name])

    def away(self, substitute: str) -> list[str]:
        """Whom they stand in for."""
        return [
            each.person
            for each in self.absences.values()
            if each.substitute == substitute and each.ends > self.now
        ]

    def turns(self, matter: Matter, person: str) -> dict[int, str]:
        return matter.turns(person, self.away(person))

    def one(self, which: Pick, *states: str) -> tuple[int, Matter] | None:
        """One of the orders in one of the states; wrongly any."""
        fitting = [(key, matter) for key, matter in self.matters.items() if matter.state in states]
        return which.of(fitting, list(self.matters.items()))

    def someone(
        self, who: Pick, may: Callable[[str], object], others: Collection[str] = tuple(PEOPLE)
    ) -> str:
        """Somebody who may, if there is anybody; wrongly one of the others."""
        return who.of([name for name in PEOPLE if may(name)] or list(PEOPLE), sorted(others)) or ""

    def decider(self, who: Pick, matter: Matter) -> str:
        """Wrongly somebody whose matter it is, who has decided already, or who stands in for one of these."""
        barred = matter.own | matter.decided
        substitutes = {each.substitute for each in self.absences.values() if each.person in barred}
        return self.someone(who, partial(self.turns, matter), barred | substitutes)

    def attempt(self, act: Callable[[], T], *, allowed: bool, unless: Collection[str] = ()) -> T | None:
        done, refusal = machines.attempted(act, everything=self.everything)
        if refusal is not None:
            assert not allowed or refusal.code in unless, f"refused: {refusal}"
            told = Event.objects.filter(outcome="refused", reason=refusal.code, at=self.now)
            assert refusal.code not in AUDITED or told.exists()
            return None
        assert allowed, "it was not refused"
        return done

    def everything(self) -> list[list[tuple[object, ...]]]:
        """What is written of orders, cases and quota, and the trail of it but for refusals."""
        rows = (
            Order.objects.values_list("pk", "status", "version", "writers", "case"),
            Case.objects.values_list(
                "pk", "status", "revision", "due_at", "closed_at", "writers", "submitters"
            ),
            CaseStage.objects.values_list("pk", "status", "due_at", "decided_at"),
            SeatRow.objects.values_list("pk", "status", "person", "given_by", "given_for"),
            Consultation.objects.values_list("pk", "status"),
            Decision.objects.values_list("pk", "verb"),
            QuotaAccount.objects.values_list("pk", "held", "used"),
            QuotaEntry.objects.values_list("pk", "amount"),
            AbsenceRow.objects.values_list("pk", "ends_at"),
            Event.objects.exclude(outcome="refused").values_list("pk"),
        )
        return [list(each.order_by("pk")) for each in rows]

    # -- drafts

    @initialize(sizes=st.tuples(*[st.integers(1, 6)] * 3), who=st.integers(0, 5))
    def three_orders_are_begun(self, sizes: tuple[int, int, int], who: int) -> None:
        """Each drafted by one, edited by another and submitted by a third, where there are so many."""
        for unit, size in zip(UP_THE_TREE, sizes, strict=True):
            self.draft(unit, size, self.someone(Pick(who), partial(applies, unit=unit)))
            self.edit(Pick(-1), Pick(who + 1), size)
            self.submit(Pick(-1), Pick(who + 2))

    @rule(unit=st.sampled_from(sorted(UP_THE_TREE)), size=st.integers(1, 6), who=machines.picks)
    def somebody_drafts(self, unit: str, size: int, who: Pick) -> None:
        self.draft(unit, size, self.someone(who, lambda each: applies(each, unit)))

    def draft(self, unit: str, size: int, name: str) -> None:
        order = self.attempt(
            lambda: orders.draft(
                system=self.systems[unit], **self._form(size), actor=self.person(name), at=self.now
            ),
            allowed=applies(name, unit),
        )
        if order is not None:
            self.matters[order.pk] = Matter(unit, size * 10, {name}, told=Counter(["order.drafted"]))

    @rule(
        which=machines.picks,
        size=st.integers(1, 6),
        who=machines.picks,
        stale=st.sampled_from([0, 0, 0, 1]),
    )
    def somebody_edits(self, which: Pick, size: int, who: Pick, stale: int) -> None:
        self.edit(which, who, size, stale=stale)

    def edit(self, which: Pick, who: Pick, size: int, *, stale: int = 0) -> None:
        if (found := self.one(which, *EDITABLE)) is None:
            return
        key, matter = found
        name = self.someone(who, lambda each: applies(each, matter.unit))
        done = self.attempt(
            lambda: orders.revise(
                order=Order.objects.get(pk=key), **self._form(size), expected_version=matter.version - stale,
                actor=self.person(name), at=self.now,
            ),
            allowed=applies(name, matter.unit) and matter.state in EDITABLE and not stale,
        )  # fmt: skip
        if done is not None:
            matter.size, matter.version = size * 10, matter.version + 1
            matter.own.add(name)
            matter.told.update(["order.revised"])

    def _form(self, size: int) -> dict[str, object]:
        """Names are the system's: none is used twice."""
        name = f"store-{Event.objects.count()}"
        item = StorageDraft(name=name, zone="public", storage_class="sas", size_gb=size * 10)
        return {"title": "storage", "justification": "", "declares_classified": False, "items": (item,)}

    @rule(which=machines.picks, who=machines.picks)
    def somebody_submits(self, which: Pick, who: Pick) -> None:
        self.submit(which, who)

    def submit(self, which: Pick, who: Pick) -> None:
        if (found := self.one(which, *EDITABLE)) is None:
            return
        key, matter = found
        name = self.someone(who, lambda each: applies(each, matter.unit))
        fits = matter.size <= room(list(self.matters.values()), matter.unit)
        done = self.attempt(
            lambda: orders.submit(order=Order.objects.get(pk=key), actor=self.person(name), at=self.now),
            allowed=applies(name, matter.unit) and matter.state in EDITABLE and fits,
        )
        if done is not None:
            matter.submitted(name, at=self.now)
            self.own_then[key, matter.revision] = set(matter.own)
            self.step_begins(key, matter)

    def step_begins(self, key: int, matter: Matter) -> None:
        """Its seats are those that the flow asks for, and its limit counts from now."""
        stage = CaseStage.objects.get(case__order=key, status="current")
        step = STEPS[matter.step]
        matter.seats = {seat.pk: Seat(seat.role) for seat in stage.seats.all()}
        assert (stage.code, stage.revision, stage.due_at) == (
            step.code,
            matter.revision,
            end_of(self.now, step.days),
        )
        assert Counter(seat.role for seat in matter.seats.values()) == Counter(step.signatures)

    @rule(which=machines.picks, who=machines.picks, reason=st.sampled_from(["not needed", "not needed", ""]))
    def somebody_withdraws(self, which: Pick, who: Pick, reason: str) -> None:
        if (found := self.one(which, "in_approval", "returned", "draft")) is None:
            return
        key, matter = found
        name = self.someone(who, lambda each: applies(each, matter.unit))
        explained = bool(reason) or matter.state == "draft"
        done = self.attempt(
            lambda: orders.withdraw(
                order=Order.objects.get(pk=key), reason=reason, actor=self.person(name), at=self.now
            ),
            allowed=applies(name, matter.unit) and matter.state in {*EDITABLE, "in_approval"} and explained,
        )
        if done is not None:
            matter.withdrawn(at=self.now)

    # -- decisions

    @rule(
        which=machines.picks,
        who=machines.picks,
        verb=st.sampled_from([*["approve"] * 7, "approve_with_conditions", "return", "return", "reject"]),
        seen=st.sampled_from([*["this"] * 7, "another revision", "an earlier step"]),
        opinion=st.sampled_from(["because", "because", "because", ""]),
    )
    def somebody_decides(self, which: Pick, who: Pick, verb: str, seen: str, opinion: str) -> None:
        if (found := self.one(which, "in_approval")) is None:
            return
        key, matter = found
        name = self.decider(who, matter)
        self.decide(key, matter, name, verb=verb, seen=seen, opinion=opinion)

    @rule(which=machines.picks, who=machines.picks, signatures=st.integers(1, 6))
    def it_is_signed_by_one_after_another(self, which: Pick, who: Pick, signatures: int) -> None:
        if (found := self.one(which, "in_approval")) is None:
            return
        for _each in range(signatures):
            able = [name for name in PEOPLE if self.turns(found[1], name)]
            if able:
                self.decide(*found, able[who.number % len(able)], verb="approve")

    def decide(
        self, key: int, matter: Matter, name: str, *, verb: str, seen: str = "this", opinion: str = "because"
    ) -> bool:
        turns, case = self.turns(matter, name), Case.objects.filter(order=key).first()
        right_hash = case.revision_hash if case is not None else WRONG_HASH
        step = 0 if seen == "an earlier step" else min(matter.step, len(STEPS) - 1)
        waits = matter.awaits_an_opinion() and verb not in ENDS
        others = any(self.turns(matter, each) for each in PEOPLE if each != name)
        done = self.attempt(
            lambda: orders.decide(
                order=Order.objects.get(pk=key), verb=verb, opinion=opinion, actor=self.person(name), at=self.now,
                revision_hash=WRONG_HASH if seen == "another revision" else right_hash, stage=STEPS[step].code,
            ),
            allowed=bool(turns)
            and seen != "another revision"
            and step == matter.step
            and not waits
            and (bool(opinion) or verb == "approve"),
            unless=NEEDED if verb not in ENDS and others else (),
        )  # fmt: skip
        if done is None:
            return False
        decision = Decision.objects.select_related("seat").latest("pk")
        absent = self.names[decision.on_behalf_of_id or decision.decider_id]
        assert turns.get(decision.seat_id) == absent
        before = matter.step
        matter.signed(decision.seat_id, verb, by=name, on_behalf_of=absent, at=self.now)
        if matter.state == "in_approval" and matter.step != before:
            self.step_begins(key, matter)
        return True

    # -- shared

    @rule(which=machines.picks, who=machines.picks, whom=machines.picks)
    def somebody_delegates(self, which: Pick, who: Pick, whom: Pick) -> None:
        if (found := self.one(which, "in_approval")) is None:
            return
        key, matter = found
        name = self.decider(who, matter)
        other = self.someone(whom, lambda each: each != name and matter.is_fit(each))
        turns = self.turns(matter, name)
        seats = [matter.seats[each] for each in turns]
        self.hand_over(
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
    ) -> None:
        """A seat by name for somebody. The page offers it of whom it would not be refused, and of nobody else."""
        case = Case.objects.filter(order=key).first()
        if case is None:
            return
        offer = offered(sharing.offered(case=case, actor=self.person(name), at=self.now))
        seat = self.attempt(lambda: act(case), allowed=allowed, unless=MISSED)
        assert (self.keys[other] in {each.pk for each in offer}) == (seat is not None)
        if seat is not None:
            role = matter.seats[seat.pk].role if seat.pk in matter.seats else ""
            assert self.names[seat.given_for_id] == whose
            matter.seats[seat.pk] = Seat(role, other, name, whose)
            matter.told.update([verb])

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

    # -- absences, time, the cloud

    @rule(who=machines.picks, whom=machines.picks, days=st.sampled_from([1, 3, 10]))
    def somebody_is_away(self, who: Pick, whom: Pick, days: int) -> None:
        name = self.someone(who, lambda each: not self.is_away(each))
        other = self.someone(whom, lambda each: can_stand_in(each, name))
        ends = self.now + timedelta(days=days)
        absence = self.attempt(
            lambda: absences.name_substitute(
                substitute=self.person(other), starts_at=self.now, ends_at=ends, reason="", actor=self.person(name), at=self.now
            ),
            allowed=can_stand_in(other, name) and not self.is_away(name),
        )  # fmt: skip
        if absence is not None:
            self.absences[absence.pk] = Absence(name, other, ends)

    def is_away(self, name: str) -> bool:
        return any(each.person == name and each.ends > self.now for each in self.absences.values())

    @rule(which=machines.picks, who=machines.picks)
    def somebody_comes_back(self, which: Pick, who: Pick) -> None:
        if not self.absences:
            return
        key, absence = list(self.absences.items())[which.number % len(self.absences)]
        name = self.someone(who, lambda each: each == absence.person)
        done = self.attempt(
            lambda: absences.end(
                absence=AbsenceRow.objects.get(pk=key), actor=self.person(name), at=self.now
            ),
            allowed=name == absence.person and absence.ends > self.now,
        )
        if done is not None:
            absence.ends = self.now

    @rule(hours=st.sampled_from([1, 9, 24, 72]))
    def time_passes(self, hours: int) -> None:
        self.agenda.pass_by(hours * 3600)

    @rule(which=machines.picks, who=machines.picks, visits=st.integers(0, 9))
    def somebody_calls_off_what_is_being_built(self, which: Pick, who: Pick, visits: int) -> None:
        if (found := self.one(which, "fulfilling")) is None:
            return
        key, matter = found
        engine.run_due(clock=self.agenda, most=visits)
        name = self.someone(who, lambda each: self.may_call_off(each, matter))
        built = Operation.objects.filter(units__item__order=key, finished_at__isnull=False).exists()
        done = self.attempt(
            lambda: cancellation.cancel(
                order=Order.objects.get(pk=key),
                reason="not needed",
                units=None,
                actor=self.person(name),
                at=self.now,
            ),
            allowed=self.may_call_off(name, matter) and matter.state == "fulfilling",
        )
        if done is not None:
            matter.called_off = matter.called_off or not built

    @staticmethod
    def may_call_off(name: str, matter: Matter) -> bool:
        return applies(name, matter.unit) or holds(name, "cloud_admin", matter.unit)

    @rule()
    def the_cloud_builds(self) -> None:
        virtual.work(self.agenda)
        for matter in self.matters.values():
            if matter.state == "fulfilling":
                matter.state = "cancelled" if matter.called_off else "fulfilled"
                matter.told.update([f"order.{matter.state}"])

    # -- what has to hold

    @invariant()
    def orders_and_cases_are_where_they_should_be(self) -> None:
        for order in Order.objects.select_related("case"):
            matter, case = self.matters[order.pk], order.case
            assert (order.status, order.version) == (matter.state, matter.version)
            assert (case is not None) == bool(matter.revision)
            if case is not None:
                assert CASES.get(case.status, matter.state) == matter.state
                assert (case.status == "approved") == (
                    matter.state in {"fulfilling", "fulfilled", "cancelled"}
                )
                assert (case.revision, case.due_at) == (matter.revision, matter.due)

    @invariant()
    def quota_is_held_for_what_is_open(self) -> None:
        sums = {
            (account, kind): amount
            for account, kind, amount in QuotaEntry.objects.values_list("account", "kind").annotate(
                Sum("amount")
            )
        }
        for account in QuotaAccount.objects.filter(dimension="storage_gb").select_related("department"):
            unit = next(name for name, each in self.units.items() if each == account.department)
            here = [matter for matter in self.matters.values() if unit in UP_THE_TREE[matter.unit]]
            going = sum(
                m.takes for m in here if m.called_off
            )  # given back as soon as the cloud has confirmed it
            assert 0 <= sum(m.takes for m in here) - account.taken <= going
            assert account.held >= sum(m.takes for m in here if m.state == "in_approval")
            assert account.used >= sum(m.takes for m in here if m.state == "fulfilled")
            assert account.limit is None or account.taken <= account.limit
            hold, unhold, commit, gone = (sums.get((account.pk, kind), 0) for kind in EntryKind)
            assert (account.held, account.used) == (hold - unhold - commit, commit - gone)
        units = Counter(Unit.objects.values_list("item__order", flat=True))
        for key, matter in self.matters.items():
            assert units[key] == (matter.state in {"in_approval", "fulfilling", "fulfilled", "cancelled"})

    @invariant()
    def seats_and_questions_are_open_where_it_is_decided_and_nowhere_else(self) -> None:
        seats = {key: seat for matter in self.matters.values() for key, seat in matter.open_seats().items()}
        rows = SeatRow.objects.filter(status="open").values_list(
            "pk", "role", "person", "given_by", "given_for"
        )
        told = {pk: (role, *map(self.names.get, people)) for pk, role, *people in rows}
        assert told == {
            key: (seat.role, seat.person or None, seat.giver or None, seat.whose or None)
            for key, seat in seats.items()
        }
        asked = {
            key for matter in self.matters.values() for key, each in matter.questions.items() if each.open
        }
        assert set(Consultation.objects.filter(status="asked").values_list("pk", flat=True)) == asked
        stages = Counter(CaseStage.objects.filter(status="current").values_list("case__order", flat=True))
        assert stages == Counter(key for key, matter in self.matters.items() if matter.state == "in_approval")

    @invariant()
    def each_person_decides_once_on_a_revision_and_nobody_on_their_own(self) -> None:
        digests = dict(_by_revision(Revision.objects.values_list("order", "number", "digest")))
        people: dict[tuple[int, int], Counter[int]] = {}
        last: dict[tuple[int, int], str] = {}
        decisions = Decision.objects.select_related("stage__case__order").order_by("pk")
        for decision in decisions:
            of = (decision.stage.case.order.pk, decision.stage.revision)
            assert decision.revision_hash == digests[of]
            assert last.get(of) not in ENDS, "it was over"
            last[of] = decision.verb
            both = {decision.decider_id, decision.on_behalf_of_id} - {None}
            people.setdefault(of, Counter()).update(both)
            assert not {self.names[each] for each in both} & self.own_then[of]
        assert all(count == 1 for counted in people.values() for count in counted.values())
        for stage in CaseStage.objects.exclude(decided_at=None).prefetch_related("decisions", "seats"):
            signed = [seat for seat in stage.seats.all() if seat.status == "signed"]
            assert len(signed) == len(stage.decisions.all()) >= 1

    @invariant()
    def the_trail_has_one_record_of_each_event(self) -> None:
        modelled = {verb for matter in self.matters.values() for verb in matter.told}
        told = Event.objects.filter(outcome="done", verb__in=modelled).values_list("thread", "verb")
        counted: dict[object, Counter[str]] = {}
        for thread, verb in told:
            counted.setdefault(thread, Counter())[verb] += 1
        for key, uuid in Order.objects.values_list("pk", "uuid"):
            assert counted.get(uuid, Counter()) == self.matters[key].told

    def everything_can_be_approved(self) -> None:
        """Nobody was let do what leaves a signature to nobody: those who may decide can bring every order to its end."""
        for key, matter in self.matters.items():
            while matter.state == "in_approval":
                for row, question in matter.questions.items():
                    if question.open:
                        sharing.waive(
                            consultation=Consultation.objects.get(pk=row),
                            actor=self.person(question.asker),
                            at=self.now,
                        )
                        question.open = False
                able = [name for name in PEOPLE if self.turns(matter, name)]
                assert any(self.decide(key, matter, name, verb="approve") for name in able), (
                    f"nobody can approve order {key} any more: {matter}"
                )


def _others(first: str, others: list[str]) -> dict[str, object]:
    """The further signatures of a stage, as the flow is written."""
    if others == [first]:
        return {"quorum": "some", "quorum_count": 2}
    return {"also_roles": tuple(others)}


def _by_revision(rows: Collection[tuple[int, int, str]]) -> Iterator[tuple[tuple[int, int], str]]:
    for order, number, digest in rows:
        yield (order, number), digest


@pytest.mark.django_db
def test_no_sequence_of_decisions_breaks_an_order_or_its_case() -> None:
    machines.run(Deciding, examples=9, steps=25)
