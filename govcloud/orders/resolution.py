"""Turning drafts into lines: every code and id looked up, whatever names nothing reported with its pointer."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import FLOATING_ADDRESS, DRTier, Flavor, Image, Keeps, Meter, Site, StorageClass
from govcloud.catalog.services import NotInCatalogue
from govcloud.errors import DomainError, Invalid
from govcloud.inventory import reach
from govcloud.inventory.models import Network, Resource, ResourceKind, Volume, VolumeRole
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
from govcloud.orders.drafts import (
    AddressDraft,
    BackupDraft,
    ContainerDraft,
    ExtendDraft,
    ItemDraft,
    LimitDraft,
    NetworkDraft,
    QuotaDraft,
    ReleaseDraft,
    RenewDraft,
    ResizeDraft,
    RetypeDraft,
    ServerDraft,
    StorageDraft,
    VolumeDraft,
)
from govcloud.orders.lines import (
    BackupLine,
    ContainerLine,
    Line,
    NetworkLine,
    ServerLine,
    StorageLine,
    Unresolved,
    VolumeLine,
)
from govcloud.quotas.models import Dimension, QuotaAccount
from tenants.models import System

K = TypeVar("K")
T = TypeVar("T")


class NoSuchResource(Invalid):
    """Also for another system's resource: both answer alike."""

    code = "no-such-resource"
    message = _("This system has no %(kind)s with the id %(target)s.")


class NoSuchNetwork(Invalid):
    code = "no-such-network"
    message = _(
        "“%(item)s” is on the network “%(name)s”, which is neither one of this order nor the id of one that the system has."
    )


Limits = Mapping[str, tuple[int | None, int | None]]
"""Of the department, by dimension: the one in force and the lasting one; None without one."""


@dataclass(frozen=True, slots=True)
class Found:
    """Everything the drafts name, read with one query per kind of thing."""

    flavors: Mapping[str, Flavor]
    images: Mapping[str, Image]
    classes: Mapping[str, StorageClass]  # of volumes
    object_classes: Mapping[str, StorageClass]
    tiers: Mapping[int, DRTier]
    resources: Mapping[UUID, Resource]
    networks: Mapping[str, int]  # positions of those ordered in the same order, by name
    sites: Mapping[str, str]  # where these shall be
    limits: Limits


@dataclass(slots=True)
class Resolver:
    system: System
    found: Found
    errors: list[DomainError] = field(default_factory=list)

    def line(self, position: int, draft: ItemDraft) -> Line | None:  # noqa: C901, PLR0912  one for each kind of draft
        """The draft's line, or None after telling why there is none."""
        known = len(self.errors)
        line: Line | None
        match draft:
            case NetworkDraft():
                line = NetworkLine(name=draft.name, zone=draft.zone, site=draft.site)
            case ServerDraft():
                line = self._server(position, draft)
            case BackupDraft():
                line = self._backup(position, draft)
            case StorageDraft():
                line = self._storage(position, draft)
            case ContainerDraft():
                line = self._container(position, draft)
            case QuotaDraft():
                line = self._requota(position, draft)
            case RetypeDraft():
                line = self._retype(position, draft)
            case ExtendDraft():
                line = self._extension(position, draft)
            case ResizeDraft():
                line = self._resize(position, draft)
            case RenewDraft():
                line = self._renewal(position, draft)
            case AddressDraft():
                line = self._address(position, draft)
            case ReleaseDraft():
                line = self._release(position, draft)
            case LimitDraft():
                line = self._limit(draft)
        return line if len(self.errors) == known else None

    def _server(self, position: int, draft: ServerDraft) -> ServerLine | None:
        at = f"/items/{position}"
        flavor = self._known(self.found.flavors, draft.flavor, _("flavor"), f"{at}/flavor")
        image = self._known(self.found.images, draft.image, _("image"), f"{at}/image")
        network_line, network = self._network(draft, f"{at}/network")
        volumes = [self._volume(draft.system_volume, f"{at}/system_volume")]
        volumes += [self._volume(v, f"{at}/data_volumes/{n}") for n, v in enumerate(draft.data_volumes)]
        if flavor is None or image is None:
            return None
        return ServerLine(
            name=draft.name,
            zone=draft.zone,
            quantity=draft.quantity,
            flavor=flavor,
            image=image,
            network_line=network_line,
            network=network,
            volumes=tuple(volume for volume in volumes if volume is not None),
            lease_months=draft.lease_months,
            site=self.found.sites.get(draft.network, Site.MAIN),
        )

    def _network(self, draft: ServerDraft, pointer: str) -> tuple[int | None, Resource | None]:
        name = draft.network
        ordered = self.found.networks.get(name)
        if ordered is not None:
            return ordered, None
        identifier = as_uuid(name)
        existing = self.found.resources.get(identifier) if identifier else None
        if existing is None or existing.kind != ResourceKind.NETWORK:
            self.errors.append(NoSuchNetwork(item=draft.name, name=name, pointers=(pointer,)))
            return None, None
        return None, existing

    def _volume(self, draft: VolumeDraft, at: str) -> VolumeLine | None:
        found = self._known(
            self.found.classes, draft.storage_class, _("storage class"), f"{at}/storage_class"
        )
        return VolumeLine(storage_class=found, size_gb=draft.size_gb) if found else None

    def _backup(self, position: int, draft: BackupDraft) -> BackupLine | None:
        tier = self._known(self.found.tiers, draft.dr_level, _("DR level"), f"/items/{position}/dr_level")
        if tier is None:
            return None
        return BackupLine(
            name=draft.name,
            zone=self.system.zone,
            tier=tier,
            capacity_gb=draft.capacity_gb,
            frequency=draft.frequency,
            off_site=draft.off_site,
        )

    def _storage(self, position: int, draft: StorageDraft) -> StorageLine | None:
        at = f"/items/{position}"
        found = self._known(
            self.found.classes, draft.storage_class, _("storage class"), f"{at}/storage_class"
        )
        server = None
        if draft.server is not None:
            server = self._target(draft.server, ResourceKind.SERVER, position, "server")
        if found is None:
            return None
        return StorageLine(
            name=draft.name,
            zone=draft.zone,
            storage_class=found,
            size_gb=draft.size_gb,
            server=server,
            beside=data_volumes_of(server),
            lease_months=draft.lease_months,
        )

    def _container(self, position: int, draft: ContainerDraft) -> ContainerLine | None:
        found = self._known(
            self.found.object_classes,
            draft.storage_class,
            _("class of object storage"),
            f"/items/{position}/storage_class",
        )
        if found is None:
            return None
        return ContainerLine(
            name=draft.name,
            zone=draft.zone,
            storage_class=found,
            quota_gb=draft.quota_gb,
            lease_months=draft.lease_months,
        )

    def _requota(self, position: int, draft: QuotaDraft) -> QuotaLine | None:
        target = self._target(draft.target, ResourceKind.CONTAINER, position)
        if target is None:
            return None
        return QuotaLine(target=target, container=target.container, quota_gb=draft.quota_gb)

    def _retype(self, position: int, draft: RetypeDraft) -> RetypeLine | None:
        target = self._target(draft.target, ResourceKind.VOLUME, position)
        at = f"/items/{position}/storage_class"
        found = self._known(self.found.classes, draft.storage_class, _("storage class"), at)
        if target is None or found is None:
            return None
        return RetypeLine(
            target=target,
            volume=target.volume,
            before=target.volume.storage_class,
            storage_class=found,
            snapshots=snapshots_of(target),
        )

    def _extension(self, position: int, draft: ExtendDraft) -> ExtendLine | None:
        target = self._target(draft.target, ResourceKind.VOLUME, position)
        return ExtendLine(target=target, volume=target.volume, size_gb=draft.size_gb) if target else None

    def _resize(self, position: int, draft: ResizeDraft) -> ResizeLine | None:
        target = self._target(draft.target, ResourceKind.SERVER, position)
        flavor = self._known(self.found.flavors, draft.flavor, _("flavor"), f"/items/{position}/flavor")
        if target is None or flavor is None:
            return None
        return ResizeLine(target=target, server=target.server, flavor=flavor)

    def _renewal(self, position: int, draft: RenewDraft) -> RenewLine | None:
        target = self._target(draft.target, draft.kind, position)
        return RenewLine(target=target, lease_months=draft.lease_months) if target else None

    def _address(self, position: int, draft: AddressDraft) -> AddressLine | None:
        target = self._target(draft.target, ResourceKind.SERVER, position)
        if target is None:
            return None
        try:
            network = reach.network_of(target, pointer=f"/items/{position}/target")
        except reach.OnNoNetwork as error:
            self.errors.append(error)
            return None
        return address_line(target, network)

    def _release(self, position: int, draft: ReleaseDraft) -> ReleaseLine | None:
        target = self._target(draft.target, draft.kind, position)
        return release_line(target, delete_contents=draft.delete_contents) if target else None

    def _limit(self, draft: LimitDraft) -> LimitLine:
        """Without an account nothing was granted: a limit of 0."""
        before, lasting = self.found.limits.get(draft.dimension, (0, 0))
        return LimitLine(
            dimension=draft.dimension,
            limit=draft.limit,
            before=before,
            lasting_before=lasting,
            zone=self.system.zone,
            until=draft.until,
        )

    def _target(
        self, identifier: UUID, kind: str, position: int, field_name: str = "target"
    ) -> Resource | None:
        target = self.found.resources.get(identifier)
        if target is not None and target.kind == kind:
            return target
        self.errors.append(
            NoSuchResource(
                kind=ResourceKind(kind).label,
                target=identifier,
                pointers=(f"/items/{position}/{field_name}",),
            )
        )
        return None

    def _known(self, found: Mapping[K, T], key: K, what: str | Promise, pointer: str) -> T | None:
        if key not in found:
            self.errors.append(NotInCatalogue(what=what, name=key, pointers=(pointer,)))
        return found.get(key)


@dataclass(frozen=True, slots=True)
class Resolution:
    """The lines that can be told and the drafts of which none can, each with its position; and why it cannot."""

    lines: list[tuple[int, Line]]
    unresolved: list[tuple[int, Unresolved]]
    errors: list[DomainError]


def resolve(*, system: System, drafts: Sequence[ItemDraft]) -> Resolution:
    """Look up everything that the drafts name."""
    found = _look_up(system, drafts)
    resolver = Resolver(system, found)
    result = Resolution([], [], resolver.errors)
    for position, draft in enumerate(drafts):
        line = resolver.line(position, draft)
        if line is not None:
            result.lines.append((position, line))
        else:
            result.unresolved.append((position, _unresolved(draft, found)))
    return result


def _unresolved(draft: ItemDraft, found: Found) -> Unresolved:
    if not isinstance(draft, ServerDraft):
        return Unresolved(draft=draft)
    volumes = (draft.system_volume, *draft.data_volumes)
    return Unresolved(
        draft=draft,
        flavor=found.flavors.get(draft.flavor),
        image=found.images.get(draft.image),
        classes=tuple(found.classes.get(volume.storage_class) for volume in volumes),
    )


def _look_up(system: System, drafts: Sequence[ItemDraft]) -> Found:
    servers = [draft for draft in drafts if isinstance(draft, ServerDraft)]
    volumes = [volume for draft in servers for volume in (draft.system_volume, *draft.data_volumes)]
    targeting = (
        QuotaDraft | ExtendDraft | RetypeDraft | ResizeDraft | RenewDraft | AddressDraft | ReleaseDraft
    )
    named = {draft.target for draft in drafts if isinstance(draft, targeting)}
    storage = [draft for draft in drafts if isinstance(draft, StorageDraft)]
    named |= {draft.server for draft in storage if draft.server is not None}
    named |= {identifier for draft in servers if (identifier := as_uuid(draft.network)) is not None}
    flavors = {draft.flavor for draft in drafts if isinstance(draft, ServerDraft | ResizeDraft)}
    codes = {volume.storage_class for volume in volumes}
    naming = StorageDraft | RetypeDraft | ContainerDraft
    codes |= {draft.storage_class for draft in drafts if isinstance(draft, naming)}
    classes = list(StorageClass.objects.select_related("meter").filter(code__in=codes))
    levels = {draft.dr_level for draft in drafts if isinstance(draft, BackupDraft)}
    tiers = DRTier.objects.select_related("meter_local", "meter_off_site").filter(
        level__in=levels, retired_at=None
    )
    return Found(
        flavors={flavor.code: flavor for flavor in Flavor.objects.filter(code__in=flavors)},
        images={image.code: image for image in Image.objects.filter(code__in={s.image for s in servers})},
        classes={found.code: found for found in classes if found.keeps == Keeps.BLOCK},
        object_classes={found.code: found for found in classes if found.keeps == Keeps.OBJECT},
        tiers={tier.level: tier for tier in tiers},
        resources={found.uuid: found for found in targets(system).filter(uuid__in=named)},
        networks={d.name: n for n, d in enumerate(drafts) if isinstance(d, NetworkDraft)},
        sites={d.name: d.site for d in drafts if isinstance(d, NetworkDraft)},
        limits=_limits(system, {draft.dimension for draft in drafts if isinstance(draft, LimitDraft)}),
    )


def _limits(system: System, dimensions: Collection[Dimension]) -> Limits:
    if not dimensions:
        return {}
    accounts = QuotaAccount.objects.filter(department=system.department_id, dimension__in=dimensions)
    return accounts.in_force_and_lasting()


def volumes_of(target: Resource) -> tuple[Volume, ...]:
    """The volumes that go with a server; needs ``targets()``."""
    if target.kind != ResourceKind.SERVER:
        return ()
    return tuple(volume for volume in target.server.volumes.all() if volume.resource.released_at is None)


def data_volumes_of(server: Resource | None) -> int:
    """How many data volumes a server has."""
    if server is None:
        return 0
    return server.server.volumes.filter(role=VolumeRole.DATA, resource__released_at=None).count()


def address_line(server: Resource, network: Network) -> AddressLine:
    """``network`` is the one at the time of ordering: an old order is shown when its server is long gone."""
    return AddressLine(
        target=server, network=network, given=reach.has_address(server), billed=_addresses_are_billed()
    )


def release_line(target: Resource, *, delete_contents: bool = False) -> ReleaseLine:
    """Needs ``targets()``, or ``items_of`` of a stored order."""
    held = target.server.floating_addresses.all() if target.kind == ResourceKind.SERVER else ()
    addresses = sum(each.released_at is None for each in held)
    return ReleaseLine(
        target=target,
        volumes=volumes_of(target),
        addresses=addresses,
        billed_addresses=addresses if addresses and _addresses_are_billed() else 0,
        delete_contents=delete_contents,
    )


def _addresses_are_billed() -> bool:
    return Meter.objects.filter(code=FLOATING_ADDRESS).exists()


def snapshots_of(target: Resource) -> int:
    return target.volume.snapshots.filter(deleted_at=None).count()


def targets(system: System) -> QuerySet[Resource]:
    """The system's resources that are not gone, with what a change or a release needs to know of them."""
    volumes = Volume.objects.select_related("resource", "storage_class__meter").order_by("resource_id")
    return (
        Resource.objects.filter(system=system, released_at=None)
        .select_related(
            "cloud",
            "server__flavor",
            "server__image",
            "volume__storage_class__meter",
            "volume__server__resource",
            "backup__tier__meter_local",
            "backup__tier__meter_off_site",
            "container__storage_class__meter",
        )
        .prefetch_related(Prefetch("server__volumes", queryset=volumes), "server__floating_addresses")
    )


def as_uuid(text: str) -> UUID | None:
    """What somebody wrote, if it is one."""
    try:
        return UUID(text)
    except ValueError:
        return None
