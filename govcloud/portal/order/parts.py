"""The parts of an order's page that may be long, each by the page: what somebody asked to see of them, and the links to more.

An order may have fifty items with fifty servers each. The page holds some of everything, and every link works without
scripts: it asks for the whole page again, at that part.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import urlencode

from django.core.paginator import Page

from govcloud.portal.listing import Pages, in_pages
from govcloud.provisioning.lifecycle import StepState

SIZES: Final[Mapping[str, int]] = {"progress": 20, "built": 20, "items": 10, "quote": 16, "trail": 15}
"""Rows of each part on a page. The names stand in the address, and before ``-heading`` in the ids of headings."""

STATES: Final = (StepState.PARKED, StepState.SETTLING, StepState.WAITING, StepState.DONE, StepState.GONE)
"""States of what is delivered, those that somebody may have to look at first."""


@dataclass(frozen=True, slots=True)
class Part:
    """The rows that are shown, of so many pages."""

    name: str
    asked: "Asked"
    rows: Sequence[Any]
    pages: Pages

    @property
    def page(self) -> Page[Any]:
        return self.pages.page

    @property
    def numbers(self) -> Iterable[Any]:
        numbers: Iterable[Any] = self.pages.context["numbers"]
        return numbers

    @property
    def total(self) -> int:
        return self.page.paginator.count

    def query(self, *, page: int) -> str:
        """The address of another page of this part, at its heading."""
        return self.asked.address(to=f"{self.name}-heading", **{self.name: str(page)})


@dataclass(frozen=True, slots=True)
class Asked:
    """The state that the delivery is narrowed to, the group whose steps are shown, and the page of each part.

    What makes no sense is dropped, not refused.
    """

    path: str
    state: str = ""
    group: str = ""
    pages: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str, query: Mapping[str, str]) -> Self:
        state = query.get("state", "")
        pages = {name: query[name] for name in SIZES if query.get(name, "").isdecimal()}
        return cls(path, state if state in STATES else "", query.get("group", "")[:40], pages)

    def address(self, *, to: str = "", **changes: str) -> str:
        """Where the same is shown with some of it changed; ``to`` is the id of what shall be seen first."""
        values = {"state": self.state, "group": self.group, **self.pages, **changes}
        query = urlencode({name: value for name, value in values.items() if value})
        return self.path + (f"?{query}" if query else "") + (f"#{to}" if to else "")

    def part(
        self, name: str, everything: Sequence[Any], shown: Callable[[Sequence[Any]], Iterable[Any]] = list
    ) -> Part:
        """The page of it that was asked for; ``shown`` makes of what is on it what the page shows."""
        pages = in_pages(everything, self.pages.get(name), size=SIZES[name])
        on_page: Any = pages.page.object_list  # a slice of everything
        return Part(name, self, list(shown(on_page)), pages)
