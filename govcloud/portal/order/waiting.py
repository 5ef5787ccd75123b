"""Why parts of an order wait: for a place, or for a maintenance to end."""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from govcloud.clouds.models import Maintenance, Running
from govcloud.orders import placing
from govcloud.orders.models import Placement
from govcloud.periods import wall_clock
from govcloud.portal.templatetags.portal import named


def flags(*, at: datetime) -> dict[str, Any]:
    """What tells on an order's row whether there is a reason to read."""
    return {
        "waits": Exists(Placement.objects.waiting().filter(order=OuterRef("pk"))),
        "pauses": Exists(_pauses(OuterRef("uuid"), at=at)),
    }


def reasons(order: Any, *, at: datetime) -> list[str]:
    """In plain words; empty while everything goes on. Needs ``flags``."""
    waiting = [shown.why for shown in placing.waiting(order)] if order.waits else []
    paused = _pauses(order.uuid, at=at).select_related("cloud").distinct() if order.pauses else ()
    return waiting + [_told(row) for row in paused]


def _pauses(thread: Any, *, at: datetime) -> QuerySet[Maintenance]:
    """Of clouds on which something is under way for an order."""
    return Maintenance.objects.in_force(at=at).filter(
        running=Running.PAUSE, cloud__operations__thread=thread, cloud__operations__finished_at=None
    )


def _told(row: Maintenance) -> str:
    return _(
        "Building pauses: %(cloud)s is under maintenance until %(until)s (%(reason)s). It goes on by itself afterwards."
    ) % {"cloud": named(row.cloud), "until": wall_clock(row.ends_at), "reason": row.reason}
