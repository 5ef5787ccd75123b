"""One resource: what it is, what can be done to it directly, and what has been."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from govcloud import clock
from govcloud.errors import DomainError
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import ContainerCredential, Power, Resource, ResourceKind, WipeRecord
from govcloud.portal import deeds
from govcloud.portal.deeds import Refused
from govcloud.portal.order.resources import one
from govcloud.portal.order.writing import offer_of_system
from govcloud.portal.resource import forms, leases, offers, parts
from govcloud.portal.resource.forms import Sent
from govcloud.portal.resource.history import history
from govcloud.portal.resource.points import points
from govcloud.portal.resuming import resumes
from govcloud.portal.seen import seen_or_404
from govcloud.protection.holds import KEEPERS
from govcloud.protection.models import LegalHold
from govcloud.provisioning import consoles, container_secrets
from govcloud.provisioning.actions import calling_off, requests
from govcloud.provisioning.actions.base import actions, title_of
from govcloud.provisioning.container_secrets import Drawn
from govcloud.provisioning.models import Operation, OperationKind
from govcloud.provisioning.queries import being_built
from tenants.models import User
from tenants.policies import scope_of

OPERATIONS = 10
IN_HAND = frozenset({Status.CHANGING, Status.RELEASING})
"""It becomes something else by itself, and its page follows."""


@require_GET
@login_required
@vary_on_headers("HX-Request")
def resource(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Its page; asked by the page itself (htmx) it answers with the part that changes while something is done to it."""
    actor, at = cast("User", request.user), clock.now()
    template = "live" if "HX-Request" in request.headers else "page"
    return render(
        request, f"portal/resource/{template}.html", _context(visible(uuid, actor, at=at), actor, at=at)
    )


@require_POST
@login_required
@resumes
def act(request: HttpRequest, uuid: UUID, action: str) -> HttpResponse:
    """Do something to it. The page then shows how that goes."""
    actor, at = cast("User", request.user), clock.now()
    found, given = visible(uuid, actor, at=at), request.POST.get("given", "").replace("\0", "")
    if action in forms.FORMS:
        return _filled_in(request, found, action, actor, at=at)
    builds = offers.builds(action) or forms.OF_A_ROW.get(action)
    if builds is None:
        raise Http404
    refusal = _refusal(found, action, builds(given), actor, at=at)
    if refusal is None:
        return redirect("portal:resource", uuid=uuid)
    return page(request, uuid, actor, at=at, refused=deeds.refused_for(refusal, typed={action: given}))


def _filled_in(
    request: HttpRequest, found: Resource, action: str, actor: User, *, at: datetime
) -> HttpResponse:
    sent = forms.read(action, request.POST)
    not_now = deeds.refusal_of(
        lambda: requests.ask(resource=found, action=actions()[action], actor=actor, at=at)
    )
    parameters = None if not_now else forms.parameters(action, sent)
    if not_now is not None:
        refused = deeds.refused_for(not_now)
    elif parameters is None:
        refused = Refused(str(forms.SEE_THE_FIELD), 422)
    else:
        refusal = _refusal(found, action, parameters, actor, at=at)
        if refusal is None:
            return redirect("portal:resource", uuid=found.uuid)
        refused = sent.refused(refusal)
    return page(request, found.uuid, actor, at=at, refused=refused, sent={action: sent})


def _refusal(
    found: Resource, action: str, parameters: Any, actor: User, *, at: datetime
) -> DomainError | None:
    """Ask for it; or hand on why it is not done."""
    return deeds.refusal_of(
        lambda: requests.request(
            resource=found, action=actions()[action], parameters=parameters, actor=actor, at=at
        )
    )


@never_cache
@require_POST
@login_required
def console(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The same page with a link to the server's screen. That somebody asked for one is audited."""
    actor, at = cast("User", request.user), clock.now()
    found = visible(uuid, actor, at=at)
    links: list[str] = []
    refused = deeds.attempt(lambda: links.append(consoles.open_console(resource=found, actor=actor, at=at)))
    return page(request, uuid, actor, at=at, refused=refused, screen="".join(links))


def visible(uuid: UUID, actor: User, *, at: datetime) -> Resource:
    """Foreign resources answer as if there were none, audited."""
    rows = Resource.objects.select_related("system__department")
    return seen_or_404(rows.visible_to(actor, at=at).with_particulars(), rows, actor, at=at, uuid=uuid)


def page(
    request: HttpRequest,
    uuid: UUID,
    actor: User,
    *,
    at: datetime,
    refused: Refused | None,
    sent: Mapping[str, Sent] | None = None,
    screen: str = "",
    drawn: tuple[ContainerCredential, Drawn] | None = None,
) -> HttpResponse:
    """The answer to a form that leads nowhere else. ``sent`` is what was typed into the fields of an action that was refused."""
    typed = refused.typed if refused else {}
    shown = _context(visible(uuid, actor, at=at), actor, at=at, typed=typed, sent=sent)
    shown |= {"refused": refused, "screen": screen, "drawn": drawn, "live": False}
    return render(request, "portal/resource/page.html", shown, status=refused.status if refused else 200)


def _context(
    found: Resource,
    actor: User,
    *,
    at: datetime,
    typed: Mapping[str, str] | None = None,
    sent: Mapping[str, Sent] | None = None,
) -> dict[str, Any]:
    done = Operation.objects.filter(resource=found).prefetch_related("steps")[:OPERATIONS]
    operations = [(each, title_of(each.action)) for each in done]
    runs = found.kind == ResourceKind.SERVER and found.server.power == Power.RUNNING
    shows = runs and found.status in consoles.OPENED_IN
    scope, department, stands = scope_of(actor, at=at), found.system.department, found.released_at is None
    possible = list(requests.possibilities(resource=found, actor=actor, at=at)) if stands else []
    return {
        "built": one(found),
        "resource": found,
        "deeds": list(offers.deeds(found, possible, typed=typed or {})),
        "points": points(found),
        "ended": leases.ended(found, actor, at=at, typed=typed or {}),
        "wiped": None if stands else WipeRecord.objects.filter(resource=found).first(),
        "container_hold": _hold_on(found),
        "may_hold": scope.holds_any(KEEPERS),
        "most": deeds.LONGEST_REASON,
        "parts": list(parts.parts(found, possible, sent=sent or {})),
        "screens": shows and scope.holds_any(consoles.ROLES, department=department),
        "draws": found.status in container_secrets.DRAWN_IN
        and scope.holds_any(container_secrets.ROLES, department=department),
        "orders": _takes_orders(found) and offer_of_system(found.system, actor, at=at).changes_built,
        "operations": operations,
        "history": history(found),
        "live": found.status in IN_HAND,
        "under_way": _under_way(found, actor, at=at) if found.status == Status.CHANGING else None,
        "at": at,
    }


def _takes_orders(found: Resource) -> bool:
    """Not what goes, and not what is still being built: all that could be ordered for it would be refused."""
    gone = found.released_at is not None or found.status == Status.RELEASING
    return not gone and not being_built(found)


def _hold_on(found: Resource) -> LegalHold | None:
    """The one in force on a container."""
    if found.kind != ResourceKind.CONTAINER:
        return None
    return found.container.holds.filter(lifted_at=None).select_related("placed_by").first()


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A direct action that has a resource in hand; ``calls_off`` where the reader can call it off."""

    operation: Operation
    title: str
    calls_off: bool


def _under_way(found: Resource, actor: User, *, at: datetime) -> UnderWay | None:
    """That has it in hand by itself or with another: a server's volume, which is taken from it. An order's has no such page."""
    unfinished = Operation.objects.filter(
        kind=OperationKind.ACTION,
        finished_at=None,
        taken_up_at=None,  # none of them is, and those that are not have an index
    )
    mine = unfinished.filter(Q(resource=found) | Q(with_it=found)).select_related(
        "resource__system__department"
    )
    operation = mine.first()
    if operation is None:
        return None
    possible = calling_off.possibility(operation=operation, actor=actor, at=at)
    return UnderWay(operation, title_of(operation.action), possible is not None and not possible.refusal)
