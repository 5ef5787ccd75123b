from typing import TYPE_CHECKING, cast

from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from govcloud import clock
from govcloud.portal import files
from govcloud.portal.leases.rows import VIEWS, concerned, in_view, listed, sheet, shown
from govcloud.portal.listing import Narrowing, choices, in_pages
from govcloud.portal.order.writing import offer_of_system
from tenants.policies import scope_of

if TYPE_CHECKING:
    from tenants.models import User

PAGE_SIZE = 20


@require_GET
@login_required
def leases(request: HttpRequest) -> HttpResponse:
    """What runs out, what is suspended, and when it is taken back; it works without scripts."""
    actor, at = cast("User", request.user), clock.now()
    filters = Narrowing.read(request.GET.dict(), views=VIEWS)
    counts = concerned(filters, actor, at=at).aggregate(
        **{view or "all": Count("pk", filter=in_view(view, at=at)) for view in VIEWS}
    )
    total = counts[filters.view or "all"]
    pages = in_pages(listed(filters, actor, at=at), request.GET.get("page"), size=PAGE_SIZE, total=total)
    context = {
        "filters": filters,
        **pages.context,
        "rows": list(shown(pages.page.object_list, at=at)),
        "renews": {row.pk for row in pages.page if offer_of_system(row.system, actor, at=at).changes_built},
        "views": choices(VIEWS, filters, counts, first="all"),
        "shows_departments": scope_of(actor, at=at).everywhere,
        "at": at,
    }
    return render(request, "portal/leases.html", context)


@require_GET
@login_required
def export(request: HttpRequest, form: str) -> HttpResponse:
    """The current list as a file, all pages of it."""
    actor, at = cast("User", request.user), clock.now()
    filters = Narrowing.read(request.GET.dict(), views=VIEWS)
    return files.hand_out(
        request,
        listed(filters, actor, at=at),
        lambda rows: sheet(rows, at=at),
        form=form,
        query=filters.query(),
        actor=actor,
        at=at,
    )
