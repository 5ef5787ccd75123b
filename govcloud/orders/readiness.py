"""Before an order is submitted: what keeps it from being, and that what is submitted is what was read."""

from datetime import datetime

from django.db import transaction

from govcloud.audit.refusals import kept
from govcloud.errors import DomainError
from govcloud.orders import services, stored
from govcloud.orders.models import Order
from govcloud.orders.rules import check, standing
from govcloud.orders.submission import locked
from tenants.models import User


def obstacles(*, order: Order, at: datetime) -> list[DomainError]:
    """What ``submit`` would refuse the order for, as things stand; but for the quota, which ``effect`` tells."""
    items = stored.items_of(order)
    lines = stored.lines_of(items)
    offerings = {item.kind: item.offering for item in items if item.offering.retired_at is None}
    now = standing(system=order.system, lines=lines, order=order, offerings=offerings, at=at)
    return check(system=order.system, lines=list(enumerate(lines)), now=now)


def submit_as_read(*, order: Order, expected_version: int, actor: User, at: datetime) -> Order:
    """Submit the order if nobody has changed it since it was read.

    Raises what ``submit`` raises, and StaleVersion.
    """
    with kept(), transaction.atomic():
        version = locked(order).version
        if version != expected_version:
            raise services.StaleVersion(version=version)
        return services.submit(order=order, actor=actor, at=at)
