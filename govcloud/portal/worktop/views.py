from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from govcloud import clock
from govcloud.orders.lifecycle import Status
from govcloud.portal import files
from govcloud.portal.listing import Choice, in_pages
from govcloud.portal.worktop import export as exports
from govcloud.portal.worktop.filters import VIEWS, Filters, listed, todo, viewed
from tenants.models import System, User
from tenants.policies import scope_of

PAGE_SIZE = 20


@require_GET
@login_required
def orders(request: HttpRequest) -> HttpResponse:
    """The list of orders: filtered by status, system and words, sorted, in pages; it works without scripts."""
    actor, at = cast("User", request.user), clock.now()
    filters = Filters.read(request.GET.dict())
    by_status = _count_by_status(filters, actor, at=at)
    total = by_status[filters.status] if filters.status else sum(by_status.values())
    pages = in_pages(listed(filters, actor, at=at), request.GET.get("page"), size=PAGE_SIZE, total=total)
    context = {
        "filters": filters,
        **pages.context,
        "views": _views(filters, actor, at=at),
        "statuses": _statuses(filters, by_status),
        "systems": System.objects.visible_to(actor, at=at)
        .filter(orders__isnull=False)
        .distinct()
        .order_by("name"),
        "shows_departments": scope_of(actor, at=at).everywhere,
        "at": at,
    }
    return render(request, "portal/orders.html", context)


@require_GET
@login_required
def export(request: HttpRequest, form: str) -> HttpResponse:
    """The current list as a file, all pages of it."""
    actor, at = cast("User", request.user), clock.now()
    filters = Filters.read(request.GET.dict())
    return files.hand_out(
        listed(filters, actor, at=at), exports.sheet, form=form, query=filters.query(), actor=actor, at=at
    )


def _count_by_status(filters: Filters, actor: User, *, at: datetime) -> dict[str, int]:
    rows = viewed(filters, actor, at=at).order_by().values_list("status").annotate(Count("pk"))
    counted = dict(cast("Sequence[tuple[str, int]]", rows))
    return {status: counted.get(status, 0) for status in Status.values}


def _views(filters: Filters, actor: User, *, at: datetime) -> list[Choice]:
    plain = Filters()
    counts = viewed(plain, actor, at=at).aggregate(
        all=Count("pk"),
        todo=Count("pk", filter=todo(actor, at=at)),
        mine=Count("pk", filter=Q(applicant=actor)),
    )
    return [
        Choice(name, label, filters.query(view=name, status=""), counts[name or "all"], filters.view == name)
        for name, label in VIEWS.items()
    ]


def _statuses(filters: Filters, by_status: Mapping[str, int]) -> list[Choice]:
    return [
        Choice(
            status, status.label, filters.query(status=status), by_status[status], filters.status == status
        )
        for status in Status
    ]
