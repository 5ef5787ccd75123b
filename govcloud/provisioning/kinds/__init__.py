"""The kinds of steps of this package; packages above add theirs."""

from govcloud.provisioning.kinds.acts import PowerKind, RebootKind
from govcloud.provisioning.kinds.base import register
from govcloud.provisioning.kinds.centre_keys import FormerKeysKind, NewKeyKind
from govcloud.provisioning.kinds.compute import (
    AttachmentKind,
    ExtensionKind,
    ServerKind,
    VolumeKind,
)
from govcloud.provisioning.kinds.credentials import (
    ContainerFreezeKind,
    ContainerThawKind,
    CredentialAccessKind,
    CredentialProjectKind,
    CredentialUserKind,
)
from govcloud.provisioning.kinds.guests import (
    ConfigureKind,
    ConfirmKind,
    GrowKind,
    LetGoKind,
    LoginKeysKind,
    MountKind,
    UnmountKind,
)
from govcloud.provisioning.kinds.handover import HandoverKind, RetirementKind
from govcloud.provisioning.kinds.leases import LeaseKind, ResumptionKind, SuspensionKind
from govcloud.provisioning.kinds.network import NetworkKind, SecurityGroupKind, SecurityRuleKind, SubnetKind
from govcloud.provisioning.kinds.objects import (
    ContainerKind,
    ContainerQuotaKind,
    ContentsKind,
    EmptinessKind,
)
from govcloud.provisioning.kinds.ports import PortKind
from govcloud.provisioning.kinds.resizing import ResizeConfirmationKind, ResizeKind
from govcloud.provisioning.kinds.routing import (
    FloatingAddressKind,
    FloatingMoveKind,
    RouterInterfaceKind,
    RouterKind,
)
from govcloud.provisioning.kinds.servers import InterfaceKind, RebuildKind, RenameKind
from govcloud.provisioning.kinds.storage import DetachmentKind, RestoreKind, RetypeKind, SnapshotKind
from govcloud.provisioning.kinds.tenancy import (
    LIMITS,
    AccessKind,
    KeypairKind,
    ProjectKind,
)


def register_all() -> None:
    register(
        ProjectKind(),
        AccessKind(),
        KeypairKind(),
        *LIMITS.values(),
        NetworkKind(),
        SubnetKind(),
        SecurityGroupKind(),
        SecurityRuleKind(),
        RouterKind(),
        RouterInterfaceKind(),
        FloatingAddressKind(),
        FloatingMoveKind(),
        VolumeKind(),
        PortKind(),
        ServerKind(),
        AttachmentKind(),
        ExtensionKind(),
        ConfigureKind(),
        ConfirmKind(),
        GrowKind(),
        UnmountKind(),
        LoginKeysKind(),
        NewKeyKind(),
        FormerKeysKind(),
        HandoverKind(),
        RetirementKind(),
        MountKind(),
        LetGoKind(),
        DetachmentKind(),
        SnapshotKind(),
        RestoreKind(),
        RetypeKind(),
        PowerKind(),
        RebootKind(),
        RenameKind(),
        RebuildKind(),
        InterfaceKind(),
        ResizeKind(),
        ResizeConfirmationKind(),
        LeaseKind(),
        SuspensionKind(),
        ResumptionKind(),
        ContainerKind(),
        ContainerQuotaKind(),
        EmptinessKind(),
        ContentsKind(),
        CredentialProjectKind(),
        CredentialUserKind(),
        CredentialAccessKind(),
        ContainerFreezeKind(),
        ContainerThawKind(),
    )
