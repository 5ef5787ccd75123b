"""What has come up against an order since it was submitted, each said once and with what of the order it is about."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from govcloud.errors import DomainError
from govcloud.orders.models import Order
from govcloud.portal.order import items

OF_ITEM = re.compile(r"/items/(\d+)")


@dataclass(frozen=True, slots=True)
class Objection:
    """``names`` are those of the items that it is about; none where it names them itself, or is about the order as a whole."""

    detail: str
    names: list[str] = field(default_factory=list)


def told(found: Sequence[DomainError], order: Order) -> list[Objection]:
    """In the order in which the rules say them; one statement if there are any."""
    if not found:
        return []
    names = {line.position: line.name for line in items.lines(order)}
    objections: dict[str, Objection] = {}
    for error in found:
        objection = objections.setdefault(error.detail, Objection(error.detail))
        matches = (OF_ITEM.match(pointer) for pointer in error.pointers)
        about = [names.get(int(match[1]), "") for match in matches if match]
        objection.names.extend(
            name for name in about if name and name not in objection.names and f"“{name}”" not in error.detail
        )
    return list(objections.values())
