"""From an order's units to what the planner is told of them: names, sizes, places, and the addresses reserved for them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from govcloud.catalog.models import Cloud
from govcloud.inventory import leases
from govcloud.inventory import services as inventory
from govcloud.inventory.models import AddressBlock
from govcloud.orders import planner
from govcloud.orders.models import Order, Unit
from govcloud.protection import services as protection


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
        lease_end=leases.end_of(at, months=unit.item.lease_months),
        availability_zone=availability_zone,
    )


def covered(order: Order, cloud: Cloud) -> list[UUID]:
    """What a backup that is ordered by itself covers: whatever of the system's servers there has none yet."""
    volumes = protection.uncovered(system=order.system).filter(resource__cloud=cloud)
    return list(volumes.order_by("pk").values_list("resource__unit", flat=True))


def network_plan(unit: Unit, cloud: Cloud) -> planner.NetworkPlan:
    block = inventory.reserve_block(cloud=cloud, zone=unit.item.zone, unit=unit.uuid)
    servers = next(zone.dns_servers for zone in cloud.zones.all() if zone.zone == unit.item.zone)
    return planner.NetworkPlan(
        unit=unit.uuid,
        name=unit.name,
        zone=unit.item.zone,
        cidr=block.cidr,
        dns=tuple(server.strip() for server in servers.split(",") if server.strip()),
    )


def reserve_addresses(servers: Sequence[Unit], networks: Mapping[int, planner.NetworkPlan]) -> None:
    """One in its network for each of the servers. Raises NoAddressLeft."""
    on: dict[UUID, list[UUID]] = {}
    for unit in servers:
        on.setdefault(_network_of(unit, networks), []).append(unit.uuid)
    blocks = {block.unit: block for block in AddressBlock.objects.filter(unit__in=on)}
    for network in sorted(on):  # in one order, whoever else is at it
        inventory.reserve_addresses(block=blocks[network], units=on[network])


def _network_of(unit: Unit, networks: Mapping[int, planner.NetworkPlan]) -> UUID:
    spec = unit.item.server
    if spec.network is not None:
        return spec.network.unit
    if spec.network_item is not None:
        return networks[spec.network_item.pk].unit
    raise ValueError(f"item {unit.item.uuid} has no network")  # a CHECK constraint says it cannot be


def server_plan(
    unit: Unit,
    volumes: list[Unit],
    networks: Mapping[int, planner.NetworkPlan],
    availability_zone: str,
    *,
    at: datetime,
) -> planner.ServerPlan:
    item, spec = unit.item, unit.item.server
    system_volume, *data_volumes = (volume_plan(volume) for volume in sorted(volumes, key=_rank))
    return planner.ServerPlan(
        unit=unit.uuid,
        name=unit.name,
        zone=item.zone,
        flavor=spec.flavor.code,
        image=spec.image.code,
        network=_network_of(unit, networks),
        system_volume=system_volume,
        data_volumes=tuple(data_volumes),
        lease_end=leases.end_of(at, months=item.lease_months),
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
        lease_end=leases.end_of(at, months=unit.item.lease_months),
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
        lease_end=leases.end_of(at, months=unit.item.lease_months),
    )
