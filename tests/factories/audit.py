"""Seals for tests that need them now."""

import time
from datetime import datetime

from govcloud.audit import sealing
from govcloud.audit.models import Event, Seal


def seal_all(at: datetime) -> Seal:
    """Seal every event; the last seal.

    A transaction of another test's database may be in the way, for as long as that test takes: that of all routes takes a minute.
    """
    for _try in range(3600):
        while sealing.seal(at=at) is not None:
            continue
        if not Event.objects.filter(sealed=None).exists():
            return Seal.objects.latest("number")
        time.sleep(0.05)
    raise AssertionError("events stay without a seal")
