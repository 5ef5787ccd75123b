"""A bureau with two units below it, what its people do with orders, and what the reference says of each attempt."""

from collections import Counter
from collections.abc import Callable, Collection
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from django.db import transaction
from hypothesis.stateful import RuleBasedStateMachine

from govcloud.approvals import absences, sharing
from govcloud.approvals import services as approvals
from govcloud.approvals.models import Absence as AbsenceRow
from govcloud.approvals.models import Case, CaseStage, Consultation, Decision
from govcloud.approvals.models import Seat as SeatRow
from govcloud.approvals.routing import StageRule
from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.calendars.models import DayKind, SpecialDay
from govcloud.orders import services as orders
from govcloud.orders.drafts import StorageDraft
from govcloud.orders.models import Order, Revision
from govcloud.quotas.models import QuotaAccount, QuotaEntry
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
    Absence,
    Matter,
    Seat,
    applies,
    can_stand_in,
    end_of,
    room,
)
from tests.machines import Pick

T = TypeVar("T")
AT = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)
WRONG_HASH = "0" * 64
AUDITED = {
    "self-approval",
    "not-a-decider",
    "not-to-be-handed-on",
    "not-consulted",
    "not-the-asker",
    "quota-exceeded",
}
"""Refusals that leave a record, however little else they leave."""


class Bureau(RuleBasedStateMachine):
    """It shares its quota with the units. Has no rules of its own: those who inherit from it say what is done when."""

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

    def close(self) -> None:
        """Nothing of it stays."""
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
        away = {
            each.person
            for each in self.absences.values()
            if each.substitute == substitute and each.ends > self.now
        }
        return [name for name in PEOPLE if name in away]

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

    # -- what people do

    def draft(self, unit: str, size: int, name: str) -> int | None:
        """The key of the order; ``size`` is in steps of 10 GB."""
        order = self.attempt(
            lambda: orders.draft(
                system=self.systems[unit], **self._form(size), actor=self.person(name), at=self.now
            ),
            allowed=applies(name, unit),
        )
        if order is None:
            return None
        self.matters[order.pk] = Matter(unit, size * 10, {name}, told=Counter(["order.drafted"]))
        key: int = order.pk
        return key

    def edit(self, key: int, matter: Matter, name: str, size: int, *, stale: int = 0) -> None:
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

    def submit(self, key: int, matter: Matter, name: str) -> None:
        done = self.attempt(
            lambda: orders.submit(order=Order.objects.get(pk=key), actor=self.person(name), at=self.now),
            allowed=applies(name, matter.unit)
            and matter.state in EDITABLE
            and matter.size <= self.room(matter.unit),
        )
        if done is not None:
            matter.submitted(name, at=self.now)
            self.own_then[key, matter.revision] = set(matter.own)
            self.step_begins(key, matter)

    def room(self, unit: str) -> float:
        return room(list(self.matters.values()), unit)

    def withdraw(self, key: int, matter: Matter, name: str, *, reason: str) -> None:
        explained = bool(reason) or matter.state == "draft"
        done = self.attempt(
            lambda: orders.withdraw(
                order=Order.objects.get(pk=key), reason=reason, actor=self.person(name), at=self.now
            ),
            allowed=applies(name, matter.unit) and matter.state in {*EDITABLE, "in_approval"} and explained,
        )
        if done is not None:
            matter.withdrawn(at=self.now)

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

    def decide(
        self, key: int, matter: Matter, name: str, *, verb: str, seen: str = "this", opinion: str = "because"
    ) -> bool:
        """``seen`` is what they have read: this revision, another one, the first one, or an earlier step."""
        turns, digests = self.turns(matter, name), self._digests(key)
        right = digests.get(matter.revision, WRONG_HASH)
        read = {"another revision": WRONG_HASH, "the first revision": digests.get(1)}.get(seen) or right
        step = 0 if seen == "an earlier step" else min(matter.step, len(STEPS) - 1)
        ends = verb in ENDS
        done = self.attempt(
            lambda: orders.decide(
                order=Order.objects.get(pk=key), verb=verb, opinion=opinion, actor=self.person(name), at=self.now,
                revision_hash=read, stage=STEPS[step].code,
            ),
            allowed=bool(turns)
            and read == right
            and step == matter.step
            and (bool(opinion) or verb == "approve")
            and (ends or not (matter.awaits_an_opinion() or matter.needs_elsewhere(name, turns))),
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

    @staticmethod
    def _digests(key: int) -> dict[int, str]:
        """What each revision of an order said, by its number."""
        return dict(Revision.objects.filter(order=key).values_list("number", "digest"))

    def one_more_signs(self, key: int, matter: Matter, *, first: int = 0) -> bool:
        """One of those who can, the ``first`` of them before the others; what they wait for is waived."""
        for row, question in matter.questions.items():
            if question.open:
                asked = Consultation.objects.get(pk=row)
                sharing.waive(consultation=asked, actor=self.person(question.asker), at=self.now)
                question.open = False
                matter.told.update(["consultation.waived"])
        able = [name for name in PEOPLE if self.turns(matter, name)]
        first %= len(able) or 1
        return any(self.decide(key, matter, name, verb="approve") for name in able[first:] + able[:first])

    def is_away(self, name: str) -> bool:
        return any(each.person == name and each.ends > self.now for each in self.absences.values())

    def go_away(self, name: str, substitute: str, *, days: int) -> bool:
        ends = self.now + timedelta(days=days)
        absence = self.attempt(
            lambda: absences.name_substitute(
                substitute=self.person(substitute), starts_at=self.now, ends_at=ends, reason="", actor=self.person(name), at=self.now
            ),
            allowed=can_stand_in(substitute, name) and not self.is_away(name),
        )  # fmt: skip
        if absence is None:
            return False
        self.absences[absence.pk] = Absence(name, substitute, ends)
        return True


def _others(first: str, others: list[str]) -> dict[str, object]:
    """The further signatures of a stage, as the flow is written."""
    if others == [first]:
        return {"quorum": "some", "quorum_count": 2}
    return {"also_roles": tuple(others)}
