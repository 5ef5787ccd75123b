"""Orders whose current step everybody signs, and somebody who had not signed yet signs no more: they go on without them."""

from datetime import datetime

from django.db import transaction

from govcloud.approvals import services as approvals
from govcloud.approvals import surplus
from govcloud.audit.services import SystemActor
from govcloud.orders.following import follow
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order
from govcloud.orders.submission import locked

GOING_ON = SystemActor("signatures")


def waiting(*, at: datetime) -> list[Order]:
    """Those that wait for nobody."""
    return list(Order.objects.filter(status=Status.IN_APPROVAL, case__in=surplus.cases(at=at)).order_by("pk"))


@transaction.atomic
def go_on(order: Order, *, at: datetime) -> Order:
    """The order is locked before its case, as by who decides. Raises what ``follow`` does: then nothing has changed."""
    order = locked(order)
    if order.status == Status.IN_APPROVAL and order.case is not None:
        case = approvals.go_on_without(case=order.case, actor=GOING_ON, at=at)
        follow(order, case, reason="", actor=GOING_ON, at=at)
    return order
