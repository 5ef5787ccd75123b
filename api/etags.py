"""Optimistic locking of what people edit: ``ETag`` on answers, ``If-Match`` demanded on edits (RFC 9110, RFC 6585).

Where content is not edited but acted on as a whole (an order is submitted), ``If-Match`` is honoured if it is sent.

The tag names the version of what can be edited (its ``version`` column). Answers are never cached, so the tag is for
``If-Match`` alone.
"""

from typing import ClassVar, Protocol

from django.utils.http import parse_etags
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from api.problems import HttpProblem


class Versioned(Protocol):
    @property
    def version(self) -> int: ...


class PreconditionRequired(HttpProblem):
    status: ClassVar[int] = 428
    code = "precondition-required"
    message = _("Say which version you are changing: send its ETag as If-Match.")


class PreconditionFailed(HttpProblem):
    status: ClassVar[int] = 412
    code = "precondition-failed"
    message = _("This has been changed since you read it. Read it again, then decide.")


def etag_of(obj: Versioned) -> str:
    return f'"{obj.version}"'


def expected_version(request: Request, obj: Versioned) -> int:
    """The version the caller has seen, to be passed on to the service, which checks it again under its lock.

    Raises PreconditionRequired without ``If-Match`` and PreconditionFailed when none of its tags is the present one.
    """
    given = request.headers.get("If-Match")
    if given is None:
        raise PreconditionRequired
    tags = parse_etags(given)
    if "*" not in tags and etag_of(obj) not in tags:
        raise PreconditionFailed
    return obj.version


def version_if_named(request: Request, obj: Versioned) -> int | None:
    """As ``expected_version``; None where the caller has named none. Raises PreconditionFailed."""
    return expected_version(request, obj) if "If-Match" in request.headers else None
