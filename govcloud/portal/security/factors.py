"""Second factors that wait until a security administrator has confirmed them, with the code that the person tells."""

from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from govcloud.orders.resolution import as_uuid
from govcloud.organisation import identity
from govcloud.portal import deeds
from govcloud.portal.deeds import Refused
from govcloud.portal.listing import Narrowing, in_pages
from govcloud.portal.security.views import MANAGER, PAGE_SIZE
from tenants.access import confirmations
from tenants.models import User

LONGEST_CODE = 20


@sensitive_post_parameters("code")
@never_cache
@require_http_methods(["GET", "POST"])
@login_required
def factors(request: HttpRequest) -> HttpResponse:
    """Who waits, the longest first, each with a form for the code."""
    actor, at = deeds.admitted(request, MANAGER)
    if request.method == "GET":
        return _factors(request, actor, at=at)
    user = get_object_or_404(User, uuid=as_uuid(request.POST.get("user", "")))
    code = request.POST.get("code", "").replace("\0", "").strip()[:LONGEST_CODE]
    refused = deeds.attempt(
        lambda: identity.confirm(user=user, code=code, actor=actor, at=at),
        typed={"user": str(user.uuid), "code": code},
    )
    return _factors(request, actor, at=at, refused=refused) if refused else redirect("portal:second-factors")


def _factors(
    request: HttpRequest, actor: User, *, at: datetime, refused: Refused | None = None
) -> HttpResponse:
    filters = Narrowing.read(request.GET.dict(), views=("",))
    rows = confirmations.waiting(at=at).select_related("user").order_by("enrolled_at", "pk")
    if filters.text:
        rows = rows.filter(
            Q(user__username__icontains=filters.text) | Q(user__display_name__icontains=filters.text)
        )
    pages = in_pages(rows, request.GET.get("page"), size=PAGE_SIZE)
    context: dict[str, Any] = {
        "filters": filters,
        **pages.context,
        "actor": actor,
        "refused": refused,
        "most": LONGEST_CODE,
        "at": at,
    }
    return render(request, "portal/security/factors.html", context, status=refused.status if refused else 200)
