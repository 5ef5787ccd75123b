"""New units, and new systems of a unit."""

from datetime import datetime
from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from govcloud import clock
from govcloud.organisation.policies import OF_A_UNIT, REGISTRARS
from govcloud.portal import deeds
from govcloud.portal.deeds import Refused
from govcloud.portal.resuming import resumes
from govcloud.portal.seen import seen_or_404
from govcloud.portal.units import systems
from govcloud.quotas import services as quotas
from tenants.models import Connection, Department, Division, NetworkZone
from tenants.policies import scope_of
from tenants.services import register_department, register_system

if TYPE_CHECKING:
    from tenants.models import User

UNIT = ("name", "name_en", "credit_code", "division", "parent", "connection")


@require_http_methods(["GET", "POST"])
@login_required
@resumes
def unit(request: HttpRequest) -> HttpResponse:
    """Register a unit, below another or at the top of the tree."""
    actor, at = deeds.admitted(request, *REGISTRARS)
    typed = {name: request.POST.get(name, "").replace("\0", "").strip()[:300] for name in UNIT}
    made: list[Department] = []
    refused = None
    if request.method == "POST":
        refused = _registered_into(made, typed, actor, at=at)
    if made:
        return redirect("portal:unit", uuid=made[0].uuid)
    context = {
        "form": {**typed, "parent": typed["parent"] or request.GET.get("below", "")[:18]},
        "divisions": Division.objects.order_by("code"),
        "connections": [
            (value, label) for value, label in Connection.choices if value != Connection.REQUESTED
        ][::-1],
        "refused": refused,
        "at": at,
    }
    return render(request, "portal/unit/new.html", context, status=refused.status if refused else 200)


def _registered_into(
    made: list[Department], typed: dict[str, str], actor: "User", *, at: datetime
) -> Refused | None:
    """Why no unit was registered; ``made`` gets the one that was."""
    division = Division.objects.filter(code=typed["division"]).first()
    if division is None:
        text = _("There is no administrative division with the code “%(given)s”.")
        return deeds.unreadable(text % {"given": typed["division"]}, typed=typed)
    parent = Department.objects.visible_to(actor, at=at).filter(credit_code=typed["parent"]).first()
    if typed["parent"] and parent is None:
        text = _("There is no unit with the credit code “%(given)s”.")
        return deeds.unreadable(text % {"given": typed["parent"]}, typed=typed)
    return deeds.attempt(lambda: made.append(_registered(typed, division, parent, actor, at=at)), typed=typed)


@transaction.atomic
def _registered(
    typed: dict[str, str], division: Division, parent: Department | None, actor: "User", *, at: datetime
) -> Department:
    """With its quota accounts. Raises what registering does."""
    connected = typed["connection"] == Connection.CONNECTED
    made = register_department(
        name=typed["name"],
        name_en=typed["name_en"],
        credit_code=typed["credit_code"],
        division=division,
        parent=parent,
        connection_status=Connection.CONNECTED if connected else Connection.NOT_CONNECTED,
        actor=actor,
        at=at,
    )
    quotas.open_accounts(department=made, limits={}, actor=actor, at=at)
    return made


@require_http_methods(["GET", "POST"])
@login_required
@resumes
def system(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Register a system of the unit."""
    actor, at = cast("User", request.user), clock.now()
    rows = Department.objects.all()
    found = seen_or_404(rows.visible_to(actor, at=at), rows, actor, at=at, uuid=uuid)
    if not may_register_system(found, actor, at=at):
        raise PermissionDenied
    typed = systems.typed_in(request, "code")
    made = []
    refused = None
    if request.method == "POST":
        refused = deeds.attempt(
            lambda: made.append(
                register_system(
                    department=found,
                    code=typed["code"],
                    owner=systems.owner_in(typed),
                    actor=actor,
                    at=at,
                    **systems.columns_of(typed),
                )
            ),
            typed=typed,
        )
    if made:
        return redirect("portal:system", uuid=made[0].uuid)
    context = {
        "unit": found,
        "form": typed if refused else {"zone": NetworkZone.PUBLIC},
        **systems.choices(),
        "refused": refused,
        "at": at,
    }
    return render(request, "portal/unit/system_new.html", context, status=refused.status if refused else 200)


def may_register_system(found: Department, actor: "User", *, at: datetime) -> bool:
    """Its own applicants and approvers, and the centre's registrars."""
    return scope_of(actor, at=at).holds_any((*OF_A_UNIT, *REGISTRARS), department=found)
