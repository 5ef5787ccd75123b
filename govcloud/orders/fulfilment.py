"""From an approved order to operations, and from operations that have ended back to the order."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import QuerySet

from govcloud import lifecycle
from govcloud.approvals import fulfilment as deadlines
from govcloud.audit import services as audit
from govcloud.catalog.models import Cloud, Kind
from govcloud.errors import Conflict
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import Status as ResourceStatus
from govcloud.inventory.models import Resource, ResourceKind
from govcloud.orders import (
    changing,
    delivered,
    dismantling,
    granting,
    notices,
    placing,
    planner,
    plans,
    renewing,
)
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Action, Order, Placement, Unit
from govcloud.orders.placing import Delivery, Part
from govcloud.orders.results import Outcome, results
from govcloud.orders.revisions import renewed_from
from govcloud.orders.rules.of_leases import LeaseOver
from govcloud.orders.rules.of_protection import require_off_site
from govcloud.orders.rules.of_targets import NetworkHasServers
from govcloud.orders.rules.standing import guests_on
from govcloud.orders.starting import (
    part_of,
    require_room,
    require_running,
    require_standing,
    resource_of,
    start,
    take,
)
from govcloud.protection import services as protection
from govcloud.protection.models import BackupPlan
from govcloud.provisioning.actions.power import not_taken_up
from govcloud.provisioning.models import Operation, OperationKind
from govcloud.provisioning.placement import Where
from govcloud.provisioning.services import StepSpec

log = structlog.get_logger(__name__)

FULFILMENT = audit.SystemActor("fulfilment")


def begin(*, order: Order, actor: audit.Actor, at: datetime) -> list[Operation]:
    """Start what an approved order asks for; in the transaction that approves it.

    Everything that is created on a cloud is one operation, so that servers find their network; each change is one of
    its own; everything that is renewed on a cloud is one, and everything that is released there. What no cloud can take now waits (``place_waiting``).
    Quota is granted at once: there is nothing to build for it.
    """
    units = list(_units(order))
    if not units:
        granting.grant(order, actor=actor, at=at)
        return []
    _lock(units)
    require_off_site(order, units)
    by_action = {action: [unit for unit in units if unit.item.action == action] for action in Action}
    begun = _place(order, placing.parts(by_action[Action.CREATE]), {}, actor=actor, at=at)
    begun += [changing.begin(order, unit, actor=actor, at=at) for unit in by_action[Action.CHANGE]]
    for cloud, renewed in _by_cloud(by_action[Action.RENEW]):
        begun.append(_renew(order, cloud, renewed, actor=actor, at=at))
    for cloud, released in _by_cloud(by_action[Action.RELEASE]):
        begun.append(_release(order, cloud, released, actor=actor, at=at))
    return begun


def _lock(units: Sequence[Unit]) -> None:
    """Whatever the units take in hand, before the first of it is taken: in the order in which direct actions lock it too."""
    concerned = [unit.resource for unit in units if unit.resource is not None]
    volumes = [each.volume for each in concerned if each.kind == ResourceKind.VOLUME]
    servers = [volume.server.resource for volume in volumes if volume.server is not None]
    specs = [unit.volume for unit in units if unit.volume is not None]
    holders = [spec.server for spec in specs if spec.server is not None]
    inventory.lock([*concerned, *servers, *holders])


def _units(order: Order) -> QuerySet[Unit]:
    """The order's units with everything that placing and planning read of them."""
    return (
        Unit.objects.filter(item__order=order)
        .select_related(
            "item__server__flavor", "item__server__image", "item__server__network", "item__server__network_item",
            "item__backup__tier", "item__resize__flavor", "item__floating", "volume__storage_class", "volume__class_before",
            "item__container__storage_class", "resource__container__storage_class",
            "volume__server__cloud", "volume__server__availability_zone", "resource__cloud",
            "resource__server__flavor", "resource__network",
            "resource__volume__storage_class", "resource__volume__server__resource", "server",
        )
        .order_by("item__position", "position")
    )  # fmt: skip


def _place(
    order: Order,
    parts: list[Part],
    waiting: Mapping[Where, Placement],
    *,
    actor: audit.Actor,
    at: datetime,
    among: Sequence[Part] | None = None,
) -> list[Operation]:
    """Decide where the parts go and start building those that can be; ``waiting`` are the rows of an earlier decision.

    ``among`` are all that have no place yet, where the parts are not all of them.
    """
    groups: dict[int, Delivery] = {}
    for part, decision in placing.decide(order, parts, at=at, among=among):
        row = placing.keep(order, part, decision, row=waiting.get(part.where), actor=actor, at=at)
        if row.cloud is not None:
            delivery = groups.setdefault(row.cloud.pk, Delivery(row.cloud, row.position))
            delivery.add(part.units, row.availability_zone)
    return [
        operation
        for delivery in groups.values()
        for operation in _deliver(order, delivery, actor=actor, at=at)
    ]


def placements(order: Order, *, at: datetime) -> list[placing.Shown]:
    """Where the order's parts go, or, before it is approved, where they would go now."""
    if order.status == Status.IN_APPROVAL:
        return placing.foreseen(order, _units(order).filter(item__action=Action.CREATE), at=at)
    return placing.decided(order)


def waiting() -> list[int]:
    """Primary keys of the orders of which a part has no place yet."""
    rows = Placement.objects.waiting().filter(order__status=Status.FULFILLING)
    return list(rows.order_by("order").values_list("order", flat=True).distinct())


@transaction.atomic
def place_waiting(order_pk: int, *, at: datetime) -> list[Operation]:
    """Decide again for the parts of an order that wait, and start those that can be built by now.

    A part that cannot be started, because the server that it gives storage to is being changed, holds up no other.
    """
    order = (
        Order.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("system__department")
        .filter(pk=order_pk, status=Status.FULFILLING)
        .first()
    )
    if order is None:
        return []
    units = list(_units(order).filter(placement__in=order.placements.waiting()).select_related("placement"))
    _lock(units)
    parts = placing.parts(units)
    rows = {part.where: row for part in parts if (row := part.units[0].placement) is not None}
    started = []
    for part in sorted(parts, key=lambda part: not part.has_backup):
        try:
            with transaction.atomic():
                started += _place(order, [part], rows, actor=FULFILMENT, at=at, among=parts)
        except Conflict as conflict:
            log.info("not started", order=order.number, part=str(part.where), why=str(conflict))
    # A backup whose servers were called off has gone with others.
    order.placements.waiting().filter(units=None).delete()
    return started


def _by_cloud(units: list[Unit]) -> list[tuple[Cloud, list[Unit]]]:
    """The units of each cloud, where they stand."""
    groups: dict[int, tuple[Cloud, list[Unit]]] = {}
    for unit in units:
        cloud = resource_of(unit).cloud
        groups.setdefault(cloud.pk, (cloud, []))[1].append(unit)
    return list(groups.values())


# -- what is created


def _deliver(order: Order, delivery: Delivery, *, actor: audit.Actor, at: datetime) -> list[Operation]:
    """One operation for what is new; and one for each server that stands and gets storage, which it has in hand meanwhile."""
    cloud = delivery.cloud
    number = f" {delivery.number}" if delivery.number else ""
    of_servers: dict[Resource, list[Unit]] = {}
    others = []
    for unit in delivery.units:
        holder = unit.volume.server if unit.volume is not None and unit.server_id is None else None
        if holder is None:
            others.append(unit)
        else:
            of_servers.setdefault(holder, []).append(unit)
    begun = []
    if others:
        steps = _delivery_steps(order, delivery, others, what=f"delivery{number}", at=at)
        begun.append(start(order, OperationKind.DELIVER, cloud, steps, others, actor=actor, at=at))
    for holder, units in of_servers.items():
        what = f"storage of {holder.unit}{number}"
        steps = _delivery_steps(order, delivery, units, what=what, at=at)
        take(holder, order, actor=actor, at=at)
        require_running(holder.server)
        require_room(holder.server, volumes=len(units))
        begun.append(
            start(
                order, OperationKind.DELIVER, cloud, steps, units, actor=actor, at=at, with_it=[holder]
            )
        )  # fmt: skip
    return begun


def _delivery_steps(
    order: Order, delivery: Delivery, units: list[Unit], *, what: str, at: datetime
) -> list[StepSpec]:
    cloud, zones = delivery.cloud, delivery.availability_zones
    networks = {
        unit.item_id: plans.network_plan(unit, cloud) for unit in units if unit.item.kind == Kind.NETWORK
    }
    volumes: dict[int, list[Unit]] = {}
    for unit in units:
        if unit.server_id is not None:
            volumes.setdefault(unit.server_id, []).append(unit)
    alone = [unit for unit in units if unit.server_id is None]
    ordered = [unit for unit in alone if unit.item.kind == Kind.SERVER]
    plans.reserve_addresses(ordered, networks)
    servers = [
        plans.server_plan(unit, volumes[unit.pk], networks, zones.get(unit.pk, ""), at=at) for unit in ordered
    ]
    allowances = [plans.allowance_plan(unit, at=at) for unit in alone if unit.item.kind == Kind.BACKUP]
    return planner.deliver(
        order=part_of(order, cloud, what),
        system=order.system.uuid,
        networks=list(networks.values()),
        servers=servers,
        allowances=allowances,
        covered=plans.covered(order, cloud) if allowances and not servers else (),
        storage=[
            plans.storage_plan(unit, zones.get(unit.pk, ""), at=at)
            for unit in alone
            if unit.item.kind == Kind.VOLUME
        ],
        containers=[plans.container_plan(unit, at=at) for unit in alone if unit.item.kind == Kind.CONTAINER],
    )


# -- whose lease is extended


def _renew(order: Order, cloud: Cloud, units: list[Unit], *, actor: audit.Actor, at: datetime) -> Operation:
    """What is in use just goes on. A server that is not may be about to be suspended: it is brought back then.

    Raises LeaseOver for what is gone by now, such as a server that has been recorded as lost.
    """
    ends = renewed_from(order)
    plans = [_renewal(unit, resource_of(unit), ends) for unit in units]
    return start(order, OperationKind.RENEW, cloud, renewing.renew(plans), units, actor=actor, at=at)


def _renewal(unit: Unit, resource: Resource, ends: Mapping[str, datetime]) -> renewing.RenewalPlan:
    if resource.status in {ResourceStatus.RELEASING, ResourceStatus.RELEASED}:
        raise LeaseOver(name=resource.name, status=ResourceStatus(resource.status).label)
    resumes = unit.item.kind == Kind.SERVER and resource.status != ResourceStatus.ACTIVE
    return renewing.RenewalPlan(
        unit=unit.uuid,
        resource=resource.unit,
        name=resource.name,
        months=unit.item.lease_months,
        runs_until=ends[str(resource.uuid)],
        resumes=resumes,
        grown=tuple(not_taken_up(resource)) if resumes else (),
    )


# -- what is released


def _release(order: Order, cloud: Cloud, units: list[Unit], *, actor: audit.Actor, at: datetime) -> Operation:
    held: dict[int, list[Unit]] = {}
    for unit in units:
        if unit.server_id is not None:
            held.setdefault(unit.server_id, []).append(unit)
    for unit in units:
        if resource_of(unit).status != ResourceStatus.RELEASING:
            require_standing(resource_of(unit))
    _require_empty(units)
    going = [_going(unit, held.get(unit.pk, [])) for unit in units if unit.server_id is None]
    steps = dismantling.begin(
        going=going,
        part=part_of(order, cloud, "release"),
        system=order.system.uuid,
        actor=actor,
        thread=order.uuid,
        at=at,
    )
    return start(order, OperationKind.RELEASE, cloud, steps, units, actor=actor, at=at)


def _require_empty(units: Sequence[Unit]) -> None:
    """Raises NetworkHasServers for a network that a server has joined since its release was ordered, which claims no server.

    It is locked, so that none joins it before it is marked.
    """
    networks = [resource_of(unit) for unit in units if unit.item.kind == Kind.NETWORK]
    going = {resource_of(unit).pk for unit in units}
    for network in networks:
        staying = guests_on(network) - going
        if staying:
            raise NetworkHasServers(name=network.name, servers=len(staying))


def _going(unit: Unit, volumes: Iterable[Unit] = ()) -> dismantling.Going:
    with_it = tuple(_going(volume) for volume in volumes)
    contents = unit.item.kind == Kind.CONTAINER and unit.item.container.delete_contents
    return dismantling.Going(
        resource=resource_of(unit), release=unit.uuid, volumes=with_it, with_contents=contents
    )


# -- what has ended


def ended() -> list[int]:
    """Primary keys of operations of orders that have ended and whose results have not been taken up."""
    operations = Operation.objects.filter(finished_at__isnull=False, taken_up_at=None)
    of_plans = [OperationKind.BACKUP, OperationKind.EXPIRE]
    return list(operations.exclude(kind__in=of_plans).order_by("pk").values_list("pk", flat=True))


@transaction.atomic
def take_up(operation_pk: int, *, at: datetime) -> bool:
    """Take up the result of an operation that has ended; False if somebody else has.

    The backups of what was built begin at once, and the order is fulfilled when its last operation is done. The order is
    locked before its operation, as by whoever calls it off.
    """
    thread = Operation.objects.filter(pk=operation_pk).values_list("thread", flat=True).first()
    order = Order.objects.select_for_update().filter(uuid=thread).first() if thread is not None else None
    operation = (
        Operation.objects.select_for_update(skip_locked=True)
        .filter(pk=operation_pk, taken_up_at=None)
        .first()
    )
    if operation is None:
        return False
    operation.taken_up_at = at
    operation.save(update_fields=["taken_up_at"])
    units = Unit.objects.filter(operation=operation)
    _note_resources(units)
    if order is None:
        return True
    for plan in BackupPlan.objects.filter(allowance__resource__unit__in=units.values("uuid"), runs=None):
        protection.run_due(plan=plan, at=at)
    finish(order, at=at)
    return True


def _note_resources(units: Iterable[Unit]) -> None:
    built = {unit.uuid: unit for unit in units if unit.resource_id is None}
    for resource in Resource.objects.filter(unit__in=built):
        Unit.objects.filter(pk=built[resource.unit].pk).update(resource=resource)


def finish(order: Order, *, at: datetime) -> None:
    """The order has ended if nothing of it is under way or waits for a place any more."""
    operations = Operation.objects.filter(units__item__order=order).distinct()
    if order.status != Status.FULFILLING or operations.filter(taken_up_at=None).exists():
        return
    if order.placements.waiting().exists():
        return  # a part of it waits for its place
    told = results(order)
    outcomes = {result.outcome for result in told.values()}
    to = Status.CANCELLED if outcomes <= {Outcome.REMOVED} else Status.FULFILLED
    lifecycle.transition(order, to, actor=FULFILMENT, at=at, thread=order.uuid, finished_at=at)
    if order.case is not None:
        deadlines.ended(case=order.case, delivered=to == Status.FULFILLED, at=at)
    asked = delivered.ask(order, told, actor=FULFILMENT, at=at) if to == Status.FULFILLED else None
    notices.ended(order, asked, at=at)
