"""The catalogue under its published codes, and a cloud that everything can be built on."""

from dataclasses import dataclass
from typing import Any, TypeVar

import factory
from django.db.models import Model
from factory.django import DjangoModelFactory

from govcloud.catalog.models import (
    Cloud,
    CloudFlavor,
    CloudImage,
    CloudStorageClass,
    Delivery,
    DRTier,
    Flavor,
    Image,
    Keeps,
    Kind,
    Line,
    Meter,
    Offering,
    Service,
    Site,
    StorageClass,
    Zone,
)
from tenants.models import NetworkZone

UNITS = {
    "vcpu": "vCPU",
    "memory_gb": "GB",
    "block_capacity_gb": "GB",
    "block_sas_gb": "GB",
    "block_ssd_gb": "GB",
    "object_gb": "GB",
    "bandwidth_mbps": "Mbps",
    "backup_local_gb": "GB",
    "backup_off_site_gb": "GB",
}
"""Every meter's code, and what it counts."""

FLAVORS = ((2, 4), (2, 8), (4, 8), (4, 16), (8, 16), (8, 32), (16, 32), (16, 64), (32, 64), (32, 128))
"""vCPU and memory in GB of the flavors of each line."""

POOLS = {
    NetworkZone.PUBLIC: "10.10.0.0/16",
    NetworkZone.PRIVATE: "10.20.0.0/16",
    NetworkZone.INTERNET: "10.30.0.0/16",
}


class MeterFactory(DjangoModelFactory[Meter]):
    class Meta:
        model = Meter
        django_get_or_create = ("code",)

    code = "vcpu"
    name = factory.LazyAttribute(lambda meter: f"计量项 {meter.code}")
    name_en = factory.LazyAttribute(lambda meter: meter.code)
    unit = factory.LazyAttribute(lambda meter: UNITS.get(meter.code, "unit"))


class OfferingFactory(DjangoModelFactory[Offering]):
    class Meta:
        model = Offering
        django_get_or_create = ("code",)

    class Params:
        volume = factory.Trait(code="volume", kind=Kind.VOLUME, service=Service.STORAGE_DR, unit="volume")
        container = factory.Trait(
            code="container",
            kind=Kind.CONTAINER,
            service=Service.STORAGE_DR,
            unit="container",
            max_quantity=1,
        )
        network = factory.Trait(
            code="network", kind=Kind.NETWORK, service=Service.TRANSPORT, unit="network", max_quantity=1
        )
        backup = factory.Trait(
            code="backup", kind=Kind.BACKUP, service=Service.STORAGE_DR, unit="GB", max_quantity=1
        )
        quota = factory.Trait(code="quota", kind=Kind.QUOTA, unit="limit", max_quantity=1)
        work_order = factory.Trait(
            code="certificate",
            kind=Kind.WORK_ORDER,
            service=Service.CERTIFICATE,
            unit="certificate",
            delivery=Delivery.WORK_ORDER,
        )

    code = "server"
    service = Service.COMPUTING
    kind = Kind.SERVER
    delivery = Delivery.AUTOMATIC
    unit = "server"
    meter = None
    max_quantity = 50
    name = factory.LazyAttribute(lambda offering: f"服务 {offering.code}")
    name_en = factory.LazyAttribute(lambda offering: offering.code)


class FlavorFactory(DjangoModelFactory[Flavor]):
    class Meta:
        model = Flavor
        django_get_or_create = ("code",)

    line = Line.GENERAL
    vcpus = 4
    memory_gb = 16
    code = factory.LazyAttribute(
        lambda f: f"{'g' if f.line == Line.GENERAL else 'x'}.{f.vcpus}c{f.memory_gb}g"
    )
    name = factory.LazyAttribute(lambda f: f"{f.vcpus}核{f.memory_gb}G")
    name_en = factory.LazyAttribute(lambda f: f"{f.vcpus} vCPU, {f.memory_gb} GB")


class StorageClassFactory(DjangoModelFactory[StorageClass]):
    class Meta:
        model = StorageClass
        django_get_or_create = ("code",)

    class Params:
        objects = factory.Trait(
            code="object", keeps=Keeps.OBJECT, meter=factory.SubFactory(MeterFactory, code="object_gb")
        )

    code = "ssd"
    name = factory.LazyAttribute(lambda storage: f"存储 {storage.code}")
    name_en = factory.LazyAttribute(lambda storage: storage.code)
    meter = factory.SubFactory(
        MeterFactory, code=factory.LazyAttribute(lambda meter: f"block_{meter.factory_parent.code}_gb")
    )
    max_gb = 10_000


class ImageFactory(DjangoModelFactory[Image]):
    class Meta:
        model = Image
        django_get_or_create = ("code",)

    code = "debian-12"
    name = "Debian 12"
    name_en = "Debian 12"
    os = "debian"
    min_disk_gb = 20


class DRTierFactory(DjangoModelFactory[DRTier]):
    """A level of GB/T 20988 with the thresholds of the 2007 edition at level 3."""

    class Meta:
        model = DRTier
        django_get_or_create = ("level",)

    level = 3
    edition = "2007"
    name = factory.LazyAttribute(lambda tier: f"第{tier.level}级")
    name_en = factory.LazyAttribute(lambda tier: f"Level {tier.level}")
    rto_minutes = 12 * 60
    rpo_minutes = 24 * 60
    off_site = True
    provable_by_backup = factory.LazyAttribute(lambda tier: tier.level <= 4)
    meter_local = factory.SubFactory(MeterFactory, code="backup_local_gb")
    meter_off_site = factory.SubFactory(MeterFactory, code="backup_off_site_gb")
    max_gb = 100_000


class CloudFactory(DjangoModelFactory[Cloud]):
    class Meta:
        model = Cloud
        django_get_or_create = ("code",)

    code = "sandbox"
    name = "示例云"
    name_en = "Example cloud"
    profile = factory.SelfAttribute("code")
    site = Site.MAIN
    backup_zone = "dr"


class ZoneFactory(DjangoModelFactory[Zone]):
    class Meta:
        model = Zone
        django_get_or_create = ("cloud", "zone")

    cloud = factory.SubFactory(CloudFactory)
    zone = NetworkZone.PUBLIC
    address_pool = factory.LazyAttribute(lambda zone: POOLS[zone.zone])


class CloudFlavorFactory(DjangoModelFactory[CloudFlavor]):
    """On the clouds of the tests everything is called what the catalogue calls it."""

    class Meta:
        model = CloudFlavor
        django_get_or_create = ("cloud", "flavor")

    cloud = factory.SubFactory(CloudFactory)
    flavor = factory.SubFactory(FlavorFactory)
    cloud_name = factory.SelfAttribute("flavor.code")


class CloudStorageClassFactory(DjangoModelFactory[CloudStorageClass]):
    class Meta:
        model = CloudStorageClass
        django_get_or_create = ("cloud", "storage_class")

    cloud = factory.SubFactory(CloudFactory)
    storage_class = factory.SubFactory(StorageClassFactory)
    cloud_name = factory.SelfAttribute("storage_class.code")


class CloudImageFactory(DjangoModelFactory[CloudImage]):
    class Meta:
        model = CloudImage
        django_get_or_create = ("cloud", "image")

    cloud = factory.SubFactory(CloudFactory)
    image = factory.SubFactory(ImageFactory)
    cloud_name = factory.SelfAttribute("image.code")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What ``catalogue`` made, by code (DR tiers by level, zones by zone)."""

    meters: dict[str, Meter]
    offerings: dict[str, Offering]
    flavors: dict[str, Flavor]
    storage_classes: dict[str, StorageClass]
    images: dict[str, Image]
    dr_tiers: dict[int, DRTier]
    cloud: Cloud
    zones: dict[str, Zone]


M = TypeVar("M", bound=Model)


def kept(*rows: M, by: str) -> dict[Any, M]:
    """The rows as they are in the database, by one of their fields; those that are there already stay as they are.

    Two statements for a table: nearly every test begins with the whole catalogue.
    """
    model = type(rows[0])
    model._default_manager.bulk_create(rows, ignore_conflicts=True)
    wanted = [getattr(row, by) for row in rows]
    found = {getattr(row, by): row for row in model._default_manager.filter(**{f"{by}__in": wanted})}
    return {key: found[key] for key in wanted}


def catalogue(*, cloud: str = "sandbox") -> Catalogue:
    """The whole catalogue as published, all of it to be had on one cloud with all three zones."""
    on = CloudFactory(code=cloud)
    meters = kept(*(MeterFactory.build(code=code) for code in UNITS), by="code")
    flavors = kept(
        *(
            FlavorFactory.build(line=line, vcpus=vcpus, memory_gb=memory)
            for line in Line
            for vcpus, memory in FLAVORS
        ),
        by="code",
    )
    storage_classes = kept(
        *(
            StorageClassFactory.build(code=code, meter=meters[f"block_{code}_gb"])
            for code in ("capacity", "sas", "ssd")
        ),
        StorageClassFactory.build(objects=True, meter=meters["object_gb"]),
        by="code",
    )
    images = kept(ImageFactory.build(), by="code")
    for of_the_cloud, field, offered in (
        (CloudFlavorFactory, "flavor", flavors),
        (CloudStorageClassFactory, "storage_class", storage_classes),
        (CloudImageFactory, "image", images),
    ):
        rows = [of_the_cloud.build(cloud=on, **{field: each}) for each in offered.values()]
        type(rows[0])._default_manager.bulk_create(rows, ignore_conflicts=True)
    zones = [ZoneFactory.build(cloud=on, zone=zone) for zone in NetworkZone]
    Zone.objects.bulk_create(zones, ignore_conflicts=True)
    local, off_site = meters["backup_local_gb"], meters["backup_off_site_gb"]
    return Catalogue(
        meters=meters,
        offerings=kept(
            OfferingFactory.build(),
            *(
                OfferingFactory.build(**{kind: True})
                for kind in ("volume", "network", "backup", "container", "quota", "work_order")
            ),
            by="code",
        ),
        flavors=flavors,
        storage_classes=storage_classes,
        images=images,
        dr_tiers=kept(
            *(
                DRTierFactory.build(level=level, meter_local=local, meter_off_site=off_site)
                for level in range(1, 7)
            ),
            by="level",
        ),
        cloud=on,
        zones={zone.zone: zone for zone in Zone.objects.filter(cloud=on)},
    )
