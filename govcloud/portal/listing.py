"""What a list is narrowed by, and the choices above it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlencode

from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Choice:
    """A link above the list: what it narrows to, how many there are (if that was counted), whether it is chosen now."""

    value: str
    label: str | Promise
    query: str
    count: int | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What somebody asked to see; values that make no sense are dropped, not refused."""

    view: str = ""
    text: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str], *, views: Collection[str]) -> Self:
        view = query.get("view", "")
        return cls(view=view if view in views else "", text=query.get("q", "").replace("\0", "").strip()[:80])

    def query(self, **changes: str | int) -> str:
        """The query string that asks for this list again, with some values changed; what is empty is left out."""
        values: dict[str, str | int] = {"view": self.view, "q": self.text}
        return "?" + urlencode({name: value for name, value in (values | changes).items() if value})
