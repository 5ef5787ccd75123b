"""From an approved order for quota to the department's limits: in the transaction that approves it, nothing is to be built."""

from datetime import datetime

from django.db.models import OuterRef, QuerySet, Subquery

from govcloud.audit import services as audit
from govcloud.lifecycle import transition
from govcloud.orders import notices
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import LimitSpec, Order
from govcloud.quotas import services as quotas
from govcloud.quotas import temporary
from govcloud.quotas.models import Dimension
from govcloud.quotas.services import Wanted


def grant(order: Order, *, actor: audit.Actor, at: datetime) -> None:
    """Set the limits that the order asks for; it is fulfilled by that, and the applicant is told what is in force.

    Raises what ``quotas.grant`` raises when the tree does not leave it any more: the approval is not taken then, and the
    order can be returned.
    """
    specs = list(LimitSpec.objects.filter(item__order=order).order_by("item__position"))
    department = order.system.department
    quotas.grant(
        department=department,
        wanted=[
            Wanted(Dimension(spec.dimension), spec.limit, spec.limit_before, spec.lasting_before, spec.until)
            for spec in specs
        ],
        order=order.uuid,
        number=order.number,
        actor=actor,
        at=at,
    )
    transition(order, Status.FULFILLED, actor=actor, at=at, thread=order.uuid, finished_at=at)
    notices.granted(order, specs, at=at)


def with_last_day_noted(rows: QuerySet[Order]) -> QuerySet[Order]:
    """Adds ``last_day``, the first after which something of an order is asked for no more; null where nothing is for a time."""
    days = LimitSpec.objects.filter(item__order=OuterRef("pk"), until__isnull=False)
    return rows.annotate(last_day=Subquery(days.order_by("until").values("until")[:1]))


def too_late(order: Order, *, at: datetime) -> temporary.TimeIsOver | None:
    """Why limits that were asked for until a day which is over by ``at`` cannot be granted any more; no query for an order that was
    read ``with_last_day_noted``.
    """
    if "last_day" not in vars(order):
        order = with_last_day_noted(Order.objects.filter(pk=order.pk)).get()
    first = vars(order)["last_day"]
    return temporary.TimeIsOver(until=first) if first is not None and temporary.over_at(first) <= at else None
