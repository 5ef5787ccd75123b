"""Who has something to do before anything else finds nothing but the page for it."""

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from govcloud import clock
from govcloud.portal.middleware import Respond, is_page
from tenants.access import entry, sessions
from tenants.models import User

OPEN = ("portal:sign-out", "portal:set-language", "portal:session")
PAGES = {
    entry.PasswordChangeNeeded: "portal:password",
    entry.SecondFactorMissing: "portal:second-factor",
    entry.SecondFactorUnconfirmed: "portal:second-factor",
}


class FirstThingsFirstMiddleware:
    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if is_page(request) and isinstance(request.user, User):
            page = _page_for(request, request.user, at=clock.now())
            if page and request.path not in {reverse(name) for name in (page, *OPEN)}:
                return redirect(page)
        return self.get_response(request)


def _page_for(request: HttpRequest, user: User, *, at: datetime) -> str:
    thing = entry.first_thing(user, at=at, at_provider=sessions.began_at_provider(request, user=user))
    return PAGES[type(thing)] if thing is not None else ""  # type: ignore[index]
