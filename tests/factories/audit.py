"""Seals for tests that need them now, and hands that break the trail."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from unittest import mock

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from govcloud.audit import sealing
from govcloud.audit.models import Event, Seal


def seal_all(at: datetime) -> Seal:
    """Seal every event; the last seal.

    In the test's own database nothing else is going on. Those of other tests are on the same server, and what runs there is not
    waited for (that of all routes takes a minute): all that has ended may be sealed.
    """
    with mock.patch.object(sealing, "OldestRunning", sealing.FirstUnseen):
        while sealing.seal(at=at) is not None:
            continue
    assert not Event.objects.filter(sealed=None).exists()
    return Seal.objects.latest("number")


@contextmanager
def tampering() -> Iterator[CursorWrapper]:
    """A superuser with triggers and foreign keys switched off, for this transaction: a trigger that is disabled stays so
    for all tests that follow.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield cursor
