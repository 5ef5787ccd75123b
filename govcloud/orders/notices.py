"""What the applicant is told once an order has ended."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from govcloud.notifications import services as notifications
from govcloud.notifications.kinds import Kind
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import LimitSpec, Order
from govcloud.quotas import notices as of_quota

ENDS: Mapping[str, Kind] = {
    Status.FULFILLED: Kind.ORDER_FULFILLED,
    Status.CANCELLED: Kind.ORDER_CANCELLED,
}


def ended(order: Order, *, at: datetime) -> None:
    actions = set(order.items.values_list("action", flat=True))
    action = actions.pop() if len(actions) == 1 else ""  # the words for several are without one
    _tell(ENDS[order.status], order, {"action": action}, at=at)


def granted(order: Order, limits: Sequence[LimitSpec], *, at: datetime) -> None:
    """Of an order for quota: nothing is built for it, and what it asked for is in force."""
    wanted = [of_quota.Limit(each.dimension, each.limit, each.until) for each in limits]
    facts = of_quota.of_limits(wanted, department=order.system.department)
    _tell(Kind.QUOTA_GRANTED, order, facts, at=at)


def _tell(kind: Kind, order: Order, facts: Mapping[str, Any], *, at: datetime) -> None:
    notifications.post(
        kind=kind, subject=order, facts={"label": f"{order.number} {order.title}", **facts},
        people=[order.applicant_id], department=order.system.department, thread=order.uuid, at=at,
    )  # fmt: skip
