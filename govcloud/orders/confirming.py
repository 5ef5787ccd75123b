"""Confirmation of what an order delivered, by its department; the remedy of what is not as approved, by the centre."""

from datetime import datetime

from django.db import transaction

from govcloud.approvals import confirmation
from govcloud.approvals.confirmation import NothingToConfirm, NothingToRemedy
from govcloud.approvals.models import Answer
from govcloud.orders import notices
from govcloud.orders.models import Order
from govcloud.orders.submission import locked
from tenants.models import Role, User
from tenants.policies import require

CONFIRMERS = (Role.APPLICANT,)
REMEDIERS = (Role.CLOUD_ADMIN,)


def answer(*, order: Order, verdict: Answer, remark: str, actor: User, at: datetime) -> Order:
    """Confirm what was delivered, or report what is not as it was approved: the cloud administrators hear of it.

    Raises RoleMissing for anybody but an applicant of the department, NothingToConfirm, RemarkMissing, RemarkTooLong.
    """
    with transaction.atomic():
        order = locked(order)
        require(actor, *CONFIRMERS, at=at, department=order.system.department)
        if order.case is None:
            raise NothingToConfirm(why=confirmation.WHY[None])
        given = confirmation.answer(case=order.case, verdict=verdict, remark=remark, actor=actor, at=at)
        if given.disputed:
            notices.disputed(order, given, at=at)
    return order


def remedy(*, order: Order, remedy: str, actor: User, at: datetime) -> Order:
    """What was reported is mended; the department is asked again. Raises RoleMissing for anybody but a cloud administrator,
    NothingToRemedy, RemarkMissing, RemarkTooLong.
    """
    with transaction.atomic():
        order = locked(order)
        require(actor, *REMEDIERS, at=at, department=order.system.department)
        if order.case is None:
            raise NothingToRemedy
        reported, asked = confirmation.remedied(case=order.case, remedy=remedy, actor=actor, at=at)
        notices.remedied(order, reported, asked, at=at)
    return order
