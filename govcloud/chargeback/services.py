"""Prices, the close of a month, and what departments say to their statements."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.timezone import get_default_timezone, localtime
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.catalog.models import Meter
from govcloud.chargeback import closing
from govcloud.chargeback.lifecycle import Status
from govcloud.chargeback.models import MonthClose, Price, Statement
from govcloud.chargeback.rating import rate_month
from govcloud.errors import Conflict, Invalid
from govcloud.lifecycle import transition
from govcloud.periods import Month
from tenants.models import Role, User
from tenants.policies import require


class NoPrice(Conflict):
    code = "no-price"
    message = _("No price is in force for %(meter)s at %(at)s.")


class MonthNotOver(Conflict):
    code = "month-not-over"
    message = _("%(month)s is not over before %(end)s.")


class MonthClosed(Conflict):
    code = "month-closed"
    message = _("%(month)s is closed already.")


class MonthOutOfOrder(Conflict):
    code = "month-out-of-order"
    message = _("Months are closed in order; %(due)s is the next.")


class DisputeNeedsReason(Invalid):
    code = "dispute-needs-reason"
    message = _("A dispute says what is wrong.")


@dataclass(frozen=True, slots=True)
class PricedMeter:
    """So much of a meter for one whole month; ``amount`` in yuan to the fen."""

    meter: Meter
    quantity: Decimal
    per_month: Decimal
    amount: Decimal


def price(*, quantities: Mapping[str, Decimal], at: datetime) -> list[PricedMeter]:
    """What the quantities (by meter code, in that order) cost for a whole month by the tariff in force at ``at``.

    A negative quantity gives a negative amount: something given back. Raises NoPrice.
    """
    found = Price.objects.filter(meter__code__in=quantities, tariff__in_force__contains=at).select_related(
        "meter"
    )
    prices = {price.meter.code: price for price in found}
    for code in quantities:
        if code not in prices:
            raise NoPrice(meter=code, at=at.isoformat())
    return [_priced(prices[code], quantity) for code, quantity in quantities.items()]


def _priced(price: Price, quantity: Decimal) -> PricedMeter:
    amount = rate_month(quantity=quantity, per_month=price.per_month)
    return PricedMeter(price.meter, quantity, price.per_month, amount)


def due_month(*, at: datetime) -> Month | None:
    """The month to close next: the oldest with usage in no closed month; None while that month is not over."""
    due = _next_month()
    return due if due is not None and due.bounds(get_default_timezone())[1] <= at else None


def close_month(*, month: Month, actor: User, at: datetime) -> MonthClose:
    """Rate all usage of a month and issue one statement per department, all or nothing.

    Raises RoleMissing, MonthNotOver, MonthClosed, MonthOutOfOrder, and NoPrice naming the meter and the first instant
    of usage that no price is in force for.
    """
    require(actor, Role.FINANCE, at=at)
    start, end = month.bounds(get_default_timezone())
    if end > at:
        raise MonthNotOver(month=month, end=localtime(end).isoformat(" ", "minutes"))
    with transaction.atomic():
        closing.lock()
        _refuse_unless_due(month)
        unpriced = closing.first_unpriced(period=(start, end))
        if unpriced is not None:
            raise NoPrice(meter=unpriced[0], at=unpriced[1].isoformat())
        close = closing.write(month=month, period=(start, end), at=at)
        _tell(close, actor, at)
    return close


def _refuse_unless_due(month: Month) -> None:
    """A month is closed once, after every month before it."""
    if MonthClose.objects.filter(month=str(month)).exists():
        raise MonthClosed(month=month)
    latest = MonthClose.objects.order_by("-period").first()
    earliest = Month.parse(latest.month).next() if latest is not None else month
    due = _next_month() or earliest
    if month < earliest or due < month:
        raise MonthOutOfOrder(month=month, due=due)


def _next_month() -> Month | None:
    unbilled = closing.first_unbilled()
    return Month.of(unbilled, get_default_timezone()) if unbilled is not None else None


def _tell(close: MonthClose, actor: User, at: datetime) -> None:
    """The close, each statement, and in the trail of each order what its resources cost."""
    after = {"month": close.month, "lines": close.lines, "total": close.total}
    audit.record(actor=actor, verb="month.closed", subject=close, at=at, after=after)
    statements = {s.pk: s for s in close.statements.select_related("department")}
    issued = [
        audit.Entry(s, {"month": close.month, "department": s.department.name, "total": s.total})
        for s in statements.values()
    ]
    billed = [
        audit.Entry(
            statements[share.statement_id],
            {"month": close.month, "lines": share.lines, "amount": share.amount},
            thread=share.thread,
        )
        for share in closing.shares(close=close)
    ]
    audit.record_many(actor=actor, verb="statement.issued", entries=issued, at=at)
    audit.record_many(actor=actor, verb="statement.billed", entries=billed, at=at)


def confirm(*, statement: Statement, actor: User, at: datetime, reason: str = "") -> Statement:
    """The department accepts what it is billed. Raises RoleMissing and WrongState."""
    return _answer(statement, Status.CONFIRMED, actor=actor, at=at, reason=reason)


def dispute(*, statement: Statement, reason: str, actor: User, at: datetime) -> Statement:
    """The department says what is wrong with its statement. Raises DisputeNeedsReason, RoleMissing and WrongState."""
    if not reason.strip():
        raise DisputeNeedsReason(pointers=("/reason",))
    return _answer(statement, Status.DISPUTED, actor=actor, at=at, reason=reason)


def _answer(statement: Statement, to: Status, *, actor: User, at: datetime, reason: str) -> Statement:
    require(actor, Role.UNIT_APPROVER, at=at, department=statement.department)
    transition(statement, to, actor=actor, at=at, reason=reason, version=statement.version + 1)
    return statement
