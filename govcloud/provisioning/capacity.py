"""What a cloud can still be asked for, for people who decide. Advice, not a reservation: quota and the cloud itself decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import structlog
from django.core.cache import cache

from govcloud.catalog.models import Cloud
from govcloud.gateways import openstack
from govcloud.gateways.openstack.errors import CloudError

log = structlog.get_logger(__name__)

KEPT = 60  # seconds: the answer takes two requests per hypervisor, and several people look at the same order
PATIENCE = 5.0  # seconds per request: a page waits for it


@dataclass(frozen=True, slots=True)
class Capacity:
    """vCPUs with overcommit, memory and storage in GB as the cloud counts them (GiB); pools by name: total and free.

    A pool's total or free is None where its back end does not say.
    """

    vcpus_total: int
    vcpus_used: int
    memory_gb_total: int
    memory_gb_used: int
    storage: Mapping[str, tuple[Decimal | None, Decimal | None]]
    read_at: datetime


def of(cloud: Cloud, *, at: datetime) -> Capacity | None:
    """The cloud's capacity, at most a minute old; None when it does not answer."""
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
    connection = openstack.connect(cloud=cloud.profile, timeout=PATIENCE)
    compute = connection.capacity.compute()
    return Capacity(
        vcpus_total=compute.vcpus_total,
        vcpus_used=compute.vcpus_used,
        memory_gb_total=compute.memory_mib_total // 1024,
        memory_gb_used=compute.memory_mib_used // 1024,
        storage={pool.name: (pool.total_gib, pool.free_gib) for pool in connection.capacity.pools()},
        read_at=at,
    )
