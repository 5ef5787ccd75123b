"""Why parts of an order wait: for a place, or for a maintenance to end."""

from datetime import datetime

from django.utils.translation import gettext as _

from govcloud.clouds.models import Maintenance, Running
from govcloud.orders import placing
from govcloud.orders.models import Order
from govcloud.portal.templatetags.portal import named


def reasons(order: Order, *, at: datetime) -> list[str]:
    """In plain words; empty while everything goes on."""
    waiting = [shown.why for shown in placing.waiting(order)]
    paused = Maintenance.objects.in_force(at=at).filter(
        running=Running.PAUSE,
        cloud__operations__thread=order.uuid,
        cloud__operations__finished_at=None,
    )
    return waiting + [_paused(row) for row in paused.select_related("cloud").distinct()]


def _paused(row: Maintenance) -> str:
    return _(
        "Building pauses: %(cloud)s is under maintenance until %(until)s (%(reason)s). It goes on by itself afterwards."
    ) % {"cloud": named(row.cloud), "until": placing.local(row.ends_at), "reason": row.reason}
