"""What an order's page shows of its confirmation, and which of its forms the reader has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from govcloud.approvals.confirmation import LONGEST
from govcloud.approvals.models import Confirmation
from govcloud.approvals.services import PlannedStage
from govcloud.orders.confirming import CONFIRMERS, REMEDIERS
from govcloud.orders.lifecycle import EDITABLE, OPEN, Status
from govcloud.orders.models import Order
from govcloud.portal.order.items import Line
from tenants.models import User
from tenants.policies import scope_of


@dataclass(frozen=True, slots=True)
class Shown:
    """``rounds`` are what was asked so far, oldest first; ``expected`` says whether the department will be asked; ``most`` the
    characters of a remark.
    """

    rounds: Sequence[Confirmation] = ()
    expected: bool = False
    answers: bool = False
    mends: bool = False
    most: int = LONGEST

    def has_form_of(self, typed: Mapping[str, str]) -> bool:
        """Whether the form in which that was typed is still on the page."""
        return (self.answers and "remark" in typed) or (self.mends and "remedy" in typed)

    @property
    def last(self) -> Confirmation | None:
        return self.rounds[-1] if self.rounds else None


COMES_TO_IT = EDITABLE | OPEN
"""Where an order can still be delivered."""


def shown(
    order: Order, lines: Sequence[Line], actor: User, *, planned: Sequence[PlannedStage] = (), at: datetime
) -> Shown:
    """One query for an order that is fulfilled, none for others. ``planned`` are the stages of a draft, which has no case yet."""
    if order.status in COMES_TO_IT:
        days = order.case.flow.confirmation_days if order.case else _days(planned)
        return Shown(expected=days is not None and any(line.looked_at for line in lines))
    if order.case is None or order.status != Status.FULFILLED:
        return Shown()
    rounds = list(order.case.confirmations.with_people())
    last, scope, department = rounds[-1] if rounds else None, scope_of(actor, at=at), order.system.department
    return Shown(
        rounds=rounds,
        answers=last is not None and last.owed and scope.holds_any(CONFIRMERS, department=department),
        mends=last is not None and last.disputed and scope.holds_any(REMEDIERS, department=department),
    )


def _days(planned: Sequence[PlannedStage]) -> int | None:
    return next((stage.confirmation_days for stage in planned), None)
