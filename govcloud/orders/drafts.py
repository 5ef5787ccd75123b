"""What a department fills in, as it comes from outside: catalogue codes and public ids, nothing looked up yet."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from govcloud.quotas.models import Dimension


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeDraft:
    storage_class: str  # its code
    size_gb: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDraft:
    """A network of the system's own in one zone of the extranet; the servers on it stand at its site."""

    name: str
    zone: str
    site: str = "main"  # catalog.models.Site


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDraft:
    """So many servers of one kind; they are named with a number (app-1, app-2)."""

    name: str
    zone: str
    flavor: str  # its code
    image: str  # its code
    network: str  # the name of a network in the same order, or the uuid of one that the system has
    system_volume: VolumeDraft
    data_volumes: tuple[VolumeDraft, ...] = ()
    quantity: int = 1
    lease_months: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupDraft:
    """Backup capacity at a DR level, and how often the servers of the order are backed up onto it."""

    name: str
    dr_level: int  # GB/T 20988, 1 to 6
    capacity_gb: int
    frequency: str  # protection.models.Frequency
    off_site: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageDraft:
    """A data volume by itself, attached to a server that the system has if one is named."""

    name: str
    zone: str
    storage_class: str  # its code
    size_gb: int
    server: UUID | None = None
    lease_months: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerDraft:
    """An object container that may hold so much."""

    name: str
    zone: str
    storage_class: str  # its code, of one for objects
    quota_gb: int
    lease_months: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaDraft:
    """A container that shall hold more, or less, than now."""

    target: UUID
    quota_gb: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendDraft:
    """A volume that shall grow to a new size."""

    target: UUID
    size_gb: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeDraft:
    """A server that shall have another flavor, larger or smaller."""

    target: UUID
    flavor: str  # its code


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressDraft:
    """A server that shall be reached from outside its network, by a floating address."""

    target: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RetypeDraft:
    """A volume that shall move to another storage class."""

    target: UUID
    storage_class: str  # its code


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewDraft:
    """A resource that is needed for so many months longer; a server's volumes go by its lease."""

    target: UUID
    kind: str  # inventory.models.ResourceKind
    lease_months: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseDraft:
    """A resource that is no longer needed; a server goes with its volumes.

    A container goes when it is empty, or with what it holds where that is declared.
    """

    target: UUID
    kind: str  # inventory.models.ResourceKind, so that a mistaken id releases nothing else
    delete_contents: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitDraft:
    """What a limit of the department's quota shall become; with ``until``, its last day, for a time."""

    dimension: Dimension
    limit: int
    until: date | None = None


ItemDraft = (
    NetworkDraft
    | ServerDraft
    | BackupDraft
    | StorageDraft
    | ContainerDraft
    | QuotaDraft
    | ExtendDraft
    | RetypeDraft
    | ResizeDraft
    | AddressDraft
    | RenewDraft
    | ReleaseDraft
    | LimitDraft
)
