"""What is kept of clouds: availability zones, health, capacity, maintenance, credentials."""

from datetime import datetime, timedelta
from typing import Any

import factory
from factory.django import DjangoModelFactory

from govcloud.audit.services import SystemActor
from govcloud.catalog.models import Cloud, CloudFlavor, Flavor
from govcloud.clouds import credentials
from govcloud.clouds.credentials import CredentialDraft
from govcloud.clouds.models import (
    AvailabilityZone,
    CloudCapacity,
    CloudHealth,
    Maintenance,
    Measure,
    Running,
    SizeDifference,
    Sold,
)
from tests.factories.catalog import CloudFactory
from tests.factories.tenants import UserFactory

CREDENTIALS: dict[str, Any] = {
    "auth_url": "https://identity.east.example.gov.cn/v3",
    "username": "govcloud",
    "password": "correct horse battery staple",
    "project_name": "admin",
}


class AvailabilityZoneFactory(DjangoModelFactory[AvailabilityZone]):
    class Meta:
        model = AvailabilityZone

    cloud = factory.SubFactory(CloudFactory)
    code = "a"
    name = factory.LazyAttribute(lambda zone: f"{zone.code}区")
    name_en = factory.SelfAttribute("code")


class MaintenanceFactory(DjangoModelFactory[Maintenance]):
    """Two hours that begin at ``announced_at``, in which what is under way is finished."""

    class Meta:
        model = Maintenance

    cloud = factory.SubFactory(CloudFactory)
    starts_at = factory.SelfAttribute("announced_at")
    ends_at = factory.LazyAttribute(lambda row: row.starts_at + timedelta(hours=2))
    running = Running.FINISH
    reason = "new switches"
    announced_by = factory.SubFactory(UserFactory)


def healthy(cloud: Cloud, *, at: datetime, state: str = "ok") -> CloudHealth:
    return CloudHealth.objects.create(cloud=cloud, state=state, since=at, due_at=at, capacity_due_at=at)


def room(cloud: Cloud, *, at: datetime, vcpus: int, used: int = 0, memory_gb: int = 10_000) -> CloudCapacity:
    """As the regular look would have found it, with flavors of the catalogue's sizes."""
    names = CloudFlavor.objects.filter(cloud=cloud).select_related("flavor")
    return CloudCapacity.objects.create(
        cloud=cloud,
        vcpus_total=vcpus,
        vcpus_used=used,
        memory_gb_total=memory_gb,
        memory_gb_used=0,
        flavors={name.flavor.code: takes(name.flavor) for name in names},
        read_at=at,
    )


def takes(flavor: Flavor) -> dict[str, int]:
    return {"VCPU": flavor.vcpus, "MEMORY_MB": flavor.memory_gb * 1024}


def differing(
    cloud: Cloud, code: str, *, kind: str = Sold.FLAVOR, measure: str = Measure.VCPUS, found: int = 1
) -> SizeDifference:
    """The cloud has the thing of this code in another size than the catalogue's: 1 vCPU for 4."""
    return SizeDifference.objects.create(
        cloud=cloud, kind=kind, code=code, cloud_name=code, measure=measure, expected=4, found=found
    )


def signed_in_with(cloud: Cloud, *, at: datetime, **changes: Any) -> Cloud:
    """The cloud with credentials that are stored here instead of a profile in clouds.yaml."""
    cloud.profile = ""
    cloud.save(update_fields=["profile"])
    draft = CredentialDraft(**{**CREDENTIALS, **changes})
    fresh = Cloud.objects.get(pk=cloud.pk)
    return credentials.store(
        cloud=fresh, draft=draft, expected_version=fresh.version, actor=SystemActor("tests"), at=at
    )
