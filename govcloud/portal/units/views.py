"""The units, one unit, and what is done about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from govcloud import clock
from govcloud.audit.queries import history
from govcloud.organisation import connecting
from govcloud.organisation import units as deeds_of_units
from govcloud.organisation.policies import REGISTRARS, require_for_connection
from govcloud.portal import deeds, files
from govcloud.portal.deeds import Refused
from govcloud.portal.listing import Narrowing, choices, in_pages
from govcloud.portal.reading import version_in
from govcloud.portal.resuming import resumes
from govcloud.portal.seen import seen_or_404
from govcloud.portal.tellings import told
from govcloud.portal.units.registering import may_register_system
from govcloud.portal.units.rows import VIEWS, concerned, in_view, listed, sheet
from tenants import connections
from tenants.connections import TRANSITIONS
from tenants.models import Connection, Department, Division, Role
from tenants.policies import RoleMissing, scope_of

if TYPE_CHECKING:
    from tenants.models import User

PAGE_SIZE = 50
HISTORY = 100

DEEDS: dict[tuple[str, str], str | Promise] = {
    (Connection.NOT_CONNECTED, Connection.REQUESTED): gettext_lazy("Ask for the connection"),
    (Connection.REQUESTED, Connection.CONNECTED): gettext_lazy("The connection is made"),
    (Connection.REQUESTED, Connection.NOT_CONNECTED): gettext_lazy("Refuse it, or take it back"),
    (Connection.CONNECTED, Connection.NOT_CONNECTED): gettext_lazy("Cut the connection off"),
}
"""What people do when they move a connection from one state to another."""


@dataclass(frozen=True, slots=True)
class Step:
    """One that the reader can take with a unit's connection, in a form of its own: what is typed for one must not take another."""

    to: Connection
    words: str | Promise

    @property
    def wants_reason(self) -> bool:
        return connections.needs_reason(self.to)


@require_GET
@login_required
def units(request: HttpRequest) -> HttpResponse:
    """The tree of units, as far as the reader sees it; it works without scripts."""
    actor, at = cast("User", request.user), clock.now()
    filters = Narrowing.read(request.GET.dict(), views=VIEWS)
    counts = concerned(filters, actor, at=at).aggregate(
        **{view or "open": Count("pk", filter=in_view(view)) for view in VIEWS}
    )
    total = counts[filters.view or "open"]
    pages = in_pages(listed(filters, actor, at=at), request.GET.get("page"), size=PAGE_SIZE, total=total)
    context = {
        "filters": filters,
        **pages.context,
        "views": choices(VIEWS, filters, counts, first="open"),
        "registers": scope_of(actor, at=at).holds_any(REGISTRARS),
        "at": at,
    }
    return render(request, "portal/unit/list.html", context)


@require_GET
@login_required
def export(request: HttpRequest, form: str) -> HttpResponse:
    """The current list as a file, all pages of it."""
    actor, at = cast("User", request.user), clock.now()
    filters = Narrowing.read(request.GET.dict(), views=VIEWS)
    rows = listed(filters, actor, at=at)
    return files.hand_out(request, rows, sheet, form=form, query=filters.query(), actor=actor, at=at)


@require_GET
@login_required
def unit(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One of them: where it stands, what it has, who is in it, what can be done about it."""
    actor, at = cast("User", request.user), clock.now()
    return _page(request, _found(uuid, actor, at=at), actor, at=at)


@require_POST
@login_required
@resumes
def connection(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Ask for the connection, make it, refuse it, cut it off."""
    actor, at = cast("User", request.user), clock.now()
    found, to, reason = _found(uuid, actor, at=at), request.POST.get("to", ""), _typed(request, "reason")

    def change() -> None:
        require_for_connection(department=found, to=to, actor=actor, at=at)
        connecting.change(department=found, to=to, reason=reason, actor=actor, at=at)

    return _done(
        request, found, deeds.attempt(change, typed={"reason": reason, "form": "connection"}), actor, at=at
    )


@require_POST
@login_required
@resumes
def change(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Another name, credit code or division."""
    actor, at = deeds.admitted(request, *REGISTRARS)
    found = _found(uuid, actor, at=at)
    typed = {
        name: _typed(request, name) for name in ("name", "name_en", "credit_code", "division", "version")
    }

    def do() -> None:
        division = Division.objects.filter(code=typed["division"]).first()
        deeds_of_units.change(
            department=found,
            changes={
                "name": typed["name"],
                "name_en": typed["name_en"],
                "credit_code": typed["credit_code"],
                "division": division or found.division,
            },
            expected_version=version_in(typed["version"]),
            actor=actor,
            at=at,
        )

    return _done(request, found, deeds.attempt(do, typed=typed), actor, at=at)


@require_POST
@login_required
@resumes
def move(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Below another unit, or to the top of the tree."""
    actor, at = deeds.admitted(request, *REGISTRARS)
    found, code = _found(uuid, actor, at=at), _typed(request, "parent")
    typed = {"parent": code, "form": "move"}
    parent = Department.objects.visible_to(actor, at=at).filter(credit_code=code).first()
    if code and parent is None:
        text = _("There is no unit with the credit code “%(given)s”.") % {"given": code}
        refused = deeds.unreadable(text, typed={**typed, "reason": _typed(request, "reason")})
        return _done(request, found, refused, actor, at=at)
    return _done(
        request,
        found,
        deeds.attempt_for_reason(
            request,
            lambda reason: deeds_of_units.move(
                department=found, parent=parent, reason=reason, actor=actor, at=at
            ),
            typed=typed,
        ),
        actor,
        at=at,
    )


@require_POST
@login_required
@resumes
def closing(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """For good."""
    actor, at = deeds.admitted(request, *REGISTRARS)
    found = _found(uuid, actor, at=at)
    refused = deeds.attempt_for_reason(
        request,
        lambda reason: deeds_of_units.close(department=found, reason=reason, actor=actor, at=at),
        typed={"form": "closing"},
    )
    return _done(request, found, refused, actor, at=at)


def _typed(request: HttpRequest, name: str) -> str:
    return request.POST.get(name, "").replace("\0", "").strip()[: deeds.LONGEST_REASON]


def _found(uuid: UUID, actor: "User", *, at: datetime) -> Department:
    """Foreign units answer as if there were none, audited."""
    rows = Department.objects.select_related("division", "parent")
    return seen_or_404(rows.visible_to(actor, at=at), rows, actor, at=at, uuid=uuid)


def _done(
    request: HttpRequest, found: Department, refused: Refused | None, actor: "User", *, at: datetime
) -> HttpResponse:
    if refused is None:
        return redirect("portal:unit", uuid=found.uuid)
    return _page(request, _found(found.uuid, actor, at=at), actor, at=at, refused=refused)


def _page(
    request: HttpRequest, found: Department, actor: "User", *, at: datetime, refused: Refused | None = None
) -> HttpResponse:
    scope = scope_of(actor, at=at)
    steps = _next_connections(found, actor, at=at)
    registers = scope.holds_any(REGISTRARS) and found.closed_at is None
    above = (
        Department.objects.visible_to(actor, at=at).filter(pk__in=found.ancestor_ids[:-1]).order_by("path")
    )
    context: dict[str, Any] = {
        "unit": found,
        "form": refused.typed if refused and "credit_code" in refused.typed else _as_typed(found),
        "above": list(above),
        "below": list(found.children.filter(closed_at=None).order_by("path")),
        "systems": list(found.systems.filter(retired_at=None).order_by("code")),
        "steps": steps,
        "registers": registers,
        "refilled": any(step.wants_reason for step in steps)
        if refused and refused.typed.get("form") == "connection"
        else registers,
        "registers_systems": found.closed_at is None and may_register_system(found, actor, at=at),
        "keeps_people": scope.holds(Role.SECURITY_ADMIN) or scope.holds(Role.UNIT_APPROVER, department=found),
        "divisions": Division.objects.order_by("code"),
        "refused": refused,
        "most": deeds.LONGEST_REASON,
        "history": [(event, told(event)) for event in history(found.uuid).reverse()[:HISTORY]],
        "at": at,
    }
    return render(request, "portal/unit/page.html", context, status=refused.status if refused else 200)


def _as_typed(found: Department) -> dict[str, str]:
    told = {name: getattr(found, name) for name in ("name", "name_en", "credit_code")}
    return {**told, "division": found.division.code}


def _next_connections(found: Department, actor: "User", *, at: datetime) -> list[Step]:
    """What the reader can make of the connection."""
    possible: list[Step] = []
    if found.closed_at is not None:
        return possible
    for to in Connection:
        if to in TRANSITIONS[found.connection]:
            try:
                require_for_connection(department=found, to=to, actor=actor, at=at)
            except RoleMissing:
                continue
            possible.append(Step(to, DEEDS[found.connection, to]))
    return possible
