"""An order's items with everything they name looked up: what rules judge, quotes price and units are cut from.

Lines come from a draft (``resolution``) or from the rows of a stored order (``stored``); whoever reads them cannot tell.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from govcloud.catalog.models import (
    MEMORY_GB,
    VCPU,
    DRTier,
    Flavor,
    Image,
    Kind,
    Site,
    StorageClass,
)
from govcloud.inventory.models import Resource
from govcloud.orders.changes import (
    AddressLine,
    ExtendLine,
    LimitLine,
    QuotaLine,
    ReleaseLine,
    RenewLine,
    ResizeLine,
    RetypeLine,
)
from govcloud.orders.drafts import ItemDraft
from govcloud.orders.models import Action
from govcloud.orders.parts import Amounts, Part, Quantities
from govcloud.quotas.models import Dimension


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeLine:
    storage_class: StorageClass
    size_gb: int

    @property
    def meter(self) -> str:
        return self.storage_class.meter.code


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLine:
    action: ClassVar = Action.CREATE
    kind: ClassVar = Kind.NETWORK
    name: str
    zone: str
    site: str = Site.MAIN
    quantity: int = 1

    def parts(self) -> Iterator[Part]:
        yield Part(self.name, {Dimension.NETWORKS: 1})

    def quantities(self) -> Quantities:
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLine:
    """``network_line`` is the position in the order of the network it is on; ``network`` one that exists already."""

    action: ClassVar = Action.CREATE
    kind: ClassVar = Kind.SERVER
    name: str
    zone: str
    quantity: int
    flavor: Flavor
    image: Image
    network_line: int | None
    network: Resource | None
    volumes: tuple[VolumeLine, ...]  # the first is the system volume
    lease_months: int
    site: str = Site.MAIN  # of the network that is ordered with it

    @property
    def volumes_gb(self) -> int:
        """Of all its servers together."""
        return self.quantity * sum(volume.size_gb for volume in self.volumes)

    def parts(self) -> Iterator[Part]:
        server: Amounts = {
            Dimension.SERVERS: 1,
            Dimension.VCPUS: self.flavor.vcpus,
            Dimension.MEMORY_GB: self.flavor.memory_gb,
        }
        per_server = 1 + len(self.volumes)
        for number in range(self.quantity):
            name = f"{self.name}-{number + 1}"
            yield Part(name, server)
            for position, volume in enumerate(self.volumes):
                role = f"data-{position}" if position else "system"
                yield Part(
                    f"{name}-{role}",
                    {Dimension.STORAGE_GB: volume.size_gb},
                    volume=position,
                    server=number * per_server,
                )

    def quantities(self) -> Quantities:
        total: Quantities = {
            VCPU: Decimal(self.quantity * self.flavor.vcpus),
            MEMORY_GB: Decimal(self.quantity * self.flavor.memory_gb),
        }
        for volume in self.volumes:
            total[volume.meter] = total.get(volume.meter, Decimal()) + self.quantity * volume.size_gb
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupLine:
    action: ClassVar = Action.CREATE
    kind: ClassVar = Kind.BACKUP
    name: str
    zone: str
    tier: DRTier
    capacity_gb: int
    frequency: str
    off_site: bool
    quantity: int = 1

    def parts(self) -> Iterator[Part]:
        yield Part(self.name, {Dimension.BACKUP_GB: self.capacity_gb})

    def quantities(self) -> Quantities:
        meter = self.tier.meter_off_site if self.off_site else self.tier.meter_local
        return {meter.code: Decimal(self.capacity_gb)}


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageLine:
    """``server`` is where the volume is attached, if anywhere; ``beside`` the data volumes that one has already."""

    action: ClassVar = Action.CREATE
    kind: ClassVar = Kind.VOLUME
    name: str
    zone: str
    storage_class: StorageClass
    size_gb: int
    server: Resource | None
    beside: int = 0
    lease_months: int = 12
    quantity: int = 1

    def parts(self) -> Iterator[Part]:
        yield Part(self.name, {Dimension.STORAGE_GB: self.size_gb}, volume=0)

    def quantities(self) -> Quantities:
        return {self.storage_class.meter.code: Decimal(self.size_gb)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerLine:
    action: ClassVar = Action.CREATE
    kind: ClassVar = Kind.CONTAINER
    name: str
    zone: str
    storage_class: StorageClass
    quota_gb: int
    lease_months: int = 12
    quantity: int = 1

    def parts(self) -> Iterator[Part]:
        yield Part(self.name, {Dimension.OBJECT_GB: self.quota_gb})

    def quantities(self) -> Quantities:
        return {self.storage_class.meter.code: Decimal(self.quota_gb)}


Line = (
    NetworkLine
    | ServerLine
    | BackupLine
    | StorageLine
    | ContainerLine
    | QuotaLine
    | ExtendLine
    | RetypeLine
    | ResizeLine
    | AddressLine
    | RenewLine
    | ReleaseLine
    | LimitLine
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """A draft that names something unknown, so that there is no line of it; the rest of it is judged all the same.

    Of a server also what is known of it; ``classes`` are those of its volumes, the system volume's first.
    """

    draft: ItemDraft
    flavor: Flavor | None = None
    image: Image | None = None
    classes: tuple[StorageClass | None, ...] = ()


def quota_of(lines: Sequence[Line]) -> dict[str, int]:
    """What the lines take together, per dimension; what is released is given back when it is gone, not before."""
    return _sum(part.amounts for line in lines for part in line.parts())


def freed_by(lines: Sequence[Line]) -> dict[str, int]:
    """What the lines give back when they are done, per dimension, as amounts below zero."""
    freed = _sum(line.frees() for line in lines if isinstance(line, QuotaLine | ResizeLine | ReleaseLine))
    return {dimension: -amount for dimension, amount in freed.items()}


def _sum(amounts: Iterable[Amounts]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in amounts:
        for dimension, amount in each.items():
            total[dimension] = total.get(dimension, 0) + amount
    return total
