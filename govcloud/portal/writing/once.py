"""A form that is sent twice, by a double click or a reload, makes one order."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from api.models import IdempotencyRecord
from govcloud.audit.refusals import kept
from govcloud.orders.models import Order
from tenants.models import User

KEPT = timedelta(hours=24)  # as of the API's own keys


def once(*, key: UUID, make: Callable[[], Order | None], actor: User, at: datetime) -> str | None:
    """The number of the order that was made, now or when this form was first sent; None if none was.

    ``key`` stood in the form. Whoever comes second waits for the first.
    """
    name = f"portal:{key}"
    with kept(), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"idempotency:{actor.pk}:{name}"]
            )
        IdempotencyRecord.objects.filter(user=actor, expires_at__lte=at).delete()
        record = IdempotencyRecord.objects.filter(user=actor, key=name).first()
        if record is not None:
            return record.body
        order = make()
        if order is None:
            return None
        IdempotencyRecord.objects.create(
            user=actor, key=name, status=302, body=order.number, created_at=at, expires_at=at + KEPT
        )
        return order.number
