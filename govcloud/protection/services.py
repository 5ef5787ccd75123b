"""Backup plans: opened with their allowance, run when due, ended with it; and the recovery points they make."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from govcloud.audit import services as audit
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import BackupAllowance, Power, Server, Volume, VolumeRole
from govcloud.protection import keeping, notices
from govcloud.protection.models import (
    BackupPlan,
    BackupRun,
    Frequency,
    PlannedVolume,
    RecoveryPoint,
)
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.demand import Demand
from govcloud.provisioning.models import Operation, OperationKind, Step
from govcloud.provisioning.services import StepSpec
from govcloud.sweeping import by_itself
from tenants.models import System

INTERVAL = {Frequency.DAILY: timedelta(days=1), Frequency.WEEKLY: timedelta(weeks=1)}
SCHEDULER = audit.SystemActor("backup-scheduler")


def open_plan(
    *,
    allowance: BackupAllowance,
    frequency: str,
    volume_units: Sequence[str],
    actor: audit.Actor,
    at: datetime,
) -> BackupPlan:
    """The plan of an allowance, covering the volumes of these units; its first run is due at once. Idempotent."""
    plan, fresh = BackupPlan.objects.get_or_create(
        allowance=allowance,
        defaults={
            "name": allowance.resource.name, "frequency": frequency, "next_run_at": at, "created_at": at,
        },
    )  # fmt: skip
    if fresh:
        volumes = Volume.objects.filter(resource__unit__in=volume_units)
        PlannedVolume.objects.bulk_create(
            PlannedVolume(plan=plan, volume=volume, since=at) for volume in volumes
        )
        audit.record(
            actor=actor, verb="backup_plan.opened", subject=plan, at=at, thread=allowance.resource.thread,
            after={"frequency": frequency, "volumes": [str(unit) for unit in volume_units]},
        )  # fmt: skip
    return plan


def plans_of(server: Server, *, besides: Volume) -> QuerySet[BackupPlan]:
    """Those that go on and cover something of a server; a volume that has just come to it brings none along."""
    covering = PlannedVolume.objects.filter(volume__server=server, until=None).exclude(volume=besides)
    return BackupPlan.objects.filter(pk__in=covering.values("plan"), next_run_at__isnull=False)


def cover(*, volume: Volume, server: Server, actor: audit.Actor, at: datetime) -> None:
    """A volume that a server has got later is backed up with the others of it, and no longer with those of another. Idempotent.

    In no plan of the server's it stays in the one that it is in: then at least that backs it up.
    """
    plans = plans_of(server, besides=volume)
    keys = set(plans.values_list("pk", flat=True))
    if not keys:
        return
    covered = PlannedVolume.objects.filter(volume=volume, until=None)
    _end(covered.exclude(plan__in=keys), actor=actor, thread=volume.resource.thread, at=at)
    for plan in plans.filter(pk__in=keys).exclude(pk__in=covered.values("plan")):
        PlannedVolume.objects.create(plan=plan, volume=volume, since=at)
        audit.record(
            actor=actor, verb="backup_plan.covered", subject=plan, at=at, thread=volume.resource.thread,
            after={"volume": volume.resource.name},
        )  # fmt: skip


def end_plan(*, allowance: BackupAllowance, actor: audit.Actor, at: datetime) -> None:
    """No further runs. Its recovery points go with it (``clearing``), but for those under a legal hold."""
    plan = BackupPlan.objects.filter(allowance=allowance, next_run_at__isnull=False).first()
    if plan is None:
        return
    BackupPlan.objects.filter(pk=plan.pk).update(next_run_at=None)
    PlannedVolume.objects.filter(plan=plan, until=None).update(until=at)
    audit.record(actor=actor, verb="backup_plan.ended", subject=plan, at=at, thread=allowance.resource.thread)


def uncovered(*, system: System) -> QuerySet[Volume]:
    """The volumes of the system's servers that no plan in force backs up."""
    standing = Volume.objects.filter(
        server__isnull=False, resource__system=system, resource__released_at__isnull=True
    )
    return standing.exclude(plans__in=PlannedVolume.objects.filter(until=None))


def uncover(*, volumes: Sequence[Volume], actor: audit.Actor, thread: UUID | None, at: datetime) -> None:
    """Take volumes that are to be released, or are lost, out of their plans. Of what is lost the recovery points stay."""
    _end(PlannedVolume.objects.filter(volume__in=volumes, until=None), actor=actor, thread=thread, at=at)


def _end(planned: QuerySet[PlannedVolume], *, actor: audit.Actor, thread: UUID | None, at: datetime) -> None:
    for row in planned.select_related("plan", "volume__resource"):
        audit.record(
            actor=actor, verb="backup_plan.uncovered", subject=row.plan, at=at, thread=thread,
            after={"volume": row.volume.resource.name},
        )  # fmt: skip
    planned.update(until=at)


def run_due(*, at: datetime, plan: BackupPlan | None = None) -> list[Operation]:
    """Start one run of every plan that is due. Times missed while nobody looked are not made up for one by one.

    A plan that cannot be run holds up no other.
    """
    due = BackupPlan.objects.filter(next_run_at__lte=at)
    keys = (due.filter(pk=plan.pk) if plan else due).order_by("pk").values_list("pk", flat=True)
    return started(_run, list(keys), at=at)


def started(
    work: Callable[[int, datetime], Operation | None], plans: Sequence[int], *, at: datetime
) -> list[Operation]:
    """What the work begins for each of these plans, by primary key."""
    begun = []
    for key in plans:
        with by_itself("backup plan not followed up", plan=key, work=work.__name__):
            with transaction.atomic():
                operation = work(key, at)
            begun += [operation] if operation is not None else []
    return begun


def _run(plan_pk: int, at: datetime) -> Operation | None:
    plan = (
        BackupPlan.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("allowance__resource__system", "allowance__resource__cloud")
        .filter(pk=plan_pk, next_run_at__lte=at)
        .first()
    )
    if plan is None or plan.next_run_at is None:
        return None  # another scheduler was quicker
    due_at = plan.next_run_at
    plan.next_run_at = next_after(due_at, interval=INTERVAL[Frequency(plan.frequency)], at=at)
    plan.save(update_fields=["next_run_at"])
    steps = _backup_steps(plan, due_at)
    if not steps:
        return None
    resource = plan.allowance.resource
    operation = provisioning.start(
        kind=OperationKind.BACKUP, reason=_("backup %(plan)s") % {"plan": plan.name}, thread=resource.thread,
        system=resource.system, cloud=resource.cloud, steps=_with_room(steps, plan, due_at), actor=SCHEDULER, at=at,
    )  # fmt: skip
    BackupRun.objects.create(plan=plan, due_at=due_at, operation=operation)
    return operation


def _with_room(steps: list[StepSpec], plan: BackupPlan, due_at: datetime) -> list[StepSpec]:
    """After the cloud's limit has made room for what is kept besides, where there is any: it counts those points too."""
    resource, besides = plan.allowance.resource, Demand()
    keeping.add_points(besides, resource.system, resource.cloud)
    if not besides.backups:
        return steps
    limits = StepSpec.limits(
        "volume_quota", key=f"limits:{plan.uuid}:{due_at.isoformat()}", system=resource.system.uuid
    )
    return [limits, *(replace(step, needs=(*step.needs, limits.key)) for step in steps)]


def next_after(due_at: datetime, *, interval: timedelta, at: datetime) -> datetime:
    """The plan's next time of day after ``at``: runs that were missed are skipped, the time of day is kept."""
    missed = max(0, (at - due_at) // interval)
    return due_at + (missed + 1) * interval


def _backup_steps(plan: BackupPlan, due_at: datetime) -> list[StepSpec]:
    """A backup of each covered volume; and, once it is there, the end of the oldest points beyond those that are kept.

    Not of what is left of a system that could not be written anew: the points of it from before are worth more.
    """
    nothing_on_it = Q(role=VolumeRole.SYSTEM, server__power=Power.BROKEN)
    covered = (
        Volume.objects.filter(
            plans__plan=plan, plans__until=None, resource__status__in=[Status.ACTIVE, Status.CHANGING]
        )
        .exclude(nothing_on_it)
        .select_related("resource")
        .order_by("pk")
    )
    steps: list[StepSpec] = []
    for volume in covered:
        state = {
            "volume": str(volume.resource.unit),
            "volume_id": volume.resource.external_id,
            "off_site": plan.allowance.off_site,
        }
        taken = StepSpec(
            key=f"backup:{plan.uuid}:{due_at.isoformat()}:{volume.resource.unit}",
            kind="backup",
            label=volume.resource.name,
            # the same run has the same marks, and another plan's at the same moment has others
            unit=uuid5(volume.resource.unit, f"{plan.uuid} {due_at.isoformat()}"),
            desired_state=state,
        )
        steps.append(taken)
        points = keeping.expirable(keeping.counted(plan, volume))  # those on hold are kept besides
        steps += [
            keeping.expiry(
                point, key=f"expiry:{plan.uuid}:{due_at.isoformat()}:{point.uuid}", needs=(taken.key,)
            )
            for point in points[plan.keep - 1 :]  # the new one is the first of those kept
        ]
    return steps


def expire_point(*, external_id: str, at: datetime) -> None:
    """The cloud has confirmed that a backup is gone; in the transaction that finishes its step."""
    point = (
        RecoveryPoint.objects.select_related("volume__resource")
        .filter(external_id=external_id, expired_at=None)
        .first()
    )
    if point is None:
        return
    point.expired_at = at
    point.save(update_fields=["expired_at"])
    resource = point.volume.resource
    audit.record(
        actor=SCHEDULER, verb="recovery_point.expired", subject=point, at=at, thread=resource.thread, label=resource.name,
        after={"volume": resource.name, "external_id": external_id},
    )  # fmt: skip


def lose_point(*, external_id: str, actor: audit.Actor, at: datetime) -> None:
    """The cloud has confirmed that it does not have a recovery point which nobody here deleted. Idempotent.

    Its department is told. A legal hold on it stays in force: what becomes of it is for those to decide who place and lift them.
    """
    rows = RecoveryPoint.objects.select_for_update(no_key=True, of=("self",))
    point = rows.select_related("volume__resource").filter(external_id=external_id, expired_at=None).first()
    if point is None:
        return
    point.expired_at, point.lost = at, True
    point.save(update_fields=["expired_at", "lost"])
    resource, hold = point.volume.resource, point.holds.filter(lifted_at=None).first()
    audit.record(
        actor=actor, verb="recovery_point.lost", subject=point, at=at, thread=resource.thread, label=resource.name,
        after={
            "volume": resource.name, "external_id": external_id, "taken_at": point.taken_at,
            **({"legal_hold": hold.reason, "held_since": hold.placed_at} if hold is not None else {}),
        },
    )  # fmt: skip
    notices.lost(point, at=at)


def find_point(*, external_id: str, actor: audit.Actor, at: datetime) -> None:
    """A recovery point that was recorded as lost is in the cloud again: it counts as before, and its department is told. Idempotent.

    Where its plan or its volume has ended meanwhile it goes as the others did.
    """
    rows = RecoveryPoint.objects.select_for_update(no_key=True, of=("self",))
    point = rows.select_related("volume__resource").filter(external_id=external_id, lost=True).first()
    if point is None:
        return
    before, point.expired_at, point.lost = point.expired_at, None, False
    point.save(update_fields=["expired_at", "lost"])
    resource = point.volume.resource
    audit.record(
        actor=actor, verb="recovery_point.found", subject=point, at=at, thread=resource.thread, label=resource.name,
        before={"lost_at": before},
        after={"volume": resource.name, "external_id": external_id, "taken_at": point.taken_at},
    )  # fmt: skip
    notices.found(point, at=at)


def record_point(*, step: Step, volume_unit: UUID, off_site: bool, at: datetime) -> RecoveryPoint:
    """Note what the cloud has confirmed; in the transaction that finishes the backup's step."""
    volume = Volume.objects.select_related("resource").get(resource__unit=volume_unit)
    run = BackupRun.objects.get(operation=step.operation)
    point = RecoveryPoint.objects.create(
        run=run, volume=volume, step=step, external_id=step.external_id, taken_at=step.intent_at or at,
        size_gb=volume.size_gb, off_site=off_site, label=volume.label,
    )  # fmt: skip
    audit.record(
        actor=SCHEDULER, verb="recovery_point.recorded", subject=point, at=at, thread=volume.resource.thread,
        label=volume.resource.name, after={"volume": volume.resource.name, "external_id": step.external_id},
    )  # fmt: skip
    return point


def take_up_runs(*, at: datetime) -> int:
    """Note that runs which ended have been seen; returns how many."""
    kinds = [OperationKind.BACKUP, OperationKind.EXPIRE]
    ended = Operation.objects.filter(kind__in=kinds, finished_at__isnull=False, taken_up_at=None)
    return ended.update(taken_up_at=at)
