"""From what a system has to an order that changes it."""

from datetime import datetime
from typing import cast
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from govcloud import clock
from govcloud.inventory.models import Resource
from govcloud.portal.order.parts import Asked
from govcloud.portal.order.resources import standing as rows_of
from govcloud.portal.order.writing import offer_of_system
from govcloud.portal.seen import seen_or_404
from govcloud.portal.writing import places
from govcloud.portal.writing.choices import CHOICES
from govcloud.portal.writing.offers import deeds_of
from tenants.models import System, User


@require_GET
@login_required
def standing(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What the system has, each with the way to a change of it for who may order that."""
    actor, at = cast("User", request.user), clock.now()
    system = _system(uuid, actor, at=at)
    context = {
        "system": system,
        "built": rows_of(system, Asked.read(request.path, request.GET)),
        "writing": offer_of_system(system, actor, at=at),
        "at": at,
    }
    return render(request, "portal/writing/standing.html", context)


@require_GET
@login_required
def change(request: HttpRequest, uuid: UUID, resource: UUID) -> HttpResponse:
    """What can be ordered for one of them, and in which order; chosen (``?item=``), it leads to the form."""
    actor, at = cast("User", request.user), clock.now()
    system = _system(uuid, actor, at=at)
    places.require_applicant(system, actor, at=at)
    rows = Resource.objects.select_related("volume")
    row = seen_or_404(
        rows.filter(system=system, released_at=None),
        rows,
        actor,
        at=at,
        uuid=resource,
        elsewhere=rows.visible_to(actor, at=at),
    )
    possible = [CHOICES[slug] for slug in deeds_of(row)]
    begun = list(places.begun(system, actor, at=at)[:20])
    item = request.GET.get("item", "")
    if item in {each.slug for each in possible}:
        number = request.GET.get("order", "")
        query = {"target": str(row.uuid)}
        if number in {order.number for order in begun}:
            return redirect(f"{reverse('portal:order-new-item', args=[number, item])}?{urlencode(query)}")
        title = f"{CHOICES[item].label}: {row.name}"
        query |= {"system": system.code, "item": item, "title": title}
        return redirect(f"{reverse('portal:order-new')}?{urlencode(query)}")
    context = {"system": system, "row": row, "possible": possible, "begun": begun, "at": at}
    return render(request, "portal/writing/change.html", context)


def _system(uuid: UUID, actor: User, *, at: datetime) -> System:
    """Foreign systems answer as if there were none, audited."""
    rows = System.objects.select_related("department")
    return seen_or_404(rows.visible_to(actor, at=at), rows, actor, at=at, uuid=uuid)
