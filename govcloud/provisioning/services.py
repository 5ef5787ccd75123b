"""Starting operations, and what people do with one that waits: have it tried again, or abandon it, whole or in part."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from govcloud import lifecycle
from govcloud.audit import services as audit
from govcloud.catalog.models import Cloud
from govcloud.clouds.services import require_not_retired
from govcloud.errors import Conflict
from govcloud.inventory.models import Resource
from govcloud.provisioning import completion
from govcloud.provisioning.kinds.base import kinds
from govcloud.provisioning.lifecycle import FINISHED, Desired, OperationStatus, StepState
from govcloud.provisioning.models import Operation, OperationKind, Step
from tenants.models import System


class NothingWaits(Conflict):
    code = "nothing-waits"
    message = _("No step of this operation waits for an administrator.")


class CannotBeUndone(Conflict):
    code = "cannot-be-undone"
    message = _("This operation takes something down, which cannot be taken back. Retry it until it is done.")


class CalledOffAlready(Conflict):
    code = "called-off-already"
    message = _("This has been called off already.")


class FinishedAlready(Conflict):
    code = "finished-already"
    message = _("This is finished already. What stands is given back by a release.")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """A step as its planner wants it. ``needs`` are keys of specs that come before it in the sequence."""

    key: str
    kind: str
    label: str
    unit: UUID
    desired_state: dict[str, Any] = field(default_factory=dict)
    desired: Desired = Desired.PRESENT
    external_id: str = ""
    needs: tuple[str, ...] = ()

    @classmethod
    def limits(cls, kind: str, *, key: str, system: UUID, needs: Sequence[str] = ()) -> Self:
        """The cloud's own of a system's project (``compute_quota``, …), set to what the system has been granted by then."""
        return cls(key=key, kind=kind, label=kind, unit=system, needs=tuple(needs))


def start(
    *,
    kind: OperationKind,
    reason: str,
    thread: UUID | None,
    system: System,
    cloud: Cloud,
    steps: Sequence[StepSpec],
    actor: audit.Actor,
    at: datetime,
    resource: Resource | None = None,
    action: str = "",
    with_it: Sequence[Resource] = (),
) -> Operation:
    """Write an operation with its steps and wake the first ones. One transaction with the caller's own writes.

    ``resource`` and ``action`` are a direct action's. It and what is in hand ``with_it`` (marked by the caller) are given
    back as ``active`` when the operation ends. Raises CloudRetired.
    """
    with transaction.atomic():
        require_not_retired(cloud)
        operation = Operation.objects.create(
            kind=kind, reason=reason, thread=thread, system=system, cloud=cloud, created_at=at,
            resource=resource, action=action,
        )  # fmt: skip
        if with_it:
            operation.with_it.set(with_it)
        rows = Step.objects.bulk_create(
            Step(
                operation=operation, position=position, key=spec.key, kind=spec.kind, label=spec.label, unit=spec.unit,
                desired=spec.desired, desired_state=spec.desired_state, external_id=spec.external_id,
            )
            for position, spec in enumerate(steps)
        )  # fmt: skip
        by_key = {row.key: row for row in rows}
        Step.needs.through.objects.bulk_create(
            Step.needs.through(from_step_id=by_key[spec.key].pk, to_step_id=by_key[need].pk)
            for spec in steps
            for need in spec.needs
        )
        audit.record(
            actor=actor, verb="operation.started", subject=operation, at=at, thread=thread,
            after={"kind": kind, "action": action, "reason": reason, "steps": len(rows)},
        )  # fmt: skip
        completion.wake(operation, at=at)
    return operation


def retry(*, operation: Operation, actor: audit.Actor, at: datetime) -> Operation:
    """Try the parked steps again, with their attempts counted from zero. Raises NothingWaits.

    What is only slow is looked at again: its request may still have its effect, and is not sent a second time.
    """
    with transaction.atomic():
        operation = completion.lock(operation)
        parked = Step.objects.filter(operation=operation, state=StepState.PARKED)
        fresh = [name for name, kind in kinds().items() if kind.asked_again_on_retry]
        nothing_outstanding = Q(broken_at__isnull=False) | Q(external_id="", intent_at=None)
        parked.filter(nothing_outstanding, kind__in=fresh, desired=Desired.PRESENT).update(
            external_id="", intent_at=None, outputs={}
        )
        if not _try_again(parked, at=at):
            raise NothingWaits
        to = OperationStatus.UNDOING if completion.is_undoing(operation) else OperationStatus.RUNNING
        if operation.status != to:
            lifecycle.transition(operation, to, actor=actor, at=at, thread=operation.thread, reason="retry")
        else:
            audit.record(
                actor=actor, verb="operation.retried", subject=operation, at=at, thread=operation.thread
            )
        completion.ring_at(timedelta())
    return operation


def _try_again(parked: QuerySet[Step], *, at: datetime) -> int:
    return parked.update(
        state=StepState.DUE, attempts=0, generation=1, lease_until=None, next_run_at=at, started_at=at
    )


def abandon(*, operation: Operation, reason: str, actor: audit.Actor, at: datetime) -> Operation:
    """Take down what the operation has made, in the opposite order. Quota stays held until absence is confirmed.

    Bumping the fence takes every step out of the hands of a worker that is busy with it. Of a backup run what was taken is
    kept. Raises WrongState for an operation that has ended, and CannotBeUndone for one that takes something down itself.
    """
    if operation.kind == OperationKind.BACKUP:
        return _abandon_run(operation, reason=reason, actor=actor, at=at)
    with transaction.atomic():
        operation = completion.lock(operation)
        steps = _not_called_off(operation)
        parked = Step.objects.filter(operation=operation, state=StepState.PARKED)
        if operation.finished_at is None and not steps.exists() and not parked.exists():
            raise CalledOffAlready
        if operation.status != OperationStatus.UNDOING:
            lifecycle.transition(
                operation, OperationStatus.UNDOING, actor=actor, at=at, thread=operation.thread, reason=reason
            )
        else:
            audit.record(
                actor=actor, verb="operation.abandoned", subject=operation, at=at, thread=operation.thread, reason=reason
            )  # fmt: skip
        _call_off(steps, at=at)
        _try_again(parked, at=at)  # of what was called off before
        completion.wake(operation, at=at)
    return operation


def _abandon_run(operation: Operation, *, reason: str, actor: audit.Actor, at: datetime) -> Operation:
    """What it has not backed up is called off. The recovery points that it made are good, and may be evidence by now."""
    with transaction.atomic():
        operation = completion.lock(operation)
        if operation.finished_at is not None:
            lifecycle.check(operation, OperationStatus.UNDOING)
        steps = Step.objects.filter(operation=operation).exclude(state__in=FINISHED)
        going = list(steps.filter(desired=Desired.PRESENT).values_list("pk", flat=True))
        called_off = steps.filter(called_off_at__isnull=False)
        again = called_off.filter(state=StepState.PARKED)
        if not going and not again.exists():
            raise CalledOffAlready if called_off.exists() else CannotBeUndone
        _try_again(again, at=at)
        if going:
            return call_off_backups(operation=operation, steps=going, reason=reason, actor=actor, at=at)
        audit.record(
            actor=actor, verb="operation.abandoned", subject=operation, at=at, thread=operation.thread, reason=reason
        )  # fmt: skip
        _goes_on(operation, reason=reason, actor=actor, at=at)
        completion.wake(operation, at=at)
    return operation


def call_off_backups(
    *, operation: Operation, steps: Collection[int], reason: str, actor: audit.Actor, at: datetime
) -> Operation:
    """Call off these steps of a backup run, by primary key, as far as they have not ended.

    What an expiry waits for will not come: the old point is kept.
    """
    with transaction.atomic():
        operation = completion.lock(operation)
        rows = Step.objects.filter(operation=operation, desired=Desired.PRESENT, pk__in=steps)
        going = list(rows.exclude(state__in=FINISHED))
        if not going:
            return operation
        completion.keep_what_waits_for(going, at=at)
        _call_off(Step.objects.filter(pk__in=[step.pk for step in going]), at=at)
        audit.record(
            actor=actor, verb="operation.units_abandoned", subject=operation, at=at, thread=operation.thread,
            after={"units": sorted(str(step.unit) for step in going)}, reason=reason,
        )  # fmt: skip
        _goes_on(operation, reason=reason, actor=actor, at=at)
        completion.wake(operation, at=at)
    return operation


def keep_point(*, external_id: str, at: datetime) -> int:
    """Spare a recovery point, by its id in the cloud, the runs that are to delete it once a newer one is there, and have not come to it.

    Returns how many. In the transaction that begins to keep it for another reason, before the point is locked: the end of a step
    locks its operation first.
    """
    waiting = Step.objects.filter(
        kind="backup", external_id=external_id, desired=Desired.ABSENT, called_off_at=None, state=StepState.WAITING,
        operation__kind=OperationKind.BACKUP,
    )  # fmt: skip
    for operation in Operation.objects.filter(steps__in=waiting).distinct().order_by("pk"):
        completion.lock(operation)
    return completion.spare(waiting, reason="it is kept under a legal hold", at=at)


def _goes_on(operation: Operation, *, reason: str, actor: audit.Actor, at: datetime) -> None:
    """Nothing of it may wait for a person any more, or all of it be called off: its status says so."""
    undoing = completion.is_undoing(operation)
    to = OperationStatus.UNDOING if undoing else OperationStatus.RUNNING
    waits = operation.status == OperationStatus.PARKED and not completion.is_parked(operation)
    if waits or (undoing and operation.status == OperationStatus.RUNNING):
        lifecycle.transition(operation, to, actor=actor, at=at, thread=operation.thread, reason=reason)


def abandon_units(
    *,
    operation: Operation,
    units: Mapping[UUID, Collection[UUID]],
    reason: str,
    actor: audit.Actor,
    at: datetime,
) -> Operation:
    """Take down what the operation has made for some units, while the others go on; to be asked once for each trouble.

    ``units`` names with each what cannot be without it: a server's volumes, a network's servers. Raises FinishedAlready
    when one of them is whole, CalledOffAlready, and CannotBeUndone as ``abandon`` does.
    """
    with transaction.atomic():
        operation = completion.lock(operation)
        steps = _not_called_off(operation)
        for unit in units:
            own = steps.filter(unit=unit)
            if not own.exists():
                raise CalledOffAlready
            if not own.exclude(state__in=FINISHED).exists():
                raise FinishedAlready
        gone = {unit for unit, parts in units.items() for unit in (unit, *parts)}
        going = list(steps.filter(unit__in=gone))
        _call_off(steps.filter(unit__in=gone), at=at)
        _let_limits_follow(operation, going)
        named = sorted(str(unit) for unit in units)
        audit.record(
            actor=actor, verb="operation.units_abandoned", subject=operation, at=at, thread=operation.thread,
            after={"units": named}, reason=reason,
        )  # fmt: skip
        _goes_on(operation, reason=reason, actor=actor, at=at)
        completion.wake(operation, at=at)
    return operation


def _let_limits_follow(operation: Operation, going: Sequence[Step]) -> None:
    """What the operation set to what had been granted is set anew once these steps are gone; by one step, if more are to go.

    What it has not begun to set will be right by itself.
    """
    follows = [name for name, kind in kinds().items() if kind.follows_granted]
    setting = Step.objects.filter(operation=operation, kind__in=follows, called_off_at=None)
    to_come = {step.kind: step for step in setting.filter(state=StepState.WAITING).order_by("position")}
    last = Step.objects.filter(operation=operation).aggregate(last=Max("position"))["last"]
    for step in setting.exclude(state=StepState.WAITING).order_by("kind", "position").distinct("kind"):
        if step.kind not in to_come:
            last += 1
            to_come[step.kind] = Step.objects.create(
                operation=operation, position=last, key=f"{operation.uuid}:{step.kind}:{last}", kind=step.kind,
                label=step.label, unit=step.unit,
            )  # fmt: skip
    for step in to_come.values():
        if not step.needed_by.exists():
            step.needs.add(*going)


def bar_to_abandoning(operation: Operation, steps: Collection[Step]) -> Conflict | None:
    """What ``abandon`` would refuse an operation with that has not ended, by its steps as they were read; None if it would not.

    The refusals for what stands already are ``orders.cancellation``'s.
    """
    waits = any(step.state == StepState.PARKED and step.called_off_at is not None for step in steps)
    if operation.kind == OperationKind.BACKUP:
        left = [step for step in steps if step.state not in FINISHED]
        if waits or any(step.desired == Desired.PRESENT for step in left):
            return None
        return CalledOffAlready() if any(step.called_off_at for step in left) else CannotBeUndone()
    standing = [step for step in steps if step.called_off_at is None]
    if any(step.desired == Desired.ABSENT for step in standing):
        return CannotBeUndone()
    return None if standing or waits else CalledOffAlready()


def takes_down(operation: Operation) -> bool:
    """Whether it takes something down by itself, which cannot be taken back."""
    return Step.objects.filter(operation=operation, called_off_at=None, desired=Desired.ABSENT).exists()


def _not_called_off(operation: Operation) -> QuerySet[Step]:
    if takes_down(operation):
        raise CannotBeUndone
    return Step.objects.filter(operation=operation, called_off_at=None)


def _call_off(steps: QuerySet[Step], *, at: datetime) -> None:
    steps.update(
        desired=Desired.ABSENT, state=StepState.WAITING, fence=F("fence") + 1, attempts=0,
        lease_until=None, next_run_at=None, finished_at=None, started_at=at, called_off_at=at,
    )  # fmt: skip
