"""The recovery points of a volume, or of a backup allowance: those that are kept, and those that were lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Prefetch, Q, QuerySet

from govcloud.inventory.models import Resource, ResourceKind
from govcloud.protection.models import LegalHold, RecoveryPoint

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Points:
    """The newest first, ``SHOWN`` at most, each with the legal hold that is ``in_force``; ``cut`` tells that there are more."""

    rows: Sequence[RecoveryPoint]
    cut: bool


def points(resource: Resource) -> Points | None:
    """None for what has none."""
    if resource.kind not in _OF:
        return None
    held = LegalHold.objects.filter(lifted_at=None).select_related("placed_by")
    rows = points_of(resource).select_related("volume__resource", "run__plan")
    found = list(rows.prefetch_related(Prefetch("holds", held, to_attr="in_force"))[: SHOWN + 1])
    return Points(found[:SHOWN], len(found) > SHOWN)


def points_of(resource: Resource) -> QuerySet[RecoveryPoint]:
    if resource.kind not in _OF:
        return RecoveryPoint.objects.none()
    told = Q(expired_at=None) | Q(lost=True)
    return RecoveryPoint.objects.filter(told, **{_OF[resource.kind]: resource.pk})


_OF: Mapping[str, str] = {ResourceKind.VOLUME: "volume", ResourceKind.BACKUP: "run__plan__allowance"}
