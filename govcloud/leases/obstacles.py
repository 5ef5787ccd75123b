"""What what is due has to wait for. Asked with the system locked, so that no order can be submitted meanwhile."""

from dataclasses import dataclass

from govcloud.inventory import leases
from govcloud.inventory.lifecycle import STANDING, Status
from govcloud.inventory.models import Address, Resource, ResourceKind, Volume
from govcloud.leases.models import Obstacle
from govcloud.orders.lifecycle import OPEN
from govcloud.orders.lifecycle import Status as OrderStatus
from govcloud.orders.queries import orders_about
from govcloud.orders.rules import off_site
from govcloud.protection import holds
from govcloud.provisioning.queries import being_built


@dataclass(frozen=True, slots=True)
class Found:
    obstacle: Obstacle
    detail: str = ""


def to_suspension(server: Resource) -> Found | None:
    """Work on its volumes too, and an order that is being carried out: it may be the one that extends the lease."""
    everything = [server, *leases.with_server(server)]
    if any(one.status != Status.ACTIVE for one in everything) or being_built(server):
        return Found(Obstacle.IN_HAND)
    return _ordered(everything, {OrderStatus.FULFILLING})


def to_reclaim(resource: Resource) -> Found | None:
    """What keeps it for long is told before what is done with it in passing: once that keeps it no more, it is warned of anew."""
    everything = [resource, *leases.with_server(resource)]
    found = _ordered(everything, OPEN) or _held(everything) or _depended_on(resource)
    if found is None and (any(one.status not in STANDING for one in everything) or being_built(resource)):
        return Found(Obstacle.IN_HAND)
    return found


def _ordered(resources: list[Resource], statuses: frozenset[OrderStatus] | set[OrderStatus]) -> Found | None:
    number = orders_about(resources, statuses=statuses).first()
    return Found(Obstacle.ORDER, number) if number is not None else None


def _held(resources: list[Resource]) -> Found | None:
    try:
        holds.require_none(volumes=list(Volume.objects.filter(resource__in=resources)))
        holds.require_no_container(resources=resources)
    except holds.UnderLegalHold as refusal:
        return Found(Obstacle.LEGAL_HOLD, refusal.params["points"])
    except holds.ContainerOnHold:
        return Found(Obstacle.LEGAL_HOLD)
    return None


def _depended_on(resource: Resource) -> Found | None:
    match resource.kind:
        case ResourceKind.NETWORK:
            given = Address.objects.filter(block__unit=resource.unit, released_at=None)
            return Found(Obstacle.SERVERS) if given.exists() else None
        case ResourceKind.BACKUP:
            return Found(Obstacle.NEEDED) if _needed(resource) else None
    return None


def _needed(backup: Resource) -> bool:
    """The system's last off-site backup goes after its last server, be it ordered only (see ``rules.off_site``)."""
    system = backup.system
    if system.mlps_level < off_site.OFF_SITE_FROM or not backup.backup.off_site:
        return False
    if off_site.staying(system) - {backup.pk}:
        return False
    return bool(off_site.servers_of(system)) or off_site.relied_on(system)
