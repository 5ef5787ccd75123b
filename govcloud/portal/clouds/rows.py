"""The clouds as a list shows them, and as a file has them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from govcloud.catalog.models import Cloud
from govcloud.clouds.models import CloudHealth, HealthState
from govcloud.clouds.queries import coming
from govcloud.portal.files import Sheet, local
from govcloud.portal.templatetags.portal import named

HEADINGS: tuple[str | Promise, ...] = (
    pgettext_lazy("of a cloud", "Code"),
    gettext_lazy("Cloud"),
    gettext_lazy("Site"),
    gettext_lazy("Status"),
    gettext_lazy("Health"),
    gettext_lazy("Since"),
    gettext_lazy("MLPS level"),
    gettext_lazy("vCPUs in use"),
    gettext_lazy("vCPUs there are"),
    gettext_lazy("Memory in use, GB"),
    gettext_lazy("Memory there is, GB"),
    gettext_lazy("Storage in use, GB"),
    gettext_lazy("Storage there is, GB"),
)


@dataclass(frozen=True, slots=True)
class Fill:
    """How much of something is in use, in its unit."""

    label: str
    used: Decimal | int
    total: Decimal | int

    @property
    def hundredths(self) -> int:
        return min(100, round(float(self.used / self.total) * 100)) if self.total else 0


def everything(*, at: datetime) -> QuerySet[Cloud]:
    """With health, what they hold and what is set aside; five statements however many there are."""
    return (
        Cloud.objects.select_related("health", "capacity", "credential")
        .prefetch_related("zones", "storage_pools", coming(at=at))
        .order_by("site", "code")
    )


def health_of(cloud: Cloud) -> CloudHealth | None:
    """None before anybody has looked."""
    return getattr(cloud, "health", None)


def fills(cloud: Cloud) -> list[Fill]:
    """Of compute and of storage, as far as it is known."""
    found, capacity = [], getattr(cloud, "capacity", None)
    if capacity is not None:
        found += [
            Fill(_("vCPU"), capacity.vcpus_used, capacity.vcpus_total),
            Fill(_("Memory, GB"), capacity.memory_gb_used, capacity.memory_gb_total),
        ]
    storage = _storage(cloud)
    return [*found, storage] if storage is not None else found


def _storage(cloud: Cloud) -> Fill | None:
    """Of the pools that tell both figures."""
    told = [
        (pool.total_gb, pool.free_gb)
        for pool in cloud.storage_pools.all()
        if pool.total_gb is not None and pool.free_gb is not None
    ]
    total = sum((total for total, _free in told), Decimal(0))
    used = total - sum((free for _total, free in told), Decimal(0))
    return Fill(_("Storage, GB"), used, total) if told else None


def sheet(clouds: Iterable[Any]) -> Sheet:
    return Sheet("clouds", gettext_lazy("Clouds"), HEADINGS, _rows(clouds))


def _rows(clouds: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    for cloud in clouds:
        health, capacity, storage = health_of(cloud), getattr(cloud, "capacity", None), _storage(cloud)
        yield (
            cloud.code,
            named(cloud),
            cloud.get_site_display(),
            cloud.get_status_display(),
            health.get_state_display() if health else HealthState.UNKNOWN.label,
            local(health.since) if health else None,
            cloud.mlps_level,
            *(
                (capacity.vcpus_used, capacity.vcpus_total, capacity.memory_gb_used, capacity.memory_gb_total)
                if capacity
                else (None,) * 4
            ),
            *((storage.used, storage.total) if storage else (None, None)),
        )
