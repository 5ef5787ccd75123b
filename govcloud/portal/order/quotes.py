"""The price of an order: frozen with its last submission, or reckoned anew while it can be edited."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from govcloud.catalog.models import Meter
from govcloud.orders.models import QuoteLine
from govcloud.orders.readiness import Reckoning
from govcloud.portal.order.items import Line
from govcloud.portal.order.parts import Asked, Part


@dataclass(frozen=True, slots=True)
class Row:
    """One meter of one item; the item is named on its first row only."""

    item: str
    meter: Meter
    quantity: Decimal
    per_month: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Shown:
    """``frozen`` prices are those that were told to the approvers; ``trouble`` says why there is no price today.

    ``never``: it was discarded before it was submitted, so that there is none.
    """

    lines: Part
    monthly_total: Decimal | None
    frozen: bool
    trouble: str = ""
    never: bool = False


def quote(order: Any, items: Sequence[Line], asked: Asked, *, reckoned: Reckoning | None) -> Shown:
    """``order`` is annotated with its last revision's number and total; one query where nothing is to be reckoned."""
    names = {item.position: item.name for item in items}
    if reckoned is not None:
        return _of_today(reckoned, names, asked)
    if order.revision_number is None:
        return Shown(_part((), names, asked), None, frozen=False, never=True)
    frozen = (
        QuoteLine.objects.filter(revision__order=order, revision__number=order.revision_number)
        .select_related("meter")
        .order_by("position")
    )
    priced = [(line.item_position, line) for line in frozen]
    return Shown(_part(priced, names, asked), order.monthly_total or Decimal(), frozen=True)


def _part(priced: Sequence[tuple[int, Any]], names: Mapping[int, str], asked: Asked) -> Part:
    """Every page begins with the name of an item."""
    return asked.part("quote", priced, lambda lines: _rows(lines, names))


def _rows(lines: Iterable[tuple[int, Any]], names: Mapping[int, str]) -> Iterator[Row]:
    """``lines`` are pairs of an item's position and a priced line of it."""
    before = None
    for position, line in lines:
        name = "" if position == before else names.get(position, "")
        yield Row(name, line.meter, line.quantity, line.per_month, line.amount)
        before = position


def _of_today(reckoned: Reckoning, names: Mapping[int, str], asked: Asked) -> Shown:
    if reckoned.quote is None:
        return Shown(_part((), names, asked), None, frozen=False, trouble=reckoned.trouble)
    priced = [(line.item, line) for line in reckoned.quote.lines]
    return Shown(_part(priced, names, asked), reckoned.quote.monthly_total, frozen=False)
