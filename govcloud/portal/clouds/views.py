"""Where things are built, how it fares, and what its keepers do with it: time set aside, opened, closed, retired."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.contrib import messages as flashes
from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from govcloud import clock
from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.clouds import maintenance, names, services
from govcloud.clouds.models import Maintenance, Running
from govcloud.clouds.policies import KEEPERS
from govcloud.inventory.models import ResourceKind
from govcloud.portal import deeds, files
from govcloud.portal.clouds.forms import KINDS as KINDS_NAMED
from govcloud.portal.clouds.rows import everything, fills, health_of, sheet
from govcloud.portal.deeds import Refused
from govcloud.portal.reading import moment_in
from govcloud.portal.resuming import resumes
from govcloud.provisioning import capacity
from tenants.policies import scope_of

if TYPE_CHECKING:
    from tenants.models import User

LAST_CHANGES = 20
TYPED = ("starts_at", "ends_at", "running", "reason")
MOST_OF_A_REASON = 300
"""Characters, of a maintenance: it is shown to departments."""


@require_GET
@login_required
def clouds(request: HttpRequest) -> HttpResponse:
    """All of them, at each site, with how they answer and what they hold."""
    at = clock.now()
    rows = [(cloud, health_of(cloud), fills(cloud)) for cloud in everything(at=at)]
    keeps = scope_of(cast("User", request.user), at=at).holds_any(KEEPERS)
    return render(request, "portal/cloud/list.html", {"rows": rows, "keeps": keeps, "at": at})


@require_GET
@login_required
def export(request: HttpRequest, form: str) -> HttpResponse:
    actor, at = cast("User", request.user), clock.now()
    return files.hand_out(request, everything(at=at), sheet, form=form, query="", actor=actor, at=at)


@require_GET
@login_required
def cloud(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One of them; for those who keep it with how its services answer and what can be done."""
    return _page(request, uuid)


@require_POST
@login_required
@resumes
def setting_aside(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Announce a maintenance."""
    actor, at = deeds.admitted(request, *KEEPERS)
    found = get_object_or_404(Cloud, uuid=uuid)
    typed = {name: request.POST.get(name, "").replace("\0", "").strip() for name in TYPED}
    starts, ends = (moment_in(typed[name]) for name in ("starts_at", "ends_at"))
    if ends is None or (typed["starts_at"] and starts is None) or typed["running"] not in Running.values:
        told = _("Give the day and the time at which it ends, and begins unless it is now.")
        wrong = deeds.unreadable(told, typed=typed)
        return _page(request, uuid, refused=wrong)
    refused = deeds.attempt_for_reason(
        request,
        lambda reason: maintenance.announce(
            cloud=found,
            starts_at=starts,
            ends_at=ends,
            running=typed["running"],
            reason=reason,
            actor=actor,
            at=at,
        ),
        typed=typed,
        most=MOST_OF_A_REASON,
    )
    return _done(request, uuid, refused, _("The maintenance is announced."))


@require_POST
@login_required
def ending(request: HttpRequest, uuid: UUID, maintenance_uuid: UUID) -> HttpResponse:
    """End a maintenance now, or call it off before it begins."""
    actor, at = deeds.admitted(request, *KEEPERS)
    row = get_object_or_404(Maintenance, uuid=maintenance_uuid, cloud__uuid=uuid)
    refused = deeds.attempt(lambda: maintenance.end(maintenance=row, actor=actor, at=at))
    return _done(request, uuid, refused, _("The maintenance has ended."))


@require_POST
@login_required
def activation(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Things are placed there from now on."""
    actor, at = deeds.admitted(request, *KEEPERS)
    found = get_object_or_404(Cloud, uuid=uuid)
    refused = deeds.attempt(lambda: services.enable(cloud=found, actor=actor, at=at))
    return _done(request, uuid, refused, _("Things are placed there from now on."))


@require_POST
@login_required
@resumes
def deactivation(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Nothing new is placed there."""
    return _with_reason(request, uuid, services.disable, _("Nothing new is placed there any more."))


@require_POST
@login_required
@resumes
def retirement(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """For good."""
    return _with_reason(request, uuid, services.retire, _("The cloud is retired."))


def _with_reason(request: HttpRequest, uuid: UUID, deed: Callable[..., object], told: str) -> HttpResponse:
    actor, at = deeds.admitted(request, *KEEPERS)
    found = get_object_or_404(Cloud, uuid=uuid)
    name = deed.__name__
    refused = deeds.attempt_for_reason(
        request, lambda reason: deed(cloud=found, reason=reason, actor=actor, at=at), typed={"deed": name}
    )
    return _done(request, uuid, refused, told)


def _done(request: HttpRequest, uuid: UUID, refused: Refused | None, told: str) -> HttpResponse:
    if refused:
        return _page(request, uuid, refused=refused)
    flashes.success(request, told)
    return redirect("portal:cloud", uuid=uuid)


KINDS: dict[str, str | Promise] = {
    ResourceKind.NETWORK: gettext_lazy("Networks"),
    ResourceKind.SERVER: gettext_lazy("Servers"),
    ResourceKind.VOLUME: gettext_lazy("Volumes"),
    ResourceKind.BACKUP: gettext_lazy("Backup allowances"),
    ResourceKind.CONTAINER: gettext_lazy("Object containers"),
}


def _page(request: HttpRequest, uuid: UUID, *, refused: Refused | None = None) -> HttpResponse:
    actor, at = cast("User", request.user), clock.now()
    found = get_object_or_404(everything(at=at), uuid=uuid)
    keeps = scope_of(actor, at=at).holds_any(KEEPERS)
    context: dict[str, Any] = {
        "cloud": found,
        "health": health_of(found),
        "fills": fills(found),
        "promised": capacity.promised([found])[found.pk],
        "parts": found.availability_zones.all(),
        "keeps": keeps,
        "refused": refused,
        "refilled": keeps and refused is not None and _has_form(refused, found),
        "most": deeds.LONGEST_REASON,
        "at": at,
    }
    if keeps:
        context |= _for_keepers(found, at)
    return render(request, "portal/cloud/page.html", context, status=refused.status if refused else 200)


def _has_form(refused: Refused, found: Cloud) -> bool:
    """Whether the page still has the form that was refused: none has a retired cloud, and a closed one is not closed again."""
    if refused.typed.get("deed") == services.disable.__name__:
        return found.status == CloudStatus.ENABLED
    return found.status != CloudStatus.RETIRED


def _for_keepers(found: Cloud, at: datetime) -> dict[str, Any]:
    standing = dict(
        found.resources.filter(released_at=None).order_by().values_list("kind").annotate(count=Count("*"))
    )
    return {
        "named_there": [(KINDS_NAMED[kind], len(each)) for kind, each in names.names_of(found).items()],
        "answers": found.service_answers.all(),
        "changes": found.health_changes.all()[:LAST_CHANGES],
        "differences": found.size_differences.all(),
        "standing": [(label, standing.get(kind, 0)) for kind, label in KINDS.items()],
        "under_way": found.operations.filter(finished_at=None).count(),
        "in_force": found.maintenances.in_force(at=at),
        "runnings": Running.choices,
        "can_open": found.status == CloudStatus.DISABLED,
        "can_close": found.status == CloudStatus.ENABLED,
    }
