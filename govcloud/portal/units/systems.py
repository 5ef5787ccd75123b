"""One system: what is said of it, who answers for it, and its end."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from govcloud import clock
from govcloud.audit.queries import history
from govcloud.organisation import systems
from govcloud.organisation.policies import needs_owner, require_for_system
from govcloud.organisation.reading import CellNoDay
from govcloud.portal import deeds
from govcloud.portal.deeds import Refused
from govcloud.portal.order.writing import offer_of_system
from govcloud.portal.reading import day_in, number_in, version_in
from govcloud.portal.resuming import resumes
from govcloud.portal.seen import seen_or_404
from govcloud.portal.tellings import told
from govcloud.provisioning.policies import LIMIT_READERS
from tenants import owners
from tenants.models import DataClass, Department, NetworkZone, ServiceScope, System
from tenants.owners import Owner
from tenants.policies import RoleMissing, scope_of

if TYPE_CHECKING:
    from tenants.models import User

HISTORY = 100
WORDS = ("name", "name_en", "filing_number", "zone", "data_class", "service_scope")
NUMBERS = ("mlps_level", "dr_level")
OWNER = ("owner_name", "owner_phone", "owner_email")


@require_GET
@login_required
def system(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One of them."""
    actor, at = cast("User", request.user), clock.now()
    return _page(request, found_system(uuid, actor, at=at), actor, at=at)


@require_POST
@login_required
def owner(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The same page with the owner in full, for those who need it. That it was read is audited, and that it was refused."""
    actor, at = cast("User", request.user), clock.now()
    found = found_system(uuid, actor, at=at)
    if not systems.admits_to_owner(system=found, actor=actor, at=at):
        raise PermissionDenied
    whole: list[Owner] = []
    refused = deeds.attempt(lambda: whole.append(owners.owner_of(found)))
    return _page(request, found, actor, at=at, refused=refused, whole=whole[0] if whole else None)


@require_POST
@login_required
@resumes
def change(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What the form has; an owner only where one was typed."""
    actor, at = cast("User", request.user), clock.now()
    found = found_system(uuid, actor, at=at)
    typed = typed_in(request, "version")

    def do() -> None:
        require_for_system(system=found, actor=actor, at=at)
        systems.change(
            system=found,
            changes=columns_of(typed),
            owner=owner_in(typed),
            expected_version=version_in(typed["version"]),
            actor=actor,
            at=at,
        )

    refused = deeds.attempt(do, typed=typed)
    return _done(request, found, refused, actor, at=at)


@require_POST
@login_required
@resumes
def retirement(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """For good."""
    actor, at = cast("User", request.user), clock.now()
    found = found_system(uuid, actor, at=at)
    try:
        require_for_system(system=found, actor=actor, at=at)
    except RoleMissing as missing:
        raise PermissionDenied from missing
    refused = deeds.attempt_for_reason(
        request, lambda reason: systems.retire(system=found, reason=reason, actor=actor, at=at)
    )
    return _done(request, found, refused, actor, at=at)


def choices() -> dict[str, Any]:
    """What ``portal/unit/system_fields.html`` offers."""
    return {
        "zones": NetworkZone.choices,
        "data_classes": [("", _("not said yet")), *DataClass.choices],
        "scopes": [("", _("not said yet")), *ServiceScope.choices],
        "levels": ["1", "2", "3"],
        "dr_levels": ["1", "2", "3", "4", "5", "6"],
    }


def typed_in(request: HttpRequest, *more: str) -> dict[str, str]:
    """What the form of a system has, as it was typed."""
    names = (*WORDS, *NUMBERS, *OWNER, "cryptography_assessed_on", "authority", *more)
    return {name: request.POST.get(name, "").replace("\0", "").strip()[:300] for name in names}


def columns_of(typed: dict[str, str]) -> dict[str, Any]:
    """Raises CellNoDay, and NoSuchAuthority for a credit code of nobody."""
    code = typed["authority"]
    authority = Department.objects.filter(credit_code=code).first() if code else None
    if code and authority is None:
        raise systems.NoSuchAuthority(given=code, pointers=("/authority",))
    return {
        **{name: typed[name] for name in WORDS},
        **{name: _level(typed[name]) for name in NUMBERS},
        "cryptography_assessed_on": _day(typed["cryptography_assessed_on"]),
        "authority": authority,
    }


def owner_in(typed: dict[str, str]) -> Owner | None:
    if not any(typed[name] for name in OWNER):
        return None
    return Owner(name=typed["owner_name"], phone=typed["owner_phone"], email=typed["owner_email"])


def _level(given: str) -> int:
    """0 for what is none: no level is 0, so the rules say what is wrong with it."""
    return number_in(given, most=99) or 0


def _day(given: str) -> date | None:
    day = day_in(given)
    if given and day is None:
        raise CellNoDay(given=given)
    return day


def found_system(uuid: UUID, actor: "User", *, at: datetime) -> System:
    """Foreign systems answer as if there were none, audited."""
    rows = System.objects.select_related("department", "authority", "sealed_owner")
    return seen_or_404(rows.visible_to(actor, at=at), rows, actor, at=at, uuid=uuid)


def _done(
    request: HttpRequest, found: System, refused: Refused | None, actor: "User", *, at: datetime
) -> HttpResponse:
    if refused is None:
        return redirect("portal:system", uuid=found.uuid)
    return _page(request, found_system(found.uuid, actor, at=at), actor, at=at, refused=refused)


def _page(
    request: HttpRequest,
    found: System,
    actor: "User",
    *,
    at: datetime,
    refused: Refused | None = None,
    whole: Owner | None = None,
) -> HttpResponse:
    context: dict[str, Any] = {
        "system": found,
        "owner": whole or owners.masked_owner_of(found),
        "may_read_owner": whole is None and needs_owner(system=found, actor=actor, at=at),
        "reads_limits": scope_of(actor, at=at).holds_any(LIMIT_READERS),
        "orders": offer_of_system(found, actor, at=at).changes_built,
        "changes": found.retired_at is None and _may_change(found, actor, at=at),
        "form": refused.typed if refused and "version" in refused.typed else _as_typed(found),
        **choices(),
        "refused": refused,
        "most": deeds.LONGEST_REASON,
        "history": [(event, told(event)) for event in history(found.uuid).reverse()[:HISTORY]],
        "at": at,
    }
    return render(request, "portal/unit/system.html", context, status=refused.status if refused else 200)


def _as_typed(found: System) -> dict[str, str]:
    assessed_on = found.cryptography_assessed_on
    return {
        **{name: str(getattr(found, name)) for name in (*WORDS, *NUMBERS, "version")},
        "cryptography_assessed_on": assessed_on.isoformat() if assessed_on else "",
        "authority": found.authority.credit_code if found.authority else "",
    }


def _may_change(found: System, actor: "User", *, at: datetime) -> bool:
    try:
        require_for_system(system=found, actor=actor, at=at)
    except RoleMissing:
        return False
    return True
