"""What a list is narrowed by, and the choices above it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
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


@dataclass(frozen=True, slots=True)
class Pages:
    """The page that was asked for, or the nearest there is."""

    page: Page[Any]

    @property
    def context(self) -> dict[str, Any]:
        """What ``portal/pages.html`` and the heading above the list want."""
        pages = self.page.paginator
        return {
            "page": self.page,
            "numbers": pages.get_elided_page_range(self.page.number),
            "total": pages.count,
        }


def in_pages(rows: Any, asked: str | None, *, size: int, total: int | None = None) -> Pages:
    """The rows by the page; ``asked`` is what stood in the address, ``total`` how many there are if that is known."""
    paginator = Paginator(rows, size)
    if total is not None:
        paginator.count = total  # not counted again
    return Pages(paginator.get_page(asked))


class Viewed(Protocol):
    """What a list is narrowed by, of which one view is chosen."""

    @property
    def view(self) -> str: ...

    def query(self, **changes: str | int) -> str: ...


def choices(
    views: Mapping[str, str | Promise], filters: Viewed, counts: Mapping[str, int] | None, *, first: str
) -> list[Choice]:
    """The links above the list; ``counts`` by view, that of the first under the name ``first``."""
    return [
        Choice(
            view,
            label,
            filters.query(view=view),
            counts[view or first] if counts else None,
            filters.view == view,
        )
        for view, label in views.items()
    ]
