"""What is left over when a plan ends, or when what it backed up is released."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from govcloud.protection.models import PlannedVolume
from govcloud.protection.services import SCHEDULER
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.lifecycle import Desired, StepState
from govcloud.provisioning.models import Operation, OperationKind, Step


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
        provisioning.call_off_backups(
            operation=operation, steps=steps, reason=_("what it backs up is being released"), actor=SCHEDULER, at=at,
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
