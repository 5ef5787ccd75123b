"""What an order costs a whole month, by the tariff in force: priced by the code that bills."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Subquery

from govcloud.catalog.models import Meter
from govcloud.chargeback import services as chargeback
from govcloud.chargeback.rating import rate_month
from govcloud.money import FEN
from govcloud.orders.lines import Line
from govcloud.orders.models import Order, QuoteLine, Revision


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """One meter of one item; negative when something ends."""

    item: int  # position
    meter: Meter
    quantity: Decimal
    per_month: Decimal  # yuan for one unit of the meter
    amount: Decimal  # yuan, to the fen


@dataclass(frozen=True, slots=True)
class Quote:
    lines: tuple[QuotedLine, ...]
    monthly_total: Decimal  # yuan; the sum of the lines


def quote_lines(*, lines: Sequence[Line], at: datetime) -> Quote:
    """Price the lines as of ``at``. Raises chargeback's error when a meter has no price then."""
    wanted = [
        (position, code, quantity)
        for position, line in enumerate(lines)
        for code, quantity in sorted(line.quantities().items())
        if quantity
    ]
    if not wanted:
        return Quote(lines=(), monthly_total=Decimal(0).quantize(FEN))
    one_of_each = {code: Decimal(1) for _position, code, _quantity in wanted}
    prices = {price.meter.code: price for price in chargeback.price(quantities=one_of_each, at=at)}
    quoted = tuple(
        QuotedLine(
            item=position,
            meter=prices[code].meter,
            quantity=quantity,
            per_month=prices[code].per_month,
            amount=rate_month(quantity=quantity, per_month=prices[code].per_month),
        )
        for position, code, quantity in wanted
    )
    return Quote(lines=quoted, monthly_total=sum((line.amount for line in quoted), Decimal(0).quantize(FEN)))


def frozen_quote(order: Order, *, monthly_total: Decimal) -> Quote:
    """The quote as it was submitted last; ``monthly_total`` is what the order has kept of it."""
    last = Revision.objects.filter(order=order).order_by("-number").values("pk")[:1]
    frozen = QuoteLine.objects.filter(revision=Subquery(last)).select_related("meter")
    return Quote(
        lines=tuple(
            QuotedLine(
                item=line.item_position,
                meter=line.meter,
                quantity=line.quantity,
                per_month=line.per_month,
                amount=line.amount,
            )
            for line in frozen
        ),
        monthly_total=monthly_total,
    )
