"""What every page of the portal promises, whichever view made it."""

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import is_valid_path
from django.utils import translation
from django.views.defaults import permission_denied

from govcloud.errors import DomainError
from govcloud.portal import deeds, resuming
from tenants.policies import RoleMissing

Respond = Callable[[HttpRequest], HttpResponse]

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing is loaded from elsewhere and nothing inline runs (Tabler draws its marks with ``data:`` images)."""

LAST_ACTION = "portal_last_action"
"""Session key: when (seconds since the epoch) a person, not a polling page, last asked for something."""

NOTED_EVERY = 30.0
"""Seconds in which it is noted once, since every note writes the session: so much earlier a session may end."""


def is_page(request: HttpRequest) -> bool:
    """Whether the portal answers this path; the API below ``/api/`` has rules of its own."""
    return not request.path.startswith("/api/")


class ContentSecurityPolicyMiddleware:
    """Sends the strict policy with every page that does not bring one of its own."""

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if is_page(request):
            response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        return response


class DefaultLanguageMiddleware:
    """Pages are in the default language until somebody switches, whatever language the browser says it prefers.

    After Django's LocaleMiddleware, which it corrects: the browsers of an office are often installed in English.
    """

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if is_page(request) and settings.LANGUAGE_COOKIE_NAME not in request.COOKIES:
            translation.activate(settings.LANGUAGE_CODE)
            request.LANGUAGE_CODE = settings.LANGUAGE_CODE
        return self.get_response(request)


class PageOfDeedMiddleware:
    """Leads from an address that takes forms alone to the page that the form is on, the nearest above it.

    A form that is refused is answered with its page, at its own address. From there the switch of the language, links that change
    the query alone, a page that polls and a reload would ask for what is no page.
    """

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        refused = response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
        if not refused or request.method not in {"GET", "HEAD"} or not is_page(request):
            return response
        query = request.META.get("QUERY_STRING", "")
        return redirect(f"{_address_above(request.path)}{'?' if query else ''}{query}")


def _address_above(path: str) -> str:
    """The nearest that there is."""
    while path != "/":
        path = path.rstrip("/").rpartition("/")[0] + "/"
        if is_valid_path(path):
            break
    return path


class RefusalMiddleware:
    """Tells on a page what the domain refused and no view expected, such as a file that its disk has lost.

    A view that knows the page which the refusal belongs on tells it there (``deeds``).
    """

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, refusal: Exception) -> HttpResponse | None:
        if not isinstance(refusal, DomainError) or not is_page(request):
            return None
        if isinstance(refusal, RoleMissing):
            return permission_denied(request, refusal)
        status = deeds.status_of(refusal)
        context = {"detail": refusal.detail, "status": status}
        return render(request, "portal/refusal.html", context, status=status)


class IdleSignOutMiddleware:
    """Ends a session that nobody has used for as long as a session may idle.

    An open page that polls does not use it. Calls of the API that a session is used for do, and end it when they come too
    late. What is sent too late from a form is not lost (``resuming``).
    """

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            self._watch(request)
        if is_page(request) and not request.user.is_authenticated and _polls(request):
            return HttpResponse(
                status=204, headers={"HX-Refresh": "true"}
            )  # the page asks anew, and signs in
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: resuming.View, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> HttpResponse | None:
        return resuming.instead_of(request, view, args, kwargs)

    def _watch(self, request: HttpRequest) -> None:
        now = time.time()
        idle = now - request.session.get(LAST_ACTION, now)
        if idle > settings.SESSION_COOKIE_AGE:
            logout(request)
            return
        if LAST_ACTION not in request.session or (idle >= NOTED_EVERY and not _polls(request)):
            use(request)
        resuming.tidy(request)


def use(request: HttpRequest) -> None:
    """Somebody is here: the session lasts from now, its cookie and its row are renewed."""
    request.session[LAST_ACTION] = time.time()


def seconds_left(request: HttpRequest) -> int:
    """Until the session ends, if nobody uses it; 0 for none."""
    if not request.user.is_authenticated:
        return 0
    idle = time.time() - request.session.get(LAST_ACTION, time.time())
    return max(0, int(settings.SESSION_COOKIE_AGE - idle))


def _polls(request: HttpRequest) -> bool:
    """Whether a page asks by itself, without anybody having done anything."""
    return "HX-Request" in request.headers
