"""What the oracle knows of recovery points: which must be there, and which must not be there any more."""

from collections.abc import Mapping
from datetime import UTC, datetime

from django.db.models import Exists, OuterRef

from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Volume
from govcloud.protection import keeping
from govcloud.protection.models import BackupPlan, LegalHold, PlannedVolume, RecoveryPoint
from govcloud.provisioning.lifecycle import Desired, OperationStatus, StepState
from govcloud.provisioning.models import OperationKind, Step


def held_and_gone() -> list[str]:
    """Recovery points that were deleted, or that something set out to delete, under a legal hold; releases of what they are of."""
    wrong = []
    for hold in LegalHold.objects.filter(point__isnull=False).select_related("point__volume__resource"):
        point, began = hold.point, {"operation__created_at__gt": hold.placed_at}
        if hold.lifted_at is not None:
            began["operation__created_at__lt"] = hold.lifted_at
        going = Step.objects.filter(**began, desired=Desired.ABSENT)
        deletions = going.filter(kind="backup", external_id=point.external_id)
        releases = going.filter(
            kind="volume", operation__kind=OperationKind.RELEASE,
            desired_state__resource=str(point.volume.resource.unit),
        )  # fmt: skip
        until = hold.lifted_at or datetime.max.replace(tzinfo=UTC)
        if point.expired_at is not None and hold.placed_at <= point.expired_at < until:
            wrong.append(f"recovery point {point.external_id} expired under a legal hold")
        if deletions.exists():
            wrong.append(f"recovery point {point.external_id} was to be deleted under a legal hold")
        if releases.exists():
            wrong.append(f"{point.volume.resource} was released under a legal hold")
    return wrong


def written_otherwise(held: Mapping[str, str]) -> list[str]:
    """Volumes that do not hold the recovery point that was last written over them, by the cloud or by the record.

    ``held``: which the cloud says that each holds, by their ids. Nothing is said of those that were called off.
    """
    ended = Step.objects.filter(kind="recovery", finished_at__isnull=False).order_by("finished_at")
    last = {step.desired_state["volume"]: step for step in ended}
    volumes = Volume.objects.filter(resource__external_id__in=held, resource__status=Status.ACTIVE)
    wrong = []
    for volume in volumes.filter(resource__unit__in=last).select_related("resource"):
        step = last[str(volume.resource.unit)]
        if step.state != StepState.DONE:
            continue
        point = RecoveryPoint.objects.get(uuid=step.desired_state["point"])
        if held[volume.resource.external_id] != point.external_id:
            found = held[volume.resource.external_id] or "nothing that was written over it"
            wrong.append(f"{volume.resource} holds {found}, and {point.external_id} by the record")
        if point.restored_at is None or volume.label != point.label:
            wrong.append(f"{volume.resource} is not recorded to hold {point.external_id}")
    return wrong


def written_and_gone() -> list[str]:
    """Recovery points that were deleted, or that something set out to delete, while they were to be written over a volume."""
    wrong = []
    for step in Step.objects.filter(kind="recovery").select_related("operation"):
        began, until = step.operation.created_at, step.finished_at or datetime.max.replace(tzinfo=UTC)
        point = RecoveryPoint.objects.get(uuid=step.desired_state["point"])
        if point.expired_at is not None and began <= point.expired_at < until:
            wrong.append(f"recovery point {point.external_id} expired while it was written over a volume")
        deletions = Step.objects.filter(
            kind="backup", desired=Desired.ABSENT, called_off_at=None, external_id=point.external_id,
            operation__created_at__gt=began, operation__created_at__lt=until,
        )  # fmt: skip
        if deletions.exists():
            wrong.append(f"recovery point {point.external_id} was to be deleted while it was written")
    return wrong


def left_over() -> list[str]:
    """Recovery points that nothing keeps any more, and that nothing is about to delete."""
    points = RecoveryPoint.objects.filter(keeping.over(), expired_at=None).exclude(_held())
    return [
        f"recovery point {each.external_id} of {each.volume.resource} is kept by nothing"
        for each in points.exclude(Exists(keeping.deletions())).select_related("volume__resource")
    ]


def kept_beyond() -> list[str]:
    """Recovery points beyond those that their plan keeps, once its last run has come to its end; those on hold are kept besides.

    Nothing is said of what a run could not know: that a hold was lifted, another plan ended or another run came to its point
    after it began; nor where one was being written over a volume when it began, which it had to leave alone.
    """
    wrong = []
    for plan in BackupPlan.objects.filter(next_run_at__isnull=False):
        run = plan.runs.select_related("operation").order_by("due_at").last()
        if run is None or run.operation.status != OperationStatus.DONE:
            continue
        steps = run.operation.steps.filter(kind="backup")
        if steps.filter(called_off_at__isnull=False).exists():
            continue
        covered = Volume.objects.filter(plans__plan=plan, plans__until=None, recovery_points__run=run)
        since = run.operation.created_at
        later = PlannedVolume.objects.filter(volume=OuterRef("pk"), until__gte=since)
        lifted = LegalHold.objects.filter(point__volume=OuterRef("pk"), lifted_at__gte=since)
        others = RecoveryPoint.objects.exclude(run=run).filter(
            volume=OuterRef("pk"), step__finished_at__gte=since
        )
        known = covered.exclude(Exists(later)).exclude(Exists(lifted)).exclude(Exists(others))
        written = Step.objects.filter(kind="recovery", operation__created_at__lte=since).exclude(
            finished_at__lt=since
        )
        backups = written.values_list("desired_state__backup", flat=True)
        known = known.exclude(recovery_points__external_id__in=list(backups))
        for volume in known.select_related("resource"):
            points = keeping.counted(plan, volume).filter(expired_at=None).exclude(_held())
            if points.count() > plan.keep:
                wrong.append(
                    f"{points.count()} recovery points of {volume.resource}, of which {plan} keeps {plan.keep}"
                )
    return wrong


def _held() -> Exists:
    """Said here once more: the product's own word for it is what is judged."""
    return Exists(LegalHold.objects.filter(point=OuterRef("pk"), lifted_at=None))
