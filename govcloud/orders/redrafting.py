"""From an order as it is stored back to the drafts that it was written from, so that one item can be written anew."""

from collections.abc import Sequence
from dataclasses import replace

from govcloud.orders import stored
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
from govcloud.orders.lines import BackupLine, ContainerLine, Line, NetworkLine, ServerLine, StorageLine
from govcloud.orders.models import Order


def drafts_of(order: Order) -> list[ItemDraft]:
    """Every item of the order, in its order: revised with these, it stays as it is."""
    lines = stored.lines_of(stored.items_of(order))
    return [_draft(line, lines) for line in lines]


def rewritten(
    drafts: Sequence[ItemDraft], changed: dict[int, ItemDraft], added: Sequence[ItemDraft] = ()
) -> list[ItemDraft]:
    """The drafts with some of them changed, by position, and others added behind.

    Servers that name a network of the order by the name that it has lost are told its new one.
    """
    result = [changed.get(position, draft) for position, draft in enumerate(drafts)]
    names = {
        old.name: new.name
        for old, new in zip(drafts, result, strict=True)
        if isinstance(old, NetworkDraft) and isinstance(new, NetworkDraft)
    }
    return [
        replace(draft, network=names[draft.network])
        if isinstance(draft, ServerDraft) and draft.network in names
        else draft
        for draft in (*result, *added)
    ]


def _draft(line: Line, lines: Sequence[Line]) -> ItemDraft:  # noqa: C901, PLR0911, PLR0912  one for each kind of line
    match line:
        case NetworkLine():
            return NetworkDraft(name=line.name, zone=line.zone, site=line.site)
        case ServerLine():
            return _server(line, lines)
        case BackupLine():
            return BackupDraft(
                name=line.name,
                dr_level=line.tier.level,
                capacity_gb=line.capacity_gb,
                frequency=line.frequency,
                off_site=line.off_site,
            )
        case StorageLine():
            return StorageDraft(
                name=line.name,
                zone=line.zone,
                storage_class=line.storage_class.code,
                size_gb=line.size_gb,
                server=line.server.uuid if line.server else None,
                lease_months=line.lease_months,
            )
        case ContainerLine():
            return ContainerDraft(
                name=line.name,
                zone=line.zone,
                storage_class=line.storage_class.code,
                quota_gb=line.quota_gb,
                lease_months=line.lease_months,
            )
        case QuotaLine():
            return QuotaDraft(target=line.target.uuid, quota_gb=line.quota_gb)
        case ExtendLine():
            return ExtendDraft(target=line.target.uuid, size_gb=line.size_gb)
        case RetypeLine():
            return RetypeDraft(target=line.target.uuid, storage_class=line.storage_class.code)
        case ResizeLine():
            return ResizeDraft(target=line.target.uuid, flavor=line.flavor.code)
        case AddressLine():
            return AddressDraft(target=line.target.uuid)
        case RenewLine():
            return RenewDraft(target=line.target.uuid, kind=line.kind, lease_months=line.lease_months)
        case ReleaseLine():
            return ReleaseDraft(target=line.target.uuid, kind=line.kind, delete_contents=line.delete_contents)
        case LimitLine():
            return LimitDraft(dimension=line.dimension, limit=line.limit, until=line.until)


def _server(line: ServerLine, lines: Sequence[Line]) -> ServerDraft:
    network = str(line.network.uuid) if line.network else lines[line.network_line or 0].name
    first, *further = (
        VolumeDraft(storage_class=volume.storage_class.code, size_gb=volume.size_gb)
        for volume in line.volumes
    )
    return ServerDraft(
        name=line.name,
        zone=line.zone,
        flavor=line.flavor.code,
        image=line.image.code,
        network=network,
        system_volume=first,
        data_volumes=tuple(further),
        quantity=line.quantity,
        lease_months=line.lease_months,
    )
