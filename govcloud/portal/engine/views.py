from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from govcloud.portal import deeds
from govcloud.portal.engine import concerns, parked
from govcloud.provisioning import overview
from govcloud.provisioning.policies import OPERATORS
from govcloud.reconciliation import figures
from tenants.policies import scope_of


@require_GET
@login_required
@vary_on_headers("HX-Request")
def engine(request: HttpRequest) -> HttpResponse:
    """How the engine is doing; asked by the page itself (htmx) it answers with the part that changes, which is all of it."""
    actor, at = deeds.admitted(request, *OPERATORS)
    seen = overview.read(at=at)
    context: dict[str, Any] = {
        "seen": seen,
        "concerns": concerns.of(seen, figures.compared(at=at)),
        "sees_operations": scope_of(actor, at=at).everywhere,
        "parked": parked.operations(actor, at=at),
        "at": at,
    }
    template = "portal/engine/live.html" if "HX-Request" in request.headers else "portal/engine/page.html"
    return render(request, template, context)
