"""Celery's part: a doorbell. What is due is in the rows; a message lost, repeated or late changes nothing."""

from collections.abc import Callable

from celery import shared_task

from govcloud import clock
from govcloud.provisioning import completion, engine
from govcloud.provisioning.lifecycle import OperationStatus
from govcloud.provisioning.models import Operation

MOST_VISITS = 25  # by one message: then another worker may have a turn
MOST_BELLS = 16  # per sweep: as many as there may be idle workers

_when_ended: list[Callable[[], object]] = []


@shared_task(name="provisioning.ring", ignore_result=True)
def ring() -> None:
    """Look for due steps and advance them."""
    engine.run_due(clock=clock.now, most=MOST_VISITS)


@shared_task(name="provisioning.sweep", ignore_result=True)
def sweep() -> None:
    """Find what nobody rang for: due steps, leases that ran out, and operations whose steps were never woken."""
    at = clock.now()
    for operation in Operation.objects.filter(
        status=OperationStatus.RUNNING, steps__state="waiting"
    ).distinct()[:500]:
        completion.wake(operation, at=at)
    for _bell in range(min(engine.due(at=at), MOST_BELLS)):
        ring.apply_async(ignore_result=True)
    if Operation.objects.filter(taken_up_at=None, finished_at__isnull=False).exists():
        operation_ended()


def when_operation_ends(bell: Callable[[], object]) -> None:
    """Enter a bell to ring when an operation has ended; called from the AppConfig of the package that asked for it."""
    _when_ended.append(bell)


def operation_ended() -> None:
    for bell in _when_ended:
        bell()
