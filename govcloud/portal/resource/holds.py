"""Legal holds on recovery points and on containers: placed and lifted for a reason."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from govcloud import clock
from govcloud.inventory.models import Resource
from govcloud.portal import deeds
from govcloud.portal.resource.points import points_of
from govcloud.portal.resource.views import page, visible
from govcloud.portal.resuming import resumes
from govcloud.portal.seen import seen_or_404
from govcloud.protection import holds
from govcloud.protection.models import RecoveryPoint
from tenants.models import User

Deed = Callable[..., Any]


@require_POST
@login_required
@resumes
def placing_on_point(request: HttpRequest, uuid: UUID, point: UUID) -> HttpResponse:
    return _of_point(request, uuid, point, holds.place)


@require_POST
@login_required
@resumes
def lifting_from_point(request: HttpRequest, uuid: UUID, point: UUID) -> HttpResponse:
    return _of_point(request, uuid, point, holds.lift)


@require_POST
@login_required
@resumes
def placing(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """On a container: nobody who has credentials for it may write from then on."""
    return _of_container(request, uuid, holds.place_on_container)


@require_POST
@login_required
@resumes
def lifting(request: HttpRequest, uuid: UUID) -> HttpResponse:
    return _of_container(request, uuid, holds.lift_from_container)


def _of_point(request: HttpRequest, uuid: UUID, point: UUID, deed: Deed) -> HttpResponse:
    actor, at = cast("User", request.user), clock.now()
    found = visible(uuid, actor, at=at)
    seen = RecoveryPoint.objects.visible_to(actor, at=at)
    one = seen_or_404(points_of(found), RecoveryPoint.objects.all(), actor, at=at, elsewhere=seen, uuid=point)
    return _for_reason(
        request, found, actor, lambda reason: deed(point=one, reason=reason, actor=actor, at=at), at=at
    )


def _of_container(request: HttpRequest, uuid: UUID, deed: Deed) -> HttpResponse:
    actor, at = cast("User", request.user), clock.now()
    found = visible(uuid, actor, at=at)
    return _for_reason(
        request, found, actor, lambda reason: deed(resource=found, reason=reason, actor=actor, at=at), at=at
    )


def _for_reason(
    request: HttpRequest, found: Resource, actor: User, deed: Callable[[str], object], *, at: datetime
) -> HttpResponse:
    deeds.admitted(request, *holds.KEEPERS)
    refused = deeds.attempt_for_reason(request, deed)
    if refused is None:
        return redirect("portal:resource", uuid=found.uuid)
    return page(request, found.uuid, actor, at=at, refused=refused)
