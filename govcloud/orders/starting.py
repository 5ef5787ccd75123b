"""Operations that carry an order out, and what their planning has in common."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID, uuid5

from govcloud.audit import services as audit
from govcloud.catalog.models import Cloud
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import STANDING, Status
from govcloud.inventory.models import Power, Resource, Server, VolumeRole
from govcloud.orders.models import Order, Unit
from govcloud.orders.rules.of_targets import ResourceNotInUse, ResourceSuspended
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.actions.storage import DATA_VOLUMES, ServerFull, ServerStopped
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


def take_in_hand(
    resource: Resource, order: Order, *, actor: audit.Actor, at: datetime, changes_server: bool = False
) -> None:
    """Nothing else is done with it until the last of the order's operations that have it has ended.

    An order may change two volumes of one server, or one of them and the server itself; a server that it gives storage is not
    changed by it meanwhile. Raises what ``take`` raises when something else has it.
    """
    own = Operation.objects.filter(thread=order.uuid, finished_at=None, with_it=resource)
    if changes_server and own.filter(kind=OperationKind.DELIVER).exists():
        raise ResourceNotInUse(name=resource.name, status=Status.CHANGING.label)
    if not own.exists():
        take(resource, order, actor=actor, at=at)


def take(resource: Resource, order: Order, *, actor: audit.Actor, at: datetime) -> None:
    """Raises what ``require_standing`` raises, ResourceSuspended, and ChangedMeanwhile when something else was quicker."""
    if resource.status == Status.SUSPENDED:
        raise ResourceSuspended(name=resource.name)
    require_standing(resource)
    inventory.mark(resource=resource, to=Status.CHANGING, actor=actor, thread=order.uuid, at=at)


def require_standing(resource: Resource) -> None:
    """Raises ResourceNotInUse for what something else has in hand, or is gone: by name, since an order is about several things."""
    if resource.status not in STANDING:
        raise ResourceNotInUse(name=resource.name, status=Status(resource.status).label)


def require_running(server: Server) -> None:
    """For what its guest has a part in. Raises ServerStopped for one that was stopped since it was ordered: in hand, it could not be
    started.
    """
    if server.power == Power.STOPPED:
        raise ServerStopped(server=server.resource.name)


def require_room(server: Server, *, volumes: int) -> None:
    """For so many more. Raises ServerFull where others have come to it since that was ordered."""
    there = server.volumes.filter(role=VolumeRole.DATA, resource__released_at=None)
    if there.count() + volumes > DATA_VOLUMES:
        raise ServerFull(server=server.resource.name, most=DATA_VOLUMES)


def part_of(order: Order, cloud: Cloud, what: str) -> UUID:
    """Names the part of an order that is carried out on one cloud, in the keys of its steps."""
    return uuid5(order.uuid, f"{what} on {cloud.code}")


def resource_of(unit: Unit) -> Resource:
    """What a unit changes, renews or releases."""
    if unit.resource is None:
        raise ValueError(f"unit {unit.uuid} names no resource to change or release")
    return unit.resource
