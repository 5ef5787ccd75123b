"""From an order's changes of what stands to operations: each is one of its own, and has in hand what it changes."""

from datetime import datetime

from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.catalog.models import Kind, Retyping
from govcloud.errors import Conflict
from govcloud.inventory import reach
from govcloud.inventory.models import Power, Resource, ResourceKind, Volume, VolumeRole
from govcloud.orders import addressing, containers, planner, resizing
from govcloud.orders.models import Order, Unit
from govcloud.orders.starting import require_running, resource_of, start, take_in_hand
from govcloud.protection import holds
from govcloud.provisioning import placement
from govcloud.provisioning.models import Operation, OperationKind


class FlavorNotOnCloud(Conflict):
    code = "flavor-not-on-cloud"
    message = _(
        "“%(server)s” cannot have the flavor “%(flavor)s” now: the cloud on which it is has none of the catalogue's size."
    )


def begin(order: Order, unit: Unit, *, actor: audit.Actor, at: datetime) -> Operation:
    """Take in hand what a unit changes, and start the operation that changes it.

    Raises what ``take_in_hand`` raises, and what speaks against it by now: a flavor of another size, a network that leads nowhere, a hold,
    a server that is stopped and would have to let go of a volume.
    """
    resizes = hasattr(unit.item, "resize")
    for each in _in_hand(unit):
        take_in_hand(each, order, actor=actor, at=at, changes_server=resizes)
    if hasattr(unit.item, "floating"):
        return _give_address(order, unit, actor=actor, at=at)
    if unit.item.kind == Kind.SERVER:
        return _resize(order, unit, actor=actor, at=at)
    if unit.item.kind == Kind.CONTAINER:
        held = resource_of(unit)
        holds.require_no_container(resources=[held])
        steps = containers.requote(unit=unit.uuid, container=held, quota_gb=unit.item.container.quota_gb)
        return start(
            order, OperationKind.REQUOTA, held.cloud, steps, [unit], actor=actor, at=at, with_it=[held]
        )
    if unit.volume is not None and unit.volume.class_before is not None:
        return _retype(order, unit, actor=actor, at=at)
    return _extend(order, unit, actor=actor, at=at)


def _in_hand(unit: Unit) -> list[Resource]:
    """What a unit changes; and before it the server that has it, which may be asked to let go of it or to take up its room."""
    resource = resource_of(unit)
    server = resource.volume.server if resource.kind == ResourceKind.VOLUME else None
    return [resource] if server is None else [server.resource, resource]


def _retype(order: Order, unit: Unit, *, actor: audit.Actor, at: datetime) -> Operation:
    resource = resource_of(unit)
    volume = resource.volume
    if unit.volume is None:
        raise ValueError(f"unit {unit.uuid} changes a volume but has no new class")
    if volume.server is not None and resource.cloud.retyping != Retyping.ATTACHED:
        require_running(volume.server)
    plan = planner.RetypePlan(
        unit=unit.uuid,
        name=resource.name,
        volume=resource.unit,
        volume_id=resource.external_id,
        server=volume.server.resource.unit if volume.server is not None else None,
        storage_class=unit.volume.storage_class.code,
        attached=resource.cloud.retyping == Retyping.ATTACHED,
    )
    return start(
        order, OperationKind.RETYPE, resource.cloud, planner.retype(plan), [unit],
        actor=actor, at=at, with_it=_in_hand(unit),
    )  # fmt: skip


def _extend(order: Order, unit: Unit, *, actor: audit.Actor, at: datetime) -> Operation:
    resource = resource_of(unit)
    volume = resource.volume
    if unit.volume is None:
        raise ValueError(f"unit {unit.uuid} changes a volume but has no new size")
    if volume.server is not None and not resource.cloud.online_extend:
        require_running(volume.server)
    plan = planner.ExtensionPlan(
        unit=unit.uuid,
        order=order.uuid,
        system=order.system.uuid,
        name=resource.name,
        volume=resource.unit,
        volume_id=resource.external_id,
        server=volume.server.resource.unit if volume.server is not None else None,
        storage_class=volume.storage_class.code,
        from_gb=volume.size_gb,
        size_gb=unit.volume.size_gb,
        online=resource.cloud.online_extend,
    )
    return start(
        order, OperationKind.EXTEND, resource.cloud, planner.extend(plan), [unit],
        actor=actor, at=at, with_it=_in_hand(unit),
    )  # fmt: skip


def _resize(order: Order, unit: Unit, *, actor: audit.Actor, at: datetime) -> Operation:
    """Raises FlavorNotOnCloud when the cloud has it in another size by now: a new server would wait, this one is in use."""
    resource = resource_of(unit)
    flavor = unit.item.resize.flavor
    if not placement.on_cloud(resource.cloud_id, flavor):
        raise FlavorNotOnCloud(server=resource.name, flavor=flavor.code)
    volumes = Volume.objects.filter(server=resource.server, resource__released_at=None).order_by("pk")
    units = {
        role: tuple(volumes.filter(role=role).values_list("resource__unit", flat=True)) for role in VolumeRole
    }
    plan = resizing.ResizePlan(
        unit=unit.uuid,
        system=order.system.uuid,
        name=resource.name,
        server=resource.unit,
        from_flavor=resource.server.flavor.code,
        flavor=flavor.code,
        system_volumes=units[VolumeRole.SYSTEM],
        data_volumes=units[VolumeRole.DATA],
        running=resource.server.power == Power.RUNNING,
    )
    return start(
        order, OperationKind.RESIZE, resource.cloud, resizing.resize(plan), [unit],
        actor=actor, at=at, with_it=[resource],
    )  # fmt: skip


def _give_address(order: Order, unit: Unit, *, actor: audit.Actor, at: datetime) -> Operation:
    """Reserved first: raises NotConnected when its network has been disconnected since the order was written."""
    server = resource_of(unit)
    reach.reserve_address(server=server, unit=unit.uuid, at=at)
    steps = addressing.give_address(unit=unit.uuid, system=order.system.uuid, name=server.name)
    return start(
        order, OperationKind.ADDRESS, server.cloud, steps, [unit], actor=actor, at=at, with_it=[server]
    )
