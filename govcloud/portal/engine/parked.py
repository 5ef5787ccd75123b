"""The operations that wait for an administrator, with what the cloud said: for those who may see the departments' work."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Coalesce

from govcloud.orders.models import Order
from govcloud.portal.operation.rows import what
from govcloud.provisioning.lifecycle import OperationStatus, StepState
from govcloud.provisioning.models import Operation, Step
from tenants.models import User

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Waiting:
    """An operation and its parked steps; ``order`` is the number of the order it belongs to, if the order can be opened."""

    operation: Operation
    what: str
    order: str
    steps: list[Step]
    since: datetime


def operations(actor: User, *, at: datetime) -> list[Waiting]:
    """Those that wait longest first; none for who sees no department's orders. Two queries."""
    steps = Step.objects.filter(state=StepState.PARKED).order_by("position")
    numbers = Order.objects.filter(uuid=OuterRef("thread")).values("number")[:1]
    rows: QuerySet[Any] = (
        Operation.objects.visible_to(actor, at=at)
        .filter(status=OperationStatus.PARKED, taken_up_at=None)
        .select_related("cloud", "system")
        .prefetch_related(Prefetch("steps", steps, to_attr="parked_steps"))
        .annotate(since=Coalesce("parked_at", "created_at"), order_number=Subquery(numbers))
        .order_by("since", "pk")[:SHOWN]
    )
    return [Waiting(row, what(row), row.order_number or "", row.parked_steps, row.since) for row in rows]
