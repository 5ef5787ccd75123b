"""The rules that block an order. All of them are judged, so that an applicant sees everything that is wrong at once."""

from collections.abc import Sequence

from govcloud.errors import DomainError
from govcloud.orders.lines import Line, Unresolved
from govcloud.orders.rules import (
    of_items,
    of_leases,
    of_limits,
    of_protection,
    of_systems,
    of_targets,
    of_unresolved,
)
from govcloud.orders.rules.standing import Numbered, Standing, catalogued, offered, standing
from tenants.models import System

__all__ = ["Standing", "catalogued", "check", "offered", "standing"]


def check(
    *,
    system: System,
    lines: Sequence[tuple[int, Line]],
    now: Standing,
    unresolved: Sequence[tuple[int, Unresolved]] = (),
) -> list[DomainError]:
    """What is wrong with the lines (each with its position in the order) as things stand; empty if nothing is.

    With ``unresolved``, what more is wrong with them than that they name something unknown, which has been told.
    Pure: reads nothing but what it is given.
    """
    order = Numbered(system=system, lines=tuple(lines), now=now, unresolved=tuple(unresolved))
    return [
        *of_systems.check(order),
        *of_items.check(order),
        *of_unresolved.check(order),
        *of_protection.check(order),
        *of_targets.check(order),
        *of_leases.check(order),
        *of_limits.check(order),
    ]
