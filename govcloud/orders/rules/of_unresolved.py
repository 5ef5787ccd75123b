"""Rules about items that name something unknown: what else is wrong with them is told at once with it."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import Kind
from govcloud.errors import DomainError, Invalid
from govcloud.orders.drafts import BackupDraft, ContainerDraft, ServerDraft, StorageDraft
from govcloud.orders.lines import Unresolved
from govcloud.orders.rules import of_items
from govcloud.orders.rules.standing import Numbered
from govcloud.provisioning.placement import Where


class VolumeTooSmall(Invalid):
    """Of a volume whose class is unknown, and so its largest size."""

    code = "volume-too-small"
    message = _("%(size)s GB is not possible: this volume has at least %(minimum)s GB.")


def check(order: Numbered) -> Iterator[DomainError]:
    for position, item in order.unresolved:
        pointer = f"/items/{position}"
        match item.draft:
            case ServerDraft() as draft:
                yield from _server(order, item, draft, pointer)
            case StorageDraft() | ContainerDraft() as draft:
                kind = Kind.VOLUME if isinstance(draft, StorageDraft) else Kind.CONTAINER
                yield from of_items.offered(order, kind, 1, pointer)
                yield from of_items.well_named(draft.name, pointer)
                yield from of_items.own_zone(order, draft.zone, pointer)
            case BackupDraft() as draft:
                yield from of_items.offered(order, Kind.BACKUP, 1, pointer)
                yield from of_items.well_named(draft.name, pointer)


def _server(order: Numbered, item: Unresolved, draft: ServerDraft, pointer: str) -> Iterator[DomainError]:
    yield from of_items.offered(order, Kind.SERVER, draft.quantity, pointer)
    yield from of_items.well_named(draft.name, pointer)
    yield from of_items.own_zone(order, draft.zone, pointer)
    things = of_items.named(item.flavor, item.image, item.classes, pointer)
    yield from of_items.to_be_had(order, Where(zone=draft.zone), things)
    yield from _volumes(item, draft, pointer)
    yield from of_items.bounded(len(draft.data_volumes), draft.lease_months, pointer)


def _volumes(item: Unresolved, draft: ServerDraft, pointer: str) -> Iterator[DomainError]:
    least = 1 if item.image is None else item.image.min_disk_gb
    volumes = (draft.system_volume, *draft.data_volumes)
    for number, (volume, known) in enumerate(zip(volumes, item.classes, strict=True)):
        minimum, where = 1 if number else least, of_items.volume_at(pointer, number)
        if known is not None:
            yield from of_items.sized(volume.size_gb, known, minimum, where)
        elif volume.size_gb < minimum:
            yield VolumeTooSmall(size=volume.size_gb, minimum=minimum, pointers=(f"{where}/size_gb",))
