"""Off-site backups of a system, and the servers that rely on them: as open orders will leave them, not as they stand alone."""

from govcloud.catalog.models import Kind
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import BackupAllowance, Resource, ResourceKind
from govcloud.orders.lifecycle import OPEN
from govcloud.orders.models import Action, Order, OrderItem, Unit
from tenants.models import System

OFF_SITE_FROM = 3
"""MLPS level from which servers need an off-site backup."""


def staying(system: System, *, besides: Order | None = None) -> frozenset[int]:
    """The off-site allowances in force that no open order but ``besides`` gives back, by their resources' primary keys."""
    allowances = BackupAllowance.objects.filter(
        resource__system=system, resource__status=Status.ACTIVE, off_site=True
    )
    going = Unit.objects.filter(
        item__order__system=system, item__order__status__in=OPEN, item__action=Action.RELEASE
    )
    if besides is not None:
        going = going.exclude(item__order=besides)
    allowances = allowances.exclude(resource__in=going.filter(resource__isnull=False).values("resource"))
    return frozenset(allowances.values_list("resource_id", flat=True))


def servers_of(system: System) -> frozenset[int]:
    """In use, by their primary keys."""
    servers = Resource.objects.filter(system=system, released_at=None, kind=ResourceKind.SERVER)
    return frozenset(servers.values_list("pk", flat=True))


def relied_on(system: System, *, besides: Order | None = None) -> bool:
    """Whether an open order but ``besides`` puts servers into the system without bringing them an off-site backup."""
    bring = OrderItem.objects.filter(
        order__system=system, action=Action.CREATE, kind=Kind.BACKUP, backup__off_site=True
    )
    items = OrderItem.objects.filter(
        order__system=system, order__status__in=OPEN, action=Action.CREATE, kind=Kind.SERVER
    ).exclude(order__in=bring.values("order"))
    if besides is not None:
        items = items.exclude(order=besides)
    return items.exists()
