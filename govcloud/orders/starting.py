"""Operations that carry an order out, and what their planning has in common."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID, uuid5

from govcloud.audit import services as audit
from govcloud.catalog.models import Cloud
from govcloud.inventory.models import Resource
from govcloud.orders.models import Order, Unit
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.models import Operation, OperationKind
from govcloud.provisioning.services import StepSpec


def start(
    order: Order,
    kind: OperationKind,
    cloud: Cloud,
    steps: list[StepSpec],
    units: Iterable[Unit],
    *,
    actor: audit.Actor,
    at: datetime,
    with_it: Sequence[Resource] = (),
) -> Operation:
    operation = provisioning.start(
        kind=kind,
        reason=order.number,
        thread=order.uuid,
        system=order.system,
        cloud=cloud,
        steps=steps,
        actor=actor,
        at=at,
        with_it=with_it,
    )
    Unit.objects.filter(pk__in=[unit.pk for unit in units]).update(operation=operation)
    return operation


def part_of(order: Order, cloud: Cloud, what: str) -> UUID:
    """Names the part of an order that is carried out on one cloud, in the keys of its steps."""
    return uuid5(order.uuid, f"{what} on {cloud.code}")


def resource_of(unit: Unit) -> Resource:
    """What a unit changes, renews or releases."""
    if unit.resource is None:
        raise ValueError(f"unit {unit.uuid} names no resource to change or release")
    return unit.resource
