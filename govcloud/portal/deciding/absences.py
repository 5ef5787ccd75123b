"""Who stands in for the reader, and for whom the reader does."""

from datetime import date, datetime
from typing import cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from govcloud import clock
from govcloud.approvals import absences as services
from govcloud.approvals.models import Absence
from govcloud.errors import Invalid
from govcloud.portal import deeds
from govcloud.portal.deciding.forms import bounded, chosen, typed
from govcloud.portal.deeds import Refused
from govcloud.portal.reading import day_in, midnight, midnight_after
from govcloud.portal.resuming import resumes
from govcloud.portal.seen import seen_or_404
from tenants.models import User

SHOWN = 50


class BadDate(Invalid):
    code = "bad-date"
    message = _("Give both days, as 2026-11-30.")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@resumes
def absences(request: HttpRequest) -> HttpResponse:
    """One's absences, and the form to name a substitute."""
    actor, at = cast("User", request.user), clock.now()
    if request.method != "POST":
        return _page(request, actor, at=at)
    given = typed(request, "substitute", "first", "last", "reason")
    refused = deeds.attempt(lambda: _name(given, actor, at=at), typed=given)
    return _page(request, actor, at=at, refused=refused) if refused else redirect("portal:absences")


@require_POST
@login_required
def end(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Be back before the time."""
    actor, at = cast("User", request.user), clock.now()
    rows = Absence.objects.all()
    absence = seen_or_404(rows.filter(person=actor), rows, actor, at=at, uuid=uuid)
    refused = deeds.attempt(lambda: services.end(absence=absence, actor=actor, at=at))
    return _page(request, actor, at=at, refused=refused) if refused else redirect("portal:absences")


def _name(given: dict[str, str], actor: User, *, at: datetime) -> Absence:
    """From the beginning of the first day to the end of the last, by the installation's wall clock."""
    first, last = _day(given["first"]), _day(given["last"])
    return services.name_substitute(
        substitute=chosen(services.substitutes_for(actor, at=at), given["substitute"]),
        starts_at=midnight(first),
        ends_at=midnight_after(last),
        reason=bounded(given["reason"], 200),
        actor=actor,
        at=at,
    )


def _day(text: str) -> date:
    day = day_in(text)
    if day is None:
        raise BadDate
    return day


def _page(request: HttpRequest, actor: User, *, at: datetime, refused: Refused | None = None) -> HttpResponse:
    rows = Absence.objects.filter(Q(person=actor) | Q(substitute=actor))
    context = {
        "absences": rows.select_related("person", "substitute")[:SHOWN],
        "substitutes": services.substitutes_for(actor, at=at),
        "refused": refused,
        "at": at,
    }
    return render(
        request, "portal/deciding/absences.html", context, status=refused.status if refused else 200
    )
