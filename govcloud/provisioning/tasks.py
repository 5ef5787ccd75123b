"""Celery's part: a doorbell. What is due is in the rows; a message lost, repeated or late changes nothing."""

from collections.abc import Callable
from datetime import timedelta

from celery import current_task, shared_task

from govcloud import clock
from govcloud.provisioning import engine, presence, queue, rotation, traffic
from govcloud.provisioning.models import Operation

LONGEST_TURN = timedelta(
    seconds=60
)  # of one message: far below the task's time limit, whatever its last visit takes
MOST_BELLS = 16  # per sweep: as many as there may be idle workers

_when_ended: list[Callable[[], object]] = []


@shared_task(name="provisioning.ring", ignore_result=True)
def ring() -> None:
    """Look for due steps and advance them. What is still due after one turn is found by the sweep."""
    worker, at = _worker(), clock.now()
    presence.worker_seen(name=worker, at=at)
    while clock.now() < at + LONGEST_TURN and engine.run_due(clock=clock.agreed(), most=1, worker=worker):
        continue


@shared_task(name="provisioning.sweep", ignore_result=True)
def sweep() -> None:
    """Find what nobody rang for: due steps, leases that ran out, operations that ended."""
    at = clock.agreed()()
    presence.sweep_seen(at=at)
    presence.worker_seen(name=_worker(), at=at)
    for _bell in range(queue.due(at=at, most=MOST_BELLS)):
        ring.apply_async(ignore_result=True)
    if Operation.objects.filter(taken_up_at=None, finished_at__isnull=False).exists():
        operation_ended()


@shared_task(name="provisioning.replace_centre_keys", ignore_result=True)
def replace_centre_keys() -> None:
    """Have the centre's key replaced in the next servers that do not have the current one."""
    rotation.go_on(at=clock.agreed()())


@shared_task(name="provisioning.forget", ignore_result=True)
def forget() -> None:
    """Let go of what was kept for operators long enough."""
    at = clock.now()
    traffic.forget(at=at)
    presence.forget(at=at)


def _worker() -> str:
    """The name of the worker that runs this task; empty where none does (a test, a shell)."""
    return str(current_task.request.hostname or "") if current_task else ""


def when_operation_ends(bell: Callable[[], object]) -> None:
    """Enter a bell to ring when an operation has ended; called from the AppConfig of the package that asked for it."""
    _when_ended.append(bell)


def operation_ended() -> None:
    for bell in _when_ended:
        bell()
