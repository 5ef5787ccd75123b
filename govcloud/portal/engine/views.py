from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from govcloud.orders import placing
from govcloud.orders.models import Order
from govcloud.portal import deeds
from govcloud.portal.engine import concerns, parked
from govcloud.provisioning import overview
from govcloud.provisioning.policies import OPERATORS
from govcloud.reconciliation import figures
from tenants.policies import scope_of

SHOWN = 20  # parts of orders without a place, those that wait longest


@require_GET
@login_required
@vary_on_headers("HX-Request")
def engine(request: HttpRequest) -> HttpResponse:
    """How the engine is doing; asked by the page itself (htmx) it answers with the part that changes, which is all of it."""
    actor, at = deeds.admitted(request, *OPERATORS)
    seen = overview.read(at=at)
    sees_orders = scope_of(actor, at=at).everywhere
    seen_orders = Order.objects.visible_to(actor, at=at)
    context: dict[str, Any] = {
        "seen": seen,
        "concerns": concerns.of(seen, figures.compared(at=at), placing.backlog()),
        "sees_operations": sees_orders,
        "without_place": placing.longest_waiting(seen_orders, most=SHOWN) if sees_orders else [],
        "parked": parked.operations(actor, at=at),
        "at": at,
    }
    template = "portal/engine/live.html" if "HX-Request" in request.headers else "portal/engine/page.html"
    return render(request, template, context)
