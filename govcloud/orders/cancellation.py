"""Calling off an order that is being built, whole or a part of it, so that one bad item does not hold the rest."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from govcloud.audit.refusals import kept
from govcloud.catalog.models import Kind
from govcloud.errors import Absent, Conflict
from govcloud.inventory.models import Resource
from govcloud.orders import fulfilment, placing
from govcloud.orders.lifecycle import EDITABLE, OPEN, Status
from govcloud.orders.models import Action, Order, Unit
from govcloud.orders.rules.standing import guests_on
from govcloud.orders.submission import locked
from govcloud.provisioning import completion
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.lifecycle import FINISHED, Desired, StepState
from govcloud.provisioning.models import Operation, OperationKind, Step
from govcloud.provisioning.queries import unfinished_units, units_called_off
from govcloud.provisioning.services import CalledOffAlready, CannotBeUndone, FinishedAlready
from tenants.models import Role, User
from tenants.policies import require


class NotBeingBuilt(Conflict):
    code = "order-not-being-built"
    message = _("The order is %(status)s. Only what is being built can be called off.")


class WithdrawInstead(Conflict):
    code = "order-to-be-withdrawn"
    message = _("The order is %(status)s: nothing of it is being built yet. Withdraw it instead.")


class NotOfThisOrder(Absent):
    code = "unit-not-in-order"
    message = _("The order builds no such thing; a volume goes with its server.")


SEPARABLE = frozenset({Action.CREATE, Action.RENEW})
BACK: Mapping[str, Any] = {"kind": "resumption", "state": StepState.DONE, "called_off_at": None}
"""Of the step that has brought a server back: it is in use and metered again, whatever is still done in its guest."""


@dataclass(frozen=True, slots=True)
class Separable:
    """A unit that can be called off by itself; ``taking`` are the servers that go with a network."""

    unit: Unit
    taking: Sequence[Unit] = ()


@dataclass(frozen=True, slots=True)
class Left:
    """What of an order does not stand yet: the parts that can be called off by themselves, and whether that is not all.

    All of it is ``barred`` while something is being given back, which is not taken back.
    """

    parts: Sequence[Separable] = ()
    more: bool = False
    barred: bool = False

    @property
    def all_goes(self) -> bool:
        """Whether calling off all that is left would call anything off; without it a part may go by itself."""
        return not self.barred and bool(self.parts or self.more)


def left_of(order: Order) -> Left:
    """Of one that is being built: it does not stand yet, and has not been called off."""
    of_operation = Step.objects.filter(operation=OuterRef("operation"))
    steps = of_operation.filter(unit=OuterRef("uuid"))
    units = (
        _units_of(order)
        .filter(server=None)
        .annotate(
            unfinished=Exists(steps.exclude(state__in=FINISHED)),
            called_off=Exists(steps.filter(called_off_at__isnull=False))
            | Q(placement__called_off_at__isnull=False),
            back=Exists(steps.filter(**BACK)),
            taken_down=Exists(of_operation.filter(called_off_at=None, desired=Desired.ABSENT)),
        )
    )
    tops = list(units)
    unfinished = [unit for unit in tops if (unit.unfinished and not unit.back) or unit.operation_id is None]
    going = [unit for unit in unfinished if not unit.called_off]
    parts = [
        Separable(unit, [each for each in going if _goes_with(each, unit)])
        for unit in going
        if _is_separable(unit)
    ]
    return Left(parts, more=len(going) > len(parts), barred=any(unit.taken_down for unit in going))


def cancel(*, order: Order, reason: str, units: Collection[UUID] | None, actor: User, at: datetime) -> Order:
    """Have taken down what is being built for an order, or these units of it; what they held is free once they are gone.

    A unit is a server (with its volumes), a network (with the servers that were to be on it) or a backup allowance; it may still wait
    for its place. Without
    ``units`` all go that do not stand yet: what has been handed over stays, and is given back by a release.

    Raises RoleMissing for anybody but an applicant of the department or a cloud administrator, WithdrawInstead,
    NotBeingBuilt, NotOfThisOrder, CannotBeUndone for what is being changed or released in ways that cannot be taken back,
    FinishedAlready for a unit that stands, and CalledOffAlready.
    """
    with kept(), transaction.atomic():
        order = locked(order)
        require(actor, Role.APPLICANT, Role.CLOUD_ADMIN, at=at, department=order.system.department)
        _require_being_built(order)
        if units is None:
            _cancel_all(order, reason=reason, actor=actor, at=at)
            # Last, as it locks the accounts: so does the end of a step.
            placing.call_off(order, actor=actor, reason=reason, at=at)
        else:
            _cancel_units(order, units, reason=reason, actor=actor, at=at)
        fulfilment.finish(order, at=at)
    return order


def _require_being_built(order: Order) -> None:
    label = Status(order.status).label
    if order.status in EDITABLE | {Status.IN_APPROVAL}:
        raise WithdrawInstead(status=label)
    if order.status != Status.FULFILLING:
        raise NotBeingBuilt(status=label)


def _cancel_all(order: Order, *, reason: str, actor: User, at: datetime) -> None:
    units = _units(order)
    under_way = Operation.objects.filter(units__in=units, finished_at=None).distinct().order_by("pk")
    for operation in under_way:
        ended = completion.lock(operation).finished_at is not None  # since it was read
        going = units_called_off(operation)
        if ended or all(unit.uuid in going for unit in units if unit.operation_id == operation.pk):
            continue
        with suppress(FinishedAlready):  # its other parts, such as the project's limits, go on by themselves
            _abandon(operation, units, reason=reason, actor=actor, at=at)


def abandon(*, operation: Operation, reason: str, actor: User, at: datetime) -> Operation:
    """Take down what an operation has made; of an order's, and of a takeover, only what does not stand yet.

    What has been handed over, or taken over, may be in use: it is given back by a release, or given up. Raises as
    ``provisioning.services.abandon`` does, and FinishedAlready where nothing but such things is left.
    """
    order = _order_of(operation)
    with transaction.atomic():
        units = _units(locked(order)) if order is not None else []
        return _abandon(operation, units, reason=reason, actor=actor, at=at)


def _abandon(operation: Operation, units: list[Unit], *, reason: str, actor: User, at: datetime) -> Operation:
    """Locked before it is looked at: what is handed over this very moment stands by then."""
    operation = completion.lock(operation)
    goes = _what_goes(operation, units)
    if goes is None:
        return provisioning.abandon(operation=operation, reason=reason, actor=actor, at=at)
    if not goes:
        raise FinishedAlready
    return provisioning.abandon_units(operation=operation, units=goes, reason=reason, actor=actor, at=at)


def bar_to_abandoning(operation: Operation, steps: Collection[Step]) -> Conflict | None:
    """What ``abandon`` would refuse an operation with that has not ended; None if it would not.

    ``steps`` are all of its, as they were read. So that nobody is offered what is refused.
    """
    bar = provisioning.bar_to_abandoning(operation, steps)
    if bar is not None:
        return bar
    order = _order_of(operation)
    goes = _what_goes(operation, _units(order) if order is not None else [])
    return FinishedAlready() if goes is not None and not goes else None


def _order_of(operation: Operation) -> Order | None:
    """The order that it builds something for, or renews."""
    if operation.kind not in {OperationKind.DELIVER, OperationKind.RENEW}:
        return None
    return Order.objects.filter(items__units__operation=operation).first()


def _what_goes(operation: Operation, units: list[Unit]) -> Mapping[UUID, Collection[UUID]] | None:
    """The units of an operation that do not stand yet, each with what cannot be without it; None where all of it goes.

    ``units`` are those of its order, if it builds or renews something for one.
    """
    if operation.kind == OperationKind.TAKEOVER:
        return _of_takeover(operation)
    return _of_order(operation, units) if units else None


def _of_order(operation: Operation, units: list[Unit]) -> Mapping[UUID, Collection[UUID]] | None:
    going = units_called_off(operation)
    building = unfinished_units(operation) - going - _back(operation)
    own = [unit for unit in units if unit.operation_id == operation.pk and unit.server_id is None]
    left = [unit for unit in own if unit.uuid not in going]
    shared = _with_others_on(units)
    stays = [
        u for u in left if u.item.kind != Kind.NETWORK or u.item.action == Action.RENEW or u.uuid in shared
    ]
    standing = [u for u in stays if u.uuid not in building]
    if not standing:
        return None
    return {unit.uuid: list(_parts(unit, units)) for unit in left if unit.uuid in building}


def _with_others_on(units: Sequence[Unit]) -> set[UUID]:
    """The networks among an order's units that stand, and on which servers of others are or are to come: they stay for those."""
    own = {unit.uuid for unit in units}
    networks = [unit.uuid for unit in units if unit.item.kind == Kind.NETWORK]
    found: set[UUID] = set()
    for network in Resource.objects.filter(unit__in=networks, released_at=None):
        coming = Unit.objects.filter(item__server__network=network, item__order__status__in=OPEN)
        there = Resource.objects.filter(pk__in=guests_on(network)).exclude(unit__in=own)
        if coming.exists() or there.exists():
            found.add(network.unit)
    return found


def _of_takeover(operation: Operation) -> Mapping[UUID, Collection[UUID]] | None:
    """The system's own steps, its access and its limits, go on as long as something of it stands.

    So do the volumes of a server that stands: without them it would be in the record by half, and given up by half later.
    """
    going, unfinished = units_called_off(operation), unfinished_units(operation)
    done = operation.steps.filter(called_off_at=None, state=StepState.DONE)
    whole = set(done.exclude(unit=operation.system.uuid).values_list("unit", flat=True)) - unfinished
    if not whole:
        return None
    with_servers = operation.steps.filter(desired_state__server__in=[str(unit) for unit in whole])
    stays = {operation.system.uuid, *with_servers.values_list("unit", flat=True)}
    return dict.fromkeys(unfinished - going - stays, ())


def _cancel_units(order: Order, wanted: Collection[UUID], *, reason: str, actor: User, at: datetime) -> None:
    units = _units(order)
    named = {unit.uuid: unit for unit in units if unit.server_id is None}
    if not named.keys() >= set(wanted):
        raise NotOfThisOrder(pointers=("/units",))
    groups: dict[Operation, dict[UUID, Collection[UUID]]] = {}
    waiting: set[UUID] = set()
    for uuid in sorted(wanted):
        unit = named[uuid]
        if not _is_separable(unit):
            raise CannotBeUndone
        if unit.operation is not None:
            groups.setdefault(unit.operation, {})[uuid] = list(_parts(unit, units))
        elif unit.placement is not None and unit.placement.called_off_at is not None:
            raise CalledOffAlready
        else:
            waiting.update((uuid, *_parts(unit, units)))
    for operation, with_parts in groups.items():
        if not _back(completion.lock(operation)).isdisjoint(with_parts):
            raise FinishedAlready
        provisioning.abandon_units(operation=operation, units=with_parts, reason=reason, actor=actor, at=at)
    if waiting:
        going = [unit.pk for unit in units if unit.uuid in waiting]
        placing.call_off(order, actor=actor, reason=reason, at=at, going=going)


def _is_separable(unit: Unit) -> bool:
    """Whether it can go by itself: while it is being built, or waits for its place."""
    in_hand = unit.operation_id is not None or unit.placement_id is not None
    return in_hand and unit.item.action in SEPARABLE


def _back(operation: Operation) -> set[UUID]:
    """The units of renewals whose servers have been brought back: they may be in use by now, and others may have them in hand."""
    return set(operation.steps.filter(**BACK).values_list("unit", flat=True))


def _units(order: Order) -> list[Unit]:
    return list(_units_of(order).select_related("operation", "placement"))


def _units_of(order: Order) -> QuerySet[Unit]:
    units = Unit.objects.filter(item__order=order).select_related("item__server")
    return units.order_by("item__position", "position")


def _parts(unit: Unit, units: Iterable[Unit]) -> Iterable[UUID]:
    """What cannot be without it."""
    if unit.item.kind == Kind.NETWORK:
        on_it = {u.pk for u in units if _goes_with(u, unit)}
        return (u.uuid for u in units if u.pk in on_it or u.server_id in on_it)
    return (u.uuid for u in units if u.server_id == unit.pk)


def _goes_with(unit: Unit, network: Unit) -> bool:
    """Whether it is a server that is to be built on that network."""
    return (
        network.item.kind == Kind.NETWORK
        and unit.item.kind == Kind.SERVER
        and unit.item.action == Action.CREATE
        and unit.item.server.network_item_id == network.item_id
    )
