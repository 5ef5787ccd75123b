"""What every page of the portal promises, whichever view made it."""

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.utils import translation

Respond = Callable[[HttpRequest], HttpResponse]

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing is loaded from elsewhere and nothing inline runs (Tabler draws its marks with ``data:`` images)."""

LAST_ACTION = "portal_last_action"
"""Session key: when (seconds since the epoch) a person, not a polling page, last asked for something."""


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


class IdleSignOutMiddleware:
    """Ends a session that nobody has used for as long as a session may idle.

    An open page that polls renews the session's cookie, so the session's own age cannot tell. Calls of the API that a
    session is used for count as use, and end it when they come too late.
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

    def _watch(self, request: HttpRequest) -> None:
        now = time.time()
        if now - request.session.get(LAST_ACTION, now) > settings.SESSION_COOKIE_AGE:
            logout(request)
        elif not _polls(request) or LAST_ACTION not in request.session:
            request.session[LAST_ACTION] = now


def _polls(request: HttpRequest) -> bool:
    """Whether a page asks by itself, without anybody having done anything."""
    return "HX-Request" in request.headers
