"""Who decides on an order and what becomes of it, said once more: in plain Python, with names for people and nothing of the product.

Small on purpose, so that it can be read against docs/approvals.md.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")
UP_THE_TREE = {"bureau": ("bureau",), "office": ("office", "bureau"), "institute": ("institute", "bureau")}
LIMITS = {"bureau": 180, "office": 120, "institute": None}
"""Block storage in GB, of the unit and everything below it."""

PEOPLE: dict[str, tuple[tuple[str, str], ...]] = {
    "ann": (("applicant", "office"),),
    "abe": (("applicant", "office"), ("unit_approver", "office")),
    "ava": (("unit_approver", "office"),),
    "ian": (("applicant", "institute"), ("unit_approver", "institute")),
    "bea": (("applicant", "bureau"), ("unit_approver", "bureau")),
    "bob": (("unit_approver", "bureau"),),
    "dan": (("service_desk", ""),),
    "dora": (("service_desk", ""), ("technical_reviewer", "")),
    "tom": (("technical_reviewer", ""),),
    "uma": (("authority_approver", ""),),
    "udo": (("authority_approver", ""), ("technical_reviewer", "")),
    "una": (("authority_approver", ""), ("applicant", "institute")),
    "kim": (("cloud_admin", ""),),
}
"""The roles of each, and the unit that they are for; those of the centre are for all."""

DECIDING = {
    role for roles in PEOPLE.values() for role, _unit in roles if role != "applicant"
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    code: str
    signatures: tuple[str, ...]  # the role of each
    days: int


STEPS = (
    Step("unit_approval", ("unit_approver",), 2),
    Step("intake", ("service_desk", "technical_reviewer"), 1),
    Step("approval", ("authority_approver", "authority_approver"), 2),
)
ENDS = {"return": "returned", "reject": "rejected"}
EDITABLE = {"draft", "returned"}


def holds(person: str, role: str, unit: str) -> bool:
    return any(each == role and (not at or at in UP_THE_TREE[unit]) for each, at in PEOPLE[person])


def applies(person: str, unit: str) -> bool:
    return holds(person, "applicant", unit)


def decides(person: str, unit: str) -> bool:
    return any(holds(person, role, unit) for role in DECIDING)


def can_stand_in(substitute: str, person: str) -> bool:
    """Whether they decide wherever the person does."""
    units = [unit for unit in UP_THE_TREE if decides(person, unit)]
    central = any(role in DECIDING and not unit for role, unit in PEOPLE[person])
    also_central = any(role in DECIDING and not unit for role, unit in PEOPLE[substitute])
    return (
        substitute != person
        and bool(units)
        and (also_central or not central)
        and all(decides(substitute, unit) for unit in units)
    )


@dataclass
class Absence:
    person: str
    substitute: str
    ends: datetime


@dataclass
class Seat:
    """``person`` has it by name, from ``giver``; ``whose`` part it was. One without a role is that of an added reviewer."""

    role: str
    person: str = ""
    giver: str = ""
    whose: str = ""
    signed: bool = False

    @property
    def is_away(self) -> bool:
        return bool(self.role and self.person) and self.person != self.whose


@dataclass
class Question:
    asker: str
    person: str
    awaited: bool
    open: bool = True


@dataclass
class Matter:
    """An order and its case. ``own`` are those whose matter it is, ``decided`` who has decided on this revision or was stood in for."""

    unit: str
    size: int
    own: set[str]
    state: str = "draft"
    version: int = 1
    revision: int = 0
    step: int = 0
    seats: dict[int, Seat] = field(default_factory=dict)  # of the current step, by their keys
    questions: dict[int, Question] = field(default_factory=dict)  # of the current step
    decided: set[str] = field(default_factory=set)
    due: datetime | None = None
    returned: datetime | None = None
    called_off: bool = False
    told: Counter[str] = field(default_factory=Counter)  # what the trail has of it, by verb

    @property
    def takes(self) -> int:
        """GB that are held for it, or in use."""
        return self.size if self.state in {"in_approval", "fulfilling", "fulfilled"} else 0

    def open_seats(self) -> dict[int, Seat]:
        return {key: seat for key, seat in self.seats.items() if not seat.signed}

    def is_before(self, step: int) -> bool:
        """Whether nobody has signed the step yet."""
        return self.step < step or (
            self.step == step and not any(seat.signed for seat in self.seats.values())
        )

    def turns(self, person: str, away: list[str]) -> dict[int, str]:
        """The seats that a person may sign, and for whom: their own first, else those of whom they stand in for (``away``)."""
        if self.state != "in_approval" or person in self.own | self.decided:
            return {}
        for each in (person, *(away if decides(person, self.unit) else ())):
            if each not in self.own | self.decided and (seats := list(self._seats_of(each))):
                return dict.fromkeys(seats, each)
        return {}

    def _seats_of(self, person: str) -> Iterator[int]:
        free = self.open_seats()
        named = [key for key, seat in free.items() if seat.person == person]
        if named and decides(person, self.unit):
            yield from named
        elif not any(
            seat.is_away and person in {seat.giver, seat.whose} - {seat.person}
            for seat in self.seats.values()
        ):
            yield from (
                k for k, seat in free.items() if not seat.person and holds(person, seat.role, self.unit)
            )

    def is_fit(self, person: str) -> bool:
        """Whether they can have a seat of the current step."""
        sits = any(seat.person == person for seat in self.seats.values())
        return person not in self.own | self.decided and not sits and decides(person, self.unit)

    def can_be_signed(self, *, signed: Collection[int] = (), without: Collection[str] = ()) -> bool:
        """Whether there are people for all that is still to be signed, each of whom signs once: once these seats are, and
        ``without`` these people. Who has given their part away signs nothing else of this step.
        """
        free = [seat for key, seat in self.open_seats().items() if key not in signed and not seat.person]
        given = {name for seat in self.seats.values() if seat.is_away for name in (seat.giver, seat.whose)}
        seated = {seat.person for seat in self.seats.values() if seat.person}
        barred = self.own | self.decided | seated | set(without)
        later = [role for step in STEPS[self.step + 1 :] for role in step.signatures]
        wanted = [*((seat.role, given - seated) for seat in free), *((role, set[str]()) for role in later)]
        return _are_people_for(wanted, self.unit, barred)

    def needs_elsewhere(self, person: str, turns: dict[int, str]) -> bool:
        """Whether an approval by the person would leave some other signature to nobody, whichever of their seats they sign."""
        return not any(
            self.can_be_signed(signed={seat}, without={person, whose}) for seat, whose in turns.items()
        )

    def awaits_an_opinion(self) -> bool:
        return any(question.open and question.awaited for question in self.questions.values())

    def submitted(self, person: str, *, at: datetime) -> None:
        self.own.add(person)
        if self.due is None or self.returned is None:
            self.due = end_of(at, sum(step.days for step in STEPS))
        else:
            self.due = end_of(self.due, days_ended(self.returned, at)) if self.due else None
        self.told.update(["order.submitted", "order.in_approval", "case.opened"])
        self.told.update(["case.open"] if self.revision else [])
        self.state, self.revision, self.step, self.returned, self.decided = (
            "in_approval", self.revision + 1, 0, None, set(),
        )  # fmt: skip
        self._clear()

    def signed(self, seat: int, verb: str, *, by: str, on_behalf_of: str, at: datetime) -> None:
        self.seats[seat].signed = True
        self.decided |= {by, on_behalf_of}
        self.told.update(["case.decided"])
        if verb in ENDS:
            self._ended(ENDS[verb], at=at)
        elif not self.open_seats():
            self.step += 1
            self._clear()
            if self.step == len(STEPS):
                self.state = "fulfilling"
                self.told.update(["case.approved", "order.fulfilling"])

    def withdrawn(self, *, at: datetime) -> None:
        if self.revision:
            self._ended("withdrawn", at=at)
        else:
            self.state = "withdrawn"
            self.told.update(["order.withdrawn"])

    def _ended(self, state: str, *, at: datetime) -> None:
        self.told.update([f"order.{state}", f"case.{state}"])
        self.state = state
        self.returned = at if state == "returned" else None
        self._clear()

    def _clear(self) -> None:
        self.seats, self.questions = {}, {}


def _are_people_for(wanted: Sequence[tuple[str, set[str]]], unit: str, barred: set[str]) -> bool:
    """Whether each of the roles finds somebody else, but for those who do not sign that one."""
    if not wanted:
        return True
    (role, not_these), *others = wanted
    return any(
        holds(name, role, unit) and _are_people_for(others, unit, barred | {name})
        for name in PEOPLE
        if name not in barred | not_these
    )


def room(matters: list[Matter], unit: str) -> float:
    """GB that a unit has left, with those above it."""
    taken = {each: sum(m.takes for m in matters if each in UP_THE_TREE[m.unit]) for each in UP_THE_TREE}
    limits = ((each, LIMITS[each]) for each in UP_THE_TREE[unit])
    return min(limit - taken[each] for each, limit in limits if limit is not None)


# -- working days

HOLIDAY, MADE_UP = date(2026, 11, 20), date(2026, 11, 21)
"""A Friday that is not worked, and the Saturday that is instead."""


def is_worked(day: date) -> bool:
    return day == MADE_UP or (day.isoweekday() < 6 and day != HOLIDAY)


def end_of(since: datetime, days: int) -> datetime:
    """18:00 in Beijing on the so-manieth working day after that of the instant; the instant itself for none."""
    day = since.astimezone(BEIJING).date()
    for _one in range(days):
        day += timedelta(days=1)
        while not is_worked(day):
            day += timedelta(days=1)
    return datetime.combine(day, time(18), BEIJING) if days else since


def days_ended(since: datetime, until: datetime) -> int:
    """The working days of which 18:00 in Beijing lies after the one instant, up to the other."""
    day, count = since.astimezone(BEIJING).date(), 0
    while (end := datetime.combine(day, time(18), BEIJING)) <= until:
        count += is_worked(day) and end > since
        day += timedelta(days=1)
    return count
