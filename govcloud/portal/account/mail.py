"""Where one's notices go by mail."""

from datetime import datetime
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from govcloud import clock
from govcloud.organisation import mail_addresses
from govcloud.portal import deeds
from govcloud.portal.deeds import Refused
from govcloud.portal.resuming import resumes
from tenants.access import mail_address
from tenants.models import User
from tenants.owners import LONGEST_MAIL


@never_cache
@require_http_methods(["GET", "POST"])
@login_required
@resumes
def mail_page(request: HttpRequest) -> HttpResponse:
    """The address in use, and a form for another one, to which a link is sent."""
    user, at = cast("User", request.user), clock.now()
    if request.method == "GET":
        return _page(request, user, at=at)
    address = request.POST.get("address", "").replace("\0", "").strip()[: LONGEST_MAIL + 1]
    refused = deeds.attempt(
        lambda: mail_addresses.ask(user=user, address=address, at=at), typed={"address": address}
    )
    if refused:
        return _page(request, user, at=at, refused=refused)
    messages.success(
        request, _("A link was sent to %(address)s: open it within a day.") % {"address": address}
    )
    return redirect("portal:mail")


@never_cache
@require_http_methods(["GET", "POST"])
@login_required
def confirmation(request: HttpRequest, link: str) -> HttpResponse:
    """Where the link leads: looked at first (mail scanners follow links), taken by the button."""
    user, at = cast("User", request.user), clock.now()
    told: list[str] = []
    deed = mail_address.take if request.method == "POST" else mail_address.asked_for
    refused = deeds.attempt(lambda: told.append(str(deed(user=user, link=link, at=at))))
    if refused:
        return _page(request, user, at=at, refused=refused)
    if request.method == "POST":
        messages.success(request, _("Notices come to this address from now on."))
        return redirect("portal:mail")
    return _page(request, user, at=at, link=link, asked_for=told[0])


@require_POST
@login_required
def removal(request: HttpRequest) -> HttpResponse:
    user, at = cast("User", request.user), clock.now()
    mail_address.give_up(user=user, at=at)
    messages.success(request, _("Nothing comes by mail any more."))
    return redirect("portal:mail")


def _page(
    request: HttpRequest,
    user: User,
    *,
    at: datetime,
    refused: Refused | None = None,
    link: str = "",
    asked_for: str = "",
) -> HttpResponse:
    context: dict[str, Any] = {
        "address": user.email,
        "domains": settings.MAIL_DOMAINS,
        "link": link,
        "asked_for": asked_for,
        "refused": refused,
        "most": LONGEST_MAIL,
        "at": at,
    }
    return render(request, "portal/account/mail.html", context, status=refused.status if refused else 200)
