"""What departments have been granted against what the clouds have: how much more is promised than exists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db.models import Count, Q, Sum

from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.provisioning import capacity
from govcloud.provisioning.capacity import Capacity
from govcloud.quotas.models import Dimension, QuotaAccount

PLACES = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Backing:
    """What one cloud has of a dimension, and how much of it is in use there, by whoever; None where it does not say."""

    cloud: Cloud
    total: int | None
    used: int | None
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class Granted:
    """One dimension. ``granted`` is the sum of the limits at the top of the tree, of which ``unlimited`` units have none.

    ``backing`` is empty for what no cloud counts: addresses, networks, backup, objects.
    """

    dimension: Dimension
    granted: int
    unlimited: int
    held: int
    used: int
    backing: tuple[Backing, ...]

    @property
    def physical(self) -> int | None:
        """What the clouds that say so have together; None if none does."""
        known = [each.total for each in self.backing if each.total is not None]
        return sum(known) if known else None

    @property
    def ratio(self) -> Decimal | None:
        """Granted for one that exists; None where that is unknown, or where somebody's limit is none."""
        if not self.physical or self.unlimited:
            return None
        return (Decimal(self.granted) / self.physical).quantize(PLACES, ROUND_HALF_UP)


def against_capacity(*, at: datetime) -> list[Granted]:
    """By dimension, for the whole centre; from the last regular looks at the clouds that are in service. Asks no cloud."""
    clouds = list(Cloud.objects.filter(status=CloudStatus.ENABLED).order_by("code"))
    known = capacity.stored(clouds, at=at)
    tops = QuotaAccount.objects.filter(department__parent=None).order_by().values("dimension")
    sums = {
        row["dimension"]: row
        for row in tops.annotate(
            granted=Sum("limit", default=0),
            unlimited=Count("pk", filter=Q(limit__isnull=True)),
            held_together=Sum("held"),
            used_together=Sum("used"),
        )
    }
    return [_granted(each, sums.get(each, {}), _backing(each, clouds, known)) for each in Dimension]


def _granted(dimension: Dimension, sums: Mapping[str, Any], backing: tuple[Backing, ...]) -> Granted:
    return Granted(
        dimension=dimension,
        granted=sums.get("granted", 0),
        unlimited=sums.get("unlimited", 0),
        held=sums.get("held_together", 0),
        used=sums.get("used_together", 0),
        backing=backing,
    )


COUNTED = frozenset({Dimension.VCPUS, Dimension.MEMORY_GB, Dimension.STORAGE_GB})


def _backing(
    dimension: Dimension, clouds: Sequence[Cloud], known: dict[int, Capacity]
) -> tuple[Backing, ...]:
    if dimension not in COUNTED:
        return ()
    return tuple(
        Backing(cloud, *_figures(dimension, found), found.read_at)
        if (found := known.get(cloud.pk)) is not None
        else Backing(cloud, None, None, None)
        for cloud in clouds
    )


def _figures(dimension: Dimension, found: Capacity) -> tuple[int | None, int | None]:
    if dimension == Dimension.VCPUS:
        return found.vcpus_total, found.vcpus_used
    if dimension == Dimension.MEMORY_GB:
        return found.memory_gb_total, found.memory_gb_used
    pools = [(total, free) for total, free in found.storage.values() if total is not None]
    if not pools:
        return None, None
    total = sum(int(total) for total, _free in pools)
    free = [free for _total, free in pools if free is not None]
    return total, total - sum(int(each) for each in free) if len(free) == len(pools) else None
