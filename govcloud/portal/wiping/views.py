"""The evidence of what was wiped of volumes and object containers, for whoever sees what they were of."""

from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from govcloud import clock
from govcloud.catalog.models import Wiping
from govcloud.inventory.models import WipeRecord
from govcloud.portal import files
from govcloud.portal.listing import choices, in_pages
from govcloud.portal.seen import seen_or_404
from govcloud.portal.wiping.rows import VIEWS, Filters, in_view, listed, matching, sheet
from tenants.policies import scope_of

if TYPE_CHECKING:
    from tenants.models import User

PAGE_SIZE = 20


@require_GET
@login_required
def records(request: HttpRequest) -> HttpResponse:
    """The latest first; it works without scripts."""
    actor, at = cast("User", request.user), clock.now()
    filters = Filters.read(request.GET.dict())
    counts = matching(filters, actor, at=at).aggregate(
        **{view or "all": Count("pk", filter=in_view(view)) for view in VIEWS}
    )
    pages = in_pages(
        listed(filters, actor, at=at),
        request.GET.get("page"),
        size=PAGE_SIZE,
        total=counts[filters.view or "all"],
    )
    context = {
        "filters": filters,
        **pages.context,
        "views": choices(VIEWS, filters, counts, first="all"),
        "means": Wiping.choices,
        "shows_departments": scope_of(actor, at=at).everywhere,
        "at": at,
    }
    return render(request, "portal/wiping/list.html", context)


@require_GET
@login_required
def export(request: HttpRequest, form: str) -> HttpResponse:
    """The current list as a file, all pages of it."""
    actor, at = cast("User", request.user), clock.now()
    filters = Filters.read(request.GET.dict())
    return files.hand_out(
        request, listed(filters, actor, at=at), sheet, form=form, query=filters.query(), actor=actor, at=at
    )


@require_GET
@login_required
def record(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One of them; foreign ones answer as if there were none, audited."""
    actor, at = cast("User", request.user), clock.now()
    rows = WipeRecord.objects.select_related("resource__system__department", "resource__cloud")
    found = seen_or_404(rows.visible_to(actor, at=at), rows, actor, at=at, uuid=uuid)
    return render(request, "portal/wiping/page.html", {"record": found, "at": at})
