"""Legal holds: what is evidence in a matter is neither deleted nor does what it is of go."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.audit.refusals import kept
from govcloud.errors import Conflict, Invalid
from govcloud.inventory.models import Volume
from govcloud.protection.models import LegalHold, RecoveryPoint
from govcloud.provisioning.lifecycle import FINISHED, Desired
from govcloud.provisioning.models import Step
from tenants.models import Role, User
from tenants.policies import require

KEEPERS = (Role.AUTHORITY_APPROVER,)
"""Who may place and lift one: the authority that answers for the centre; nobody who orders, builds or operates anything."""


class ReasonMissing(Invalid):
    code = "legal-hold-reason-missing"
    message = _("A legal hold is placed and lifted for a reason of at most %(most)s characters.")


class HeldAlready(Conflict):
    code = "legal-hold-in-force"
    message = _("The recovery point is under a legal hold already, placed on %(since)s.")


class NotHeld(Conflict):
    code = "no-legal-hold"
    message = _("The recovery point is under no legal hold.")


class PointGone(Conflict):
    code = "recovery-point-gone"
    message = _("The recovery point is gone, or is being deleted: it cannot be kept any more.")


class UnderLegalHold(Conflict):
    code = "under-legal-hold"
    message = _(
        "“%(name)s” cannot be released: these of its recovery points are under a legal hold: %(points)s."
    )


def place(*, point: RecoveryPoint, reason: str, actor: User, at: datetime) -> LegalHold:
    """Raises RoleMissing, ReasonMissing, PointGone and HeldAlready."""
    require(actor, *KEEPERS, at=at)
    reason = _reasoned(reason)
    with kept(), transaction.atomic():
        point = _locked(point)
        deleting = Step.objects.filter(kind="backup", external_id=point.external_id, desired=Desired.ABSENT)
        if point.expired_at is not None or deleting.exclude(state__in=FINISHED).exists():
            raise PointGone
        standing = _in_force(point)
        if standing is not None:
            raise HeldAlready(since=standing.placed_at.isoformat())
        hold = LegalHold.objects.create(point=point, reason=reason, placed_by=actor, placed_at=at)
        _tell(hold, "legal_hold.placed", reason=reason, actor=actor, at=at)
    return hold


def lift(*, point: RecoveryPoint, reason: str, actor: User, at: datetime) -> LegalHold:
    """Raises RoleMissing, ReasonMissing and NotHeld."""
    require(actor, *KEEPERS, at=at)
    reason = _reasoned(reason)
    with kept(), transaction.atomic():
        hold = _in_force(_locked(point))
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
    told = ", ".join(f"{p.volume.resource.name} {p.taken_at:%Y-%m-%d %H:%M} ({p.uuid})" for p in points)
    return UnderLegalHold(name=name, points=told, pointers=(pointer,) if pointer else ())


def require_none(*, volumes: Sequence[Volume]) -> None:
    """In the transaction that begins their release. Raises UnderLegalHold for one placed since it was ordered."""
    list(RecoveryPoint.objects.select_for_update(no_key=True).filter(volume__in=volumes).order_by("pk"))
    points = held_points(volumes)
    if points:
        raise refused(name=points[0].volume.resource.name, points=points)


def _reasoned(reason: str) -> str:
    if not 1 <= len(reason.strip()) <= 500:
        raise ReasonMissing(most=500, pointers=("/reason",))
    return reason.strip()


def _locked(point: RecoveryPoint) -> RecoveryPoint:
    rows = RecoveryPoint.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("volume__resource").get(pk=point.pk)


def _in_force(point: RecoveryPoint) -> LegalHold | None:
    return point.holds.filter(lifted_at=None).first()


def _tell(hold: LegalHold, verb: str, *, reason: str, actor: User, at: datetime) -> None:
    resource = hold.point.volume.resource
    audit.record(
        actor=actor, verb=verb, subject=hold.point, at=at, thread=resource.thread, label=resource.name, reason=reason,
        after={"volume": resource.name, "taken_at": hold.point.taken_at},
    )  # fmt: skip
