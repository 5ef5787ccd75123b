"""The centre's key replaced in every server that does not have the current one: a few at a time, until all have it.

Nothing happens before the first replacement. From then on whoever is called looks for servers that were built or rebuilt
under an earlier key, and for those that were stopped or silent when it was their turn.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery

from govcloud.alone import alone_meanwhile, one_after_another
from govcloud.audit.services import Actor, SystemActor
from govcloud.clouds import guest_keys
from govcloud.clouds.models import GuestKey
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Guest, Power, Resource, ResourceKind, Server
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import title_of
from govcloud.provisioning.actions.centre_key import ReplaceCentreKey
from govcloud.provisioning.lifecycle import FINISHED, Desired, OperationStatus, StepState
from govcloud.provisioning.models import Operation, OperationKind, Step

ROTATION: Final = SystemActor("guest_key_rotation")
ALONE: Final = 0x676F_6B79  # the advisory lock of whoever begins the next ones
_MANAGED: Final = Q(server__guest=Guest.MANAGED)
AGAIN_AFTER: Final = timedelta(hours=6)  # a server that could not be changed


class AnotherKeyInUse(Exception):
    """The file does not hold the key that servers were built with; the message says which."""


class StillNeeded(Exception):
    """Servers may still need a former key; the message says how many."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How many servers let in the current key alone, and why the others do not yet."""

    current: str
    done: int
    in_hand: int  # being built, or changed now, by this or by something else
    stopped: int  # or suspended: their guests cannot be entered
    tried: int  # their guests did not let us in, or the run failed; tried again after AGAIN_AFTER
    waiting: int  # for their turn
    by_department: int  # taken over without our key: not in the other counts

    @property
    def left(self) -> int:
        return self.in_hand + self.stopped + self.tried + self.waiting


log = structlog.get_logger(__name__)


def replace(*, actor: Actor, at: datetime) -> GuestKey:
    """Make a new key the current one. Raises ImproperlyConfigured and AnotherKeyInUse; then nothing has changed."""
    with transaction.atomic():
        if guest_keys.latest() is None:
            own = guest_keys.of_file().name
            _require_in_use(own)
            # until now there was but one, so what was not recorded is known as well
            Server.objects.filter(guest=Guest.MANAGED, guest_key="").update(guest_key=own)
        return guest_keys.replace(actor=actor, at=at)


def _require_in_use(name: str) -> None:
    servers = Server.objects.filter(guest=Guest.MANAGED, resource__released_at=None).exclude(guest_key="")
    known = set(servers.order_by().values_list("guest_key", flat=True).distinct())
    if known and name not in known:
        raise AnotherKeyInUse(f"The file's key is {name}, but servers let in {', '.join(sorted(known))}.")


def destroy_former(*, actor: Actor, at: datetime) -> list[GuestKey]:
    """Destroy what no server needs any more; returns it. Raises StillNeeded."""
    with transaction.atomic():
        one_after_another(guest_keys.ALONE)  # nobody makes another key the current one meanwhile
        current, now = guest_keys.latest(), standing(at=at)
        if current is None or now is None:
            return []
        if now.left:
            raise StillNeeded(f"Servers that may still need a former key: {now.left}.")
        return guest_keys.destroy_before(current, actor=actor, at=at)


def go_on(*, at: datetime) -> int:
    """Begin with as many servers as playbooks may run at a time, less those that are in hand; returns how many."""
    current, begun = guest_keys.latest(), 0
    if current is None or not _their_turn(current, at=at).exists():
        return 0
    with alone_meanwhile(ALONE) as ours:
        if not ours:
            return 0
        room = max(settings.PLAYBOOKS_AT_ONCE - 1, 1) - under_way().count()
        for server in list(_their_turn(current, at=at)[: max(room, 0)]):
            begun += _begun(server, at=at)
    return begun


def under_way() -> QuerySet[Operation]:
    """What workers are replacing it in now."""
    running = (OperationStatus.RUNNING, OperationStatus.UNDOING)
    return Operation.objects.filter(
        action=ReplaceCentreKey.name, status__in=running, taken_up_at=None, finished_at=None
    )


def standing(*, at: datetime) -> Standing | None:
    """None while the first key has not been replaced."""
    current = guest_keys.latest()
    if current is None:
        return None
    has_it = Q(server__guest_key=current.name)
    stopped = ~Q(server__power=Power.RUNNING) & ~Q(status=Status.CHANGING)
    counts = _servers().aggregate(
        done=Count("pk", filter=_MANAGED & has_it),
        stopped=Count("pk", filter=_MANAGED & ~has_it & stopped),
        all=Count("pk", filter=_MANAGED & ~has_it),
        by_department=Count("pk", filter=~_MANAGED),
    )
    possible, turn = _without(current).count(), _their_turn(current, at=at).count()
    return Standing(
        current=current.name,
        done=counts["done"],
        in_hand=counts["all"] - counts["stopped"] - possible + _to_be_built_without(current).count(),
        stopped=counts["stopped"],
        tried=possible - turn,
        waiting=turn,
        by_department=counts["by_department"],
    )


def missing(*, at: datetime) -> Iterator[tuple[Resource, str]]:
    """Servers without the current key that run, and whose turn it is not: each with why."""
    current = guest_keys.latest()
    if current is None:
        return
    without = _servers().filter(_MANAGED).exclude(server__guest_key=current.name)
    possible = set(_without(current).values_list("pk", flat=True))
    turn = set(_their_turn(current, at=at).values_list("pk", flat=True))
    for server in without.select_related("system", "server").order_by("pk").iterator():
        if server.pk in turn or (server.server.power != Power.RUNNING and server.status != Status.CHANGING):
            continue
        yield server, _last_words(server) if server.pk in possible else _in_whose_hands(server)


def _last_words(server: Resource) -> str:
    """Of the last try, which was in vain."""
    operation = Operation.objects.filter(resource=server, action=ReplaceCentreKey.name).latest("pk")
    step = operation.steps.order_by("position").filter(outputs__has_key="reason").first()
    return str(step.outputs["reason"] if step else OperationStatus(operation.status).label)


def _in_whose_hands(server: Resource) -> str:
    operation = Operation.objects.filter(resource=server, finished_at=None).last()
    if operation is None:
        return str(Status(server.status).label)
    return f"{title_of(operation.action)}: {OperationStatus(operation.status).label}"


def _servers() -> QuerySet[Resource]:
    standing_now = (Status.ACTIVE, Status.CHANGING, Status.SUSPENDED)
    return Resource.objects.filter(kind=ResourceKind.SERVER, status__in=standing_now)


def _without(current: GuestKey) -> QuerySet[Resource]:
    """Servers that can be entered now and do not have the current key; as ``queries.being_built`` tells of one."""
    can_be = _servers().filter(_MANAGED, status=Status.ACTIVE, server__power=Power.RUNNING)
    building = Step.objects.filter(
        unit=OuterRef("unit"), operation__kind=OperationKind.DELIVER, operation__taken_up_at=None,
        operation__finished_at=None,
    ).exclude(state__in=FINISHED)  # fmt: skip
    return can_be.exclude(server__guest_key=current.name).exclude(Exists(building))


def _to_be_built_without(current: GuestKey) -> QuerySet[Step]:
    """Steps that will build servers with the key that their operation has registered on its cloud before, or is registering."""
    registered = Step.objects.filter(operation=OuterRef("operation"), kind="keypair")
    other = registered.exclude(external_id=current.name).filter(
        Q(state=StepState.DONE) | Q(intent_at__isnull=False)
    )
    building = Step.objects.filter(
        kind="server", desired=Desired.PRESENT, operation__taken_up_at=None, operation__finished_at=None
    )
    return building.exclude(state__in=FINISHED).filter(Exists(other))


def _their_turn(current: GuestKey, *, at: datetime) -> QuerySet[Resource]:
    """Those that were never tried first, then those whose last try is longest ago."""
    mine = Operation.objects.filter(resource=OuterRef("pk"), action=ReplaceCentreKey.name).order_by("-pk")
    tried = _without(current).annotate(tried_at=Subquery(mine.values("created_at")[:1]))
    lately = Q(tried_at__gte=max(current.stored_at, at - AGAIN_AFTER))
    due = tried.filter(Q(tried_at=None) | ~lately)
    return due.order_by(F("tried_at").asc(nulls_first=True), "pk")


def _begun(server: Resource, *, at: datetime) -> bool:
    """Whether it was begun: what has taken something else since it was looked for comes next time, and holds up no other."""
    try:
        requests.carry_out(resource=server, action=ReplaceCentreKey(), actor=ROTATION, at=at)
    except requests.ActionNotAllowed as refused:
        log.info("centre's key not replaced yet", server=str(server.uuid), reason=refused.detail)
        return False
    except Exception:
        log.exception("centre's key not replaced", server=str(server.uuid))
        return False
    return True
