from datetime import datetime
from typing import TYPE_CHECKING, cast
from uuid import UUID

from django.contrib import messages as flashes
from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from govcloud import clock
from govcloud.notifications import services
from govcloud.notifications.kinds import KINDS, Way
from govcloud.notifications.models import Message
from govcloud.portal.deeds import attempt
from govcloud.portal.inbox.rows import VIEWS, in_view, listed, page_about, shown
from govcloud.portal.listing import Narrowing, choices, in_pages
from govcloud.portal.reading import number_in
from govcloud.portal.resuming import resumes
from govcloud.portal.seen import seen_or_404

if TYPE_CHECKING:
    from tenants.models import User

PAGE_SIZE = 20
HOURS = range(7, 20)
"""The hours that the page offers for a digest; the API takes any."""


@require_GET
@login_required
def inbox(request: HttpRequest) -> HttpResponse:
    """What the reader was told; it works without scripts."""
    person, at = cast("User", request.user), clock.now()
    filters = Narrowing.read(request.GET.dict(), views=VIEWS)
    counts = listed(person).aggregate(
        **{view or "unread": Count("pk", filter=in_view(view)) for view in VIEWS}
    )
    total = counts[filters.view or "unread"]
    pages = in_pages(
        listed(person).filter(in_view(filters.view)), request.GET.get("page"), size=PAGE_SIZE, total=total
    )
    context = {
        "filters": filters,
        **pages.context,
        "unread_count": counts["unread"],
        "rows": list(shown(pages.page.object_list)),
        "views": choices(VIEWS, filters, counts, first="unread"),
        "at": at,
    }
    return render(request, "portal/inbox/list.html", context)


@require_GET
@login_required
def message(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One message, as the link in a mail leads to it. Looking at it changes nothing."""
    person, at = cast("User", request.user), clock.now()
    (one,) = shown([_found(uuid, person, at=at)])
    context = {"one": one, "leads_on": page_about(one.row.notice, person, at=at) is not None, "at": at}
    return render(request, "portal/inbox/message.html", context)


@require_POST
@login_required
def opening(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Mark it as read and go to what it is about."""
    person, at = cast("User", request.user), clock.now()
    row = _found(uuid, person, at=at)
    services.read(person=person, messages=[row.uuid], at=at)
    return redirect(page_about(row.notice, person, at=at) or "portal:inbox")


def _found(uuid: UUID, person: "User", *, at: datetime) -> Message:
    """Another's answers as if there were none, audited."""
    return seen_or_404(listed(person), Message.objects.all(), person, at=at, uuid=uuid)


@require_POST
@login_required
def reading(request: HttpRequest) -> HttpResponse:
    """Mark all of them as read."""
    count = services.read(person=cast("User", request.user), at=clock.now())
    told = ngettext("%(count)s notice marked as read.", "%(count)s notices marked as read.", count)
    flashes.success(request, told % {"count": count})
    return redirect("portal:inbox")


@require_http_methods(["GET", "POST"])
@login_required
@resumes
def preferences(request: HttpRequest) -> HttpResponse:
    """How notices reach the reader: each by mail or not, at once or as a digest."""
    person, at = cast("User", request.user), clock.now()
    refused, hour = None, ""
    ways: dict[str, str] = {}
    if request.method == "POST":
        hour = request.POST.get("digest_hour", "")
        ways = {str(kind): request.POST[kind] for kind in KINDS if request.POST.get(kind) in Way.values}
        refused = attempt(
            lambda: services.prefer(person=person, digest_hour=number_in(hour), ways=ways, at=at)
        )
        if refused is None:
            flashes.success(request, _("Your choices are kept."))
            return redirect("portal:inbox-preferences")
    chosen = services.preferences(person=person)
    rows = [
        (kind, [way for way in Way if way != Way.NOT or not KINDS[kind].must], ways.get(kind, way))
        for kind, way in chosen.ways.items()
    ]
    context = {
        "rows": rows,
        "hours": HOURS,
        "hour": number_in(hour) if refused else chosen.digest_hour,
        "refused": refused,
        "at": at,
    }
    status = refused.status if refused else 200
    return render(request, "portal/inbox/preferences.html", context, status=status)
