from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import cast

from django.contrib.auth.decorators import login_required
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Case, Count, Exists, OuterRef, QuerySet, Value, When
from django.db.models.lookups import LessThanOrEqual
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from govcloud import clock
from govcloud.among import KEYS, among
from govcloud.leaves import Leaves
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order
from govcloud.orders.queries import systems_named
from govcloud.portal import files
from govcloud.portal.listing import Choice, in_pages
from govcloud.portal.worktop import export as exports
from govcloud.portal.worktop.filters import (
    VIEWS,
    Filters,
    dressed,
    in_view,
    listed,
    ordered,
    searched,
    viewed,
)
from tenants.models import Role, System, User
from tenants.policies import scope_of

PAGE_SIZE = 20
MOST_IN_A_MENU = 50
FEW = 1_000
"""So many orders of a status are named to find a page of them, rather than looked for once more by their words."""


@require_GET
@login_required
def orders(request: HttpRequest) -> HttpResponse:
    """The list of orders: filtered by status, system and words, sorted, in pages; it works without scripts."""
    actor, at = cast("User", request.user), clock.now()
    filters, scope = Filters.read(request.GET.dict()), scope_of(actor, at=at)
    there = searched(filters, actor, at=at)
    found = viewed(there, filters.view, actor, at=at)
    by_status, by_view, keys = _counts(there, filters, actor, at=at)
    total = by_status[filters.status] if filters.status else sum(by_status.values())
    if keys is not None:
        found = Order.objects.filter(among("pk", keys))
    rows = Leaves(ordered(found, filters), dressed)
    pages = in_pages(rows, request.GET.get("page"), size=PAGE_SIZE, total=total)
    context = {
        "filters": filters,
        **pages.context,
        "views": _views(filters, by_view),
        "statuses": _statuses(filters, by_status),
        "systems": _menu(_ordering(actor, at=at)),
        "shows_departments": scope.everywhere,
        "writes": scope.holds(Role.APPLICANT),
        "at": at,
    }
    return render(request, "portal/orders.html", context)


@require_GET
@login_required
def systems(request: HttpRequest) -> HttpResponse:
    """What the field for a system offers while it is typed in: the first whose code, name or department has these characters."""
    actor, at = cast("User", request.user), clock.now()
    text = Filters.read(request.GET.dict()).system
    found = _ordering(actor, at=at).filter(pk__in=systems_named(text))
    rows = found.select_related("department").order_by("name", "code")[:MOST_IN_A_MENU]
    return render(request, "portal/systems.html", {"systems": rows})


@require_GET
@login_required
def export(request: HttpRequest, form: str) -> HttpResponse:
    """The current list as a file, all pages of it."""
    actor, at = cast("User", request.user), clock.now()
    filters = Filters.read(request.GET.dict())
    return files.hand_out(
        request,
        listed(filters, actor, at=at),
        exports.sheet,
        form=form,
        query=filters.query(),
        actor=actor,
        at=at,
    )


def _ordering(actor: User, *, at: datetime) -> QuerySet[System]:
    """Visible systems that have orders."""
    return System.objects.visible_to(actor, at=at).filter(Exists(Order.objects.filter(system=OuterRef("pk"))))


def _menu(systems: QuerySet[System]) -> list[System] | None:
    """All of them, unless they are more than anybody reads: then the page has a field to type in."""
    rows = list(systems.only("code", "name", "name_en").order_by("name", "code")[: MOST_IN_A_MENU + 1])
    return rows if len(rows) <= MOST_IN_A_MENU else None


def _counts(
    there: QuerySet[Order], filters: Filters, actor: User, *, at: datetime
) -> tuple[dict[str, int], dict[str, int], list[int] | None]:
    """How many there are by status, of what the list shows, and by view, of what the words and the system leave; and the keys of
    what the list shows where they are few.

    Finding words is the dearest part of a page, so what has them is gone through once. Without words each number is counted by
    the index that serves it.
    """
    if filters.text:
        counts, keys = _gone_through(there, filters, actor, at=at)
    else:
        counts, keys = _by_indexes(there, filters, actor, at=at), None
    by_status = {name: counts.get(("status", name), 0) for name in Status.values}
    by_view = {name: counts.get(("view", name), 0) for name in VIEWS}
    by_view[filters.view] = sum(by_status.values())
    return by_status, by_view, keys


def _gone_through(
    there: QuerySet[Order], filters: Filters, actor: User, *, at: datetime
) -> tuple[dict[tuple[str, str], int], list[int] | None]:
    """In one statement, with the keys of what is shown; None where a status has more than ``FEW``: the page's rows are then found
    sooner in the order of the list.
    """
    columns = {f"in_{view}": Count("pk", filter=in_view(view, actor, at=at)) for view in VIEWS}
    shown = in_view(filters.view, actor, at=at)
    few = LessThanOrEqual(Count("pk", filter=shown), FEW)
    keys_of_few = Case(When(few, then=ArrayAgg("pk", filter=shown, default=Value([]))), output_field=KEYS)
    counts: Counter[tuple[str, str]] = Counter()
    keys: list[int] | None = []
    rows = there.order_by().values_list("status").annotate(**columns).annotate(keys=keys_of_few)
    for status, *numbers, named in rows:
        by_view = dict(zip(VIEWS, numbers, strict=True))
        counts["status", status] = by_view[filters.view]
        counts.update({("view", view): number for view, number in by_view.items()})
        if filters.status in {"", status}:
            keys = None if keys is None or named is None else [*keys, *named]
    return counts, keys


def _by_indexes(
    there: QuerySet[Order], filters: Filters, actor: User, *, at: datetime
) -> dict[tuple[str, str], int]:
    """One statement of several parts."""
    found = viewed(there, filters.view, actor, at=at)
    status = found.order_by().values_list(Value("status"), "status").annotate(count=Count("*"))
    parts = [
        viewed(there, view, actor, at=at)
        .order_by()
        .values_list(Value("view"), Value(view))
        .annotate(count=Count("*"))
        for view in VIEWS
        if view != filters.view
    ]
    return {(what, name): count for what, name, count in status.union(*parts, all=True)}


def _views(filters: Filters, counts: Mapping[str, int]) -> list[Choice]:
    return [
        Choice(name, label, filters.query(view=name, status=""), counts[name], filters.view == name)
        for name, label in VIEWS.items()
    ]


def _statuses(filters: Filters, by_status: Mapping[str, int]) -> list[Choice]:
    return [
        Choice(
            status, status.label, filters.query(status=status), by_status[status], filters.status == status
        )
        for status in Status
    ]
