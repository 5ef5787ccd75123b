"""Legal holds: what is evidence in a matter is neither deleted nor does what it is of go.

They are on recovery points of volumes, and on object containers.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.audit.refusals import kept
from govcloud.errors import Conflict, Invalid
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Container, Resource, ResourceKind, Volume
from govcloud.periods import wall_clock
from govcloud.protection.models import LegalHold, RecoveryPoint
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.actions import objects
from govcloud.provisioning.lifecycle import FINISHED, Desired
from govcloud.provisioning.models import OperationKind, Step
from govcloud.provisioning.services import StepSpec
from tenants.access.permissions import Permission
from tenants.models import User
from tenants.policies import require

KEEPERS = (Permission.HOLD,)
"""Who may place and lift one: the authority that answers for the centre; nobody who orders, builds or operates anything."""


class ReasonMissing(Invalid):
    code = "legal-hold-reason-missing"
    message = _("A legal hold is placed and lifted for a reason of at most %(most)s characters.")


class HeldAlready(Conflict):
    code = "legal-hold-in-force"
    message = _("It is under a legal hold already, placed on %(since)s.")


class NotHeld(Conflict):
    code = "no-legal-hold"
    message = _("It is under no legal hold.")


class PointGone(Conflict):
    code = "recovery-point-gone"
    message = _("The recovery point is gone, or is being deleted: it cannot be kept any more.")


class UnderLegalHold(Conflict):
    code = "under-legal-hold"
    message = _(
        "“%(name)s” cannot be released: these of its recovery points are under a legal hold: %(points)s."
    )


class ContainerOnHold(Conflict):
    code = "container-on-hold"
    message = _("“%(name)s” is under a legal hold: until it is lifted it is neither released nor changed.")


class CannotBeHeld(Conflict):
    code = "cannot-be-held"
    message = _("“%(name)s” is no object container that is in use: it cannot be put under a legal hold.")


def place(*, point: RecoveryPoint, reason: str, actor: User, at: datetime) -> LegalHold:
    """From now on it is kept, and the cloud's limit has room for it beside those of its plan.

    A run that was to delete it once the backup is there that it waits for leaves it: a backup may take hours.
    Raises RoleMissing, ReasonMissing, PointGone and HeldAlready.
    """
    require(actor, *KEEPERS, at=at)
    reason = _reasoned(reason)
    with kept(), transaction.atomic():
        provisioning.keep_point(external_id=point.external_id, at=at)
        point = _locked(point)
        deleting = Step.objects.filter(kind="backup", external_id=point.external_id, desired=Desired.ABSENT)
        if point.expired_at is not None or deleting.exclude(state__in=FINISHED).exists():
            raise PointGone
        hold = _place(LegalHold(point=point), reason=reason, actor=actor, at=at)
        _let_limits_follow(point, key=f"{hold.uuid}:placed", actor=actor, at=at)
    return hold


def lift(*, point: RecoveryPoint, reason: str, actor: User, at: datetime) -> LegalHold:
    """Raises RoleMissing, ReasonMissing and NotHeld."""
    require(actor, *KEEPERS, at=at)
    reason = _reasoned(reason)
    with kept(), transaction.atomic():
        point = _locked(point)
        hold = _lift(point.holds.filter(lifted_at=None).first(), reason=reason, actor=actor, at=at)
        if point.expired_at is None:
            _let_limits_follow(point, key=f"{hold.uuid}:lifted", actor=actor, at=at)
    return hold


def _let_limits_follow(point: RecoveryPoint, *, key: str, actor: User, at: datetime) -> None:
    """The cloud counts what is kept beside a plan's own points: its limit has room for that from now on, or no longer."""
    resource = point.volume.resource
    step = StepSpec.limits("volume_quota", key=f"{key}:volume_quota", system=resource.system.uuid)
    _tell_cloud(resource, OperationKind.LIMITS, step, actor=actor, at=at)


def place_on_container(*, resource: Resource, reason: str, actor: User, at: datetime) -> LegalHold:
    """From now on nobody who is let in may write: the cloud is told by an operation of its own.

    Raises RoleMissing, ReasonMissing, CannotBeHeld and HeldAlready.
    """
    require(actor, *KEEPERS, at=at)
    reason = _reasoned(reason)
    with kept(), transaction.atomic():
        resource = _locked_container(resource)
        if resource.status not in {Status.ACTIVE, Status.CHANGING}:
            raise CannotBeHeld(name=resource.name)
        hold = _place(LegalHold(container=resource.container), reason=reason, actor=actor, at=at)
        _tell_cloud(
            resource, OperationKind.FREEZE, objects.frozen(resource, unit=hold.uuid), actor=actor, at=at
        )
    return hold


def lift_from_container(*, resource: Resource, reason: str, actor: User, at: datetime) -> LegalHold:
    """Raises RoleMissing, ReasonMissing, CannotBeHeld and NotHeld."""
    require(actor, *KEEPERS, at=at)
    reason = _reasoned(reason)
    with kept(), transaction.atomic():
        resource = _locked_container(resource)
        held = resource.container.holds.filter(lifted_at=None).first()
        hold = _lift(held, reason=reason, actor=actor, at=at)
        _tell_cloud(
            resource, OperationKind.FREEZE, objects.thawed(resource, unit=hold.uuid), actor=actor, at=at
        )
    return hold


def _tell_cloud(
    resource: Resource, kind: OperationKind, step: StepSpec, *, actor: User, at: datetime
) -> None:
    provisioning.start(
        kind=kind,
        reason=resource.name,
        thread=None,
        system=resource.system,
        cloud=resource.cloud,
        steps=[step],
        actor=actor,
        at=at,
    )


def _place(hold: LegalHold, *, reason: str, actor: User, at: datetime) -> LegalHold:
    """What it is on is locked."""
    standing = LegalHold.objects.filter(
        point=hold.point_id, container=hold.container_id, lifted_at=None
    ).first()
    if standing is not None:
        raise HeldAlready(since=wall_clock(standing.placed_at))
    hold.reason, hold.placed_by, hold.placed_at = reason, actor, at
    hold.save()
    _tell(hold, "legal_hold.placed", reason=reason, actor=actor, at=at)
    return hold


def _lift(hold: LegalHold | None, *, reason: str, actor: User, at: datetime) -> LegalHold:
    if hold is None:
        raise NotHeld
    hold.lifted_at, hold.lifted_by, hold.lifted_because = at, actor, reason
    hold.save(update_fields=["lifted_at", "lifted_by", "lifted_because"])
    _tell(hold, "legal_hold.lifted", reason=reason, actor=actor, at=at)
    return hold


def held_points(volumes: Sequence[Volume]) -> list[RecoveryPoint]:
    """Those of the volumes' recovery points that are under a hold."""
    points = RecoveryPoint.objects.filter(
        volume__in=volumes, holds__isnull=False, holds__lifted_at__isnull=True
    )
    return list(points.select_related("volume__resource").order_by("pk"))


def refused(*, name: str, points: Sequence[RecoveryPoint], pointer: str = "") -> UnderLegalHold:
    """The refusal to release what the points are of, with the points named."""
    told = _(", ").join(f"{p.volume.resource.name} {wall_clock(p.taken_at)} ({p.uuid})" for p in points)
    return UnderLegalHold(name=name, points=told, pointers=(pointer,) if pointer else ())


def require_none(*, volumes: Sequence[Volume]) -> None:
    """In the transaction that begins their release. Raises UnderLegalHold for one placed since it was ordered."""
    list(RecoveryPoint.objects.select_for_update(no_key=True).filter(volume__in=volumes).order_by("pk"))
    points = held_points(volumes)
    if points:
        raise refused(name=points[0].volume.resource.name, points=points)


def held_containers(containers: Sequence[Container]) -> list[int]:
    """Primary keys of those that are under a hold."""
    held = LegalHold.objects.filter(container__in=containers, lifted_at=None)
    return list(held.values_list("container", flat=True))


def require_no_container(*, resources: Sequence[Resource]) -> None:
    """In the transaction that begins their release or their change. Raises ContainerOnHold for one placed since it was ordered."""
    rows = Resource.objects.select_for_update(no_key=True, of=("self",)).select_related("container")
    going = list(
        rows.filter(pk__in=[each.pk for each in resources], kind=ResourceKind.CONTAINER).order_by("pk")
    )
    held = held_containers([each.container for each in going])
    for each in going:
        if each.pk in held:
            raise ContainerOnHold(name=each.name)


def _locked_container(resource: Resource) -> Resource:
    """Raises CannotBeHeld."""
    if resource.kind != ResourceKind.CONTAINER:
        raise CannotBeHeld(name=resource.name)
    rows = Resource.objects.select_for_update(no_key=True, of=("self",))
    return rows.select_related("container").get(pk=resource.pk)


def _reasoned(reason: str) -> str:
    if not 1 <= len(reason.strip()) <= 500:
        raise ReasonMissing(most=500, pointers=("/reason",))
    return reason.strip()


def _locked(point: RecoveryPoint) -> RecoveryPoint:
    rows = RecoveryPoint.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("volume__resource").get(pk=point.pk)


def _tell(hold: LegalHold, verb: str, *, reason: str, actor: User, at: datetime) -> None:
    resource, point = hold.resource, hold.point
    after = {resource.kind: resource.name, **({"taken_at": point.taken_at} if point is not None else {})}
    audit.record(
        actor=actor, verb=verb, subject=point or resource, at=at, thread=resource.thread, label=resource.name,
        reason=reason, after=after,
    )  # fmt: skip
