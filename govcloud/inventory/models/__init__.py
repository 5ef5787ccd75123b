"""Resources as built, per application system. A row appears when the cloud has confirmed the thing, not before."""

from govcloud.inventory.models.containers import Access, Container, ContainerCredential
from govcloud.inventory.models.reach import FloatingAddress, Protocol, SecurityRule
from govcloud.inventory.models.resources import (
    Address,
    AddressBlock,
    BackupAllowance,
    Guest,
    LoginKey,
    Network,
    Power,
    Project,
    Resource,
    ResourceKind,
    Server,
    Snapshot,
    Volume,
    VolumeRole,
    WipeRecord,
)

__all__ = [
    "Access",
    "Address",
    "AddressBlock",
    "BackupAllowance",
    "Container",
    "ContainerCredential",
    "FloatingAddress",
    "Guest",
    "LoginKey",
    "Network",
    "Power",
    "Project",
    "Protocol",
    "Resource",
    "ResourceKind",
    "SecurityRule",
    "Server",
    "Snapshot",
    "Volume",
    "VolumeRole",
    "WipeRecord",
]
