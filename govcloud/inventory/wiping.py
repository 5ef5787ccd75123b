"""Evidence of what was wiped when volumes and containers were given back."""

from datetime import datetime

from govcloud.audit import services as audit
from govcloud.catalog.models import CloudStorageClass
from govcloud.inventory.models import Resource, ResourceKind, WipeRecord


def record(
    *, resource: Resource, request_id: str, requested_at: datetime | None, actor: audit.Actor, at: datetime
) -> WipeRecord:
    """By the means that its cloud declares for its storage class now. Idempotent by resource."""
    storage_class, size_gb = _held(resource)
    declared = CloudStorageClass.objects.get(cloud=resource.cloud_id, storage_class=storage_class)
    record, fresh = WipeRecord.objects.get_or_create(
        resource=resource,
        defaults={
            "external_id": resource.external_id, "size_gb": size_gb, "means": declared.wiping,
            "request_id": request_id, "requested_at": requested_at, "confirmed_at": at,
        },
    )  # fmt: skip
    if fresh:
        if resource.kind == ResourceKind.CONTAINER:
            _tell(record, "container.wiped", actor=actor, at=at)
        else:
            _tell(record, "volume.wiped", actor=actor, at=at)
    return record


def _tell(record: WipeRecord, verb: str, *, actor: audit.Actor, at: datetime) -> None:
    resource = record.resource
    audit.record(
        actor=actor, verb=verb, subject=resource, at=at, thread=resource.thread,
        after={"means": record.means, "external_id": record.external_id, "request_id": record.request_id},
    )  # fmt: skip


def _held(resource: Resource) -> tuple[int, int]:
    """Primary key of its storage class, and its size in GB."""
    if resource.kind == ResourceKind.CONTAINER:
        return resource.container.storage_class_id, resource.container.quota_gb
    return resource.volume.storage_class_id, resource.volume.size_gb
