"""What is left over when a plan ends, or when what it backed up is released: its recovery points, and backups that broke.

A release deletes the recovery points of what it releases itself. What it could not see is found here: a point that was recorded
after it began, one whose legal hold has been lifted since, and what earlier releases of this software left.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from django.db.models import Exists, QuerySet
from django.utils.translation import gettext as _

from govcloud.protection import keeping
from govcloud.protection.models import BackupPlan, PlannedVolume, RecoveryPoint
from govcloud.protection.services import SCHEDULER, started
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.lifecycle import Desired, StepState
from govcloud.provisioning.models import Operation, OperationKind, Step
from govcloud.provisioning.services import StepSpec
from govcloud.sweeping import by_itself

AT_ONCE = 500
"""So many points of a plan are deleted by one operation; the next sweep goes on."""


def give_up(*, at: datetime) -> int:
    """Call off backups that wait for a person although nobody needs them any more; returns how many.

    A release waits for whatever was begun with its volumes. So a backup that broke is not just left: it is taken down, and a
    request that may still land is waited for, before the volume goes.
    """
    parked = Step.objects.filter(
        operation__kind=OperationKind.BACKUP, kind="backup", desired=Desired.PRESENT, state=StepState.PARKED
    )
    given_up = 0
    for operation, steps in _not_needed(parked).items():
        with by_itself("backups not given up", operation=str(operation.uuid)):
            provisioning.call_off_backups(
                operation=operation, steps=steps, reason=_("its volume or its plan has ended"), actor=SCHEDULER, at=at,
            )  # fmt: skip
            given_up += len(steps)
    return given_up


def _not_needed(parked: QuerySet[Step]) -> Mapping[Operation, list[int]]:
    """Of these backups those of volumes that their plan does not cover any more, by the operation that they are of."""
    found: dict[Operation, list[int]] = defaultdict(list)
    for step in parked.select_related("operation__backup_run"):
        covered = PlannedVolume.objects.filter(
            plan=step.operation.backup_run.plan_id, volume__resource__unit=step.desired_state["volume"], until=None
        )  # fmt: skip
        if not covered.exists():
            found[step.operation].append(step.pk)
    return found


def expire(*, at: datetime) -> list[Operation]:
    """Delete the recovery points that nothing keeps any more, in one operation for each plan that made them; each plan by itself."""
    left = RecoveryPoint.objects.filter(keeping.over(), expired_at=None).exclude(keeping.on_hold())
    concerned = BackupPlan.objects.filter(pk__in=left.order_by().values("run__plan"))
    return started(_expire, list(concerned.order_by("pk").values_list("pk", flat=True)), at=at)


def _expire(plan_pk: int, at: datetime) -> Operation | None:
    rows = BackupPlan.objects.select_for_update(skip_locked=True, of=("self",))
    rows = rows.select_related("allowance__resource__system", "allowance__resource__cloud")
    plan = rows.filter(pk=plan_pk).first()
    if plan is None:
        return None  # another scheduler is at it
    left = RecoveryPoint.objects.filter(keeping.over(), run__plan=plan).exclude(Exists(keeping.deletions()))
    steps = [
        keeping.expiry(point, key=f"left-over:{at.isoformat()}:{point.uuid}")
        for point in keeping.expirable(left)[:AT_ONCE]
    ]
    if not steps:
        return None
    resource = plan.allowance.resource
    limits = StepSpec.limits(
        "volume_quota",
        key=f"left-over:{at.isoformat()}:{plan.uuid}",
        system=resource.system.uuid,
        needs=[step.key for step in steps],
    )
    return provisioning.start(
        kind=OperationKind.EXPIRE, reason=_("recovery points of %(plan)s") % {"plan": plan.name}, thread=None,
        system=resource.system, cloud=resource.cloud, steps=[*steps, limits], actor=SCHEDULER, at=at,
    )  # fmt: skip
