"""Looking at the clouds every so often: whether they answer, how fast, what they hold, and in what sizes.

One look at a time for each cloud, by whoever moves its ``due_at`` on; nothing is locked while a cloud is asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction

from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud, CloudFlavor
from govcloud.clouds import access, sizes
from govcloud.clouds.models import (
    CloudCapacity,
    CloudHealth,
    HealthChange,
    HealthState,
    ObjectStorage,
    ServiceAnswer,
    StoragePool,
)
from govcloud.gateways import openstack
from govcloud.gateways.openstack.errors import CloudError

log = structlog.get_logger(__name__)

PATIENCE = 5.0  # seconds per request
COUNTING = 120.0  # seconds for all hypervisors together
CAPACITY_EVERY = timedelta(minutes=5)  # it takes two requests per hypervisor


def due(*, at: datetime) -> list[int]:
    """Primary keys of the clouds to look at now. One that nobody has looked at yet is due at once."""
    clouds = Cloud.objects.exclude(status=CloudStatus.RETIRED)
    for cloud in clouds.filter(health=None):
        CloudHealth.objects.get_or_create(
            cloud=cloud, defaults={"since": at, "due_at": at, "capacity_due_at": at}
        )
    return list(clouds.filter(health__due_at__lte=at).order_by("health__due_at").values_list("pk", flat=True))


def look(*, cloud_pk: int, clock: Callable[[], datetime]) -> CloudHealth | None:
    """Look at one cloud and write down what was found; None when somebody else is looking."""
    at = clock()
    mine = CloudHealth.objects.filter(cloud=cloud_pk, due_at__lte=at).update(
        due_at=at + settings.CLOUD_HEALTH
    )
    if not mine:
        return None
    cloud = Cloud.objects.get(pk=cloud_pk)
    found = access.health(cloud=cloud, timeout=PATIENCE)
    health = note(cloud=cloud, found=found, at=clock())
    if found.ok and health.capacity_due_at <= at:
        CloudHealth.objects.filter(cloud=cloud).update(capacity_due_at=at + CAPACITY_EVERY)
        _look_at_capacity(cloud, clock)
        sizes.look(cloud=cloud, timeout=PATIENCE, clock=clock)
    return health


@transaction.atomic
def note(*, cloud: Cloud, found: openstack.Health, at: datetime) -> CloudHealth:
    """Keep what a look found; a change of state begins a line of the history."""
    row, _fresh = CloudHealth.objects.select_for_update().get_or_create(
        cloud=cloud, defaults={"since": at, "due_at": at + settings.CLOUD_HEALTH, "capacity_due_at": at}
    )
    state, detail = HealthState(found.state), found.detail[:500]
    if row.state != state:
        log.warning("cloud health", cloud=cloud.code, before=row.state, after=str(state), detail=detail)
        HealthChange.objects.create(cloud=cloud, at=at, state=state, service=found.service, detail=detail)
        row.state, row.since = state, at
    row.service, row.detail, row.looked_at = found.service, detail, at
    if found.ok:
        row.answered_at = at
    if found.object_storage is not None:
        row.object_storage = ObjectStorage.OFFERED if found.object_storage else ObjectStorage.ABSENT
    row.save(
        update_fields=["state", "since", "service", "detail", "looked_at", "answered_at", "object_storage"]
    )
    for answer in found.answers:
        ServiceAnswer.objects.update_or_create(
            cloud=cloud,
            service=answer.service,
            defaults={"state": HealthState(answer.state), "milliseconds": answer.milliseconds, "at": at},
        )
    return row


def _look_at_capacity(cloud: Cloud, clock: Callable[[], datetime]) -> None:
    """Figures that cannot be had leave the earlier ones, with their date."""
    try:
        connection = access.connect(cloud=cloud, timeout=PATIENCE)
        compute, pools = connection.capacity.compute(within=COUNTING), connection.capacity.pools()
    except CloudError as error:
        log.warning("capacity unknown", cloud=cloud.code, reason=str(error))
        return
    try:
        offers = Offers(types=connection.volumes.volume_types(), flavors=connection.compute.flavors())
    except CloudError as error:
        log.warning("volume types and flavors unknown", cloud=cloud.code, reason=str(error))
        offers = None
    store_capacity(cloud=cloud, compute=compute, pools=pools, offers=offers, at=clock())


@dataclass(frozen=True, slots=True)
class Offers:
    """What projects can ask for, with where it is built."""

    types: list[openstack.models.VolumeType]
    flavors: list[openstack.models.Flavor]

    def columns(self, cloud: Cloud) -> dict[str, dict[str, Any]]:
        """As ``CloudCapacity`` has them; of the flavors those that the catalogue sells."""
        takes = {flavor.name: dict(flavor.takes) for flavor in self.flavors}
        named = CloudFlavor.objects.filter(cloud=cloud).values_list("flavor__code", "cloud_name")
        return {
            "backends": {kind.name: kind.backend for kind in self.types if kind.backend},
            "flavors": {code: takes[name] for code, name in named if name in takes},
        }


@transaction.atomic
def store_capacity(
    *,
    cloud: Cloud,
    compute: openstack.models.ComputeCapacity,
    pools: list[openstack.models.Pool],
    offers: Offers | None,
    at: datetime,
) -> None:
    """Without ``offers``, what is known of them stays."""
    CloudCapacity.objects.update_or_create(
        cloud=cloud,
        defaults={
            "vcpus_total": compute.vcpus_total,
            "vcpus_used": compute.vcpus_used,
            "memory_gb_total": compute.memory_mib_total // 1024,
            "memory_gb_used": compute.memory_mib_used // 1024,
            **(offers.columns(cloud) if offers is not None else {}),
            "hosts": list(compute.hosts),
            "read_at": at,
        },
    )
    StoragePool.objects.filter(cloud=cloud).exclude(name__in=[pool.name for pool in pools]).delete()
    for pool in pools:
        StoragePool.objects.update_or_create(
            cloud=cloud,
            name=pool.name,
            defaults={"backend": pool.backend, "total_gb": pool.total_gib, "free_gb": pool.free_gib},
        )
