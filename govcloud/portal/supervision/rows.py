"""Which cards the page shows, and the orders they belong to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.orders.models import Order
from govcloud.periods import Month
from govcloud.supervision.models import Cause, Colour, SupervisionCard
from govcloud.supervision.statistics import Period

VIEWS: Mapping[str, str | Promise] = {
    "": _("All of them"),
    "red": _("Red cards"),
    "yellow": _("Yellow cards"),
    "reason": _("Missing reasons"),
}
NARROWED: Mapping[str, Q] = {
    "": Q(),
    "red": Q(colour=Colour.RED),
    "yellow": Q(colour=Colour.YELLOW, cause=Cause.LIMIT),
    "reason": Q(cause=Cause.REASON),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The month and the kind of cards that somebody asked for; what makes no sense is dropped, not refused."""

    month: Month
    view: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str], *, now: Month) -> Self:
        try:
            month = Month.parse(query.get("month", ""))
        except ValueError:
            month = now
        view = query.get("view", "")
        return cls(month, view if view in VIEWS else "")

    def query(self, **changes: str | int) -> str:
        values: dict[str, str | int] = {"month": str(self.month), "view": self.view}
        return "?" + urlencode({name: value for name, value in (values | changes).items() if value})


def cards(period: Period, view: str) -> QuerySet[SupervisionCard]:
    """The latest first."""
    rows = SupervisionCard.objects.filter(period.of("raised_at"), NARROWED[view])
    return (
        rows.select_related("case", "stage", "department", "decider", "escalation")
        .prefetch_related("people")
        .order_by("-pk")
    )


def counts(period: Period) -> dict[str, int]:
    named = {view or "all": Count("pk", filter=narrowed) for view, narrowed in NARROWED.items()}
    counted = SupervisionCard.objects.filter(period.of("raised_at")).aggregate(**named)
    return {view: counted[view or "all"] for view in NARROWED}


def order_numbers(shown: Iterable[SupervisionCard]) -> dict[UUID, str]:
    """By the public id of the order that each card's case is about."""
    orders = Order.objects.filter(uuid__in=[card.case.subject_id for card in shown])
    return dict(orders.values_list("uuid", "number"))
