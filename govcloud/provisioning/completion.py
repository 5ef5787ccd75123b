"""What follows from a step's end: the steps that waited for it, and the operation's own end.

All of it happens under the operation's row lock, so that two steps that finish at once see each other.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from govcloud import lifecycle
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource
from govcloud.provisioning.context import ENGINE
from govcloud.provisioning.lifecycle import FINISHED, Desired, OperationStatus, StepState
from govcloud.provisioning.models import Operation, Step

SOON = timedelta(seconds=5)  # a later look is left to the periodic sweep


def lock(operation: Operation) -> Operation:
    """The operation's row, locked and fresh. Call first in a transaction that finishes or parks a step."""
    fresh = Operation.objects.select_for_update().get(pk=operation.pk)
    operation.status = fresh.status
    return fresh


def finished(step: Step, *, at: datetime) -> None:
    operation = step.operation
    undoing = is_undoing(operation)
    if undoing:
        wake_undoing(operation, at=at)
    else:
        wake(operation, at=at)
    if not Step.objects.filter(operation=operation).exclude(state__in=FINISHED).exists():
        ended = OperationStatus.UNDONE if undoing else OperationStatus.DONE
        changes: dict[str, Any] = {"finished_at": at}
        if operation.resource is not None:
            _give_back(operation.resource, at=at)
            changes["taken_up_at"] = at  # nobody else waits for it
        lifecycle.transition(operation, ended, actor=ENGINE, at=at, thread=operation.thread, **changes)
        _announce_end()


def _give_back(resource: Resource, *, at: datetime) -> None:
    """A direct action has ended: the resource can take the next."""
    resource.refresh_from_db(fields=["status"])
    if resource.status == Status.CHANGING:
        inventory.mark(resource=resource, to=Status.ACTIVE, actor=ENGINE, thread=resource.thread, at=at)


def parked(step: Step, *, reason: str, at: datetime) -> None:
    """A step waits for a person; the operation says so, while its other steps go on."""
    operation = step.operation
    if operation.status in {OperationStatus.RUNNING, OperationStatus.UNDOING}:
        lifecycle.transition(
            operation,
            OperationStatus.PARKED,
            actor=ENGINE,
            at=at,
            thread=operation.thread,
            reason=f"{step.label}: {reason}",
        )


def is_undoing(operation: Operation) -> bool:
    """Whether it has been abandoned, whatever its status is meanwhile: then nothing of it shall be present any more."""
    return not Step.objects.filter(operation=operation, desired=Desired.PRESENT).exists()


def wake(operation: Operation, *, at: datetime) -> int:
    """Make due the waiting steps whose needs are all finished; returns how many."""
    unfinished = Step.objects.filter(needed_by=OuterRef("pk")).exclude(state__in=FINISHED)
    ready = Step.objects.filter(operation=operation, state=StepState.WAITING).exclude(Exists(unfinished))
    woken = ready.update(state=StepState.DUE, next_run_at=at)
    if woken:
        ring_at(timedelta(), times=woken)
    return woken


def wake_undoing(operation: Operation, *, at: datetime) -> int:
    """The other way round: a step is taken down once all that needed it are gone."""
    standing = Step.objects.filter(needs=OuterRef("pk")).exclude(state=StepState.GONE)
    ready = Step.objects.filter(operation=operation, state=StepState.WAITING).exclude(Exists(standing))
    woken = ready.update(state=StepState.DUE, next_run_at=at)
    if woken:
        ring_at(timedelta(), times=woken)
    return woken


def ring_at(after: timedelta, *, times: int = 1) -> None:
    """Ring the doorbell when the transaction commits. A bell that is lost is made up for by the sweep."""
    if after > SOON:
        return
    from govcloud.provisioning.tasks import ring  # noqa: PLC0415  the task runs the engine, which rings the bell

    def send() -> None:
        for _ in range(times):
            ring.apply_async(countdown=max(after.total_seconds(), 0.0), ignore_result=True)

    transaction.on_commit(send, robust=True)


def _announce_end() -> None:
    """Tell the package that asked for the operation to look; its own sweep would find it too."""
    from govcloud.provisioning.tasks import operation_ended  # noqa: PLC0415

    transaction.on_commit(operation_ended, robust=True)
