"""Snapshots of volumes: written when the cloud has confirmed it, in the step's transaction."""

from datetime import datetime
from uuid import UUID

from govcloud.audit import services as audit
from govcloud.inventory.models import Snapshot, Volume
from tenants.models import User


def record(
    *,
    volume: Volume,
    unit: UUID,
    name: str,
    external_id: str,
    size_gb: int,
    taken_by: User,
    actor: audit.Actor,
    at: datetime,
) -> Snapshot:
    """Idempotent by ``unit``."""
    snapshot, fresh = Snapshot.objects.get_or_create(
        unit=unit,
        defaults={
            "volume": volume, "name": name, "external_id": external_id, "size_gb": size_gb,
            "taken_by": taken_by, "taken_at": at,
        },
    )  # fmt: skip
    if fresh:
        audit.record(
            actor=actor, verb="snapshot.taken", subject=snapshot, at=at, thread=volume.resource.thread,
            after={"volume": volume.resource.name, "size_gb": size_gb, "external_id": external_id},
        )  # fmt: skip
    return snapshot


def restored(*, unit: UUID, actor: audit.Actor, at: datetime) -> None:
    """Its volume is as it was when the snapshot was taken."""
    snapshot = Snapshot.objects.select_related("volume__resource").get(unit=unit)
    snapshot.restored_at = at
    snapshot.save(update_fields=["restored_at"])
    resource = snapshot.volume.resource
    audit.record(
        actor=actor, verb="volume.restored", subject=resource, at=at, thread=resource.thread,
        after={"snapshot": snapshot.name, "as_of": snapshot.taken_at},
    )  # fmt: skip


def deleted(*, snapshot: Snapshot, actor: audit.Actor, at: datetime) -> None:
    _end(snapshot, "snapshot.deleted", actor=actor, at=at)


def lost(*, snapshot: Snapshot, actor: audit.Actor, at: datetime) -> None:
    """Nobody here deleted it."""
    _end(snapshot, "snapshot.lost", actor=actor, at=at)


def _end(snapshot: Snapshot, verb: str, *, actor: audit.Actor, at: datetime) -> None:
    snapshot.deleted_at = at
    snapshot.save(update_fields=["deleted_at"])
    resource = snapshot.volume.resource
    audit.record(
        actor=actor, verb=verb, subject=snapshot, at=at, thread=resource.thread,
        after={"volume": resource.name, "external_id": snapshot.external_id},
    )  # fmt: skip
