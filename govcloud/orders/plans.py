"""From an order's units to what the planner is told of them: names, sizes, places, and the addresses reserved for them."""

from dataclasses import replace
from datetime import datetime
from uuid import uuid5

from django.utils import timezone

from govcloud.catalog.models import Cloud, Kind, Zone
from govcloud.inventory import services as inventory
from govcloud.inventory.models import AddressBlock, Volume
from govcloud.orders import planner, releasing
from govcloud.orders.models import Unit


def storage_plan(unit: Unit, availability_zone: str, *, at: datetime) -> planner.StoragePlan:
    """Its file system has a label of its own, so that it can go to any server; it is mounted under the volume's name.

    It is built where its server is, if it has one, else where there was room.
    """
    plan = replace(volume_plan(unit), label=f"v{unit.uuid.hex[:11]}", mount_point=f"/data/{unit.name}")
    server = unit.volume.server if unit.volume is not None else None
    if server is not None and server.availability_zone is not None:
        availability_zone = server.availability_zone.code
    return planner.StoragePlan(
        volume=plan,
        zone=unit.item.zone,
        server=server.unit if server is not None else None,
        lease_end=lease_end(at, unit.item.lease_months),
        availability_zone=availability_zone,
    )


def network_plan(unit: Unit, cloud: Cloud) -> planner.NetworkPlan:
    block = inventory.reserve_block(cloud=cloud, zone=unit.item.zone, unit=unit.uuid)
    servers = Zone.objects.get(cloud=cloud, zone=unit.item.zone).dns_servers
    return planner.NetworkPlan(
        unit=unit.uuid,
        name=unit.name,
        zone=unit.item.zone,
        cidr=block.cidr,
        dns=tuple(server.strip() for server in servers.split(",") if server.strip()),
    )


def server_plan(
    unit: Unit,
    volumes: list[Unit],
    networks: dict[int, planner.NetworkPlan],
    availability_zone: str,
    *,
    at: datetime,
) -> planner.ServerPlan:
    item, spec = unit.item, unit.item.server
    if spec.network is not None:
        network = spec.network.unit
    elif spec.network_item is not None:
        network = networks[spec.network_item.pk].unit
    else:
        raise ValueError(f"item {item.uuid} has no network")  # a CHECK constraint says it cannot be
    inventory.reserve_address(block=AddressBlock.objects.get(unit=network), unit=unit.uuid)
    system_volume, *data_volumes = (volume_plan(volume) for volume in sorted(volumes, key=_rank))
    return planner.ServerPlan(
        unit=unit.uuid,
        name=unit.name,
        zone=item.zone,
        flavor=spec.flavor.code,
        image=spec.image.code,
        network=network,
        system_volume=system_volume,
        data_volumes=tuple(data_volumes),
        lease_end=lease_end(at, item.lease_months),
        availability_zone=availability_zone,
    )


def _rank(unit: Unit) -> int:
    return unit.volume.position if unit.volume is not None else 0


def volume_plan(unit: Unit) -> planner.VolumePlan:
    if unit.volume is None:
        raise ValueError(f"unit {unit.uuid} hangs on a server but is no volume")
    return planner.VolumePlan(
        unit=unit.uuid,
        name=unit.name,
        storage_class=unit.volume.storage_class.code,
        size_gb=unit.volume.size_gb,
        label=f"data{unit.volume.position}" if unit.volume.position else "",
    )


def container_plan(unit: Unit, *, at: datetime) -> planner.ContainerPlan:
    """Its name in the cloud is the department's with some of the unit's id: it can be told, and is nobody else's."""
    spec = unit.item.container
    return planner.ContainerPlan(
        unit=unit.uuid,
        name=unit.name,
        cloud_name=f"{unit.name}-{unit.uuid.hex[:12]}",
        zone=unit.item.zone,
        storage_class=spec.storage_class.code,
        quota_gb=spec.quota_gb,
        lease_end=lease_end(at, unit.item.lease_months),
    )


def allowance_plan(unit: Unit, *, at: datetime) -> planner.AllowancePlan:
    spec = unit.item.backup
    return planner.AllowancePlan(
        unit=unit.uuid,
        name=unit.name,
        zone=unit.item.zone,
        dr_level=spec.tier.level,
        capacity_gb=spec.capacity_gb,
        frequency=spec.frequency,
        off_site=spec.off_site,
        lease_end=lease_end(at, unit.item.lease_months),
    )


def lease_end(at: datetime, months: int) -> datetime:
    """The same time of day so many calendar months later by the wall clock; the last day of a shorter month."""
    local = timezone.localtime(at)
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    for day in range(local.day, 27, -1):
        try:
            return local.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return local.replace(year=year, month=month + 1)


def standing(unit: Unit) -> releasing.Standing:
    """What a unit releases, as it stands; a volume with its snapshots."""
    resource = unit.resource
    if resource is None:
        raise ValueError(f"unit {unit.uuid} names no resource to release")
    return releasing.Standing(
        built=resource.unit,
        release=unit.uuid,
        name=resource.name,
        external_id=resource.external_id,
        snapshots=_snapshots(unit, resource.volume) if resource.kind == Kind.VOLUME else (),
    )


def _snapshots(unit: Unit, volume: Volume) -> tuple[releasing.Standing, ...]:
    kept = volume.snapshots.filter(deleted_at=None).order_by("pk")
    return tuple(
        releasing.Standing(
            built=snapshot.unit,
            release=uuid5(unit.uuid, str(snapshot.unit)),
            name=snapshot.name,
            external_id=snapshot.external_id,
        )
        for snapshot in kept
    )
