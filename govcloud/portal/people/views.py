from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from govcloud.organisation import rhythm
from govcloud.organisation.policies import KEEPERS_OF_PEOPLE
from govcloud.portal import deeds, files
from govcloud.portal.listing import choices, in_pages
from govcloud.portal.people.rows import VIEWS, Asked, concerned, in_view, listed, sheet
from tenants.models import Role
from tenants.policies import scope_of

PAGE_SIZE = 30


@require_GET
@login_required
def people(request: HttpRequest) -> HttpResponse:
    """Who holds which role where, from when until when; it works without scripts."""
    actor, at = deeds.admitted(request, *KEEPERS_OF_PEOPLE)
    filters = Asked.of(request.GET.dict())
    counts = concerned(filters, actor, at=at).aggregate(
        **{view or "holding_one": Count("pk", filter=in_view(view)) for view in VIEWS}
    )
    total = counts[filters.view or "holding_one"]
    pages = in_pages(listed(filters, actor, at=at), request.GET.get("page"), size=PAGE_SIZE, total=total)
    context = {
        "filters": filters,
        **pages.context,
        "views": choices(VIEWS, filters, counts, first="holding_one"),
        "coming": rhythm.next_round() if scope_of(actor, at=at).holds(Role.SECURITY_ADMIN) else None,
        "at": at,
    }
    return render(request, "portal/person/list.html", context)


@require_GET
@login_required
def export(request: HttpRequest, form: str) -> HttpResponse:
    """The current list as a file, all pages of it."""
    actor, at = deeds.admitted(request, *KEEPERS_OF_PEOPLE)
    filters = Asked.of(request.GET.dict())
    rows = listed(filters, actor, at=at)
    return files.hand_out(request, rows, sheet, form=form, query=filters.query(), actor=actor, at=at)
