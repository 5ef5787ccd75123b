"""What the applicant is told once an order has ended."""

from collections.abc import Mapping
from datetime import datetime

from govcloud.notifications import services as notifications
from govcloud.notifications.kinds import Kind
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order

ENDS: Mapping[str, Kind] = {
    Status.FULFILLED: Kind.ORDER_FULFILLED,
    Status.CANCELLED: Kind.ORDER_CANCELLED,
}


def ended(order: Order, *, at: datetime) -> None:
    notifications.post(
        kind=ENDS[order.status], subject=order, facts={"label": f"{order.number} {order.title}"},
        people=[order.applicant_id], department=order.system.department, thread=order.uuid, at=at,
    )  # fmt: skip
