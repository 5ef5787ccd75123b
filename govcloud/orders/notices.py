"""What the applicant is told once an order has ended."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from govcloud.approvals.models import Confirmation
from govcloud.notifications import services as notifications
from govcloud.notifications.kinds import TO_CONFIRM, Kind
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import LimitSpec, Order
from govcloud.quotas import notices as of_quota
from tenants.models import Role

ENDS: Mapping[str, Kind] = {
    Status.FULFILLED: Kind.ORDER_FULFILLED,
    Status.CANCELLED: Kind.ORDER_CANCELLED,
}


def ended(order: Order, asked: Confirmation | None, *, at: datetime) -> None:
    """``asked`` is the confirmation that is waited for now."""
    if asked is not None:
        facts = {"action": TO_CONFIRM, "due_at": asked.due_at}
        _tell(ENDS[order.status], order, facts, at=at)
        return
    actions = set(order.items.values_list("action", flat=True))
    action = actions.pop() if len(actions) == 1 else ""  # the words for several are without one
    _tell(ENDS[order.status], order, {"action": action}, at=at)


def granted(order: Order, limits: Sequence[LimitSpec], *, at: datetime) -> None:
    """Of an order for quota: nothing is built for it, and what it asked for is in force."""
    wanted = [of_quota.Limit(each.dimension, each.limit, each.until) for each in limits]
    facts = of_quota.of_limits(wanted, department=order.system.department)
    _tell(Kind.QUOTA_GRANTED, order, facts, at=at)


def disputed(order: Order, given: Confirmation, *, at: datetime) -> None:
    """The centre hears of what the department has reported."""
    facts = {
        "department": order.system.department.name, "department_en": order.system.department.name_en,
        "person": str(given.answered_by), "text": given.remark,
    }  # fmt: skip
    _tell(Kind.ORDER_DISPUTED, order, facts, people=(), roles=[Role.CLOUD_ADMIN], at=at)


def remedied(order: Order, reported: Confirmation, asked: Confirmation, *, at: datetime) -> None:
    """Who reported something, and whose order it is, hear that it is mended and looked at once more."""
    facts = {"text": reported.remedy, "due_at": asked.due_at}
    people = [pk for pk in {order.applicant_id, reported.answered_by_id} if pk is not None]
    _tell(Kind.ORDER_REMEDIED, order, facts, people=people, at=at)


def _tell(
    kind: Kind,
    order: Order,
    facts: Mapping[str, Any],
    *,
    people: Sequence[int] | None = None,
    roles: Sequence[Role] = (),
    at: datetime,
) -> None:
    """The applicant, where nobody else is named."""
    notifications.post(
        kind=kind, subject=order, facts={"label": f"{order.number} {order.title}", **facts},
        people=[order.applicant_id] if people is None else people, roles=roles,
        department=order.system.department, thread=order.uuid, at=at,
    )  # fmt: skip
