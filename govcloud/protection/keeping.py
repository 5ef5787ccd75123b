"""Which recovery points are kept, which may be deleted, and how."""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.fields.json import KT

from govcloud.catalog.models import Cloud
from govcloud.inventory.models import Volume, WipeRecord
from govcloud.protection.models import BackupPlan, LegalHold, PlannedVolume, RecoveryPoint
from govcloud.provisioning import demand
from govcloud.provisioning.demand import Demand
from govcloud.provisioning.lifecycle import FINISHED, Desired, StepState
from govcloud.provisioning.models import Step
from govcloud.provisioning.services import StepSpec
from tenants.models import System


def on_hold() -> Exists:
    return Exists(LegalHold.objects.filter(point=OuterRef("pk"), lifted_at=None))


def deletions() -> QuerySet[Step]:
    """The steps that delete the recovery point of an outer row and have not ended."""
    steps = Step.objects.filter(kind="backup", external_id=OuterRef("external_id"), desired=Desired.ABSENT)
    return steps.exclude(state__in=FINISHED)


def recoveries() -> QuerySet[Step]:
    """The steps that write the recovery point of an outer row over a volume and have not ended."""
    steps = Step.objects.annotate(backup=KT("desired_state__backup"))
    return steps.filter(kind="recovery", backup=OuterRef("external_id")).exclude(state__in=FINISHED)


def being_deleted(*, cloud: Cloud, ids: Collection[str]) -> set[str]:
    """Of these ids of the cloud those of recovery points that an operation under way deletes, or is going to."""
    steps = Step.objects.filter(
        kind="backup", desired=Desired.ABSENT, external_id__in=ids,
        operation__cloud=cloud, operation__taken_up_at=None,  # what has not ended has not been taken up: there are few
    )  # fmt: skip
    return set(steps.exclude(state__in=FINISHED).values_list("external_id", flat=True))


def over() -> Q:
    """Those that nothing keeps but a legal hold: their plan has ended, or their volume was released and is gone.

    What is left of a volume that was lost may be all there is of it: it stays for as long as its plan goes on.
    """
    wiped = WipeRecord.objects.filter(resource=OuterRef("volume__resource"))
    return Q(run__plan__next_run_at=None) | Q(Exists(wiped))


def add_points(total: Demand, system: System, cloud: Cloud) -> None:
    """What the cloud keeps beside what allowances were granted.

    Points on hold, those that are being written over a volume, and those that are over, until they are gone.
    """
    besides = over() | Q(on_hold()) | Q(Exists(recoveries()))
    points = RecoveryPoint.objects.filter(
        besides, volume__resource__system=system, volume__resource__cloud=cloud, expired_at=None
    )
    sizes = points.order_by().values_list("volume__storage_class__code", "size_gb")
    demand.add_backups(total, cloud=cloud, sizes=sizes)


def counted(plan: BackupPlan, volume: Volume) -> QuerySet[RecoveryPoint]:
    """The points among which a plan keeps so many: its own, and those of a plan that the volume was in before.

    Another plan that covers it as well counts its own by itself.
    """
    theirs = PlannedVolume.objects.filter(plan=OuterRef("run__plan"), volume=volume, until=None)
    return RecoveryPoint.objects.filter(Q(run__plan=plan) | ~Exists(theirs), volume=volume)


def is_held(*, external_id: str) -> bool:
    """Whether the recovery point is under a legal hold, by its own lock: after whoever is just placing one."""
    with transaction.atomic():
        points = RecoveryPoint.objects.select_for_update(no_key=True).filter(external_id=external_id)
        held = LegalHold.objects.filter(point__in=[point.pk for point in points], lifted_at=None)
        return held.exists()


def expirable(points: QuerySet[RecoveryPoint]) -> list[RecoveryPoint]:
    """Those of the points that may be deleted and are not being deleted, the newest first.

    They are locked first: a hold or a recovery that is begun meanwhile is seen, and a later one sees the step that deletes it.
    """
    locked = points.filter(expired_at=None).select_for_update(no_key=True, of=("self",)).order_by("pk")
    begun = deletions().exclude(state=StepState.WAITING)
    free = RecoveryPoint.objects.filter(pk__in=[point.pk for point in locked])
    free = free.exclude(on_hold()).exclude(Exists(begun)).exclude(Exists(recoveries()))
    return list(free.select_related("volume__resource", "step", "run__plan").order_by("-taken_at", "-pk"))


def expiry(
    point: RecoveryPoint, *, key: str, unit: UUID | None = None, needs: tuple[str, ...] = ()
) -> StepSpec:
    """The step that deletes a recovery point; of the release ``unit``, if one is given."""
    resource = point.volume.resource
    return StepSpec(
        key=key, kind="backup", label=resource.name, unit=unit or point.step.unit, desired=Desired.ABSENT,
        external_id=point.external_id, desired_state={"volume": str(resource.unit), "off_site": point.off_site}, needs=needs,
    )  # fmt: skip
