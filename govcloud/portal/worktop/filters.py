"""Which orders a list shows, in which order: read from the query string, never trusted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from urllib.parse import urlencode

from django.db.models import F, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.among import among
from govcloud.approvals.models import Case, Confirmation, Consultation
from govcloud.approvals.queries import confirmation_awaited, current_stage
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order
from govcloud.orders.queries import OrderQuerySet, systems_named
from govcloud.searching import terms_of
from tenants.models import System, User

SORTS: Mapping[str, str] = {
    "number": "id",
    "title": "title",
    "system": "system__name",
    "status": "status",
    "amount": "monthly_total",
    "submitted": "submitted_at",
}
"""What a list can be sorted by, and the column behind it."""

ABSENT_IN_DRAFTS = frozenset({"monthly_total", "submitted_at"})

VIEWS: Mapping[str, str | Promise] = {
    "": _("All orders"),
    "todo": _("Waiting for me"),
    "mine": _("My applications"),
}
"""Quick choices above the list."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What somebody asked to see; values that make no sense are dropped, not refused."""

    view: str = ""
    status: str = ""
    system: str = ""
    text: str = ""
    sort: str = "-number"

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        sort = query.get("sort", "")
        return cls(
            view=query.get("view", "") if query.get("view", "") in VIEWS else "",
            status=query.get("status", "") if query.get("status", "") in Status.values else "",
            system=query.get("system", "").replace("\0", "").strip()[:80],
            text=query.get("q", "").replace("\0", "").strip()[:80],
            sort=sort if sort.removeprefix("-") in SORTS else "-number",
        )

    def query(self, **changes: str | int) -> str:
        """The query string that asks for this list again, with some values changed; what is empty is left out."""
        values: dict[str, str | int] = {
            "view": self.view,
            "status": self.status,
            "system": self.system,
            "q": self.text,
            "sort": "" if self.sort == "-number" else self.sort,
        }
        return "?" + urlencode({name: value for name, value in (values | changes).items() if value})

    @property
    def narrowed(self) -> bool:
        return bool(self.view or self.status or self.system or self.text)


def todo(actor: User, *, at: datetime) -> Q:
    """Orders whose present stage is for the actor to decide, those on which their opinion is asked for, and delivered ones that they
    have to confirm or to mend.

    Their cases are looked for once and named: a page counts, sorts and shows them in several statements, in each of which they
    would be looked for among all again.
    """
    kept: tuple[datetime, list[int]] | None = getattr(actor, "_cases_to_do", None)
    if kept is None or kept[0] != at:
        asked = Consultation.objects.open().filter(person=actor).order_by().values_list("stage__case")
        cases = Case.objects.todo(actor, at=at).order_by().values_list("pk")
        confirmed = Confirmation.objects.waiting_for(actor, at=at).order_by().values_list("case")
        kept = (at, sorted({pk for (pk,) in cases.union(asked, confirmed, all=True)}))
        actor._cases_to_do = kept  # type: ignore[attr-defined]  # noqa: SLF001
    return among("case", kept[1])


def searched(filters: Filters, actor: User, *, at: datetime) -> OrderQuerySet:
    """Visible orders narrowed by system and words: those that the views choose from."""
    orders = Order.objects.visible_to(actor, at=at)
    if filters.system:
        orders = orders.filter(system__in=_meant(filters.system, actor, at=at))
    return orders.mentioning(terms_of(filters.text))


def _meant(text: str, actor: User, *, at: datetime) -> QuerySet[System] | list[int]:
    """The systems with this code or name; where there is none, those that its field offers for it."""
    called = Q(code=text) | Q(name=text) | Q(name_en=text)
    exact = list(System.objects.visible_to(actor, at=at).filter(called).values_list("pk", flat=True))
    return exact or systems_named(text)


def viewed(orders: QuerySet[Order], view: str, actor: User, *, at: datetime) -> QuerySet[Order]:
    """Narrowed to a view as well, but not by status, so that the statuses can be counted."""
    return orders.filter(in_view(view, actor, at=at))


def in_view(view: str, actor: User, *, at: datetime) -> Q:
    """What tells the orders of a view, a key of ``VIEWS``, from others."""
    match view:
        case "todo":
            return todo(actor, at=at)
        case "mine":
            return Q(applicant=actor)
        case _:
            return Q()


def ordered(orders: QuerySet[Order], filters: Filters) -> QuerySet[Order]:
    """The rows of the list (of those ``viewed``) in their order, without what is shown of them."""
    if filters.status:
        orders = orders.filter(status=filters.status)
    column = SORTS[filters.sort.removeprefix("-")]
    if not filters.sort.startswith("-"):
        return orders.order_by(column, "id")
    # "nulls last" keeps an index from serving a column that has none
    return orders.order_by(
        F(column).desc(nulls_last=True) if column in ABSENT_IN_DRAFTS else f"-{column}", "-id"
    )


def dressed(orders: QuerySet[Order]) -> QuerySet[Order]:
    """With system, department and applicant, and the stage that decides now or what is asked for since."""
    return orders.select_related("system__department", "applicant").annotate(
        stage_name=current_stage("name", case="case"),
        stage_name_en=current_stage("name_en", case="case"),
        stage_due_at=current_stage("due_at", case="case"),
        asked_for=confirmation_awaited(case="case"),
    )


def listed(filters: Filters, actor: User, *, at: datetime) -> QuerySet[Order]:
    """All rows of the list, for a file."""
    found = searched(filters, actor, at=at)
    return dressed(ordered(viewed(found, filters.view, actor, at=at), filters))
