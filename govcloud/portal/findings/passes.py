"""The passes that compare the clouds with the records: what each looked at and cost, and asking for one now."""

from dataclasses import dataclass
from typing import Any, Self

from django.contrib.auth.decorators import login_required
from django.db.models import Count, F, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.inventory.models import Resource, ResourceKind
from govcloud.portal import deeds
from govcloud.portal.deeds import Refused
from govcloud.portal.listing import Narrowing, in_pages
from govcloud.reconciliation import services
from govcloud.reconciliation.models import Extent, Sweep
from govcloud.reconciliation.policies import ACTORS, READERS
from tenants.policies import scope_of

PAGE_SIZE = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """A pass; ``per_thousand`` are its seconds for a thousand servers, None where it has not ended or there were none."""

    sweep: Sweep
    per_thousand: float | None

    @classmethod
    def of(cls, sweep: Any) -> Self:
        seconds, servers = sweep.seconds, sweep.servers
        return cls(sweep, None if seconds is None or not servers else seconds * 1_000 / servers)


def listed() -> QuerySet[Sweep]:
    """The latest first, each with how many ``servers`` stood on its cloud when it began."""
    there = Resource.objects.filter(kind=ResourceKind.SERVER, cloud=OuterRef("cloud"))
    then = there.filter(
        Q(released_at=None) | Q(released_at__gt=OuterRef("started_at")), built_at__lte=OuterRef("started_at")
    )
    number = then.order_by().values("cloud").annotate(number=Count("pk")).values("number")
    servers = Coalesce(Subquery(number, output_field=IntegerField()), 0)
    return Sweep.objects.select_related("cloud").annotate(servers=servers).order_by(F("id").desc())


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


def _page(request: HttpRequest, *, refused: Refused | None = None) -> HttpResponse:
    actor, at = deeds.admitted(request, *READERS)
    pages = in_pages(listed(), request.GET.get("page"), size=PAGE_SIZE, total=Sweep.objects.count())
    asks = scope_of(actor, at=at).holds_any(ACTORS)
    context = {
        "filters": Narrowing(),
        **pages.context,
        "rows": [Shown.of(each) for each in pages.page.object_list],
        "clouds": list(Cloud.objects.exclude(status=CloudStatus.RETIRED).order_by("code")) if asks else [],
        "extents": Extent.choices,
        "refused": refused,
        "at": at,
    }
    return render(request, "portal/finding/passes.html", context, status=refused.status if refused else 200)
