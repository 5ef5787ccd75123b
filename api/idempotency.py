"""``Idempotency-Key`` on POST (draft-ietf-httpapi-idempotency-key-header).

The answer is recorded in the transaction of the effect, per person and key, and kept for 24 hours: the same key with
the same request is answered from the record, with another request it is refused (422), and while the first one is
still running it is refused as well (409). A request that was refused leaves no record; it can be sent again.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar

from django.db import connection
from django.http import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from api.models import IdempotencyRecord
from api.problems import HttpProblem
from govcloud.errors import Conflict, Invalid
from tenants.models import User

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
KEPT_HEADERS = ("Location", "ETag")


class IdempotencyKeyMalformed(HttpProblem):
    status: ClassVar[int] = 400
    code = "idempotency-key-malformed"
    message = _("An Idempotency-Key has 1 to 255 printable ASCII characters.")


class IdempotencyKeyReused(Invalid):
    code = "idempotency-key-reused"
    message = _("This Idempotency-Key was used for another request. Use a new one for a new request.")


class IdempotencyKeyInUse(Conflict):
    code = "idempotency-key-in-use"
    message = _("The first request with this Idempotency-Key is still running. Ask again in a moment.")


def key_of(request: Request) -> str | None:
    """The key, bare or quoted as a structured-field string; None if the request has none."""
    given = request.headers.get(HEADER)
    if given is None:
        return None
    key = given.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
        raise IdempotencyKeyMalformed
    return key


def once(
    request: Request,
    handler: Callable[..., HttpResponseBase],
    *args: Any,
    at: datetime,
    **kwargs: Any,
) -> HttpResponseBase:
    """Call the handler, or answer from the record of an earlier call. Runs inside the request's transaction.

    Raises IdempotencyKeyMalformed, IdempotencyKeyReused or IdempotencyKeyInUse.
    """
    key = key_of(request)
    if key is None or not isinstance(request.user, User):
        return handler(request, *args, **kwargs)
    fingerprint = fingerprint_of(request)
    _reserve(request.user, key)
    IdempotencyRecord.objects.filter(user=request.user, expires_at__lte=at).delete()
    record = IdempotencyRecord.objects.filter(user=request.user, key=key).first()
    if record is not None:
        if record.fingerprint != fingerprint:
            raise IdempotencyKeyReused
        return _replayed(record)
    response = handler(request, *args, **kwargs)
    if isinstance(response, Response) and response.status_code < 300:
        _keep(request.user, key, fingerprint, response, at=at)
    return response


def fingerprint_of(request: Request) -> str:
    digest = sha256(f"{request.method} {request.get_full_path()}\n".encode())
    digest.update(request._request.body)  # noqa: SLF001  the bytes as sent, before any parser
    return digest.hexdigest()


def _reserve(user: User, key: str) -> None:
    """Hold the key until the transaction ends, without waiting for another that holds it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"idempotency:{user.pk}:{key}"]
        )
        (held,) = cursor.fetchone()
    if not held:
        raise IdempotencyKeyInUse


def _replayed(record: IdempotencyRecord) -> Response:
    data = json.loads(record.body) if record.body else None
    return Response(data, status=record.status, headers={**record.headers, "Idempotency-Replayed": "true"})


def _keep(user: User, key: str, fingerprint: str, response: Response, *, at: datetime) -> None:
    body = JSONRenderer().render(response.data).decode() if response.data is not None else ""
    IdempotencyRecord.objects.create(
        user=user,
        key=key,
        fingerprint=fingerprint,
        status=response.status_code,
        body=body,
        headers={name: response[name] for name in KEPT_HEADERS if name in response},
        created_at=at,
        expires_at=at + KEPT,
    )
