"""Keeping the record of object containers, of what they hold, and of who has credentials for them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from govcloud.audit import services as audit
from govcloud.catalog.models import StorageClass
from govcloud.inventory.models import Access, Container, ContainerCredential, Resource, ResourceKind
from govcloud.inventory.services import record_resource
from tenants.models import User

GIB = 2**30
"""Bytes of a GB as it is ordered: of object storage as of volumes."""


def record(*, common: dict[str, Any], storage_class: StorageClass, quota_gb: int) -> Resource:
    """``common`` holds the columns of ``Resource`` (see ``services``). Idempotent by unit."""
    resource, fresh = record_resource(ResourceKind.CONTAINER, common)
    if fresh:
        Container.objects.create(resource=resource, storage_class=storage_class, quota_gb=quota_gb)
    return resource


def requote(
    *, container: Container, quota_gb: int, actor: audit.Actor, thread: UUID | None, at: datetime
) -> None:
    before = container.quota_gb
    container.quota_gb = quota_gb
    container.save(update_fields=["quota_gb"])
    audit.record(
        actor=actor, verb="container.requoted", subject=container.resource, at=at, thread=thread,
        before={"quota_gb": before}, after={"quota_gb": quota_gb},
    )  # fmt: skip


def frozen(container: Container) -> bool:
    """Whether it is under a legal hold: nobody who is let in changes what is in it."""
    return container.holds.filter(lifted_at=None).exists()


def let_in(
    container: Container, *, without: Collection[str | UUID] = ()
) -> tuple[frozenset[str], frozenset[str]]:
    """Who may read and who may write by its credentials but those of the units ``without``, as ``<project>:<user>``.

    Whoever may write may read. Nobody writes into one that is frozen.
    """
    rows = container.credentials.in_force().exclude(unit__in=without)
    users = [(f"{row.project_id}:{row.user_id}", row.access) for row in rows]
    write = set() if frozen(container) else {user for user, access in users if access == Access.WRITE}
    return frozenset(user for user, _access in users), frozenset(write)


def count(*, container: Container, bytes_used: int, objects_held: int, at: datetime) -> None:
    """What the cloud counted; no event: it is a look, not a change."""
    container.bytes_used, container.objects_held, container.counted_at = bytes_used, objects_held, at
    container.save(update_fields=["bytes_used", "objects_held", "counted_at"])


def issue(
    *,
    container: Container,
    unit: UUID,
    name: str,
    access: Access,
    user: tuple[str, str],
    project_id: str,
    issued_by: User,
    actor: audit.Actor,
    at: datetime,
) -> ContainerCredential:
    """``user`` is its id and its name in the cloud. Idempotent by unit."""
    user_id, user_name = user
    credential, fresh = ContainerCredential.objects.get_or_create(
        unit=unit,
        defaults={
            "container": container, "name": name, "access": access, "user_id": user_id, "user_name": user_name,
            "project_id": project_id, "issued_by": issued_by, "issued_at": at,
        },
    )  # fmt: skip
    if fresh:
        _tell(
            credential, "credential.issued", after={"access": access, "user": user_name}, actor=actor, at=at
        )
    return credential


def note_drawing(*, credential: ContainerCredential, actor: audit.Actor, at: datetime) -> None:
    """Somebody is about to be given a new secret. Commit it before the cloud is asked: its answer may be lost with us."""
    _tell(credential, "credential.secret_asked", after={"user": credential.user_name}, actor=actor, at=at)


def note_secret(*, credential: ContainerCredential, actor: audit.Actor, at: datetime) -> None:
    """Somebody has drawn a new secret; the secret itself is told to nobody else."""
    credential.secret_set_at = at
    credential.save(update_fields=["secret_set_at"])
    _tell(credential, "credential.secret_drawn", after={"user": credential.user_name}, actor=actor, at=at)


def revoke(*, unit: UUID, actor: audit.Actor, at: datetime) -> None:
    """The cloud has confirmed that its user is gone. Does nothing for one that was never issued, or a second time."""
    credential = ContainerCredential.objects.in_force().filter(unit=unit).first()
    if credential is None:
        return
    credential.revoked_at = at
    credential.save(update_fields=["revoked_at"])
    _tell(credential, "credential.revoked", after={"user": credential.user_name}, actor=actor, at=at)


def _tell(
    credential: ContainerCredential, verb: str, *, after: dict[str, Any], actor: audit.Actor, at: datetime
) -> None:
    resource = credential.container.resource
    audit.record(
        actor=actor, verb=verb, subject=credential, at=at, thread=resource.thread,
        after={"container": resource.name, "name": credential.name, **after},
    )  # fmt: skip
