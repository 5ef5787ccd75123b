"""An item on a page: what stands in its fields, what is wrong with them, and the draft that they make."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.http import QueryDict

from govcloud.orders.drafts import ItemDraft, ReleaseDraft, RenewDraft
from govcloud.portal.reading import number_in
from govcloud.portal.writing.choices import CHOICES, Choice, beginning, choice_of, values_of
from govcloud.portal.writing.fields import LONGEST, NOT_CHOSEN, Field, Rows, Unreadable, nested
from govcloud.portal.writing.offers import ON_THIS_PAGE, Offers, Option

MOST = 10
"""Items on one page."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A field as the page has it."""

    id: str
    field: Field
    value: str
    options: list[Option]
    errors: list[str]
    first: bool = False  # where typing begins

    @property
    def described_by(self) -> str:
        parts = [("hint", self.field.hint), ("error", self.errors)]
        return " ".join(f"{self.id}-{part}" for part, there in parts if there)


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    label: str
    fields: list[Shown]


@dataclass
class Slot:
    """``number`` is its place on the page, ``position`` that in the order if it is written already, ``was`` how it was read then."""

    number: int
    choice: Choice
    values: dict[str, str]
    rows: int = 0
    position: int | None = None
    was: str = ""
    errors: dict[str, list[str]] = field(default_factory=dict)
    begins: str = ""  # the field where typing begins

    @classmethod
    def new(cls, number: int, slug: str, values: Mapping[str, str] | None = None) -> "Slot":
        """A further item."""
        choice = CHOICES[slug]
        given = {**beginning(choice), **(values or {})}
        return cls(number, choice, given, rows=_rows_in(choice.rows, given))

    @classmethod
    def written(cls, number: int, position: int, draft: ItemDraft) -> "Slot":
        """An item that the order has."""
        choice, values = choice_of(draft), values_of(draft)
        return cls(
            number, choice, values, rows=_rows_in(choice.rows, values), position=position, was=mark_of(draft)
        )

    @classmethod
    def read(cls, number: int, slug: str, sent: QueryDict) -> "Slot":
        """What a form has sent. Raises KeyError for a choice that there is not."""
        choice = CHOICES[slug]
        rows = _small(sent.get(f"{number}-rows", ""))
        position = sent.get(f"{number}-position", "")
        slot = cls(
            number,
            choice,
            {},
            rows=min(rows, choice.rows.most + 1) if choice.rows else 0,
            position=_small(position) if position else None,
            was=sent.get(f"{number}-was", "")[:64],
        )
        slot.values = {
            each.key: sent.get(slot.name_of(each.key), "").replace("\0", "").strip()[:LONGEST]
            for each in slot.fields()
        }
        return slot

    @property
    def label(self) -> str:
        return str(self.choice.label)

    @property
    def keys(self) -> set[str]:
        return {each.key for each in self.fields()}

    @property
    def general(self) -> list[str]:
        """What is wrong with it as a whole."""
        return self.errors.get("", [])

    def name_of(self, key: str) -> str:
        """The name of the element, which is its id as well."""
        return f"{self.number}-{key.replace('/', '-')}"

    def fields(self) -> Iterator[Field]:
        """Every field with its whole key, those of the rows too."""
        yield from self.choice.fields
        for number in range(self.rows):
            yield from self._of_row(number)

    def _of_row(self, number: int) -> Iterator[Field]:
        rows = self.choice.rows
        if rows is not None:
            for each in rows.fields:
                yield replace(each, key=f"{rows.key}/{number}/{each.key}")

    def shown(self, offers: Offers) -> list[Shown]:
        """The fields of the item itself."""
        return [self._shown(each, offers) for each in self.choice.fields]

    def shown_rows(self, offers: Offers) -> list[Row]:
        rows = self.choice.rows
        if rows is None:
            return []
        return [
            Row(n, str(rows.label), [self._shown(each, offers) for each in self._of_row(n)])
            for n in range(self.rows)
        ]

    def add_row(self) -> None:
        """One more, if there may be one."""
        rows = self.choice.rows
        if rows is not None and self.rows < rows.most:
            self.rows += 1
            self.begins = f"{rows.key}/{self.rows - 1}/{rows.fields[0].key}"

    def drop_row(self, number: int) -> None:
        """Without this one; those behind it move up."""
        rows = self.choice.rows
        if rows is None or not 0 <= number < self.rows:
            return
        for n in range(number, self.rows):
            for each in rows.fields:
                moved = self.values.pop(f"{rows.key}/{n + 1}/{each.key}", "")
                self.values[f"{rows.key}/{n}/{each.key}"] = moved
        self.rows -= 1

    def draft(self, offers: Offers, *, new_network: str) -> ItemDraft | None:
        """What the fields make; None after telling at the fields why there is nothing. ``new_network`` is the one on the page."""
        given: dict[str, Any] = {}
        for each in self.fields():
            try:
                given[each.key] = each.parsed(self.values.get(each.key, ""))
            except Unreadable as error:
                self.tell(each.key, str(error.said))
        if given.get("network") == ON_THIS_PAGE:
            given["network"] = new_network
        if self.choice.draft in (RenewDraft, ReleaseDraft) and "target" in given:
            given["kind"] = offers.kind_of(given["target"])
            if given["kind"] is None:
                self.tell("target", str(NOT_CHOSEN))
        if self.errors:
            return None
        whole = nested(given)
        if self.choice.rows is not None:
            rows = whole.get(self.choice.rows.key, {})
            whole[self.choice.rows.key] = [nested(_below(rows, n)) for n in range(self.rows)]
        return self.choice.makes(whole)

    def tell(self, key: str, detail: str) -> None:
        """Something is wrong with a field; with the whole item, if it has none like that."""
        told = self.errors.setdefault(key if key in self.keys else "", [])
        if detail not in told:
            told.append(detail)

    def _shown(self, each: Field, offers: Offers) -> Shown:
        value = self.values.get(each.key, each.default)
        options = list(offers.of(each.options)) if each.options else []
        if value and value != ON_THIS_PAGE and each.options and value not in {o.value for o in options}:
            options.append(Option(value, value))  # what was chosen once stays until something else is
        if each.options and len(options) == 1 and not value and not each.optional:
            value = options[0].value
        return Shown(
            self.name_of(each.key),
            each,
            value,
            options,
            self.errors.get(each.key, []),
            each.key == self.begins,
        )


def mark_of(draft: ItemDraft) -> str:
    """By which an item is known again when others have been put before it."""
    return hashlib.sha256(repr(draft).encode()).hexdigest()[:32]


def _below(rows: Mapping[str, Any], number: int) -> dict[str, Any]:
    start = f"{number}/"
    return {key.removeprefix(start): value for key, value in rows.items() if key.startswith(start)}


def _rows_in(rows: Rows | None, values: Mapping[str, str]) -> int:
    if rows is None:
        return 0
    return len({key.split("/")[1] for key in values if key.startswith(f"{rows.key}/")})


def _small(typed: str) -> int:
    return number_in(typed, most=999) or 0
