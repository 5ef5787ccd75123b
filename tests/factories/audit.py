"""Seals for tests that need them now."""

from datetime import datetime
from unittest import mock

from django.db import models

from govcloud.audit import sealing
from govcloud.audit.models import Event, Seal


class NextToBegin(models.Func):
    """The first transaction that has not begun: below it are also those that run in the databases of other tests."""

    template = "pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    output_field = models.BigIntegerField()


def seal_all(at: datetime) -> Seal:
    """Seal every event; the last seal.

    In the test's own database nothing else is going on. Those of other tests are on the same server, and what runs there is not
    waited for: that of all routes takes a minute.
    """
    with mock.patch.object(sealing, "OldestRunning", NextToBegin):
        while sealing.seal(at=at) is not None:
            continue
    assert not Event.objects.filter(sealed=None).exists()
    return Seal.objects.latest("number")
