"""What the clouds answer, as our own frozen records. Nothing of openstacksdk or of a JSON body gets past them.

Sizes keep the services' units and say so in their names: ``_gib`` for disks, ``_mib`` for memory. Times are aware, in
UTC. ``status`` is the cloud's word; ``phase`` is what the word means for somebody who waits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any


class Phase(StrEnum):
    """Where a thing stands that changes by itself."""

    SETTLED = "settled"  # it has arrived somewhere and stays there until somebody asks for more
    MOVING = "moving"  # look again later
    FAILED = "failed"  # any status that begins with "error", not only "error" itself
    GONE = "gone"


def moment(text: str | None) -> datetime | None:
    """A cloud's time stamp: with ``Z``, with an offset, or naive, which means UTC."""
    if not text:
        return None
    parsed = datetime.fromisoformat(text)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that the cloud took on: the id of what it concerns, and the request's own id."""

    id: str
    request_id: str


# ---------------------------------------------------------------- identity


@dataclass(frozen=True, slots=True)
class Project:
    id: str
    name: str
    description: str
    enabled: bool
    domain_id: str


@dataclass(frozen=True, slots=True)
class User:
    id: str
    name: str


# ---------------------------------------------------------------- object storage


@dataclass(frozen=True, slots=True)
class Container:
    """``metadata`` without what has a field here; ``read`` and ``write`` are who is let in (``<project>:<user>``)."""

    name: str
    quota_bytes: int | None
    bytes_used: int
    objects: int
    policy: str
    metadata: Mapping[str, str]
    read: frozenset[str]
    write: frozenset[str]


# ---------------------------------------------------------------- quotas


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """One limit and what counts against it. ``limit`` is ``None`` where there is none; zero is zero."""

    limit: int | None
    used: int
    reserved: int = 0

    @property
    def free(self) -> int | None:
        """What is left, never below zero; ``None`` for no limit."""
        return None if self.limit is None else max(self.limit - self.used - self.reserved, 0)


# ---------------------------------------------------------------- network


@dataclass(frozen=True, slots=True)
class Network:
    id: str
    name: str
    status: str
    project_id: str
    external: bool
    shared: bool
    mtu: int
    subnet_ids: tuple[str, ...]
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Subnet:
    id: str
    name: str
    network_id: str
    cidr: str
    gateway: str | None
    dns: tuple[str, ...]
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Port:
    id: str
    name: str
    network_id: str
    status: str
    mac: str
    addresses: tuple[str, ...]
    device_id: str
    device_owner: str
    security_group_ids: tuple[str, ...]
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    id: str
    name: str
    description: str
    project_id: str
    rule_ids: tuple[str, ...]
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class SecurityRule:
    """``protocol`` and ports are ``None`` for any; ``remote`` is a CIDR, or ``None`` for anywhere (or a group)."""

    id: str
    project_id: str
    group_id: str
    direction: str
    ethertype: str
    protocol: str | None
    port_min: int | None
    port_max: int | None
    remote: str | None
    remote_group_id: str | None
    remote_address_group_id: str | None
    description: str


@dataclass(frozen=True, slots=True)
class Router:
    id: str
    name: str
    status: str
    external_network_id: str | None
    outside_addresses: tuple[str, ...]
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class FloatingIp:
    id: str
    address: str
    status: str
    port_id: str | None
    fixed_address: str | None
    network_id: str
    description: str
    tags: frozenset[str]


# ---------------------------------------------------------------- block storage


@dataclass(frozen=True, slots=True)
class Volume:
    """``attached_to`` maps the ids of servers to the device each sees (``/dev/vdb``), as far as Cinder knows it.

    ``image_properties`` are those of the image that was written to it, as they were then; empty without one.
    """

    id: str
    project_id: str
    name: str
    status: str
    size_gib: int
    volume_type: str
    bootable: bool
    zone: str
    metadata: Mapping[str, str]
    attached_to: Mapping[str, str]
    created_at: datetime | None
    image_properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def phase(self) -> Phase:
        """``reserved`` moves: a server is being made that has laid hold of the volume."""
        if self.status in {"available", "in-use", "maintenance", "retyping-paused"}:
            return Phase.SETTLED
        return Phase.FAILED if self.status.startswith("error") else Phase.MOVING


@dataclass(frozen=True, slots=True)
class VolumeType:
    """``backend`` is that on which its volumes are, as ``Pool.backend``; empty where it names none or the reader may not know."""

    id: str
    name: str
    public: bool
    backend: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A volume held for, or in use by, a server. The hold is there before the server's volume is connected."""

    id: str
    volume_id: str
    server_id: str
    status: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``updated_at`` moves when a volume is put back to it: the only trace of that."""

    id: str
    project_id: str
    name: str
    status: str
    volume_id: str
    size_gib: int
    metadata: Mapping[str, str]
    created_at: datetime | None
    updated_at: datetime | None

    @property
    def phase(self) -> Phase:
        """As for volumes."""
        if self.status == "available":
            return Phase.SETTLED
        return Phase.FAILED if self.status.startswith("error") else Phase.MOVING


@dataclass(frozen=True, slots=True)
class Backup:
    """``data_at`` is the moment whose data the backup holds; ``has_dependents`` forbids its deletion."""

    id: str
    name: str
    status: str
    volume_id: str
    size_gib: int
    incremental: bool
    has_dependents: bool
    object_count: int
    fail_reason: str
    metadata: Mapping[str, str]
    created_at: datetime | None
    data_at: datetime | None

    @property
    def phase(self) -> Phase:
        """As for volumes; ``restoring`` moves."""
        if self.status == "available":
            return Phase.SETTLED
        return Phase.FAILED if self.status.startswith("error") else Phase.MOVING


@dataclass(frozen=True, slots=True)
class Restore:
    """A restore under way: the volume that is being written."""

    backup_id: str
    volume_id: str
    request_id: str


# ---------------------------------------------------------------- compute


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a server is in ERROR, in the cloud's words."""

    code: int
    message: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Server:
    id: str
    name: str
    status: str
    task_state: str | None
    power_state: int
    flavor_id: str
    zone: str
    addresses: Mapping[str, tuple[str, ...]]
    volume_ids: tuple[str, ...]
    key_name: str | None
    tags: frozenset[str]
    metadata: Mapping[str, str]
    fault: Fault | None
    created_at: datetime | None
    launched_at: datetime | None

    @property
    def phase(self) -> Phase:
        """A server with a task under way moves, whatever its status says."""
        if self.status == "ERROR":
            return Phase.FAILED
        if self.status in {"DELETED", "SOFT_DELETED"}:
            return Phase.GONE
        moving = self.task_state is not None or self.status in {
            "BUILD", "REBUILD", "REBOOT", "HARD_REBOOT", "RESIZE", "REVERT_RESIZE", "MIGRATING", "PASSWORD", "UNKNOWN",
        }  # fmt: skip
        return Phase.MOVING if moving else Phase.SETTLED


@dataclass(frozen=True, slots=True)
class ServerAction:
    """How an accepted request to a server went on. Some failures show nowhere else: a resize that found no room."""

    name: str
    request_id: str
    message: str
    finished: bool
    failed: bool
    started_at: datetime | None


@dataclass(frozen=True, slots=True)
class Flavor:
    """``takes`` is what a server of it takes of its hypervisor, by Placement's resource class (memory in MiB)."""

    id: str
    name: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    takes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Keypair:
    name: str
    public_key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class VolumeAttachment:
    """A volume of a server as Nova tells it."""

    volume_id: str
    server_id: str
    device: str | None


@dataclass(frozen=True, slots=True)
class ServerUsage:
    """What Nova counts for one server in the asked period; ``ended_at`` is ``None`` while it lives."""

    server_id: str
    name: str
    flavor_name: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    hours: Decimal
    started_at: datetime | None
    ended_at: datetime | None
    state: str


# ---------------------------------------------------------------- images and capacity


@dataclass(frozen=True, slots=True)
class Image:
    id: str
    name: str
    status: str
    visibility: str
    disk_format: str
    size_bytes: int
    min_disk_gib: int
    min_memory_mib: int
    properties: Mapping[str, str]

    @property
    def phase(self) -> Phase:
        """``queued`` moves: the image has no data yet."""
        if self.status in {"active", "deactivated"}:
            return Phase.SETTLED
        if self.status in {"deleted", "pending_delete"}:
            return Phase.GONE
        return Phase.FAILED if self.status in {"killed", "error"} else Phase.MOVING


@dataclass(frozen=True, slots=True)
class Pool:
    """A storage pool. ``free_gib`` is ``None`` where the back end does not say."""

    name: str
    backend: str
    total_gib: Decimal | None
    free_gib: Decimal | None
    allocated_gib: Decimal


HostRoom = Mapping[str, tuple[int, int]]
"""What one hypervisor has left, by Placement's resource class (memory in MiB): in all, and at most for one server."""


@dataclass(frozen=True, slots=True)
class ComputeCapacity:
    """What the hypervisors can still be asked for, overcommit included and what the operators reserve left out.

    The totals are of shared vCPUs; ``hosts`` tell of dedicated ones and of bare metal as well.
    """

    vcpus_total: int
    vcpus_used: int
    memory_mib_total: int
    memory_mib_used: int
    hosts: tuple[HostRoom, ...]


def text_map(value: Any) -> dict[str, str]:
    """A JSON object as a map of texts."""
    return {str(key): str(item) for key, item in (value or {}).items()}
