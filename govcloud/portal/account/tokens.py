"""One's own API tokens: made, shown once, revoked."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from knox.settings import knox_settings

from govcloud import clock
from govcloud.portal import deeds
from govcloud.portal.deeds import Refused
from govcloud.portal.resuming import resumes
from govcloud.portal.seen import seen_or_404
from tenants.access import tokens
from tenants.access.models import ApiToken, TokenScope
from tenants.access.permissions import Permission
from tenants.models import User
from tenants.policies import scope_of

DAYS = (1, 7, 30, 90)


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody wants of a new token; what makes no sense comes out as what is least."""

    name: str = ""
    scope: str = TokenScope.READ
    permissions: list[str] = field(default_factory=list)
    networks: str = ""
    days: int = 30

    @classmethod
    def read(cls, request: HttpRequest) -> "Typed":
        told = request.POST
        scope, days = told.get("scope", ""), told.get("days", "")
        return cls(
            name=told.get("name", "").replace("\0", "").strip()[:80],
            scope=scope if scope in TokenScope.values else TokenScope.READ,
            permissions=[each for each in told.getlist("permissions") if each in Permission.values],
            networks=told.get("networks", "").replace("\0", "")[:1000],
            days=int(days) if days in {str(each) for each in _days()} else 1,
        )


@never_cache
@require_http_methods(["GET", "POST"])
@login_required
@resumes
def tokens_page(request: HttpRequest) -> HttpResponse:
    """The list, and a form for a new one, whose text is on the page that answers and nowhere else."""
    user, at = cast("User", request.user), clock.now()
    if request.method == "GET":
        return _page(request, user, at=at, typed=Typed())
    typed, issued = Typed.read(request), list[tokens.Issued]()
    refused = deeds.attempt(lambda: issued.append(_issue(user, typed, at=at)))
    if refused:
        return _page(request, user, at=at, typed=typed, refused=refused)
    return _page(request, user, at=at, typed=Typed(), issued=issued[0])


@require_POST
@login_required
def revocation(request: HttpRequest, uuid: UUID) -> HttpResponse:
    user, at = cast("User", request.user), clock.now()
    rows = ApiToken.objects.select_related("token__user")
    token = seen_or_404(rows.filter(token__user=user), rows, user, at=at, uuid=uuid)
    tokens.revoke(token=token, actor=user, at=at)
    return redirect("portal:tokens")


def _issue(user: User, typed: Typed, *, at: datetime) -> tokens.Issued:
    now = timezone.now()
    return tokens.issue(
        user=user,
        name=typed.name,
        scope=typed.scope,
        permissions=typed.permissions if typed.scope == TokenScope.CHOSEN else [],
        networks=typed.networks.split(),
        until=now + timedelta(days=typed.days),
        now=now,
        at=at,
    )


def _page(
    request: HttpRequest,
    user: User,
    *,
    at: datetime,
    typed: Typed,
    refused: Refused | None = None,
    issued: tokens.Issued | None = None,
) -> HttpResponse:
    mine = ApiToken.objects.filter(token__user=user).in_force(now=timezone.now())
    scope = scope_of(user, at=at)
    context: dict[str, Any] = {
        "tokens": mine.select_related("token").order_by("-token__created"),
        "scopes": TokenScope.choices,
        "permissions": [(each.value, each.label) for each in Permission if scope.holds(each)],
        "days": _days(),
        "typed": typed,
        "refused": refused,
        "issued": issued,
        "at": at,
    }
    return render(request, "portal/account/tokens.html", context, status=refused.status if refused else 200)


def _days() -> list[int]:
    return [each for each in DAYS if each <= knox_settings.TOKEN_TTL.days]
