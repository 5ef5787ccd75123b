"""What an order is decided by: what it takes, what the tree of units leaves, and what has come up since it was submitted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from govcloud.errors import DomainError
from govcloud.orders import granting, services, stored
from govcloud.orders.lifecycle import EDITABLE, Status
from govcloud.orders.models import Order
from govcloud.orders.services import LimitEffect
from govcloud.orders.submission import errors_in
from govcloud.quotas.services import QuotaEffect
from govcloud.quotas.temporary import TimeIsOver


@dataclass(frozen=True, slots=True)
class Grounds:
    """All of it as things stand, and empty of an order that is decided.

    ``bar`` is why it cannot be approved any more, at no stage. ``objections`` are what it would be refused for if it were submitted
    now, each with the pointer of its item. Some need not be minded, such as a flavor that was retired meanwhile; for others the
    last approval is refused, such as a network that others have filled. There are none beside a bar.
    """

    bar: TimeIsOver | None = None
    effect: Sequence[QuotaEffect] = ()
    limits: Sequence[LimitEffect] = ()
    objections: Sequence[DomainError] = ()


def grounds_of(*, order: Order, at: datetime) -> Grounds:
    """With the order's items read once."""
    if order.status not in EDITABLE | {Status.IN_APPROVAL}:
        return Grounds()
    items = stored.items_of(order)
    lines = stored.lines_of(items)
    bar = granting.too_late(order, at=at) if order.status == Status.IN_APPROVAL else None
    return Grounds(
        bar=bar,
        effect=services.effect_now(order, lines),
        limits=services.limits_of(order, lines),
        objections=errors_in(order, items, lines, at=at) if bar is None else (),
    )
