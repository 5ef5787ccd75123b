"""What a department hears of its recovery points: that one is lost, and that one is there again after all."""

from datetime import datetime
from typing import Any

from django.db.models import Min

from govcloud.notifications import services as notifications
from govcloud.notifications.kinds import NONE_FOLLOWS, Kind
from govcloud.protection.models import PlannedVolume, RecoveryPoint
from tenants.models import Role


def lost(point: RecoveryPoint, *, at: datetime) -> None:
    """With how many of its volume are left, and when the next is taken."""
    left = RecoveryPoint.objects.filter(volume=point.volume_id, expired_at=None).count()
    covering = PlannedVolume.objects.filter(volume=point.volume_id, until=None)
    next_at = covering.aggregate(next=Min("plan__next_run_at"))["next"]
    follows = {"action": NONE_FOLLOWS} if next_at is None else {"action": "", "next_at": next_at}
    _post(point, Kind.RECOVERY_POINT_LOST, {"left": left, **follows}, at=at)


def found(point: RecoveryPoint, *, at: datetime) -> None:
    _post(point, Kind.RECOVERY_POINT_FOUND, {}, at=at)


def _post(point: RecoveryPoint, kind: Kind, facts: dict[str, Any], *, at: datetime) -> None:
    resource = point.volume.resource
    system = resource.system
    notifications.post(
        kind=kind, subject=resource,
        facts={
            "system": system.name, "system_en": system.name_en, "volume": resource.name, "taken_at": point.taken_at, **facts,
        },
        roles=[Role.APPLICANT], department=system.department, thread=resource.thread, at=at,
    )  # fmt: skip
