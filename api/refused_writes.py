"""Writes that are refused leave an event, in the API and in the portal alike: who, what, and the code of the error."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch

from govcloud import clock
from govcloud.audit import refusals, watching
from govcloud.audit.watching import Watched
from govcloud.errors import DomainError
from tenants.models import User

WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
REFUSED: Mapping[int, str] = {
    403: "forbidden",
    404: "not-found",
    409: "conflict",
    412: "precondition-failed",
    422: "invalid",
}
"""The statuses of writes that were understood and not done, with the code where no error has told its own."""
PARAMETER = re.compile(r"<(?:[^<>:]+:)?([^<>:]+)>")


class RefusedWritesMiddleware:
    """The innermost: what is turned away before its view (no session, a forged form) is no write of anybody's.

    The event is written when the request's own transaction is over. An event that cannot be written fails the request.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method not in WRITING:
            return self.get_response(request)
        with watching.watched() as watch:
            response = self.get_response(request)
        refused = response.status_code in REFUSED or watch.undone
        if refused and watch.begun and not watch.told and not watch.only_looks:
            _tell(request, watch, otherwise=REFUSED.get(response.status_code, ""))
        return response

    def process_view(self, _request: HttpRequest, *_view: Any) -> None:
        watching.note(begun=True)

    def process_exception(self, _request: HttpRequest, exception: Exception) -> None:
        """What no view expected; the page that tells of it is made elsewhere."""
        named = exception.__cause__ if isinstance(exception, PermissionDenied) else exception
        if isinstance(named, DomainError):
            watching.note(code=named.code)


def _tell(request: HttpRequest, watch: Watched, *, otherwise: str) -> None:
    actor = watch.actor or request.user
    if not isinstance(actor, User) or request.resolver_match is None:
        return
    named = list(request.resolver_match.kwargs.values())
    subject = next((watch.found[name] for name in reversed(named) if name in watch.found), None)
    refusals.refuse_by_the_minute(
        actor=actor,
        verb="request.refused",
        subject=subject,
        at=clock.now(),
        label=f"{request.method} /{_address(request.resolver_match)}",
        reason=watch.code or otherwise,
    )


def _address(match: ResolverMatch) -> str:
    """The route with the public ids that stood in its place, and nothing else that anybody can have typed."""

    def shown(parameter: re.Match[str]) -> str:
        value = match.kwargs.get(parameter[1])
        return str(value) if isinstance(value, UUID) else f"{{{parameter[1]}}}"

    return PARAMETER.sub(shown, match.route)
