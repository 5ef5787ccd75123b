"""An order's items with everything they name looked up: what rules judge, quotes price and units are cut from.

Lines come from a draft (``resolution``) or from the rows of a stored order (``stored``); whoever reads them cannot tell.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from govcloud.catalog.models import (
    FLOATING_ADDRESS,
    MEMORY_GB,
    VCPU,
    DRTier,
    Flavor,
    Image,
    Kind,
    Site,
    StorageClass,
)
from govcloud.inventory.models import Container, Network, Resource, Server, Volume
from govcloud.orders.drafts import ItemDraft
from govcloud.orders.models import Action
from govcloud.quotas.models import Dimension

Amounts = Mapping[str, int]
Quantities = dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Part:
    """One resource of a line: what it is called and what it takes of the quota.

    ``volume`` is the position of the volume's spec within the line, ``server`` the index of the part it hangs on;
    ``resource`` what exists already, when it is changed or released.
    """

    name: str
    amounts: Amounts
    volume: int | None = None
    server: int | None = None
    resource: Resource | None = None


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


class _OfTarget:
    """What a line has of the resource that it changes, renews or releases."""

    __slots__ = ()
    target: Resource

    @property
    def name(self) -> str:
        return self.target.name[:40]

    @property
    def zone(self) -> str:
        return self.target.zone


@dataclass(frozen=True, slots=True, kw_only=True)
class RetypeLine(_OfTarget):
    """Quota counts all storage classes alike; the price is the new class's for the old one's.

    ``before`` is the class at the time of ordering; ``snapshots`` how many the volume has.
    """

    action: ClassVar = Action.CHANGE
    kind: ClassVar = Kind.VOLUME
    target: Resource
    volume: Volume
    before: StorageClass
    storage_class: StorageClass
    snapshots: int = 0
    quantity: int = 1

    def parts(self) -> Iterator[Part]:
        yield Part(self.target.name[:48], {}, volume=0, resource=self.target)

    def quantities(self) -> Quantities:
        size, old, new = Decimal(self.volume.size_gb), self.before.meter.code, self.storage_class.meter.code
        return {} if old == new else {old: -size, new: size}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendLine(_OfTarget):
    action: ClassVar = Action.CHANGE
    kind: ClassVar = Kind.VOLUME
    target: Resource
    volume: Volume
    size_gb: int
    quantity: int = 1

    @property
    def grows_by(self) -> int:
        return max(0, self.size_gb - self.volume.size_gb)

    def parts(self) -> Iterator[Part]:
        amounts: Amounts = {Dimension.STORAGE_GB: self.grows_by} if self.grows_by else {}
        yield Part(self.target.name[:48], amounts, volume=0, resource=self.target)

    def quantities(self) -> Quantities:
        return {self.volume.storage_class.meter.code: Decimal(self.grows_by)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeLine(_OfTarget):
    """A server on another flavor. What grows is taken of the quota, what shrinks is given back: each by itself."""

    action: ClassVar = Action.CHANGE
    kind: ClassVar = Kind.SERVER
    target: Resource
    server: Server
    flavor: Flavor
    quantity: int = 1

    def parts(self) -> Iterator[Part]:
        takes = {dimension: more for dimension, more in self._more().items() if more > 0}
        yield Part(self.target.name[:48], takes, resource=self.target)

    def frees(self) -> Amounts:
        return {dimension: -more for dimension, more in self._more().items() if more < 0}

    def _more(self) -> dict[str, int]:
        return {
            Dimension.VCPUS: self.flavor.vcpus - self.server.vcpus,
            Dimension.MEMORY_GB: self.flavor.memory_gb - self.server.memory_gb,
        }

    def quantities(self) -> Quantities:
        """The difference to what is billed now."""
        more = self._more()
        return {VCPU: Decimal(more[Dimension.VCPUS]), MEMORY_GB: Decimal(more[Dimension.MEMORY_GB])}


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewLine(_OfTarget):
    """Nothing is taken of the quota and nothing new is billed: what is let goes on being let."""

    action: ClassVar = Action.RENEW
    target: Resource
    lease_months: int
    quantity: int = 1

    @property
    def kind(self) -> Kind:
        return Kind(self.target.kind)

    def parts(self) -> Iterator[Part]:
        yield Part(self.target.name[:48], {}, resource=self.target)

    def quantities(self) -> Quantities:
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressLine(_OfTarget):
    """A floating address for a server, through the router of its ``network``; billed if the catalogue has a meter for it.

    ``given`` says whether it has one already, or is about to get it.
    """

    action: ClassVar = Action.CHANGE
    kind: ClassVar = Kind.SERVER
    target: Resource
    network: Network
    given: bool
    billed: bool
    quantity: int = 1

    def parts(self) -> Iterator[Part]:
        yield Part(self.target.name[:48], {Dimension.ADDRESSES: 1}, resource=self.target)

    def quantities(self) -> Quantities:
        return {FLOATING_ADDRESS: Decimal(1)} if self.billed else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaLine(_OfTarget):
    """A container's quota, larger or smaller. What grows is taken of the department's quota, what shrinks given back."""

    action: ClassVar = Action.CHANGE
    kind: ClassVar = Kind.CONTAINER
    target: Resource
    container: Container
    quota_gb: int
    quantity: int = 1

    @property
    def grows_by(self) -> int:
        return self.quota_gb - self.container.quota_gb

    def parts(self) -> Iterator[Part]:
        takes: Amounts = {Dimension.OBJECT_GB: self.grows_by} if self.grows_by > 0 else {}
        yield Part(self.target.name[:48], takes, resource=self.target)

    def frees(self) -> Amounts:
        return {Dimension.OBJECT_GB: -self.grows_by} if self.grows_by < 0 else {}

    def quantities(self) -> Quantities:
        """The difference to what is billed now."""
        return {self.container.storage_class.meter.code: Decimal(self.grows_by)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseLine(_OfTarget):
    """``volumes`` are those of a server, which go with it, as do its floating ``addresses``; ``delete_contents`` is a container's."""

    action: ClassVar = Action.RELEASE
    target: Resource
    volumes: tuple[Volume, ...] = ()
    addresses: int = 0
    billed_addresses: int = 0
    delete_contents: bool = False
    quantity: int = 1

    @property
    def kind(self) -> Kind:
        return Kind(self.target.kind)

    def parts(self) -> Iterator[Part]:
        yield Part(self.target.name[:48], {}, resource=self.target)
        for volume in self.volumes:
            yield Part(volume.resource.name[:48], {}, server=0, resource=volume.resource)

    def all_volumes(self) -> tuple[Volume, ...]:
        """The target itself included, if it is one."""
        return (*self.volumes, self.target.volume) if self.target.kind == Kind.VOLUME else self.volumes

    def frees(self) -> Amounts:
        """What is given back to the quota once it is gone."""
        freed = {
            Dimension.STORAGE_GB: sum(volume.size_gb for volume in self.volumes),
            Dimension.ADDRESSES: self.addresses,
        }
        match self.target.kind:
            case Kind.SERVER:
                freed[Dimension.SERVERS] = 1
                freed[Dimension.VCPUS] = self.target.server.vcpus
                freed[Dimension.MEMORY_GB] = self.target.server.memory_gb
            case Kind.VOLUME:
                freed[Dimension.STORAGE_GB] += self.target.volume.size_gb
            case Kind.NETWORK:
                freed[Dimension.NETWORKS] = 1
            case Kind.CONTAINER:
                freed[Dimension.OBJECT_GB] = self.target.container.quota_gb
            case Kind.BACKUP:
                freed[Dimension.BACKUP_GB] = self.target.backup.capacity_gb
        return {dimension: amount for dimension, amount in freed.items() if amount}

    def quantities(self) -> Quantities:
        """Negative: what will no longer be billed."""
        ends: Quantities = {}
        for meter, quantity in self._metered():
            ends[meter] = ends.get(meter, Decimal()) - quantity
        return ends

    def _metered(self) -> Iterator[tuple[str, int]]:
        if self.target.kind == Kind.SERVER:
            yield VCPU, self.target.server.vcpus
            yield MEMORY_GB, self.target.server.memory_gb
            if self.billed_addresses:
                yield FLOATING_ADDRESS, self.billed_addresses
        elif self.target.kind == Kind.VOLUME:
            yield self.target.volume.storage_class.meter.code, self.target.volume.size_gb
        elif self.target.kind == Kind.CONTAINER:
            yield self.target.container.storage_class.meter.code, self.target.container.quota_gb
        elif self.target.kind == Kind.BACKUP:
            allowance = self.target.backup
            meter = allowance.tier.meter_off_site if allowance.off_site else allowance.tier.meter_local
            yield meter.code, allowance.capacity_gb
        for volume in self.volumes:
            yield volume.storage_class.meter.code, volume.size_gb


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
