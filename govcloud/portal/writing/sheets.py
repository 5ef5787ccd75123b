"""A page on which items of an order are written, one or several together: what a form sent, and what is told about it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from django.http import HttpRequest
from django.utils.translation import gettext as _

from govcloud.errors import DomainError, Invalids
from govcloud.inventory.lifecycle import Status
from govcloud.orders.drafts import BackupDraft, ItemDraft, NetworkDraft
from govcloud.orders.models import Order
from govcloud.orders.redrafting import rewritten
from govcloud.orders.resolution import as_uuid
from govcloud.orders.rules.off_site import OFF_SITE_FROM
from govcloud.orders.services import MOST_ITEMS
from govcloud.portal.deciding.forms import TextTooLong, typed
from govcloud.portal.reading import number_in
from govcloud.portal.writing.choices import CHOICES, Choice, choice_of, values_of
from govcloud.portal.writing.offers import Offers
from govcloud.portal.writing.slots import MOST, Row, Shown, Slot, mark_of

HEADING = ("title", "justification", "urgency", "declares_classified")
NAMING = ("target", "server", "network")
"""Fields that can have the id of something that stands."""
ITEM = re.compile(r"/items/(\d+)(?:/(.+))?")
LONGEST = {"title": 120, "justification": 10_000, "urgency": 500}
"""Characters, as the API takes them."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong beside the fields of the page: with the whole order, or with another item of it."""

    detail: str
    position: int | None = None
    name: str = ""

    @property
    def number(self) -> int:
        """Of the item, as people count."""
        return (self.position or 0) + 1


@dataclass
class Heading:
    """What is said of the order as a whole."""

    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, request: HttpRequest) -> "Heading":
        """What a form has sent, and which of it is too long."""
        read = cls(typed(request, *HEADING))
        for name, most in LONGEST.items():
            if len(read.values[name]) > most:
                read.tell(name, TextTooLong(most=most).detail)
        return read

    @classmethod
    def of(cls, order: Order) -> "Heading":
        """What stands there. Whether the work is classified is asked anew each time."""
        return cls({name: getattr(order, name) for name in LONGEST})

    @property
    def classified(self) -> bool:
        return self.values.get("declares_classified") == "yes"

    @property
    def declared(self) -> bool:
        return self.values.get("declares_classified") in {"yes", "no"}

    def tell(self, name: str, detail: str) -> None:
        """Something is wrong with a field of it."""
        self.errors.setdefault(name, []).append(detail)


@dataclass
class Sheet:
    """``drafts`` are the items of the order as they are; ``version`` the one that they were read at.

    ``key`` tells the form of a new order from another one.
    """

    offers: Offers | None = None
    slots: list[Slot] = field(default_factory=list)
    heading: Heading | None = None
    drafts: Sequence[ItemDraft] = ()
    version: int = 0
    problems: list[Problem] = field(default_factory=list)
    key: UUID = field(default_factory=uuid4)

    @property
    def items(self) -> list[tuple[Slot, list[Shown], list[Row]]]:
        """Every item of the page with its fields."""
        if self.offers is None:
            return []
        self.offers.writes_network = self._new_network() is not None
        return [(slot, slot.shown(self.offers), slot.shown_rows(self.offers)) for slot in self.slots]

    @property
    def wrong(self) -> bool:
        return bool(
            self.problems
            or any(slot.errors for slot in self.slots)
            or (self.heading is not None and self.heading.errors)
        )

    @property
    def further(self) -> list[Choice]:
        """What can be written on the same page as well."""
        if len(self.slots) >= MOST or not all(slot.choice.creates for slot in self.slots):
            return []
        taken = {"network"} if self._new_network() else set()
        if self._has_backup():
            taken.add("backup")
        return [each for each in CHOICES.values() if each.creates and each.slug not in taken]

    def add(self, slug: str, values: Mapping[str, str] | None = None) -> Slot:
        """A further new item at the end of the page."""
        slot = Slot.new(len(self.slots), slug, values)
        if self.offers is not None and "zone" in slot.keys:
            slot.values["zone"] = self.offers.system.zone
        self.slots.append(slot)
        return slot

    def take_up(self, position: int) -> Slot | None:
        """An item of the order onto the page as well; the one that is there if it is."""
        there = next((slot for slot in self.slots if slot.position == position), None)
        if there is not None or not 0 <= position < len(self.drafts):
            return there
        slot = Slot.written(len(self.slots), position, self.drafts[position])
        self.slots.append(slot)
        return slot

    def renumber(self) -> None:
        """After items have moved on the page."""
        for place, each in enumerate(self.slots):
            each.number = place

    def read_slots(self, request: HttpRequest) -> None:
        """The items that a form has sent; what it names and does not exist is left out."""
        most = MOST + MOST_ITEMS  # further ones, and all of the order's taken up
        for number, slug in enumerate(request.POST.getlist("slot")[:most]):
            if slug in CHOICES:
                slot = Slot.read(number, slug, request.POST)
                slot.number = len(self.slots)
                self.slots.append(slot)

    def obey(self, deed: str) -> bool:
        """What one of the page's own buttons asks for; whether it was one of those that keep nothing yet."""
        verb, _dash, rest = deed.partition("-")
        first, _dash, second = rest.partition("-")
        number, row = _number(first), _number(second)
        match verb:
            case "with" if rest in CHOICES and len(self.slots) < MOST:
                slot = self.add(rest)
                slot.begins = slot.choice.fields[0].key
            case "fix":
                self.take_up(number)
            case "row" if number < len(self.slots):
                self.slots[number].add_row()
            case "rowless" if number < len(self.slots):
                self.slots[number].drop_row(row)
            case "drop" if number < len(self.slots) and len(self.slots) > 1:
                del self.slots[number]
                self.renumber()
            case _:
                return False
        return True

    @property
    def named(self) -> set[UUID]:
        """The resources that the items of the page name."""
        given = (as_uuid(slot.values.get(key, "")) for slot in self.slots for key in NAMING)
        return {uuid for uuid in given if uuid is not None}

    def made(self) -> list[ItemDraft] | None:
        """The drafts of the items of the page; None after telling at the fields why there are not all."""
        if self.offers is None:
            return None
        network = self._new_network()
        name = network.values.get("name", "") if network else ""
        made = [slot.draft(self.offers, new_network=name) for slot in self.slots]
        whole = [draft for draft in made if draft is not None]
        return whole if len(whole) == len(made) else None

    def content(self, made: Sequence[ItemDraft]) -> list[ItemDraft]:
        """All items of the order with those of the page in their places."""
        changed, added = {}, []
        for slot, draft in zip(self.slots, made, strict=True):
            if slot.position is not None and slot.position < len(self.drafts):
                changed[slot.position] = draft
            else:
                added.append(draft)
        return rewritten(self.drafts, changed, added)

    def tell(self, refusal: DomainError) -> None:
        """Everything that is wrong, each where it can be put right."""
        new = (slot for slot in self.slots if slot.position is None)
        places = {slot.position: slot for slot in self.slots if slot.position is not None}
        places |= {len(self.drafts) + n: slot for n, slot in enumerate(new)}
        for error in refusal.errors if isinstance(refusal, Invalids) else [refusal]:
            for pointer in error.pointers or ("",):
                self._tell(error.detail, pointer, places)

    def _tell(self, detail: str, pointer: str, places: Mapping[int, Slot]) -> None:
        found = ITEM.fullmatch(pointer)
        position = int(found[1]) if found else -1
        if found and position in places:
            places[position].tell(found[2] or "", detail)
        elif 0 <= position < len(self.drafts):
            self.problems.append(Problem(detail, position, _called(self.drafts[position])))
        elif self.heading is not None and pointer.removeprefix("/") in (*HEADING, "system"):
            self.heading.tell(pointer.removeprefix("/"), detail)
        else:
            self.problems.append(Problem(detail))

    def stands_in(self, order: Order, drafts: Sequence[ItemDraft], made: Sequence[ItemDraft]) -> bool:
        """Whether the order has all that is on the page, as after a double click: then there is nothing left to keep."""
        if self.heading is not None:
            return all(getattr(order, name) == self.heading.values[name] for name in LONGEST)
        return all(draft in drafts for draft in made)

    def find_again(self, drafts: Sequence[ItemDraft], version: int) -> None:
        """After somebody was quicker: the items of the page in the order as it is now, and what they are told of it.

        What was changed meanwhile is known by its form with its name or target; what is not there any more is a further item.
        """
        self.problems.append(
            Problem(_("What you typed is still here: keep it again to put it into the order as it is now."))
        )
        marks = {mark_of(draft): position for position, draft in enumerate(drafts)}
        same = {marks[slot.was] for slot in self.slots if slot.was in marks}
        alike = {
            _known_by(choice_of(draft), values_of(draft)): position
            for position, draft in enumerate(drafts)
            if position not in same  # which another item of the page has
        }
        for slot in self.slots:
            if slot.position is None:
                continue
            slot.position = marks.get(slot.was)
            if slot.position is not None:
                continue
            slot.position = alike.pop(_known_by(slot.choice, slot.values), None)
            if slot.position is None:
                slot.was = ""
                text = _("“%(name)s” has been taken out meanwhile: kept again, yours is a further item.")
            else:
                slot.was = mark_of(drafts[slot.position])
                text = _("“%(name)s” has been changed meanwhile: kept again, yours replaces it.")
            self.problems.append(Problem(text % {"name": slot.values.get("name") or slot.label}))
        self.drafts, self.version = drafts, version

    def _new_network(self) -> Slot | None:
        return next(
            (slot for slot in self.slots if slot.choice.slug == "network" and slot.position is None), None
        )

    def _has_backup(self) -> bool:
        return any(choice_of(draft).slug == "backup" for draft in self.drafts) or any(
            slot.choice.slug == "backup" for slot in self.slots
        )


def needs_network(drafts: Sequence[ItemDraft], offers: Offers) -> bool:
    """Whether a server in the system's own zone, where it begins, would have nothing to be on."""
    zone = offers.system.zone
    ordered = any(isinstance(draft, NetworkDraft) and draft.zone == zone for draft in drafts)
    return not ordered and not any(
        each.kind == "network" and each.zone == zone and each.status == Status.ACTIVE
        for each in offers.standing
    )


def needs_backup(drafts: Sequence[ItemDraft], offers: Offers) -> bool:
    """Whether a server could not be ordered without an off-site backup, as there is none yet."""
    if offers.system.mlps_level < OFF_SITE_FROM:
        return False
    ordered = any(isinstance(draft, BackupDraft) and draft.off_site for draft in drafts)
    return not ordered and not any(
        each.kind == "backup" and each.status == Status.ACTIVE and each.backup.off_site
        for each in offers.standing
    )


def _known_by(choice: Choice, values: Mapping[str, str]) -> tuple[str, str]:
    """An order has no two items with the same form and one of these."""
    named = (values.get(key) for key in ("name", "target", "dimension"))
    return choice.slug, next((value for value in named if value), "")


def _called(draft: ItemDraft) -> str:
    return getattr(draft, "name", "") or str(choice_of(draft).label)


def _number(text: str) -> int:
    """A number that no page has for what is none."""
    number = number_in(text, most=999)
    return MOST * 1000 if number is None else number
