"""What follows from a step's end: the steps that waited for it, and the operation's own end.

All of it happens under the operation's row lock, so that two steps that finish at once see each other.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from govcloud import lifecycle
from govcloud.inventory import leases
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource
from govcloud.provisioning import notices, places
from govcloud.provisioning.context import ENGINE
from govcloud.provisioning.lifecycle import FINISHED, Desired, OperationStatus, StepState
from govcloud.provisioning.models import Operation, OperationKind, Step

WAKE = """
UPDATE provisioning_step AS step SET state = 'due', next_run_at = %(at)s
WHERE step.operation_id = %(operation)s AND step.state = 'waiting' AND (
    step.called_off_at IS NULL AND NOT EXISTS (
        SELECT FROM provisioning_step_needs AS link JOIN provisioning_step AS needed ON needed.id = link.to_step_id
        WHERE link.from_step_id = step.id AND needed.state <> ALL(%(finished)s)
    )
    OR step.called_off_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM provisioning_step_needs AS link JOIN provisioning_step AS needing ON needing.id = link.from_step_id
        WHERE link.to_step_id = step.id AND needing.called_off_at IS NOT NULL AND needing.state <> 'gone'
    )
)
"""
"""In SQL, as it is asked with every step that ends: to build it as a query took most of the time that it takes."""

SOON = timedelta(seconds=5)  # a later look is left to the periodic sweep


def lock(operation: Operation) -> Operation:
    """The operation's row, locked and fresh. Call first in a transaction that finishes or parks a step."""
    fresh = Operation.objects.select_for_update().get(pk=operation.pk)
    operation.status = fresh.status
    return fresh


def finished(step: Step, *, at: datetime) -> None:
    operation = step.operation
    if step.state == StepState.SKIPPED and operation.kind == OperationKind.BACKUP:
        keep_what_waits_for([step], at=at)
    wake(operation, at=at)
    _free_place(step, at=at)
    if not Step.objects.filter(operation=operation).exclude(state__in=FINISHED).exists():
        ended = OperationStatus.UNDONE if is_undoing(operation) else OperationStatus.DONE
        changes: dict[str, Any] = {"finished_at": at}
        held = list(operation.with_it.all())
        if operation.resource is not None:
            held.append(operation.resource)
            changes["taken_up_at"] = at  # nobody else waits for it
        for resource in inventory.in_order(held):
            _give_back(resource, operation, at=at)
        lifecycle.transition(operation, ended, actor=ENGINE, at=at, thread=operation.thread, **changes)
        _announce_end()


def keep_what_waits_for(backups: Collection[Step], *, at: datetime) -> None:
    """Of one run's backups that will not be taken: the old recovery points whose place they were to take are kept.

    The next run decides again. The operation is locked.
    """
    run = {each.operation_id for each in backups}
    going = Step.objects.filter(operation__in=run, desired=Desired.ABSENT, called_off_at=None)
    waiting = going.filter(state=StepState.WAITING, needs__in=backups)
    spare(waiting, reason="no newer one takes its place", at=at)


def spare(steps: QuerySet[Step], *, reason: str, at: datetime) -> int:
    """Do without taking down what these were to, and have not set out to; returns how many. Their operations are locked."""
    return steps.update(state=StepState.SKIPPED, finished_at=at, outputs={"reason": reason})


def _free_place(step: Step, *, at: datetime) -> None:
    if places.wake_next(step, at=at):
        ring_at(timedelta())


def _give_back(resource: Resource, operation: Operation, *, at: datetime) -> None:
    """It can be changed by others, or is suspended as before; unless another operation of the same order has it in hand still.

    Its row is locked first, so that of two that end at once the second sees that the first has.
    """
    resource.status = Resource.objects.select_for_update(of=("self",)).get(pk=resource.pk).status
    others = Operation.objects.filter(with_it=resource, finished_at=None).exclude(pk=operation.pk)
    if resource.status == Status.CHANGING and not others.exists():
        to = leases.standing_as(resource)
        inventory.mark(resource=resource, to=to, actor=ENGINE, thread=resource.thread, at=at)


def parked(step: Step, *, reason: str, at: datetime) -> None:
    """A step waits for a person; the operation says so, while its other steps go on."""
    operation = step.operation
    _free_place(step, at=at)
    if operation.status in {OperationStatus.RUNNING, OperationStatus.UNDOING}:
        lifecycle.transition(
            operation,
            OperationStatus.PARKED,
            actor=ENGINE,
            at=at,
            thread=operation.thread,
            reason=f"{step.label}: {reason}",
            parked_at=at,
        )
        notices.parked(operation, at=at)


def is_undoing(operation: Operation) -> bool:
    """Whether all of it has been called off, whatever its status is meanwhile.

    What it was to take down, and need not any more, does not count.
    """
    spared = Q(desired=Desired.ABSENT, state=StepState.SKIPPED)
    return not Step.objects.filter(~spared, operation=operation, called_off_at=None).exists()


def is_parked(operation: Operation) -> bool:
    """Whether some step of it waits for a person."""
    return Step.objects.filter(operation=operation, state=StepState.PARKED).exists()


def wake(operation: Operation, *, at: datetime) -> int:
    """Make due the waiting steps whose turn has come; returns how many.

    A step's turn comes when all it needs are finished. One that was called off goes the other way round: it is taken down
    once all that needed it, and were called off too, are gone.
    """
    asked: dict[str, Any] = {"operation": operation.pk, "at": at, "finished": list(FINISHED)}
    with connection.cursor() as cursor:
        cursor.execute(WAKE, asked)
        woken: int = cursor.rowcount
    if woken:
        ring_at(timedelta(), times=woken)
    return woken


def ring_at(after: timedelta, *, times: int = 1) -> None:
    """Ring the doorbell when the transaction commits. A bell that is lost is made up for by the sweep.

    In whole seconds: RabbitMQ's delays leave out the rest, and a bell that comes too early finds nothing.
    """
    if after > SOON:
        return
    from govcloud.provisioning.tasks import ring  # noqa: PLC0415  the task runs the engine, which rings the bell

    seconds = max(after.total_seconds(), 0.0)
    if settings.CELERY_BROKER_URL.startswith("amqp"):
        seconds = ceil(seconds)

    def send() -> None:
        for _ in range(times):
            ring.apply_async(countdown=seconds, ignore_result=True)

    transaction.on_commit(send, robust=True)


def _announce_end() -> None:
    """Tell the package that asked for the operation to look; its own sweep would find it too."""
    from govcloud.provisioning.tasks import operation_ended  # noqa: PLC0415

    transaction.on_commit(operation_ended, robust=True)
