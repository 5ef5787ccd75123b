"""A long list by the page."""

from dataclasses import dataclass
from typing import Any, Protocol

from django.db.models import QuerySet


class Dress(Protocol):
    """Adds what is shown of rows: joins, sums, annotations."""

    def __call__(self, rows: QuerySet[Any], /) -> QuerySet[Any]: ...


@dataclass(frozen=True, slots=True)
class Leaves:
    """Rows for a paginator. The keys of a page are found first, and only its rows are joined and summed up.

    Dressed all together, every row that a page far back skips would be dressed as well.
    """

    rows: QuerySet[Any]
    dress: Dress

    def count(self) -> int:
        return self.rows.count()

    def __len__(self) -> int:
        return self.count()

    def __getitem__(self, piece: slice) -> QuerySet[Any]:
        keys = self.rows.values("pk")[piece]
        shown = self.dress(self.rows.model._default_manager.filter(pk__in=keys))  # noqa: SLF001
        asked = self.rows.query.order_by
        return shown.order_by(*asked) if asked else shown
