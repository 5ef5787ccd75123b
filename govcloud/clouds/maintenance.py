"""Times in which nothing new is placed on a cloud; and, where that was chosen, nothing that is under way goes on."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.clouds.models import Maintenance, Running
from govcloud.clouds.services import CloudRetired
from govcloud.errors import Conflict, Invalid
from govcloud.periods import wall_clock
from tenants.models import User


class MaintenanceOverlaps(Conflict):
    code = "maintenance-overlaps"
    message = _("The cloud has a maintenance already from %(start)s to %(end)s.")


class MaintenanceEndsTooEarly(Invalid):
    code = "maintenance-ends-too-early"
    message = _("A maintenance ends after it begins, and not in the past.")


class MaintenanceOver(Conflict):
    code = "maintenance-over"
    message = _("This maintenance ended on %(end)s.")


def announce(
    *,
    cloud: Cloud,
    starts_at: datetime | None,
    ends_at: datetime,
    running: str,
    reason: str,
    actor: User,
    at: datetime,
) -> Maintenance:
    """Set a time aside, from now where no start is named. Raises MaintenanceOverlaps, MaintenanceEndsTooEarly, CloudRetired."""
    start = max(starts_at or at, at)
    if ends_at <= start:
        raise MaintenanceEndsTooEarly(pointers=("/ends_at",))
    with transaction.atomic():
        cloud = Cloud.objects.select_for_update().get(pk=cloud.pk)
        if cloud.status == CloudStatus.RETIRED:
            raise CloudRetired(name=cloud.code)
        _refuse_overlap(cloud, start, ends_at)
        maintenance = Maintenance.objects.create(
            cloud=cloud, starts_at=start, ends_at=ends_at, running=running, reason=reason,
            announced_by=actor, announced_at=at,
        )  # fmt: skip
        audit.record(
            actor=actor, verb="maintenance.announced", subject=maintenance, at=at, label=cloud.code, reason=reason,
            after={"cloud": cloud.code, "starts_at": start, "ends_at": ends_at, "running": running},
        )  # fmt: skip
    return maintenance


def _refuse_overlap(cloud: Cloud, start: datetime, end: datetime) -> None:
    """The cloud's row is locked; the exclusion constraint stands behind."""
    real = cloud.maintenances.filter(ends_at__gt=F("starts_at"))  # not called off
    others = real.filter(starts_at__lt=end, ends_at__gt=start)
    other = others.order_by("starts_at").first()
    if other is not None:
        raise MaintenanceOverlaps(start=wall_clock(other.starts_at), end=wall_clock(other.ends_at))


def end(*, maintenance: Maintenance, actor: audit.Actor, at: datetime) -> Maintenance:
    """End one that is in force now, or call off one that has not begun. Raises MaintenanceOver."""
    with transaction.atomic():
        row = (
            Maintenance.objects.select_for_update(of=("self",)).select_related("cloud").get(pk=maintenance.pk)
        )
        if row.ends_at <= max(at, row.starts_at):
            raise MaintenanceOver(end=wall_clock(row.ends_at))
        before = {"ends_at": row.ends_at}
        row.ends_at = max(row.starts_at, at)
        row.save(update_fields=["ends_at"])
        audit.record(
            actor=actor, verb="maintenance.ended", subject=row, at=at, label=row.cloud.code,
            before=before, after={"ends_at": row.ends_at},
        )  # fmt: skip
    return row


def worked(cloud: int, *, since: datetime, at: datetime) -> timedelta:
    """How much of the time since then was not spent in a pause of the cloud."""
    pauses = Maintenance.objects.filter(
        cloud=cloud, running=Running.PAUSE, starts_at__lt=at, ends_at__gt=since
    )
    spent = sum(
        (min(end, at) - max(start, since) for start, end in pauses.values_list("starts_at", "ends_at")),
        timedelta(),
    )
    return at - since - spent
