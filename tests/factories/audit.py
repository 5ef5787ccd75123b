"""Seals for tests that need them now."""

from datetime import datetime
from unittest import mock

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
