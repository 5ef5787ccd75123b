from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from govcloud import clock
from govcloud.documents.archive import CLOSED
from govcloud.orders.lifecycle import BEGUN, EDITABLE, Status
from govcloud.orders.models import Order, Revision
from govcloud.orders.readiness import files_of, reckon
from govcloud.portal.deciding import offers
from govcloud.portal.deeds import Refused
from govcloud.portal.order import (
    confirmations,
    flow,
    items,
    progress,
    quotes,
    resources,
    trail,
    waiting,
    writing,
)
from govcloud.portal.order.cards import cards_of, seen_by
from govcloud.portal.order.parts import Asked
from govcloud.portal.seen import seen_or_404
from tenants.models import Role, User
from tenants.policies import scope_of

"""Orders that something is or was built for; the others need not be looked up in the cloud's tables."""


@require_GET
@login_required
@vary_on_headers("HX-Request")
def order(request: HttpRequest, number: str) -> HttpResponse:
    """An order's page; asked by the page itself (htmx) it answers with the part that changes while something runs."""
    actor, at = cast("User", request.user), clock.now()
    found = visible(number, actor, at=at)
    fragment = "HX-Request" in request.headers
    template = "portal/order/live.html" if fragment else "portal/order/page.html"
    return render(request, template, context(found, actor, request.GET, at=at))


def page(
    request: HttpRequest, found: Order, actor: User, *, at: datetime, refused: Refused | None = None
) -> HttpResponse:
    """The whole page, after something that was asked for on it was refused."""
    shown = {**context(found, actor, {}, at=at), "refused": refused, "live": False}
    shown["refilled"] = (
        shown["writing"].withdraws
        or shown["writing"].calls_off
        or shown["confirmation"].has_form_of(refused.typed if refused else {})
    )
    return render(request, "portal/order/page.html", shown, status=refused.status if refused else 200)


def context(order: Order, actor: User, query: Mapping[str, str], *, at: datetime) -> dict[str, Any]:
    """What the order's page shows, and that on which it is decided; ``query`` says how much of it."""
    asked = Asked.read(reverse("portal:order", args=[order.number]), query)
    scope = scope_of(actor, at=at)
    technical = scope.holds(Role.CLOUD_ADMIN)
    begun = order.status in BEGUN
    offer = writing.offer(order, actor, at=at)
    lines = items.lines(order)
    stages = flow.stages_of(order)
    reckoned = reckon(order=order, at=at) if order.status in EDITABLE else None
    planned = reckoned.route if reckoned and order.status == Status.DRAFT else ()
    cards = cards_of(order, stages)
    confirmation = confirmations.shown(order, lines, actor, planned=planned, at=at)
    way = flow.steps(order, stages, cards, confirmation=confirmation, planned=planned, at=at)
    delivery = progress.progress(order, technical=technical) if begun else progress.Progress([])
    return {
        "order": order,
        "here": asked.address(),
        "lines": asked.part("items", lines),
        "quote": quotes.quote(order, lines, asked, reckoned=reckoned),
        "writing": offer,
        "effect": reckoned.effect if reckoned and offer.edits else (),
        "flow": way,
        "confirmation": confirmation,
        "cards": cards.of_matter,
        "offer": offers.offer(order.case, stages, actor, at=at),
        "progress": delivery,
        "groups": delivery.shown(asked),
        "states": delivery.states(asked) if delivery.many else (),
        "steps_open": order.status == Status.FULFILLING
        or asked.state
        or asked.group
        or "progress" in asked.pages,
        "waiting": waiting.reasons(order, at=at),
        "built": resources.built(order, asked) if begun else None,
        "trail": asked.part(
            "trail",
            trail.trail(
                order, stages={step.code: step.name for step in way if step.code}, technical=technical
            ),
        ),
        "files": files_of(order),
        "may_attach": offer.edits,
        "has_form": order.submitted_at is not None,
        "has_package": order.status in CLOSED and order.submitted_at is not None,
        "technical": technical,
        "live": order.status == Status.FULFILLING,
        "at": at,
    }


def visible(number: str, actor: User, *, at: datetime) -> Order:
    """The order with what its page needs of its last revision. Foreign orders answer as if there were none, audited."""
    latest = Revision.objects.filter(order=OuterRef("pk")).order_by("-number")
    orders = (
        Order.objects.visible_to(actor, at=at)
        .select_related("system__department", "applicant", "case__department", "case__flow")
        .annotate(
            revision_number=Subquery(latest.values("number")[:1]),
            revision_digest=Subquery(latest.values("digest")[:1]),
            cards=seen_by(actor, at=at),
            **waiting.flags(at=at),
        )
    )
    return seen_or_404(orders, Order.objects.all(), actor, at=at, number=number)
