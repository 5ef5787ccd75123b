"""The security administrator's pages: who holds which role, what takes two, what roles may do, everybody's tokens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from govcloud import clock
from govcloud.organisation import appointing
from govcloud.portal import deeds
from govcloud.portal.deeds import Refused
from govcloud.portal.listing import Narrowing, in_pages
from govcloud.portal.reading import day_in, midnight, midnight_after
from govcloud.portal.resuming import resumes
from tenants.access import grants, tokens
from tenants.access.models import ApiToken, RequestStatus, RolePermission, RoleRequest
from tenants.access.permissions import Permission
from tenants.models import ADMINISTRATORS, UNIT_ROLES, Department, Membership, Role, User

PAGE_SIZE = 20
MANAGER = Role.SECURITY_ADMIN


@dataclass(frozen=True, slots=True)
class Typed:
    """A role that somebody is to get, as it was typed."""

    username: str = ""
    role: str = Role.APPLICANT
    credit_code: str = ""
    valid_from: str = ""
    valid_until: str = ""
    reason: str = ""

    @classmethod
    def read(cls, request: HttpRequest) -> "Typed":
        told = {name: request.POST.get(name, "").replace("\0", "").strip()[:500] for name in cls.__slots__}
        return cls(**told) if told["role"] in Role.values else cls(**{**told, "role": Role.APPLICANT})


@require_http_methods(["GET", "POST"])
@login_required
@resumes
def roles(request: HttpRequest) -> HttpResponse:
    """Roles in force, requests that wait for a second person, and a form to grant one."""
    actor, at = deeds.admitted(request, MANAGER)
    if request.method == "GET":
        return _roles(request, actor, at=at, typed=Typed())
    typed = Typed.read(request)
    person = User.objects.filter(username=typed.username, is_active=True).first()
    department = Department.objects.filter(credit_code=typed.credit_code).first()
    refused = _unknown(typed, person, department)
    if refused is None and person is not None:
        give = _give(typed, person, department, actor=actor, at=at)
        refused = deeds.attempt(give)
    if refused:
        return _roles(request, actor, at=at, typed=typed, refused=refused)
    return redirect("portal:roles")


@require_POST
@login_required
@resumes
def revocation(request: HttpRequest, uuid: UUID) -> HttpResponse:
    actor, at = deeds.admitted(request, MANAGER)
    membership = get_object_or_404(Membership, uuid=uuid)
    return _done(
        request,
        actor,
        at=at,
        refused=deeds.attempt_for_reason(
            request,
            lambda reason: appointing.revoke(membership=membership, actor=actor, at=at, reason=reason),
        ),
    )


@require_POST
@login_required
def confirmation(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Be the second of the two."""
    actor, at = deeds.admitted(request, MANAGER)
    asked = get_object_or_404(RoleRequest.objects.select_related("user"), uuid=uuid)
    refused = deeds.attempt(lambda: appointing.confirm(request=asked, actor=actor, at=at))
    return _done(request, actor, at=at, refused=refused)


@require_POST
@login_required
@resumes
def refusal(request: HttpRequest, uuid: UUID) -> HttpResponse:
    actor, at = deeds.admitted(request, MANAGER)
    asked = get_object_or_404(RoleRequest, uuid=uuid)
    return _done(
        request,
        actor,
        at=at,
        refused=deeds.attempt_for_reason(
            request, lambda reason: appointing.decline(request=asked, actor=actor, at=at, reason=reason)
        ),
    )


@require_GET
@login_required
def permissions(request: HttpRequest) -> HttpResponse:
    """The table of what each role may do. Everybody signed in may read it."""
    given = set(RolePermission.objects.values_list("permission", "role"))
    context = {
        "roles": list(Role),
        "rows": [
            (permission, [(role, (permission.value, role.value) in given) for role in Role])
            for permission in Permission
        ],
        "at": clock.now(),
    }
    return render(request, "portal/security/permissions.html", context)


@require_GET
@login_required
def everybodys_tokens(request: HttpRequest) -> HttpResponse:
    _actor, at = deeds.admitted(request, MANAGER)
    filters = Narrowing.read(request.GET.dict(), views=("",))
    rows = (
        ApiToken.objects.in_force(now=timezone.now())
        .select_related("token__user")
        .order_by("-token__created")
    )
    if filters.text:
        text = filters.text
        rows = rows.filter(
            Q(name__icontains=text)
            | Q(token__user__username__icontains=text)
            | Q(token__user__display_name__icontains=text)
        )
    pages = in_pages(rows, request.GET.get("page"), size=PAGE_SIZE)
    context = {
        "filters": filters,
        **pages.context,
        "tokens": pages.page.object_list,
        "shows_holders": True,
        "at": at,
    }
    return render(request, "portal/security/tokens.html", context)


@require_POST
@login_required
def token_revocation(request: HttpRequest, uuid: UUID) -> HttpResponse:
    actor, at = deeds.admitted(request, MANAGER)
    token = get_object_or_404(ApiToken.objects.select_related("token__user"), uuid=uuid)
    tokens.revoke(token=token, actor=actor, at=at)
    return redirect("portal:everybodys-tokens")


def _unknown(typed: Typed, person: User | None, department: Department | None) -> Refused | None:
    if person is None:
        return deeds.unreadable(_("There is no account of this user name."))
    if typed.credit_code and department is None:
        return deeds.unreadable(_("There is no department with this credit code."))
    if any(text and day_in(text) is None for text in (typed.valid_from, typed.valid_until)):
        return deeds.unreadable(_("Write days like 2026-11-30."))
    if typed.role in ADMINISTRATORS and not typed.reason:
        return deeds.unreadable(_("An administrator's role is asked for with a reason."))
    return None


def _give(typed: Typed, person: User, department: Department | None, *, actor: User, at: datetime) -> Any:
    """An administrator's role is asked for, any other granted; until the end of the last day."""
    first, last = day_in(typed.valid_from), day_in(typed.valid_until)
    begins = midnight(first) if first else None
    ends = midnight_after(last) if last else None
    if typed.role in ADMINISTRATORS:
        return lambda: appointing.ask(
            user=person, role=typed.role, reason=typed.reason, valid_from=begins, valid_until=ends,
            actor=actor, at=at,
        )  # fmt: skip
    return lambda: grants.grant(
        user=person, role=typed.role, department=department if typed.role in UNIT_ROLES else None,
        valid_from=begins, valid_until=ends, actor=actor, at=at,
    )  # fmt: skip


def _done(request: HttpRequest, actor: User, *, at: datetime, refused: Refused | None) -> HttpResponse:
    if refused:
        return _roles(request, actor, at=at, typed=Typed(), refused=refused)
    return redirect("portal:roles")


def _roles(
    request: HttpRequest, actor: User, *, at: datetime, typed: Typed, refused: Refused | None = None
) -> HttpResponse:
    filters = Narrowing.read(request.GET.dict(), views=("",))
    held = Membership.objects.overlapping(at, None).select_related("user", "department")
    if filters.text:
        text = filters.text
        held = held.filter(
            Q(user__username__icontains=text)
            | Q(user__display_name__icontains=text)
            | Q(department__name__icontains=text)
        )
    pages = in_pages(held.order_by("user__username", "role", "pk"), request.GET.get("page"), size=PAGE_SIZE)
    waiting = RoleRequest.objects.filter(status=RequestStatus.OPEN, expires_at__gt=at)
    context: dict[str, Any] = {
        "filters": filters,
        **pages.context,
        "waiting": [
            (asked, actor.pk not in {asked.requested_by_id, asked.user_id})
            for asked in waiting.select_related("user", "requested_by").order_by("requested_at")
        ],
        "roles": Role.choices,
        "typed": typed,
        "refused": refused,
        "most": deeds.LONGEST_REASON,
        "at": at,
    }
    return render(request, "portal/security/roles.html", context, status=refused.status if refused else 200)
