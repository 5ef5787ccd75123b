"""How much a cloud builds at a time: an order of a hundred servers must not be a hundred requests at once.

(How many playbooks run at a time is asked where steps are taken: ``queue``.)
"""

from datetime import datetime, timedelta

from django.db import transaction

from govcloud.catalog.models import Cloud
from govcloud.provisioning.kinds.base import kinds
from govcloud.provisioning.lifecycle import StepState
from govcloud.provisioning.models import Step

LATER = timedelta(
    seconds=30
)  # a place that becomes free wakes the next at once; this is for what nobody told of


def take(step: Step) -> bool:
    """Whether the step may begin now. Call in the transaction that writes its intent: the cloud's row is locked in it.

    A step that waits for a person keeps no place, nor does one that was called off and waits for what hangs on it to go.
    """
    cloud = Cloud.objects.select_for_update(no_key=True).get(pk=step.operation.cloud_id)
    at_work = Step.objects.filter(
        operation__cloud=cloud, kind__in=_kinds(), intent_at__isnull=False, finished_at=None
    )
    idle = [StepState.PARKED, StepState.WAITING]
    return at_work.exclude(state__in=idle).exclude(pk=step.pk).count() < cloud.build_width


def wake_next(step: Step, *, at: datetime) -> int:
    """A place on the step's cloud has become free, or may have: let the one that waits longest look."""
    if step.kind not in _kinds():
        return 0
    waiting = Step.objects.filter(
        operation__cloud=step.operation.cloud_id, kind__in=_kinds(), state=StepState.DUE, intent_at=None,
        next_run_at__gt=at,
    ).order_by("pk")  # fmt: skip
    with transaction.atomic():
        following = waiting.select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)[:1]
        return Step.objects.filter(pk__in=list(following)).update(next_run_at=at)


def _kinds() -> list[str]:
    return [name for name, kind in kinds().items() if kind.takes_a_place]
