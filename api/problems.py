"""Refusals as problem details (RFC 9457). This module alone turns errors into HTTP.

``type`` is ``/api/v1/problems/<code>``, the same on every installation, and leads to a page that explains the code.
``errors`` has one entry per field or rule: a JSON pointer (RFC 6901) into the body that was sent, a code and a text.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from django.core.exceptions import DisallowedHost, PermissionDenied, RequestDataTooBig
from django.core.serializers.json import DjangoJSONEncoder
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views import defaults
from rest_framework import exceptions

from govcloud.audit import watching
from govcloud.audit.services import request_id
from govcloud.errors import Absent, Conflict, DomainError, Forbidden, Invalid, Invalids, Unavailable

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
API_ROOT = "/api/"
DOCUMENTATION_ROOT = "/api/v1/problems/"  # where each code has its page: what the type of a problem points to


class HttpProblem(DomainError):
    """A refusal of the interface itself, before any rule of the domain was asked."""

    status: ClassVar[int] = 400


class Malformed(HttpProblem):
    code = "malformed"
    message = _("The body cannot be read: %(reason)s")


class HostNotAllowed(HttpProblem):
    code = "host-not-allowed"
    message = _("This service does not go by the name that the request gives as its Host.")


class BadParameter(HttpProblem):
    """A query parameter that is unknown, or has a value it cannot have."""

    code = "bad-parameter"
    message = _("The query parameter “%(parameter)s” cannot be used: %(reason)s")


class Unauthenticated(HttpProblem):
    status = 401
    code = "unauthenticated"
    message = _("Sign in first: send a token as “Authorization: Bearer …”. (%(reason)s)")


class MethodNotAllowed(HttpProblem):
    status = 405
    code = "method-not-allowed"
    message = _("%(method)s is not possible here.")


class NotAcceptable(HttpProblem):
    status = 406
    code = "not-acceptable"
    message = _("This cannot be answered in the format asked for.")


class BodyTooLarge(HttpProblem):
    status = 413
    code = "body-too-large"
    message = _("The body is larger than this service reads.")


class UnsupportedMediaType(HttpProblem):
    status = 415
    code = "unsupported-media-type"
    message = _(
        "Send JSON (Content-Type: application/json), or a file as multipart/form-data where one is asked for."
    )


class TooManyRequests(HttpProblem):
    status = 429
    code = "too-many-requests"
    message = _("Too many attempts. Try again in %(seconds)s seconds.")


class InternalError(HttpProblem):
    status = 500
    code = "internal-error"
    message = _(
        "Something went wrong on our side; nothing was changed. Give the request id to the service desk."
    )


class DatabaseBusy(Unavailable):
    code = "database-busy"
    message = _("The database could not finish this just now; nothing was changed. Try again.")


class NotHere(Absent):
    code = "not-found"
    message = _("There is no such thing here, or you may not see it.")


class NotAllowed(Forbidden):
    code = "forbidden"
    message = _("You may not do this.")


class BodyInvalid(Invalid):
    """The body could be read but fields of it cannot be taken; each is named in ``errors``."""

    code = "invalid"
    message = _("Some fields cannot be taken as they are.")

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        super().__init__(pointers=tuple(entry["pointer"] for entry in entries))
        self.entries = entries


KINDS: Mapping[type[DomainError], tuple[int, str | Promise]] = {
    Invalid: (422, _("This breaks a rule")),
    Forbidden: (403, _("Not allowed")),
    Absent: (404, _("Not found")),
    Conflict: (409, _("Not in the present state")),
    Unavailable: (503, _("Not available just now")),
    HttpProblem: (400, _("The request cannot be handled")),
}


def status_of(error: DomainError | type[DomainError]) -> int:
    """The HTTP status of a refusal: its own where it names one, else that of its kind."""
    own: int | None = getattr(error, "status", None)
    return own if own is not None else _kind(error)[0]


def title_of(error: DomainError | type[DomainError]) -> str:
    return str(_kind(error)[1])


def _kind(error: DomainError | type[DomainError]) -> tuple[int, str | Promise]:
    raised = error if isinstance(error, type) else type(error)
    return next(
        (found for kind, found in KINDS.items() if issubclass(raised, kind)),
        (400, pgettext_lazy("request", "Refused")),
    )


def problem(error: DomainError, *, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """The refusal as an answer."""
    watching.note(code=error.code)
    status = status_of(error)
    body: dict[str, Any] = {
        "type": f"{DOCUMENTATION_ROOT}{error.code}",
        "title": title_of(error),
        "status": status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id.get(),
    }
    if error.params:
        body["params"] = {name: _shown(value) for name, value in error.params.items()}
    errors = list(_entries(error))
    if errors:
        body["errors"] = errors
    # A lone surrogate that is echoed becomes the JSON escape that it was sent as.
    content = json.dumps(body, cls=DjangoJSONEncoder, ensure_ascii=False).encode(errors="backslashreplace")
    response = HttpResponse(content, status=status, content_type=MEDIA_TYPE)
    response["Cache-Control"] = "no-store"
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def _shown(value: Any) -> Any:
    """As JSON has it; whatever JSON has not is told as text, in the language active now."""
    if isinstance(value, Mapping):
        return {str(name): _shown(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown(each) for each in value]
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)


def _entries(error: DomainError) -> Iterator[dict[str, Any]]:
    if isinstance(error, BodyInvalid):
        yield from error.entries
    elif isinstance(error, Invalids):
        for each in error.errors:
            yield from _entries(each)
            if not each.pointers:
                yield {"pointer": "", "code": each.code, "detail": each.detail}
    else:
        for pointer in error.pointers:
            yield {"pointer": pointer, "code": error.code, "detail": error.detail}


def handle(exc: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """REST framework's exception handler. None lets what nobody expected become a logged 500."""
    if isinstance(exc, exceptions.MethodNotAllowed):
        return problem(MethodNotAllowed(method=context["request"].method))
    error = as_domain_error(exc)
    if error is None:
        return None
    headers: dict[str, str] = {}
    if getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = exc.auth_header  # type: ignore[attr-defined]
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(error.params["seconds"])
    if isinstance(error, Unavailable):
        headers["Retry-After"] = "5"
    return problem(error, headers=headers)


def as_domain_error(exc: Exception) -> DomainError | None:
    """The refusal that an exception of Django or REST framework amounts to; None for what nobody expected."""
    if isinstance(exc, DomainError):
        return exc
    if isinstance(exc, OperationalError):
        logger.warning("database error answered as 503", exc_info=exc)
    return next((translate(exc) for kind, translate in TRANSLATIONS if isinstance(exc, kind)), None)


TRANSLATIONS: Sequence[tuple[type[Exception], Callable[[Any], DomainError]]] = (
    (exceptions.ValidationError, lambda exc: BodyInvalid(list(field_errors(exc.detail)))),
    (exceptions.ParseError, lambda exc: Malformed(reason=exc.detail)),
    (exceptions.NotAuthenticated, lambda exc: Unauthenticated(reason=exc.detail)),
    (exceptions.AuthenticationFailed, lambda exc: Unauthenticated(reason=exc.detail)),
    (exceptions.PermissionDenied, lambda _exc: NotAllowed()),
    (exceptions.NotFound, lambda _exc: NotHere()),
    (exceptions.NotAcceptable, lambda _exc: NotAcceptable()),
    (exceptions.UnsupportedMediaType, lambda _exc: UnsupportedMediaType()),
    (exceptions.Throttled, lambda exc: TooManyRequests(seconds=int(exc.wait or 0) + 1)),
    (Http404, lambda _exc: NotHere()),
    (PermissionDenied, lambda _exc: NotAllowed()),
    (DisallowedHost, lambda _exc: HostNotAllowed()),
    (RequestDataTooBig, lambda _exc: BodyTooLarge()),
    (OperationalError, lambda _exc: DatabaseBusy()),
)


def field_errors(detail: Any, pointer: str = "") -> Iterator[dict[str, Any]]:
    """REST framework's nested error detail as a flat list of pointer, code and text."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            below = pointer if name == "non_field_errors" else f"{pointer}/{_escaped(str(name))}"
            yield from field_errors(inner, below)
    elif isinstance(detail, list):
        for position, inner in enumerate(detail):
            yield from field_errors(
                inner, f"{pointer}/{position}" if isinstance(inner, (Mapping, list)) else pointer
            )
    else:
        code = str(getattr(detail, "code", "invalid")).replace("_", "-")
        yield {"pointer": pointer, "code": code, "detail": str(detail)}


def _escaped(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400: what Django itself refuses (host, size) as a problem below ``/api/``, as a page elsewhere."""
    if request.path.startswith(API_ROOT):
        return problem(as_domain_error(exception) or Malformed(reason=type(exception).__name__))
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403"""
    if request.path.startswith(API_ROOT):
        return problem(NotAllowed())
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404"""
    if request.path.startswith(API_ROOT):
        return problem(NotHere())
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: the exception has been logged with its request id, which the answer carries as well.

    It is the one that is being handled; of the database alone it is known that trying again may help (503).
    """
    cause = sys.exc_info()[1]
    error = as_domain_error(cause) if isinstance(cause, OperationalError) else None
    if request.path.startswith(API_ROOT):
        return problem(error or InternalError())
    status = 500 if error is None else 503
    return HttpResponse(render_to_string("500.html", {"status": status}), status=status)
