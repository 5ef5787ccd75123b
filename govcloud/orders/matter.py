"""Whether an order is an instant matter (即办件) or a committed one (承诺件), and what the flow is chosen by. Pure."""

from collections.abc import Sequence
from decimal import Decimal

from govcloud.approvals.models import CaseKind, Priority, Quota, Sizes
from govcloud.approvals.routing import Matter
from govcloud.catalog.models import Line as FlavorLine
from govcloud.orders.changes import AddressLine, LimitLine, ResizeLine
from govcloud.orders.lines import Line, ServerLine
from govcloud.orders.models import Action
from tenants.models import NetworkZone, System

INSTANT_SERVERS = 2
INSTANT_MLPS_LEVEL = 2


def matter_of(
    *,
    system: System,
    lines: Sequence[Line],
    monthly_total: Decimal,
    within_quota: bool,
    priority: str = Priority.NORMAL,
) -> Matter:
    """What approvals route by. An order that lowers the bill has an amount below zero."""
    return Matter(
        kind=kind_of(system=system, lines=lines, within_quota=within_quota),
        zone=_most_exposed(lines) or system.zone,
        mlps_level=system.mlps_level,
        amount=monthly_total,
        actions=frozenset(str(line.action) for line in lines),
        quantity=sum(line.quantity for line in lines),
        dr_level=system.dr_level,
        quota=Quota.WITHIN if within_quota and not _asks_for_quota(lines) else Quota.OVER,
        priority=priority,
        sizes=Sizes.STANDARD if _standard(lines) else Sizes.SPECIAL,
    )


def kind_of(*, system: System, lines: Sequence[Line], within_quota: bool) -> CaseKind:
    """Giving back is instant. So is changing something within quota, and a small standard order in the public zone.

    More quota goes the whole way: whoever has it orders by the short one.
    """
    if all(line.action == Action.RELEASE for line in lines):
        return CaseKind.INSTANT
    if not within_quota or _asks_for_quota(lines):
        return CaseKind.COMMITTED
    created = [line for line in lines if line.action == Action.CREATE]
    if not created or (system.mlps_level <= INSTANT_MLPS_LEVEL and _small_and_standard(created)):
        return CaseKind.INSTANT
    return CaseKind.COMMITTED


def _asks_for_quota(lines: Sequence[Line]) -> bool:
    """Whether somebody would have more quota than was granted, for a time at least."""
    return any(isinstance(line, LimitLine) and (line.raises or line.until is not None) for line in lines)


def _small_and_standard(created: Sequence[Line]) -> bool:
    servers = [line for line in created if isinstance(line, ServerLine)]
    return (
        all(line.zone == NetworkZone.PUBLIC for line in created)
        and _standard(servers)
        and sum(line.quantity for line in servers) <= INSTANT_SERVERS
    )


def _standard(lines: Sequence[Line]) -> bool:
    """Whether every server is, or becomes, one of the general line."""
    sized = (line for line in lines if isinstance(line, ServerLine | ResizeLine))
    return all(line.flavor.line == FlavorLine.GENERAL for line in sized)


def _most_exposed(lines: Sequence[Line]) -> str | None:
    """The zone that asks for the most review: what is created, or opened, in the Internet zone decides for the whole order."""
    exposed = (line for line in lines if line.action == Action.CREATE or isinstance(line, AddressLine))
    zones = {line.zone for line in exposed}
    return next(
        (z for z in (NetworkZone.INTERNET, NetworkZone.PRIVATE, NetworkZone.PUBLIC) if z in zones), None
    )
