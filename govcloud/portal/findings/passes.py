"""The passes that compare the clouds with the records: what each looked at and cost, and asking for one now."""

from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.portal import deeds, files
from govcloud.portal.deeds import Refused
from govcloud.portal.findings.pass_rows import VIEWS, Filters, in_view, listed, matching, sheet
from govcloud.portal.listing import choices, in_pages
from govcloud.reconciliation import services
from govcloud.reconciliation.models import Extent
from govcloud.reconciliation.policies import ACTORS, READERS
from tenants.policies import scope_of

PAGE_SIZE = 20
MOST_IN_A_FILE = 20_000


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def passes(request: HttpRequest) -> HttpResponse:
    """The passes; sent as a form it asks for one. It works without scripts."""
    if request.method != "POST":
        return _page(request)
    actor, at = deeds.admitted(request, *ACTORS)
    extent = request.POST.get("extent", "")
    if extent and extent not in Extent.values:
        raise Http404
    cloud = get_object_or_404(Cloud, code=request.POST.get("cloud", "").replace("\0", ""))
    asked = {"cloud": cloud.code, "extent": extent}
    refused = deeds.attempt(
        lambda: services.ask(cloud=cloud, extent=Extent(extent) if extent else None, actor=actor, at=at),
        typed=asked,
    )
    return _page(request, refused=refused) if refused else redirect("portal:passes")


@require_GET
@login_required
def export(request: HttpRequest, form: str) -> HttpResponse:
    """The current list as a file, all pages of it or none."""
    actor, at = deeds.admitted(request, *READERS)
    filters = Filters.read(request.GET.dict(), clouds=set(Cloud.objects.values_list("code", flat=True)))

    return files.hand_out(
        request,
        listed(filters),
        sheet,
        most=MOST_IN_A_FILE,
        form=form,
        query=filters.query(),
        actor=actor,
        at=at,
    )


def _page(request: HttpRequest, *, refused: Refused | None = None) -> HttpResponse:
    actor, at = deeds.admitted(request, *READERS)
    clouds = list(Cloud.objects.order_by("code"))
    filters = Filters.read(request.GET.dict(), clouds={each.code for each in clouds})
    counts = matching(filters).aggregate(
        **{view or "all": Count("pk", filter=in_view(view)) for view in VIEWS}
    )
    total = counts[filters.view or "all"]
    pages = in_pages(listed(filters), request.GET.get("page"), size=PAGE_SIZE, total=total)
    asks = scope_of(actor, at=at).holds_any(ACTORS)
    context = {
        "filters": filters,
        **pages.context,
        "clouds": clouds,
        "compared": [each for each in clouds if each.status != CloudStatus.RETIRED] if asks else [],
        "views": choices(VIEWS, filters, counts, first="all"),
        "extents": Extent.choices,
        "refused": refused,
        "at": at,
    }
    return render(request, "portal/finding/passes.html", context, status=refused.status if refused else 200)
