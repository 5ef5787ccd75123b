"""An order before it is submitted, read once: what it would cost, take and need, and what keeps it from being submitted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from govcloud.approvals import services as approvals
from govcloud.approvals.services import PlannedStage
from govcloud.audit.refusals import kept
from govcloud.errors import DomainError
from govcloud.orders import services, stored
from govcloud.orders.lines import Line, freed_by, quota_of
from govcloud.orders.matter import matter_of
from govcloud.orders.models import Order, OrderItem
from govcloud.orders.quotes import Quote, quote_lines
from govcloud.orders.rules import check, standing
from govcloud.orders.submission import locked
from govcloud.quotas import services as quotas
from govcloud.quotas.services import QuotaEffect
from tenants.models import User


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What ``services.quote``, ``effect`` and ``route`` tell of an order that can be edited.

    ``trouble`` says why there is no price or no route, in the language active when it was reckoned.
    """

    items: Sequence[OrderItem]
    lines: Sequence[Line]
    effect: Sequence[QuotaEffect]
    quote: Quote | None = None
    route: Sequence[PlannedStage] = ()
    trouble: str = ""


def reckon(*, order: Order, at: datetime) -> Reckoning:
    """By the tariff, the quota and the flow of the moment, with the items read once."""
    items = stored.items_of(order)
    lines = stored.lines_of(items)
    effect = quotas.effect(department=order.system.department, amounts=quota_of(lines) or freed_by(lines))
    quote = None
    try:
        quote = quote_lines(lines=lines, at=at)
        matter = matter_of(
            system=order.system,
            lines=lines,
            monthly_total=quote.monthly_total,
            within_quota=all(one.fits for one in effect),
            priority=order.priority,
        )
        route = approvals.preview(
            department=order.system.department,
            applicant=order.applicant,
            matter=matter,
            at=at,
            case=order.case,
        )
    except DomainError as refusal:
        return Reckoning(items, lines, effect, quote, trouble=refusal.detail)
    return Reckoning(items, lines, effect, quote, route)


def obstacles(*, order: Order, reckoned: Reckoning, at: datetime) -> list[DomainError]:
    """What ``submit`` would refuse the order for, as things stand; but for the quota, which the effect tells."""
    offerings = {item.kind: item.offering for item in reckoned.items if item.offering.retired_at is None}
    now = standing(system=order.system, lines=reckoned.lines, order=order, offerings=offerings, at=at)
    return check(system=order.system, lines=list(enumerate(reckoned.lines)), now=now)


def submit_as_read(*, order: Order, expected_version: int, actor: User, at: datetime) -> Order:
    """Submit the order if nobody has changed it since it was read.

    Raises what ``submit`` raises, and StaleVersion.
    """
    with kept(), transaction.atomic():
        version = locked(order).version
        if version != expected_version:
            raise services.StaleVersion(version=version)
        return services.submit(order=order, actor=actor, at=at)
