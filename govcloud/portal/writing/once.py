"""A form that is sent twice, by a double click or a reload, makes one order; changed in between, it is another one."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction
from django.http import QueryDict

from api.models import IdempotencyRecord
from govcloud.audit.refusals import kept
from govcloud.orders.models import Order
from govcloud.portal.resuming import OF_EVERY_FORM
from tenants.models import User

KEPT = timedelta(hours=24)  # as of the API's own keys


class MadeBefore(Exception):
    """The form has made the order ``number`` already, from something else."""

    def __init__(self, number: str) -> None:
        super().__init__(number)
        self.number = number


def once(
    *, key: UUID, sent: QueryDict, make: Callable[[], Order | None], actor: User, at: datetime
) -> str | None:
    """The number of the order that was made, now or when this form was first sent; None if none was.

    ``key`` stood in the form, ``sent`` is all of it. Whoever comes second waits for the first. Raises MadeBefore.
    """
    fingerprint = _fingerprint_of(sent)
    name = f"portal:{key}"
    with kept(), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"idempotency:{actor.pk}:{name}"]
            )
        IdempotencyRecord.objects.filter(user=actor, expires_at__lte=at).delete()
        record = IdempotencyRecord.objects.filter(user=actor, key=name).first()
        if record is not None and record.fingerprint != fingerprint:
            raise MadeBefore(record.body)
        if record is not None:
            return record.body
        order = make()
        if order is None:
            return None
        IdempotencyRecord.objects.create(
            user=actor,
            key=name,
            fingerprint=fingerprint,
            status=302,
            body=order.number,
            created_at=at,
            expires_at=at + KEPT,
        )
        return order.number


def _fingerprint_of(sent: QueryDict) -> str:
    """Without the token against forged requests, which is another one each time the page is shown, and whose page it was."""
    fields = sorted((name, values) for name, values in sent.lists() if name not in OF_EVERY_FORM)
    return hashlib.sha256(json.dumps(fields).encode()).hexdigest()
