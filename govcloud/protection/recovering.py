"""A recovery point written over a volume that no server has: the one that it was taken of, or another of the system's.

A server cannot be without its system volume. What was on one is got back on a volume beside it.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.errors import Conflict, Invalid
from govcloud.inventory.models import Resource, ResourceKind, VolumeRole
from govcloud.protection import keeping
from govcloud.protection.models import RecoveryPoint
from govcloud.provisioning.actions.base import Action
from govcloud.provisioning.services import StepSpec
from tenants.models import NetworkZone, Role


class NoSuchRecoveryPoint(Invalid):
    """Also for another system's, or one on another cloud: all answer alike."""

    code = "no-such-recovery-point"
    message = _("The system has no recovery point with the id %(point)s where the volume is.")


class RecoveryPointElsewhere(Invalid):
    """A system's zones are kept apart: what is in the recovery point would get from one to the other by way of the volume."""

    code = "recovery-point-in-another-zone"
    message = _("The recovery point is of the %(zone)s: what is in it stays there.")


class VolumeTooSmall(Invalid):
    code = "volume-smaller-than-recovery-point"
    message = _("The recovery point needs a volume of at least %(size)s GB: this one has %(has)s.")


class RecoveryPointGoing(Conflict):
    code = "recovery-point-being-deleted"
    message = _(
        "The recovery point is being deleted: newer ones have taken its place, or its plan has ended."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OfRecoveryPoint:
    recovery_point: UUID


class Recover(Action[OfRecoveryPoint]):
    """In place: the volume keeps its id, its price and its place in orders and backup plans.

    Not while it has snapshots: some back ends keep what is written after one in a file of its own, which would be written
    over as well.
    """

    name = "recover"
    title = _("write a recovery point over the volume")
    resource_kind = ResourceKind.VOLUME
    roles = (Role.APPLICANT, Role.CLOUD_ADMIN)
    sensitive = True

    def refusal(self, resource: Resource) -> str | Promise | None:
        if resource.volume.role == VolumeRole.SYSTEM:
            return _(
                "it is the system volume of a server: write the recovery point over another volume of the system"
            )
        if resource.volume.server is not None:
            return _("a server has it: disconnect it first")
        if resource.volume.snapshots.filter(deleted_at=None).exists():
            return _("it has snapshots: delete them first")
        return (
            None if fitting(resource).exists() else _("its system has no recovery point that has room on it")
        )

    def check(self, resource: Resource, parameters: OfRecoveryPoint) -> None:
        """Raises NoSuchRecoveryPoint, RecoveryPointElsewhere, VolumeTooSmall and RecoveryPointGoing.

        The recovery point is locked: from now on nothing begins to delete it until the operation has ended.
        """
        point, here = _point(resource, parameters), ("/recovery_point",)
        if point.volume.resource.zone != resource.zone:
            zone = NetworkZone(point.volume.resource.zone).label
            raise RecoveryPointElsewhere(zone=zone, pointers=here)
        if point.size_gb > resource.volume.size_gb:
            raise VolumeTooSmall(size=point.size_gb, has=resource.volume.size_gb, pointers=here)
        if keeping.being_deleted(cloud=resource.cloud, ids=[point.external_id]):
            raise RecoveryPointGoing(pointers=here)

    def plan(self, resource: Resource, parameters: OfRecoveryPoint, *, key: str) -> list[StepSpec]:
        point = _point(resource, parameters)
        state = {"volume": str(resource.unit), "point": str(point.uuid), "backup": point.external_id}
        step = StepSpec(
            key=f"{key}:recovery",
            kind="recovery",
            label=resource.name,
            unit=resource.unit,
            desired_state=state,
        )
        return [step]


def fitting(resource: Resource) -> QuerySet[RecoveryPoint]:
    """The recovery points that can be written over a volume: its own first, of each volume the newest first."""
    points = _of_system(resource).filter(
        volume__resource__zone=resource.zone, size_gb__lte=resource.volume.size_gb
    )
    own = Case(When(volume=resource.pk, then=Value(0)), default=Value(1), output_field=IntegerField())
    return points.order_by(own, "volume__resource__name", "-taken_at", "-pk")


def recovered(*, point: RecoveryPoint, resource: Resource, actor: audit.Actor, at: datetime) -> None:
    """The volume holds what was on another, or on itself, at that moment; in the transaction that finishes the step."""
    volume = resource.volume
    volume.label = point.label
    volume.mount_point = (volume.mount_point or f"/data/{resource.name}") if point.label else ""
    volume.save(update_fields=["label", "mount_point"])
    point.restored_at = at
    point.save(update_fields=["restored_at"])
    audit.record(
        actor=actor, verb="volume.recovered", subject=resource, at=at, thread=resource.thread,
        after={"of": point.volume.resource.name, "as_of": point.taken_at, "recovery_point": str(point.uuid)},
    )  # fmt: skip


def _of_system(resource: Resource) -> QuerySet[RecoveryPoint]:
    points = RecoveryPoint.objects.filter(
        volume__resource__system=resource.system_id,
        volume__resource__cloud=resource.cloud_id,
        expired_at=None,
    )
    return points.select_related("volume__resource")


def _point(resource: Resource, parameters: OfRecoveryPoint) -> RecoveryPoint:
    """Locked. Raises NoSuchRecoveryPoint."""
    rows = _of_system(resource).select_for_update(no_key=True, of=("self",))
    point = rows.filter(uuid=parameters.recovery_point).first()
    if point is None:
        raise NoSuchRecoveryPoint(point=parameters.recovery_point, pointers=("/recovery_point",))
    return point
