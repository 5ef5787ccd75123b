"""Having something taken back later than its grace says."""

from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from govcloud import clock
from govcloud.leases import services
from govcloud.leases.policies import POSTPONERS
from govcloud.portal import deeds
from govcloud.portal.reading import moment_in
from govcloud.portal.resource.leases import UNTIL, expiry_of
from govcloud.portal.resource.views import page, visible
from govcloud.portal.resuming import resumes

if TYPE_CHECKING:
    from datetime import datetime

    from govcloud.portal.deeds import Refused
    from tenants.models import User


@require_POST
@login_required
@resumes
def postponement(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Have it taken back later, for a reason."""
    actor, at = cast("User", request.user), clock.now()
    found = visible(uuid, actor, at=at)
    deeds.admitted(request, *POSTPONERS)
    typed = {UNTIL: request.POST.get(UNTIL, "").replace("\0", "").strip()}
    until = moment_in(typed[UNTIL])

    def postpone(reason: str) -> None:
        expiry = expiry_of(found)
        if expiry is None:
            raise services.NothingToPostpone(name=found.name)
        services.postpone(expiry=expiry, until=cast("datetime", until), reason=reason, actor=actor, at=at)

    if until is None:
        told = _("Give the day and the time until which it shall not be taken back.")
        typed["reason"] = request.POST.get("reason", "").replace("\0", "").strip()
        refused: Refused | None = deeds.unreadable(told, typed=typed)
    else:
        refused = deeds.attempt_for_reason(request, postpone, typed=typed)
    if refused is None:
        return redirect("portal:resource", uuid=uuid)
    return page(request, uuid, actor, at=at, refused=refused)
