"""Keeping the record of what is built: addresses reserved before, resources recorded when the cloud confirmed them.

Recording is idempotent by ``unit``: a step that is run again after a crash finds its row and writes nothing twice.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Network, ip_address, ip_network
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Case, Prefetch, Value, When
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from govcloud import lifecycle
from govcloud.audit import services as audit
from govcloud.catalog.models import Cloud, DRTier, Flavor, Image, StorageClass, Zone
from govcloud.catalog.networks import FIRST_HOST, addresses_in, free_ranges
from govcloud.errors import Conflict
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import (
    Address,
    AddressBlock,
    BackupAllowance,
    LoginKey,
    Network,
    Power,
    Project,
    Resource,
    ResourceKind,
    Server,
    Volume,
    VolumeRole,
)
from tenants.models import System

TRIES = 20  # for a free range or address while others take theirs

SERVERS_FIRST = Case(When(kind=ResourceKind.SERVER, then=Value(0)), default=Value(1))
"""The order in which resources are locked, and by primary key: a server before its volumes and the networks that it is on."""


class NoAddressLeft(Conflict):
    code = "no-address-left"
    message = _("There is no free address left in %(where)s.")


@transaction.atomic
def reserve_block(*, cloud: Cloud, zone: str, unit: UUID) -> AddressBlock:
    """The first free range of the zone's pool, for the network that will carry ``unit``.

    Raises NoAddressLeft. One at a time in a zone: the constraint that keeps ranges apart would let many at once wait for
    each other in a ring.
    """
    kept = AddressBlock.objects.filter(unit=unit).first()
    if kept is not None:
        return kept
    pool = Zone.objects.select_for_update(no_key=True).get(cloud=cloud, zone=zone)
    for _attempt in range(TRIES):
        cidr = _first_free(pool, cloud)
        if cidr is None:
            break
        try:
            with transaction.atomic():
                return AddressBlock.objects.create(
                    cloud=cloud, unit=unit, cidr=str(cidr), first=int(cidr[0]), last=int(cidr[-1])
                )
        except IntegrityError:
            continue  # somebody took it between our look and our write
    raise NoAddressLeft(where=pool.address_pool)


def _first_free(pool: Zone, cloud: Cloud) -> IPv4Network | None:
    space = IPv4Network(pool.address_pool)
    taken = AddressBlock.objects.filter(
        cloud=cloud, released_at=None, first__lte=int(space[-1]), last__gte=int(space[0])
    ).order_by("first")
    return next(free_ranges(pool.address_pool, pool.network_prefix, taken.values_list("first", "last")), None)


def reserve_address(*, block: AddressBlock, unit: UUID, server: Server | None = None) -> Address:
    """The first free address of a block, for the server that will carry ``unit``. Raises NoAddressLeft.

    ``server`` is given for a further address of a server that exists; ``unit`` is then the new interface's own.
    """
    return reserve_addresses(block=block, units=[unit], server=server)[0]


def reserve_addresses(
    *, block: AddressBlock, units: Sequence[UUID], server: Server | None = None
) -> list[Address]:
    """The first free addresses of a block, for all the servers that will carry these ``units``, or for none of them.

    A unit that has one keeps it. Raises NoAddressLeft.
    """
    given = {address.unit: address for address in Address.objects.filter(unit__in=units)}
    wanted = [unit for unit in units if unit not in given]
    if wanted:
        given |= {address.unit: address for address in _reserve(block, wanted, server)}
    return [given[unit] for unit in units]


def replace_address(*, unit: UUID, taken: Collection[str]) -> Address:
    """Another address of its block for what has no port yet, as something else in the cloud has its own, and those ``taken``.

    Raises NoAddressLeft.
    """
    given = Address.objects.select_related("block").get(unit=unit)
    for _attempt in range(TRIES):
        free = next((each for each in _free(given.block) if each not in taken), None)
        if free is None:
            break
        given.address = free
        try:
            with transaction.atomic():
                given.save(update_fields=["address"])
        except IntegrityError:
            continue  # somebody took it between our look and our write
        return given
    raise NoAddressLeft(where=given.block.cidr)


def addresses_left(networks: Collection[Resource]) -> dict[int, int]:
    """How many servers can still be put on each of the networks, by primary key. Two queries."""
    in_use = Prefetch("addresses", Address.objects.filter(released_at=None))
    blocks = AddressBlock.objects.filter(unit__in=[network.unit for network in networks])
    left = {block.unit: _left(block) for block in blocks.prefetch_related(in_use)}
    return {network.pk: left[network.unit] for network in networks if network.unit in left}


def _left(block: AddressBlock) -> int:
    """What was taken over may have addresses before those that are given to servers."""
    given = sum(int(ip_address(each.address)) >= block.first + FIRST_HOST for each in block.addresses.all())
    return max(0, addresses_in(ip_network(block.cidr).prefixlen) - given)


def _reserve(block: AddressBlock, units: Sequence[UUID], server: Server | None) -> list[Address]:
    for _attempt in range(TRIES):
        free = list(islice(_free(block), len(units)))
        if len(free) < len(units):
            break
        try:
            with transaction.atomic():
                return Address.objects.bulk_create(
                    Address(block=block, unit=unit, address=address, server=server)
                    for unit, address in zip(units, free, strict=True)
                )
        except IntegrityError:
            continue  # somebody took one between our look and our write
    raise NoAddressLeft(where=block.cidr)


def _free(block: AddressBlock) -> Iterator[str]:
    taken = set(Address.objects.filter(block=block, released_at=None).values_list("address", flat=True))
    hosts = islice(ip_network(block.cidr).hosts(), FIRST_HOST - 1, None)
    return (str(host) for host in hosts if str(host) not in taken)


def record_project(*, system: System, cloud: Cloud, external_id: str) -> Project:
    return Project.objects.get_or_create(system=system, cloud=cloud, defaults={"external_id": external_id})[0]


def record_network(
    *, common: dict[str, Any], cidr: str, gateway: str, subnet_id: str, security_group_id: str
) -> Resource:
    """``common`` holds the columns of ``Resource`` (see ``record_resource``)."""
    resource, fresh = record_resource(ResourceKind.NETWORK, common)
    if fresh:
        Network.objects.create(
            resource=resource,
            cidr=cidr,
            gateway=gateway,
            subnet_id=subnet_id,
            security_group_id=security_group_id,
        )
    return resource


def record_volume(
    *,
    common: dict[str, Any],
    role: VolumeRole,
    storage_class: StorageClass,
    size_gb: int,
    label: str,
    mount_point: str = "",
) -> Resource:
    """A volume with a file system is mounted by its label, unless it is told where."""
    resource, fresh = record_resource(ResourceKind.VOLUME, common)
    if fresh:
        mount_point = mount_point or (f"/{label}" if label else "")
        Volume.objects.create(
            resource=resource,
            role=role,
            storage_class=storage_class,
            size_gb=size_gb,
            label=label,
            mount_point=mount_point,
        )
    return resource


def record_server(
    *, common: dict[str, Any], flavor: Flavor, image: Image, system_volume: UUID, guest_key: str
) -> Resource:
    resource, fresh = record_resource(ResourceKind.SERVER, common)
    if fresh:
        server = Server.objects.create(
            resource=resource, flavor=flavor, image=image, vcpus=flavor.vcpus, memory_gb=flavor.memory_gb,
            guest_key=guest_key,
        )  # fmt: skip
        Volume.objects.filter(resource__unit=system_volume).update(server=server)
    return resource


def record_allowance(*, common: dict[str, Any], tier: DRTier, capacity_gb: int, off_site: bool) -> Resource:
    resource, fresh = record_resource(ResourceKind.BACKUP, common)
    if fresh:
        BackupAllowance.objects.create(
            resource=resource, tier=tier, capacity_gb=capacity_gb, off_site=off_site
        )
    return resource


def record_resource(kind: ResourceKind, common: dict[str, Any]) -> tuple[Resource, bool]:
    """Columns: unit, thread, name, system, cloud, zone, external_id, at, lease_end, actor."""
    columns = dict(common)
    actor, at = columns.pop("actor"), columns.pop("at")
    resource, fresh = Resource.objects.get_or_create(
        unit=columns.pop("unit"), defaults={**columns, "kind": kind, "built_at": at, "billing_start": at}
    )
    if fresh:
        after = {"kind": kind, "name": resource.name, "external_id": resource.external_id}
        audit.record(
            actor=actor, verb="resource.built", subject=resource, at=at, thread=resource.thread, after=after
        )
    return resource, fresh


def put_into_service(*, resources: Sequence[Resource], actor: audit.Actor, at: datetime) -> None:
    """Billing starts now: the resource is in the department's hands."""
    for resource in resources:
        resource.billing_start = at
        resource.save(update_fields=["billing_start"])
        after = {"billing_start": at, "lease_end": resource.lease_end}
        audit.record(
            actor=actor,
            verb="resource.in_service",
            subject=resource,
            at=at,
            thread=resource.thread,
            after=after,
        )


def resize_volume(
    *, volume: Volume, size_gb: int, actor: audit.Actor, thread: UUID | None, at: datetime
) -> None:
    before = volume.size_gb
    if before == size_gb:
        return
    volume.size_gb = size_gb
    volume.save(update_fields=["size_gb"])
    audit.record(
        actor=actor, verb="volume.resized", subject=volume.resource, at=at, thread=thread,
        before={"size_gb": before}, after={"size_gb": size_gb},
    )  # fmt: skip


def resize_server(
    *, server: Server, flavor: Flavor, actor: audit.Actor, thread: UUID | None, at: datetime
) -> None:
    before = {"flavor": server.flavor.code, "vcpus": server.vcpus, "memory_gb": server.memory_gb}
    server.flavor, server.vcpus, server.memory_gb = flavor, flavor.vcpus, flavor.memory_gb
    server.cloud_flavor = ""
    server.save(update_fields=["flavor", "cloud_flavor", "vcpus", "memory_gb"])
    audit.record(
        actor=actor, verb="server.resized", subject=server.resource, at=at, thread=thread, before=before,
        after={"flavor": flavor.code, "vcpus": flavor.vcpus, "memory_gb": flavor.memory_gb},
    )  # fmt: skip


def rename(*, resource: Resource, name: str, actor: audit.Actor, thread: UUID | None, at: datetime) -> None:
    before = resource.name
    resource.name = name
    resource.save(update_fields=["name"])
    audit.record(
        actor=actor, verb="resource.renamed", subject=resource, at=at, thread=thread,
        before={"name": before}, after={"name": name},
    )  # fmt: skip


def record_rebuild(
    *,
    server: Server,
    image: Image,
    power: Power,
    guest_key: str,
    actor: audit.Actor,
    thread: UUID | None,
    at: datetime,
) -> None:
    """Its system volume holds the image as it was delivered."""
    before = _written_over(server, image=image, power=power, guest_key=guest_key)
    audit.record(
        actor=actor, verb="server.rebuilt", subject=server.resource, at=at, thread=thread,
        before=before, after={"image": image.code, "configured_at": None},
    )  # fmt: skip


def record_failed_rebuild(*, server: Server, actor: audit.Actor, thread: UUID | None, at: datetime) -> None:
    """Its system volume holds nothing of use, and it is in error until its system is written once more."""
    before = _written_over(server, image=server.image, power=Power.BROKEN, guest_key="")
    audit.record(
        actor=actor, verb="server.rebuild_failed", subject=server.resource, at=at, thread=thread,
        before=before, after={"power": Power.BROKEN, "configured_at": None},
    )  # fmt: skip


def _written_over(server: Server, *, image: Image, power: Power, guest_key: str) -> dict[str, Any]:
    """Nothing that we knew of the guest is true any more; gives what of it was recorded."""
    before = {"image": server.image.code, "configured_at": server.configured_at}
    server.image, server.configured_at, server.host_keys, server.guest_key = image, None, "", guest_key
    server.power = power
    server.save(update_fields=["image", "power", "configured_at", "host_keys", "guest_key"])
    return before


def record_guest_key(*, server: Server, guest_key: str, actor: audit.Actor, at: datetime) -> None:
    """Of the centre's keys it lets in this one alone."""
    before, server.guest_key = server.guest_key, guest_key
    server.save(update_fields=["guest_key"])
    audit.record(
        actor=actor, verb="server.guest_key_replaced", subject=server.resource, at=at, thread=server.resource.thread,
        before={"guest_key": before}, after={"guest_key": guest_key},
    )  # fmt: skip


def replace_login_keys(
    *, server: Server, keys: Mapping[str, str], actor: audit.Actor, thread: UUID | None, at: datetime
) -> None:
    """Record who can enter: the public keys by their fingerprints."""
    before = list(server.login_keys.values_list("fingerprint", flat=True))
    server.login_keys.all().delete()
    LoginKey.objects.bulk_create(
        LoginKey(server=server, public_key=public, fingerprint=fingerprint)
        for fingerprint, public in keys.items()
    )
    audit.record(
        actor=actor, verb="server.login_keys_replaced", subject=server.resource, at=at, thread=thread,
        before={"fingerprints": before}, after={"fingerprints": list(keys)},
    )  # fmt: skip


def reclass_volume(
    *, volume: Volume, storage_class: StorageClass, actor: audit.Actor, thread: UUID | None, at: datetime
) -> None:
    before = volume.storage_class
    volume.storage_class, volume.cloud_class = storage_class, ""
    volume.save(update_fields=["storage_class", "cloud_class"])
    audit.record(
        actor=actor, verb="volume.reclassed", subject=volume.resource, at=at, thread=thread,
        before={"storage_class": before.code}, after={"storage_class": storage_class.code},
    )  # fmt: skip


def lock(resources: Collection[Resource]) -> list[Resource]:
    """Lock resources until the transaction ends; returns them as they are now.

    Whoever takes several in hand locks them in this order (``SERVERS_FIRST``): two of us never wait for each other.
    """
    rows = Resource.objects.select_for_update(of=("self",), no_key=True)
    keys = {resource.pk for resource in resources}
    return list(rows.filter(pk__in=keys).order_by(SERVERS_FIRST, "pk")) if keys else []


def in_order(resources: Iterable[Resource]) -> list[Resource]:
    """As ``lock`` locks them, for those that are locked one by one."""
    return sorted(resources, key=lambda each: (each.kind != ResourceKind.SERVER, each.pk))


def mark_releasing(
    *, resources: Sequence[Resource], actor: audit.Actor, thread: UUID | None, at: datetime
) -> None:
    """Together, whatever is not releasing already. Raises WrongState, also for what something else has in hand."""
    standing = [resource for resource in resources if resource.status != Status.RELEASING]
    lifecycle.transition_all(standing, Status.RELEASING, actor=actor, at=at, thread=thread)


def mark(*, resource: Resource, to: Status, actor: audit.Actor, thread: UUID | None, at: datetime) -> None:
    """Move a resource along its life; ``released`` also gives its address back, unless a port has it: then that has to go first.

    Raises WrongState, also for what is ``changing`` already, since nothing is taken in hand twice, and for taking in hand
    what is suspended: only ``leases.mend`` does.
    """
    if resource.status == Status.SUSPENDED and to is Status.CHANGING:
        possible = (one.label for one in (Status.ACTIVE, Status.RELEASING))
        raise lifecycle.WrongState(
            status=Status.SUSPENDED.label, allowed=gettext(", ").join(str(one) for one in possible)
        )
    if resource.status == to and to is not Status.CHANGING:
        return
    if to is Status.RELEASED:
        lifecycle.transition(resource, to, actor=actor, at=at, thread=thread, released_at=at)
        Address.objects.filter(unit=resource.unit, released_at=None, port_id="").update(released_at=at)
        AddressBlock.objects.filter(unit=resource.unit, released_at=None).update(released_at=at)
    else:
        lifecycle.transition(resource, to, actor=actor, at=at, thread=thread)
