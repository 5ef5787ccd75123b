"""What a cloud has under the catalogue's names, held against what the catalogue sells under them.

Compared are flavors (vCPUs, memory), volume types (that they are there, and that volumes are built as large as they are
ordered) and images (the smallest disk and memory that they ask for). What is retired from the catalogue is not compared.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

import structlog
from django.db import transaction

from govcloud.catalog.models import Cloud, CloudFlavor, CloudImage, CloudStorageClass, Keeps
from govcloud.clouds import access
from govcloud.clouds.models import CloudHealth, Measure, SizeDifference, Sold
from govcloud.gateways import openstack
from govcloud.gateways.openstack.errors import CloudError

log = structlog.get_logger(__name__)

Sizes = Mapping[Measure, tuple[int, int]]
"""What the catalogue says and what the cloud says, by measure."""

MIB: Final = 1024  # of a GB, which is a GiB to a cloud


def look(*, cloud: Cloud, timeout: float, clock: Callable[[], datetime]) -> None:
    """Compare and write down. Where the cloud does not say, what was found before stays, with its date."""
    try:
        found = compare(cloud, access.connect(cloud=cloud, timeout=timeout))
    except CloudError as error:
        log.warning("sizes unknown", cloud=cloud.code, reason=str(error))
        return
    store(cloud=cloud, found=found, at=clock())


def compare(cloud: Cloud, connection: openstack.Cloud) -> list[SizeDifference]:
    """All that differs, not saved yet. Asks for the flavors, the volume types and each image. Raises CloudError."""
    return [*_flavors(cloud, connection), *_storage(cloud, connection), *_images(cloud, connection)]


@transaction.atomic
def store(*, cloud: Cloud, found: list[SizeDifference], at: datetime) -> None:
    """Replace what was found before."""
    # first, so that of two looks at the same time one waits for the other
    CloudHealth.objects.filter(cloud=cloud).update(sizes_compared_at=at)
    before = {_key(row) for row in cloud.size_differences.all()}
    if before != {_key(row) for row in found}:
        told = [f"{row.code}: {row.measure} {row.found} for {row.expected}" for row in found]
        log.warning("cloud sizes", cloud=cloud.code, differences=told)
    cloud.size_differences.all().delete()
    SizeDifference.objects.bulk_create(found)


def forget_renamed(*, cloud: Cloud, names: Mapping[str, Mapping[str, str]], at: datetime) -> None:
    """What bears another name from now on has not been compared; the next look does so. ``names`` by kind and code."""
    renamed = [
        row.pk
        for row in cloud.size_differences.filter(kind__in=names)
        if names[row.kind].get(row.code) != row.cloud_name
    ]
    cloud.size_differences.filter(pk__in=renamed).delete()
    CloudHealth.objects.filter(cloud=cloud).update(due_at=at, capacity_due_at=at)


def _key(row: SizeDifference) -> tuple[str, str, str, str, int]:
    return (row.kind, row.code, row.cloud_name, row.measure, row.found)


def _flavors(cloud: Cloud, connection: openstack.Cloud) -> Iterator[SizeDifference]:
    there = {flavor.name: flavor for flavor in connection.compute.flavors()}
    rows = CloudFlavor.objects.filter(cloud=cloud, flavor__retired_at=None).select_related("flavor")
    for row in rows.order_by("flavor__code"):
        sold, found = row.flavor, there.get(row.cloud_name)
        sizes: Sizes | None = None
        if found is not None:
            sizes = {
                Measure.VCPUS: (sold.vcpus, found.vcpus),
                Measure.MEMORY_MIB: (sold.memory_gb * MIB, found.memory_mib),
            }
        yield from _unequal(row, Sold.FLAVOR, sold.code, sizes)


def _storage(cloud: Cloud, connection: openstack.Cloud) -> Iterator[SizeDifference]:
    """Object stores do not tell their policies to everybody; they have no size either."""
    there = {kind.name for kind in connection.volumes.volume_types()}
    rows = CloudStorageClass.objects.filter(
        cloud=cloud, storage_class__retired_at=None, storage_class__keeps=Keeps.BLOCK
    ).select_related("storage_class")
    for row in rows.order_by("storage_class__code"):
        sizes: Sizes | None = None
        if row.cloud_name in there:
            sizes = {Measure.ORDERED_GB_PER_BUILT_GB: (1, row.ordered_gb_per_built_gb)}
        yield from _unequal(row, Sold.STORAGE_CLASS, row.storage_class.code, sizes)


def _images(cloud: Cloud, connection: openstack.Cloud) -> Iterator[SizeDifference]:
    """An image that asks for less than the catalogue says differs in nothing that anybody would notice."""
    rows = CloudImage.objects.filter(cloud=cloud, image__retired_at=None).select_related("image")
    for row in rows.order_by("image__code"):
        sold, found = row.image, connection.images.find_image(row.cloud_name)
        sizes: Sizes | None = None
        if found is not None:
            disk, memory = sold.min_disk_gb, sold.min_memory_gb * MIB
            sizes = {
                Measure.MIN_DISK_GB: (disk, max(disk, found.min_disk_gib)),
                Measure.MIN_MEMORY_MIB: (memory, max(memory, found.min_memory_mib)),
            }
        yield from _unequal(row, Sold.IMAGE, sold.code, sizes)


def _unequal(
    row: CloudFlavor | CloudStorageClass | CloudImage, kind: Sold, code: str, sizes: Sizes | None
) -> Iterator[SizeDifference]:
    """One row for each measure that differs; one that says so where the cloud has nothing of the name (``sizes`` None)."""
    for measure, (expected, found) in ({Measure.MISSING: (1, 0)} if sizes is None else sizes).items():
        if expected != found:
            yield SizeDifference(
                cloud_id=row.cloud_id, kind=kind, code=code, cloud_name=row.cloud_name, measure=measure,
                expected=expected, found=found,
            )  # fmt: skip
