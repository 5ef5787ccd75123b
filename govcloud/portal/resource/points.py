"""The recovery points of a volume, or of a backup allowance: those that are kept, and those that were lost."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q

from govcloud.inventory.models import Resource, ResourceKind
from govcloud.protection.models import RecoveryPoint

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Points:
    """The newest first, ``SHOWN`` at most; ``cut`` tells that there are more."""

    rows: list[RecoveryPoint]
    cut: bool


def points(resource: Resource) -> Points | None:
    """None for what has none."""
    if resource.kind not in _OF:
        return None
    told = Q(expired_at=None) | Q(lost=True)
    rows = RecoveryPoint.objects.filter(told, **{_OF[resource.kind]: resource.pk})
    found = list(rows.select_related("volume__resource", "run__plan")[: SHOWN + 1])
    return Points(found[:SHOWN], len(found) > SHOWN)


_OF: Mapping[str, str] = {ResourceKind.VOLUME: "volume", ResourceKind.BACKUP: "run__plan__allowance"}
