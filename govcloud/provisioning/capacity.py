"""What a cloud can still be asked for. Advice, not a reservation: quota and the cloud itself decide."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from django.core.cache import cache
from django.db.models import Count, IntegerField, QuerySet, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from govcloud.catalog.models import Cloud, CloudStorageClass, Flavor
from govcloud.clouds import access
from govcloud.clouds.models import CloudCapacity, StoragePool
from govcloud.gateways.openstack.errors import CloudError
from govcloud.gateways.openstack.models import HostRoom
from govcloud.provisioning.lifecycle import FINISHED, Desired
from govcloud.provisioning.models import Step
from govcloud.provisioning.weighing import Takes

log = structlog.get_logger(__name__)

KEPT = 60  # seconds: the answer takes two requests per hypervisor, and several people look at the same order
PATIENCE = 5.0  # seconds per request: a page waits for it
COUNTING = 10.0  # seconds for all hypervisors together
FRESH = timedelta(minutes=12)  # two of the regular looks (clouds.health) and some


@dataclass(frozen=True, slots=True)
class Promised:
    """What open operations will still take and the cloud does not count yet; storage in GiB by the cloud's own class name.

    ``servers`` are counted by the code of their flavor; ``vcpus`` and ``memory_gb`` are theirs as the catalogue has them.
    """

    vcpus: int = 0
    memory_gb: int = 0
    servers: Mapping[str, int] = field(default_factory=dict)
    storage: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Capacity:
    """vCPUs with overcommit, memory and storage in GB as the cloud counts them (GiB); pools by name: total and free.

    A pool's total or free is None where its back end does not say. ``pools_of`` are the pools on which the volumes of a class
    are, by the cloud's own name of the class, where the cloud tells. ``hosts`` and ``flavors`` (as ``CloudCapacity`` has them) are
    told by the regular look only.
    """

    vcpus_total: int
    vcpus_used: int
    memory_gb_total: int
    memory_gb_used: int
    storage: Mapping[str, tuple[Decimal | None, Decimal | None]]
    read_at: datetime
    pools_of: Mapping[str, frozenset[str]] = field(default_factory=dict)
    hosts: Sequence[HostRoom] = ()
    flavors: Mapping[str, Takes] = field(default_factory=dict)


def of(cloud: Cloud, *, at: datetime) -> Capacity | None:
    """The cloud's capacity, from the last regular look if there was one lately; None when it does not answer."""
    known = stored([cloud], at=at).get(cloud.pk)
    if known is not None:
        return known
    key = f"capacity:{cloud.pk}"
    kept: Capacity | None = cache.get(key)
    if kept is not None:
        return kept
    try:
        read = _read(cloud, at=at)
    except CloudError as error:
        log.warning("capacity unknown", cloud=cloud.code, reason=str(error))
        return None
    cache.set(key, read, KEPT)
    return read


def _read(cloud: Cloud, *, at: datetime) -> Capacity:
    connection = access.connect(cloud=cloud, timeout=PATIENCE)
    compute = connection.capacity.compute(within=COUNTING)
    return Capacity(
        vcpus_total=compute.vcpus_total,
        vcpus_used=compute.vcpus_used,
        memory_gb_total=compute.memory_mib_total // 1024,
        memory_gb_used=compute.memory_mib_used // 1024,
        storage={pool.name: (pool.total_gib, pool.free_gib) for pool in connection.capacity.pools()},
        read_at=at,
    )


def stored(clouds: Sequence[Cloud], *, at: datetime) -> dict[int, Capacity]:
    """By primary key, what the regular look found lately; asks no cloud. Two queries."""
    rows = CloudCapacity.objects.filter(cloud__in=clouds, read_at__gt=at - FRESH)
    pools: dict[int, list[StoragePool]] = defaultdict(list)
    for pool in StoragePool.objects.filter(cloud__in=clouds):
        pools[pool.cloud_id].append(pool)
    return {
        row.cloud_id: Capacity(
            vcpus_total=row.vcpus_total,
            vcpus_used=row.vcpus_used,
            memory_gb_total=row.memory_gb_total,
            memory_gb_used=row.memory_gb_used,
            storage={pool.name: (pool.total_gb, pool.free_gb) for pool in pools[row.cloud_id]},
            read_at=row.read_at,
            pools_of={
                name: frozenset(pool.name for pool in pools[row.cloud_id] if pool.backend == backend)
                for name, backend in row.backends.items()
            },
            hosts=row.hosts,
            flavors=row.flavors,
        )
        for row in rows
    }


def promised(clouds: Sequence[Cloud]) -> dict[int, Promised]:
    """By primary key, what open operations will build and have not asked the cloud for yet. Two queries, and one more each where
    there are servers and volumes among it.
    """
    waiting = Step.objects.filter(
        operation__cloud__in=clouds,
        operation__taken_up_at=None,
        operation__finished_at=None,
        desired=Desired.PRESENT,
        external_id="",
    ).exclude(state__in=FINISHED)
    servers = _servers(waiting.filter(kind="server"))
    storage = _storage(waiting.filter(kind="volume"), clouds)
    sold = {flavor.code: flavor for flavor in Flavor.objects.all()} if servers else {}
    return {
        cloud.pk: Promised(
            vcpus=sum(sold[code].vcpus * count for code, count in servers[cloud.pk].items()),
            memory_gb=sum(sold[code].memory_gb * count for code, count in servers[cloud.pk].items()),
            servers=servers[cloud.pk],
            storage=storage.get(cloud.pk, {}),
        )
        for cloud in clouds
    }


def _servers(steps: QuerySet[Step]) -> dict[int, Counter[str]]:
    """How many by cloud and code of their flavor."""
    by_flavor = steps.values("operation__cloud", flavor=KT("desired_state__flavor")).annotate(
        count=Count("pk")
    )
    servers: dict[int, Counter[str]] = defaultdict(Counter)
    for cloud, code, count in by_flavor.order_by().values_list("operation__cloud", "flavor", "count"):
        servers[cloud][code] = count
    return servers


def _storage(steps: QuerySet[Step], clouds: Sequence[Cloud]) -> Mapping[int, Mapping[str, int]]:
    """GiB by cloud and the cloud's own name of the class."""
    size = Cast(KT("desired_state__size_gb"), IntegerField())
    by_class = steps.values("operation__cloud", storage_class=KT("desired_state__storage_class"))
    sums = by_class.annotate(ordered=Sum(size)).order_by()
    summed = list(sums.values_list("operation__cloud", "storage_class", "ordered"))
    known = CloudStorageClass.objects.filter(cloud__in=clouds).select_related("storage_class")
    scales = {(row.cloud_id, row.storage_class.code): row for row in known} if summed else {}
    totals: dict[int, Counter[str]] = defaultdict(Counter)  # several classes may be one on the cloud
    for cloud, code, ordered in summed:
        scale = scales.get((cloud, code))
        if scale is not None:
            totals[cloud][scale.cloud_name] += scale.built_gb(ordered)
    return totals
