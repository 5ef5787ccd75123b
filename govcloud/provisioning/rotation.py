"""The centre's key replaced in every server that does not have the current one: a few at a time, until all have it.

Nothing happens before the first replacement. From then on the sweep looks for servers that were built or rebuilt under an
earlier key, and for those that were stopped or silent when it was their turn.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from govcloud.alone import alone
from govcloud.audit.services import SystemActor
from govcloud.clouds import guest_keys
from govcloud.clouds.models import GuestKey
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Guest, Power, Resource, ResourceKind
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.centre_key import ReplaceCentreKey
from govcloud.provisioning.lifecycle import FINISHED, Desired, OperationStatus, StepState
from govcloud.provisioning.models import Operation, OperationKind, Step

ROTATION: Final = SystemActor("guest_key_rotation")
ALONE: Final = 0x676F_6B79  # the advisory lock of whoever begins the next ones
AGAIN_AFTER: Final = timedelta(hours=6)  # a server that could not be changed

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """How many servers let in the current key alone, and why the others do not yet."""

    current: str
    done: int
    in_hand: int  # being built, or changed now, by this or by something else
    stopped: int  # or suspended: their guests cannot be entered
    tried: int  # their guests did not answer, or the run failed; tried again after AGAIN_AFTER
    waiting: int  # for their turn
    by_department: int  # taken over without our key: not in the other counts

    @property
    def left(self) -> int:
        return self.in_hand + self.stopped + self.tried + self.waiting


def go_on(*, at: datetime) -> int:
    """Begin with as many servers as playbooks may run at a time, less those that are in hand; returns how many."""
    current = guest_keys.latest()
    if current is None or not _their_turn(current, at=at).exists():
        return 0
    begun = 0
    with transaction.atomic():
        if not alone(ALONE):
            return 0
        room = max(settings.PLAYBOOKS_AT_ONCE - 1, 1) - _in_hand().count()
        for server in _their_turn(current, at=at)[: max(room, 0)]:
            begun += _begun(server, at=at)
    return begun


def standing(*, at: datetime) -> Standing | None:
    """None while the first key has not been replaced."""
    current = guest_keys.latest()
    if current is None:
        return None
    managed = _servers().filter(server__guest=Guest.MANAGED)
    without = managed.exclude(server__guest_key=current.name)
    stopped = without.filter(server__power=Power.STOPPED).exclude(status=Status.CHANGING)
    turn = _their_turn(current, at=at).count()
    possible = _without(current).count()
    to_be_built = _to_be_built_without(current).count()
    return Standing(
        current=current.name,
        done=managed.filter(server__guest_key=current.name).count(),
        in_hand=without.count() - stopped.count() - possible + to_be_built,
        stopped=stopped.count(),
        tried=possible - turn,
        waiting=turn,
        by_department=_servers().filter(server__guest=Guest.UNMANAGED).count(),
    )


def last_words(*, at: datetime) -> Iterator[tuple[Resource, str]]:
    """Servers that were tried in vain, each with why."""
    current = guest_keys.latest()
    if current is None:
        return
    tried = _without(current).filter(Exists(_tried(current, at=at)))
    for server in tried.select_related("system"):
        operation = Operation.objects.filter(resource=server, action=ReplaceCentreKey.name).latest("pk")
        step = operation.steps.order_by("position").filter(outputs__has_key="reason").first()
        yield server, str(step.outputs["reason"] if step else OperationStatus(operation.status).label)


def needless(*, at: datetime) -> list[GuestKey]:
    """The former keys whose private halves are kept and that no server needs any more."""
    standing_now = standing(at=at)
    if standing_now is None or standing_now.left:
        return []
    return [row for row in guest_keys.former() if row.sealed is not None]


def _servers() -> QuerySet[Resource]:
    standing_now = (Status.ACTIVE, Status.CHANGING, Status.SUSPENDED)
    return Resource.objects.filter(kind=ResourceKind.SERVER, status__in=standing_now)


def _without(current: GuestKey) -> QuerySet[Resource]:
    """Servers that can be entered now and do not have the current key."""
    can_be = Resource.objects.filter(
        kind=ResourceKind.SERVER, status=Status.ACTIVE, server__guest=Guest.MANAGED, server__power=Power.RUNNING
    )  # fmt: skip
    building = Step.objects.filter(
        unit=OuterRef("unit"), operation__kind=OperationKind.DELIVER, operation__finished_at=None
    )
    return can_be.exclude(server__guest_key=current.name).exclude(Exists(building))


def _to_be_built_without(current: GuestKey) -> QuerySet[Step]:
    """Steps that will build servers with the key that their operation has registered on its cloud before."""
    registered = Step.objects.filter(operation=OuterRef("operation"), kind="keypair", state=StepState.DONE)
    building = Step.objects.filter(kind="server", desired=Desired.PRESENT).exclude(state__in=FINISHED)
    return building.filter(Exists(registered.exclude(external_id=current.name)))


def _their_turn(current: GuestKey, *, at: datetime) -> QuerySet[Resource]:
    return _without(current).exclude(Exists(_tried(current, at=at))).order_by("pk")


def _tried(current: GuestKey, *, at: datetime) -> QuerySet[Operation]:
    """Of the outer resource: since the current key is the current one, and not long ago."""
    mine = Operation.objects.filter(resource=OuterRef("pk"), action=ReplaceCentreKey.name)
    return mine.filter(created_at__gte=max(current.stored_at, at - AGAIN_AFTER))


def _in_hand() -> QuerySet[Operation]:
    under_way = (OperationStatus.RUNNING, OperationStatus.UNDOING)
    return Operation.objects.filter(action=ReplaceCentreKey.name, status__in=under_way, finished_at=None)


def _begun(server: Resource, *, at: datetime) -> bool:
    """Whether it was begun: what has taken something else since it was looked for comes next time."""
    try:
        requests.carry_out(resource=server, action=ReplaceCentreKey(), actor=ROTATION, at=at)
    except requests.ActionNotAllowed as refused:
        log.info("centre's key not replaced yet", server=str(server.uuid), reason=refused.detail)
        return False
    return True
