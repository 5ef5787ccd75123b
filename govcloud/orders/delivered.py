"""What follows a delivery: the department is asked to confirm it (``confirming`` takes the answer)."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from govcloud.approvals import confirmation
from govcloud.approvals.models import Confirmation
from govcloud.audit import services as audit
from govcloud.catalog.models import Kind
from govcloud.orders.models import Action, Order, Unit
from govcloud.orders.results import PLANNED, Outcome, Result

LOOKED_AT = frozenset({Action.CREATE, Action.CHANGE})
"""What can be other than it was approved; leases that are longer, and what is gone, leave nothing to look at."""


def looked_at(*, action: str, kind: str) -> bool:
    """Whether an item leaves the department something to look at once it is done; a limit of the quota has no unit, and is none."""
    return action in LOOKED_AT and kind != Kind.QUOTA


def ask(
    order: Order, told: Mapping[UUID, Result], *, actor: audit.Actor, at: datetime
) -> Confirmation | None:
    """Ask the department about what was built or changed; None where there is none of that, or the flow does not ask. ``told`` are the
    order's ``results``.
    """
    if order.case is None:
        return None
    units = Unit.objects.filter(item__order=order, item__action__in=LOOKED_AT).values_list("uuid", flat=True)
    if all(told.get(unit, PLANNED).outcome != Outcome.DONE for unit in units):
        return None
    return confirmation.ask(case=order.case, actor=actor, at=at)
