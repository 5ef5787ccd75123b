"""What a built or vanished resource means for quota, billing and the record: always in the step's own transaction."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from govcloud.catalog.models import FLOATING_ADDRESS, MEMORY_GB, VCPU, Flavor, Meter, StorageClass
from govcloud.inventory import containers, leases, reach, snapshots, wiping
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import STANDING, Status
from govcloud.inventory.models import FloatingAddress, Resource, Server, Snapshot
from govcloud.metering import services as metering
from govcloud.provisioning.context import ENGINE, Context
from govcloud.quotas import services as quotas


def built(*, unit: UUID, at: datetime) -> None:
    """The resource stands: its hold becomes use."""
    quotas.commit(source=unit, at=at)


def absent(*, context: Context) -> None:
    """The cloud has confirmed that the unit's resource does not exist (any more): give back what it held or used.

    In an operation being undone the step's own unit is what was held. In a release the step names, as ``resource``,
    the unit that is released, and its own unit is the release.
    """
    at, thread = context.at, context.operation.thread
    target = context.target
    resource = Resource.objects.select_related("system__department").filter(unit=target).first()
    if resource is None:
        quotas.unhold(source=target, at=at)
        return
    if resource.status == Status.RELEASED:
        return
    metering.close_usage(resource=resource, at=at)
    quotas.give_back(source=target, department=resource.system.department, amounts=quota_of(resource), at=at)
    if resource.status in STANDING:
        inventory.mark(resource=resource, to=Status.RELEASING, actor=ENGINE, thread=thread, at=at)
    inventory.mark(resource=resource, to=Status.RELEASED, actor=ENGINE, thread=thread, at=at)


def quota_of(resource: Resource) -> dict[str, int]:
    """What a resource counts for against its department's quota."""
    match resource.kind:
        case "server":
            server = resource.server
            return {"servers": 1, "vcpus": server.vcpus, "memory_gb": server.memory_gb}
        case "volume":
            return {"storage_gb": resource.volume.size_gb}
        case "network":
            return {"networks": 1}
        case "container":
            return {"object_gb": resource.container.quota_gb}
        case _:
            return {"backup_gb": resource.backup.capacity_gb}


def meters_of(resource: Resource) -> dict[str, Decimal]:
    """What a resource is billed by: meter codes and quantities."""
    match resource.kind:
        case "server":
            server = resource.server
            size = {VCPU: Decimal(server.vcpus), MEMORY_GB: Decimal(server.memory_gb)}
            return size | _addresses_of(server)
        case "volume":
            return {resource.volume.storage_class.meter.code: Decimal(resource.volume.size_gb)}
        case "container":
            return {resource.container.storage_class.meter.code: Decimal(resource.container.quota_gb)}
        case "backup":
            tier, off_site = resource.backup.tier, resource.backup.off_site
            meter = tier.meter_off_site if off_site else tier.meter_local
            return {meter.code: Decimal(resource.backup.capacity_gb)}
        case _:
            return {}


def _addresses_of(server: Server) -> dict[str, Decimal]:
    """A floating address is billed with the server that has it, where the catalogue has a meter for it."""
    given = server.floating_addresses.filter(given_at__isnull=False, released_at=None).count()
    if not given or not Meter.objects.filter(code=FLOATING_ADDRESS).exists():
        return {}
    return {FLOATING_ADDRESS: Decimal(given)}


def bill(resource: Resource, *, at: datetime, ordered: bool = False) -> None:
    """It is billed by what it has now, from now on; whatever is being done with it this moment.

    Not once its release has begun, nor while it is suspended: its resumption reads what it has by then. Nor before its billing
    start, if it was taken over with a later one, unless an order changes it (``ordered``) or has done so before.
    """
    resource.refresh_from_db(fields=["status"])
    over = resource.status in {Status.RELEASING, Status.RELEASED}
    if over or leases.standing_as(resource) == Status.SUSPENDED:
        return
    begun = ordered or resource.billing_start <= at or metering.has_usage(resource)
    if begun:
        metering.change_usage(resource=resource, quantities=meters_of(resource), at=at)


def extended(*, context: Context, resource: Resource, size_gb: int) -> None:
    """A volume has its new size: what it grew by is used, and the bill follows. It may have been larger by then."""
    at, thread, before = context.at, context.operation.thread, quota_of(resource)
    size_gb = max(size_gb, resource.volume.size_gb)
    inventory.resize_volume(volume=resource.volume, size_gb=size_gb, actor=ENGINE, thread=thread, at=at)
    _counted(context=context, resource=resource, before=before)


def resized(*, context: Context, resource: Resource, flavor: Flavor) -> None:
    """The server keeps its new flavor: what grew is used, what shrank is given back, and the bill follows from now on."""
    at, thread, before = context.at, context.operation.thread, quota_of(resource)
    if resource.server.flavor_id != flavor.pk:
        inventory.resize_server(server=resource.server, flavor=flavor, actor=ENGINE, thread=thread, at=at)
    _counted(context=context, resource=resource, before=before)


def requoted(*, context: Context, resource: Resource, quota_gb: int) -> None:
    """A container has its new quota: what grew is used, what shrank is given back, and the bill follows from now on."""
    at, thread, before = context.at, context.operation.thread, quota_of(resource)
    containers.requote(container=resource.container, quota_gb=quota_gb, actor=ENGINE, thread=thread, at=at)
    _counted(context=context, resource=resource, before=before)


def unchanged(*, context: Context) -> None:
    """The change was called off. The ledger tells what it still holds: the record may say the same before and after it.

    What had been turned into use by then stays so: the record has it.
    """
    if quotas.held(source=context.step.unit):
        quotas.unhold(source=context.step.unit, at=context.at)


def _counted(*, context: Context, resource: Resource, before: Mapping[str, int]) -> None:
    """What the record has grown by is used, of what the change held; what is left of that, and what it shrank by, given back.

    It has not grown where the record had taken the cloud's word for it before; nor the second time that a change is settled.
    """
    at, source, after = context.at, context.step.unit, quota_of(resource)
    quotas.lock(source=source, department=resource.system.department, dimensions=after)
    held = quotas.held(source=source)
    if any(after[dimension] > before[dimension] for dimension in held):
        quotas.commit(source=source, at=at)
    elif held:
        quotas.unhold(source=source, at=at)
        held = {}
    spare = {name: held.get(name, 0) + before[name] - after[name] for name in after}
    less = {name: amount for name, amount in spare.items() if amount > 0}
    if less:
        quotas.give_back(source=source, department=resource.system.department, amounts=less, at=at)
    bill(resource, at=at, ordered=True)


def retyped(*, context: Context, resource: Resource, storage_class: StorageClass) -> None:
    """A volume is in its new class: the bill follows. Quota counts all classes alike."""
    at, thread = context.at, context.operation.thread
    inventory.reclass_volume(
        volume=resource.volume, storage_class=storage_class, actor=ENGINE, thread=thread, at=at
    )
    bill(resource, at=at, ordered=True)


def address_given(*, context: Context, given: FloatingAddress, address: str, external_id: str) -> None:
    """A server has its floating address: hold becomes use, the bill follows."""
    reach.address_given(given=given, address=address, external_id=external_id, actor=ENGINE, at=context.at)
    quotas.commit(source=given.unit, at=context.at)
    bill(given.server.resource, at=context.at, ordered=True)


def address_moved(*, context: Context, given: FloatingAddress, to: Server) -> None:
    before = given.server
    reach.address_moved(given=given, to=to, actor=ENGINE, at=context.at)
    for resource in inventory.in_order([before.resource, to.resource]):
        bill(resource, at=context.at)


def address_absent(*, context: Context, given: FloatingAddress) -> None:
    """The cloud has confirmed that a floating address does not exist (any more): give back what it held or used."""
    at = context.at
    if given.released_at is not None:
        return
    reach.address_released(given=given, actor=ENGINE, at=at)
    if given.given_at is None:
        quotas.unhold(source=given.unit, at=at)
        return
    department = given.server.resource.system.department
    quotas.give_back(source=given.unit, department=department, amounts={"addresses": 1}, at=at)
    bill(given.server.resource, at=at)


def snapshot_absent(*, unit: UUID, context: Context, lost: bool = False) -> None:
    """The cloud has confirmed that a snapshot does not exist (any more): give back what it held or used.

    ``lost`` is one that nobody asked to be deleted.
    """
    snapshot = (
        Snapshot.objects.select_related("volume__resource__system__department").filter(unit=unit).first()
    )
    if snapshot is None:
        quotas.unhold(source=unit, at=context.at)
    elif snapshot.deleted_at is None:
        end = snapshots.lost if lost else snapshots.deleted
        end(snapshot=snapshot, actor=ENGINE, at=context.at)
        department = snapshot.volume.resource.system.department
        amounts = {"storage_gb": snapshot.size_gb}
        quotas.give_back(source=unit, department=department, amounts=amounts, at=context.at)


def wiped(*, context: Context) -> None:
    """A volume or a container is gone: the evidence, with the cloud's own id of the request that did it."""
    resource = Resource.objects.filter(unit=context.target).first()
    if resource is None:
        return  # it never stood
    asked = context.step.calls.filter(method="DELETE", status__lt=300).order_by("-pk").first()
    wiping.record(
        resource=resource,
        request_id=asked.request_id if asked else "",
        requested_at=asked.at if asked else None,
        actor=ENGINE,
        at=context.at,
    )
