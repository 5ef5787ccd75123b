"""The fields of an item's form, and what was typed into them read into what a draft has."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.portal.reading import GREATEST, day_in, number_in, plain

LONGEST = 200
WHOLE = re.compile(r"[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+")

MISSING = _("Fill this in.")
NOT_CHOSEN = _("Choose one.")
NO_NUMBER = _("Write a whole number, in digits only.")
TOO_LARGE = _("%(most)s is the most that is possible.")
NO_DAY = _("Write a day as year-month-day, such as 2026-12-31.")
YES = "yes"
WIDE = frozenset(
    {
        "flavors",
        "classes",
        "object_classes",
        "tiers",
        "servers",
        "volumes",
        "containers",
        "resources",
        "leased",
    }
)


class Unreadable(ValueError):
    """What was typed is nothing that the field can have; told as ``said``, at the field."""

    def __init__(self, said: str | Promise) -> None:
        super().__init__(str(said))
        self.said = said


def no_secret(_typed: str) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """``key`` is where the draft has it, as the pointers of refusals name it; ``options`` the name of a list in ``offers``."""

    key: str
    label: str | Promise
    read: Callable[[str], Any]
    options: str = ""
    unit: str | Promise = ""
    hint: str | Promise = ""
    default: str = ""
    optional: bool = False
    type: str = "text"  # of the element: "text", "number", "date", "checkbox", "password", "long"; a list where there are options
    longest: int = LONGEST
    is_secret: Callable[[str], bool] = no_secret
    """Whether a secret is in what was typed, so that it is not shown again."""

    @property
    def wide(self) -> bool:
        """Whether its list has much to tell of each thing, or it is written on several lines."""
        return self.options in WIDE or self.type == "long"

    def parsed(self, typed: str) -> Any:
        """Raises Unreadable; None for what may be left out and was."""
        if typed == "" and self.type != "checkbox":
            if self.optional:
                return None
            raise Unreadable(NOT_CHOSEN if self.options else MISSING)
        return self.read(typed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Fields that come as often as they are needed: ``key/0/…``, ``key/1/…``."""

    key: str
    label: str | Promise
    fields: tuple[Field, ...]
    most: int


def whole(typed: str, *, most: int = GREATEST) -> int:
    """Digits, also grouped in threes by commas as this site writes them: "1,2" is no number. Raises Unreadable."""
    typed = plain(typed)
    if not WHOLE.fullmatch(typed):
        raise Unreadable(NO_NUMBER)
    number = number_in(typed.replace(",", ""), most=most)
    if number is None:
        raise Unreadable(TOO_LARGE % {"most": f"{most:,}"})
    return number


def one_of(values: type[TextChoices]) -> Callable[[str], TextChoices]:
    """A reader for what has to be one of these; it raises Unreadable."""

    def read(typed: str) -> TextChoices:
        try:
            return values(typed)
        except ValueError:
            raise Unreadable(NOT_CHOSEN) from None

    return read


def a_day(typed: str) -> date:
    found = day_in(typed)
    if found is None:
        raise Unreadable(NO_DAY)
    return found


def an_id(typed: str) -> UUID:
    try:
        return UUID(typed)
    except ValueError:
        raise Unreadable(NOT_CHOSEN) from None


def ticked(typed: str) -> bool:
    return typed == YES


def text(key: str, label: str | Promise, **more: Any) -> Field:
    return Field(key=key, label=label, read=str, **more)


def number(key: str, label: str | Promise, *, read: Callable[[str], Any] = whole, **more: Any) -> Field:
    return Field(key=key, label=label, read=read, type="number", **more)


def choice(
    key: str, label: str | Promise, options: str, *, read: Callable[[str], Any] = str, **more: Any
) -> Field:
    return Field(key=key, label=label, read=read, options=options, **more)


def tick(key: str, label: str | Promise, **more: Any) -> Field:
    return Field(key=key, label=label, read=ticked, type="checkbox", **more)


def day(key: str, label: str | Promise, **more: Any) -> Field:
    return Field(key=key, label=label, read=a_day, type="date", **more)


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """What is keyed by "a/b" as a dictionary below "a"."""
    result: dict[str, Any] = {}
    for key, value in flat.items():
        above, _slash, below = key.partition("/")
        if below:
            result.setdefault(above, {})[below] = value
        else:
            result[above] = value
    return result
