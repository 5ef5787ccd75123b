"""All legal holds, for those who place and lift them; each is placed and lifted on the page of what it is on."""

from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from govcloud.portal import deeds, files
from govcloud.portal.holds.rows import VIEWS, in_view, listed, matching, sheet
from govcloud.portal.listing import Narrowing, choices, in_pages
from govcloud.protection.holds import KEEPERS

PAGE_SIZE = 20


@require_GET
@login_required
def holds(request: HttpRequest) -> HttpResponse:
    """Those in force unless others are asked for; it works without scripts."""
    actor, at = deeds.admitted(request, *KEEPERS)
    filters = Narrowing.read(request.GET.dict(), views=VIEWS)
    counts = matching(filters, actor, at=at).aggregate(
        **{view or "in_force": Count("pk", filter=in_view(view)) for view in VIEWS}
    )
    pages = in_pages(
        listed(filters, actor, at=at),
        request.GET.get("page"),
        size=PAGE_SIZE,
        total=counts[filters.view or "in_force"],
    )
    context = {
        "filters": filters,
        **pages.context,
        "views": choices(VIEWS, filters, counts, first="in_force"),
        "at": at,
    }
    return render(request, "portal/holds/list.html", context)


@require_GET
@login_required
def export(request: HttpRequest, form: str) -> HttpResponse:
    """The current list as a file, all pages of it."""
    actor, at = deeds.admitted(request, *KEEPERS)
    filters = Narrowing.read(request.GET.dict(), views=VIEWS)
    return files.hand_out(
        request, listed(filters, actor, at=at), sheet, form=form, query=filters.query(), actor=actor, at=at
    )
