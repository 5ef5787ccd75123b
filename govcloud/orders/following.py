"""The order goes where its case went: into building, back to the applicant, or to its end."""

from datetime import datetime
from typing import Any

from govcloud.approvals import fulfilment as deadlines
from govcloud.approvals.lifecycle import Status as CaseStatus
from govcloud.approvals.models import Case
from govcloud.audit import services as audit
from govcloud.lifecycle import transition
from govcloud.orders import fulfilment
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order, Unit
from govcloud.quotas import services as quotas


def follow(order: Order, case: Case, *, reason: str, actor: audit.Actor, at: datetime) -> None:
    """In the transaction that moved the case; nothing while it is still being decided."""
    told: dict[str, Any] = {"actor": actor, "at": at, "reason": reason, "thread": order.uuid}
    match case.status:
        case CaseStatus.APPROVED:
            transition(order, Status.FULFILLING, **told)
            fulfilment.begin(order=order, actor=actor, at=at)
            if order.status == Status.FULFILLING:
                deadlines.begun(case=case, actor=actor, at=at)
        case CaseStatus.RETURNED:
            transition(order, Status.RETURNED, **told)
            let_go(order, at=at)
        case CaseStatus.REJECTED:
            transition(order, Status.REJECTED, finished_at=at, **told)
            let_go(order, at=at)


def let_go(order: Order, *, at: datetime) -> None:
    """Nothing was built: the units and their holds go; a next submission plans units of its own."""
    units = Unit.objects.filter(item__order=order)
    quotas.unhold_all(sources=list(units.values_list("uuid", flat=True)), at=at)
    units.filter(server__isnull=False).delete()
    units.delete()
