"""Object containers against the record, one request each: an object store can be asked about one project at a time.

What is looked at is counted as well, so that what a container holds is known as of the last full pass.
"""

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings

from govcloud.clouds import access
from govcloud.gateways.openstack import errors
from govcloud.gateways.openstack.models import Container
from govcloud.inventory import containers
from govcloud.inventory.containers import GIB
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Project, Resource, ResourceKind
from govcloud.provisioning.kinds.objects import UNIT
from govcloud.reconciliation.comparison import Difference, Observation
from govcloud.reconciliation.vocabulary import Field, FindingKind, Remedy, SubjectKind


def looked_at(*, project: Project, at: datetime) -> Iterator[tuple[Resource, list[Observation]]]:
    """Each of the project's containers that is in use, with what is not as recorded. Raises ``CloudError``."""
    rows = Resource.objects.filter(
        system=project.system, cloud=project.cloud, kind=ResourceKind.CONTAINER, status=Status.ACTIVE, built_at__lt=at
    )  # fmt: skip
    for resource in rows.select_related("container__storage_class").order_by("pk"):
        cloud = access.connect(
            cloud=project.cloud, project_id=project.external_id, timeout=settings.CLOUD_API_TIMEOUT
        )
        try:
            seen = cloud.objects.get_container(resource.external_id)
        except errors.NotFound:
            yield resource, [_observation(resource, FindingKind.MISSING, ())]
            continue
        containers.count(
            container=resource.container, bytes_used=seen.bytes_used, objects_held=seen.objects, at=at
        )
        different = tuple(_differences(resource, seen))
        yield resource, [_observation(resource, FindingKind.DRIFTED, different)] if different else []


def _differences(resource: Resource, seen: Container) -> Iterator[Difference]:
    held = resource.container
    scale = held.storage_class.clouds.get(cloud=resource.cloud_id)
    expected_read, expected_write = containers.let_in(held)
    pairs = (
        (Field.QUOTA_BYTES, str(scale.built_gb(held.quota_gb) * GIB), str(seen.quota_bytes or "")),
        (Field.MARK, str(resource.unit), seen.metadata.get(UNIT, "")),
        (Field.LET_IN, _listed(expected_read, expected_write), _listed(seen.read, seen.write)),
    )  # fmt: skip
    return (Difference(field, expected, found) for field, expected, found in pairs if expected != found)


def _listed(read: frozenset[str], write: frozenset[str]) -> str:
    """Each with what they may: r, w, or rw."""
    return ", ".join(f"{user} {'r' * (user in read)}{'w' * (user in write)}" for user in sorted(read | write))


def _observation(resource: Resource, kind: FindingKind, differences: tuple[Difference, ...]) -> Observation:
    return Observation(
        kind=kind,
        subject=SubjectKind.CONTAINER,
        external_id=resource.external_id,
        remedy=Remedy.DECIDE,
        name=resource.name,
        unit=resource.unit,
        resource=resource.pk,
        system=resource.system_id,
        differences=differences,
    )
