"""What the end of a step or of an operation means for a candidate, its quota and its metering."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from django.db import transaction

from govcloud import lifecycle
from govcloud.audit import services as audit
from govcloud.inventory import takeovers as record
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Project, Resource
from govcloud.metering import services as metering
from govcloud.provisioning import settlement
from govcloud.provisioning.context import ENGINE, Context
from govcloud.provisioning.lifecycle import OperationStatus, StepState
from govcloud.provisioning.models import Operation, Step
from govcloud.quotas import services as quotas
from govcloud.sweeping import by_itself
from govcloud.takeover import remarks
from govcloud.takeover.lifecycle import CandidateStatus
from govcloud.takeover.models import Candidate

SETTLER = audit.SystemActor("takeover")


def taken(*, resource: Resource, at: datetime) -> None:
    """It bears our mark and is recorded: its hold becomes use, and its usage is metered from its billing start on."""
    # before any account, as ``taking``
    candidate = Candidate.objects.select_for_update().get(unit=resource.unit)
    settlement.built(unit=resource.unit, at=at)
    metered = resource.billing_start <= at
    if metered:
        whole = Resource.objects.with_particulars().get(pk=resource.pk)
        metering.open_usage(resource=whole, quantities=settlement.meters_of(whole), at=at)
    lifecycle.transition(
        candidate, CandidateStatus.TAKEN, actor=ENGINE, at=at, thread=candidate.takeover.uuid,
        resource=resource, metered_at=at if metered else None, remark="",
    )  # fmt: skip


def let_go(*, context: Context) -> None:
    """The mark has come off: what was recorded ends, and the candidate is somebody else's again, under a new unit."""
    unit, at = context.step.unit, context.at
    # before any account, as ``taking``
    candidate = Candidate.objects.select_for_update().filter(unit=unit).first()
    resource = Resource.objects.filter(unit=unit).first()
    settlement.absent(context=context)
    if resource is not None:
        record.keep_addresses(resource=resource, at=at)
    record.give_up_range(unit=unit, at=at)
    if candidate is not None:
        _open_again(candidate, at=at, remark="")


def _open_again(candidate: Candidate, *, at: datetime, remark: str) -> None:
    thread = candidate.takeover.uuid
    lifecycle.transition(
        candidate, CandidateStatus.OPEN, actor=SETTLER, at=at, thread=thread, reason=remark,
        resource=None, metered_at=None, unit=uuid4(), remark=remark[:500],
    )  # fmt: skip


def settle(*, at: datetime) -> int:
    """Take up what ended operations did not do; returns how many candidates are open again.

    A step that was skipped tells why. Its quota and its range are free again, and so is the project if nothing came of it. Its
    addresses are given to nobody: it has them in the cloud still.
    """
    ended = Candidate.objects.filter(status=CandidateStatus.TAKING, operation__finished_at__isnull=False)
    keys = list(ended.order_by("pk").values_list("pk", flat=True))
    return _each(_settle, keys, at=at)


def _each(work: Callable[[int, datetime], bool], candidates: Sequence[int], *, at: datetime) -> int:
    """Do it to each candidate, by primary key; returns to how many it was done."""
    done = 0
    for key in candidates:
        with by_itself("candidate not followed up", candidate=key, work=work.__name__):
            with transaction.atomic():
                worked = work(key, at)
            done += worked
    return done


def _settle(key: int, at: datetime) -> bool:
    rows = Candidate.objects.select_for_update(of=("self",), skip_locked=True)
    rows = rows.select_related("operation__system", "takeover", "cloud")
    candidate = rows.filter(pk=key, status=CandidateStatus.TAKING).first()
    if candidate is None or candidate.operation is None:
        return False
    _not_taken(candidate, candidate.operation, at=at)
    return True


def _not_taken(candidate: Candidate, operation: Operation, *, at: datetime) -> None:
    unit = candidate.unit
    quotas.unhold(source=unit, at=at)
    record.give_up_range(unit=unit, at=at)
    _open_again(candidate, at=at, remark=_why(unit, operation))
    if operation.status != OperationStatus.DONE:  # else our access to it ends first
        leave_project(operation)


def nothing_left(operation: Operation) -> bool:
    """Whether nothing of the operation's system stands on its cloud, or is being built there by another operation."""
    system, cloud = operation.system, operation.cloud
    standing = Resource.objects.filter(system=system, cloud=cloud).exclude(status=Status.RELEASED)
    others = Operation.objects.filter(system=system, cloud=cloud, finished_at=None).exclude(pk=operation.pk)
    return not standing.exists() and not others.exists()


def leave_project(operation: Operation) -> None:
    """A project with nothing of ours in it is not ours any more."""
    if nothing_left(operation):
        Project.objects.filter(system=operation.system, cloud=operation.cloud).delete()


def _why(unit: UUID, operation: Operation) -> str:
    steps = Step.objects.filter(operation=operation, unit=unit)
    if operation.status != OperationStatus.DONE or steps.filter(called_off_at__isnull=False).exists():
        return remarks.ABANDONED
    skipped = steps.filter(state=StepState.SKIPPED).first()
    return "" if skipped is None else str(skipped.outputs.get("reason", ""))


def begin_metering(*, at: datetime) -> int:
    """Meter what was taken over before its billing start, from that instant on; returns how many began. One that fails holds up
    no other.
    """
    waiting = Candidate.objects.filter(
        status=CandidateStatus.TAKEN, metered_at=None, resource__billing_start__lte=at
    )
    keys = list(waiting.order_by("pk").values_list("pk", flat=True))
    return _each(_begin_metering, keys, at=at)


def _begin_metering(key: int, at: datetime) -> bool:
    mine = Candidate.objects.select_for_update(skip_locked=True, of=("self",))
    candidate = mine.filter(pk=key, metered_at=None).first()
    if candidate is None:
        return False
    rows = Resource.objects.select_for_update(of=("self",)).with_particulars()
    resource = rows.get(candidates=candidate)
    settlement.bill(resource, at=resource.billing_start)
    Candidate.objects.filter(pk=key).update(metered_at=at)
    return True
