"""Lines about what stands already: changed, renewed or released. What is created is in ``lines``."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import ClassVar

from govcloud.catalog.models import (
    FLOATING_ADDRESS,
    MEMORY_GB,
    VCPU,
    Flavor,
    Kind,
    StorageClass,
)
from govcloud.inventory.models import Container, Network, Resource, Server, Volume
from govcloud.orders.models import Action
from govcloud.orders.parts import Amounts, Part, Quantities
from govcloud.quotas.models import Dimension


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
class LimitLine:
    """A limit of the department's quota, raised or lowered; for a time if there is a last day (``until``).

    It holds nothing of the quota itself. ``before`` is the limit that the applicant saw, None without one; ``lasting_before``
    the one that it would fall back to, the same where no temporary raise was in force.
    """

    action: ClassVar = Action.CHANGE
    kind: ClassVar = Kind.QUOTA
    dimension: Dimension
    limit: int
    before: int | None
    lasting_before: int | None
    zone: str
    until: date | None = None
    quantity: int = 1

    @property
    def name(self) -> str:
        return self.dimension.value

    @property
    def raises(self) -> bool:
        """Whether more is asked for than was granted to last: what is there for a time is no step to having it for good."""
        return self.lasting_before is not None and self.limit > self.lasting_before

    def parts(self) -> Iterator[Part]:
        yield from ()

    def quantities(self) -> Quantities:
        return {}


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
