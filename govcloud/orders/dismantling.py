"""Taking down what stands, whether an order releases it or its lease is over: the same steps, and the same evidence."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID, uuid5

from django.db.models import Q

from govcloud.audit import services as audit
from govcloud.catalog.models import Kind
from govcloud.inventory import services as inventory
from govcloud.inventory.models import Address, FloatingAddress, Resource, Snapshot, Volume
from govcloud.orders import containers, planner, releasing
from govcloud.protection import holds, keeping
from govcloud.protection import services as protection
from govcloud.protection.models import RecoveryPoint
from govcloud.provisioning.services import StepSpec

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """A resource that goes; ``release`` is the unit under which it does. A server's volumes go with it.

    A container is looked into first, unless what it holds goes ``with_contents``.
    """

    resource: Resource
    release: UUID
    volumes: tuple["Going", ...] = ()
    with_contents: bool = False


def begin(
    *,
    going: Sequence[Going],
    part: UUID,
    system: UUID,
    actor: audit.Actor,
    thread: UUID | None,
    at: datetime,
) -> list[StepSpec]:
    """Mark everything as being released and end its backups; the steps that take it down on its cloud, its recovery points too.

    ``part`` begins the keys of the steps for all of it. Raises UnderLegalHold, and WrongState for what something else has
    in hand.
    """
    everything = [one for each in going for one in (each, *each.volumes)]
    # before their recovery points, as whoever writes one back does
    inventory.lock([one.resource for one in everything])
    volumes = list(Volume.objects.filter(resource__in=[one.resource for one in everything]))
    holds.require_none(volumes=volumes)
    holds.require_no_container(resources=[one.resource for one in everything])
    protection.uncover(volumes=volumes, actor=actor, thread=thread, at=at)
    inventory.mark_releasing(
        resources=[one.resource for one in everything], actor=actor, thread=thread, at=at
    )
    held = _held(everything)
    steps: list[StepSpec] = []
    networks = [one for one in going if one.resource.kind == Kind.NETWORK]
    for one in going:
        if one not in networks:
            steps += _steps(one, held)
    ports = [step.key for step in steps if step.kind == "port"]
    for one in networks:
        particulars = one.resource.network
        network = _standing(one, held)
        steps += releasing.release_network(network=network, particulars=particulars, after=ports)
    return steps + planner.limits(order=part, system=system, after=[step.key for step in steps])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What hangs on all that goes, looked up together: by the unit of a first address, else by the resource's key."""

    ports: Mapping[UUID, str]
    further_ports: Mapping[int, Mapping[UUID, str]]
    floating: Mapping[int, Sequence[FloatingAddress]]
    snapshots: Mapping[int, Sequence[Snapshot]]
    points: Mapping[int, Sequence[RecoveryPoint]]


def _held(everything: Sequence[Going]) -> _Held:
    keys: dict[str, list[int]] = defaultdict(list)
    for one in everything:
        keys[one.resource.kind].append(one.resource.pk)
    servers, volumes = keys[Kind.SERVER], keys[Kind.VOLUME]
    units = [one.resource.unit for one in everything if one.resource.kind == Kind.SERVER]
    addresses = list(Address.objects.filter(Q(unit__in=units) | Q(server__in=servers, released_at=None)))
    further: dict[int, dict[UUID, str]] = defaultdict(dict)
    for each in addresses:
        if each.server_id is not None:
            further[each.server_id][each.unit] = each.port_id
    floating = FloatingAddress.objects.filter(server__in=servers, released_at=None).order_by("pk")
    snapshots = Snapshot.objects.filter(volume__in=volumes, deleted_at=None).order_by("pk")
    return _Held(
        ports={each.unit: each.port_id for each in addresses},
        further_ports=further,
        floating=_by(floating, lambda each: each.server_id),
        snapshots=_by(snapshots, lambda each: each.volume_id),
        points=_points(volumes, keys[Kind.BACKUP]),
    )


def _points(volumes: Sequence[int], allowances: Sequence[int]) -> Mapping[int, Sequence[RecoveryPoint]]:
    """The recovery points that go with each. Those under a legal hold stay; what they are of is not released meanwhile.

    One whose volume and whose allowance both go is deleted by each: gone is gone.
    """
    points = RecoveryPoint.objects.all()
    of_volumes = keeping.expirable(points.filter(volume__in=volumes)) if volumes else []
    of_plans = keeping.expirable(points.filter(run__plan__allowance__in=allowances)) if allowances else []
    return {
        **_by(of_volumes, lambda each: each.volume_id),
        **_by(of_plans, lambda each: each.run.plan.allowance_id),
    }


def _by(rows: Iterable[R], key: Callable[[R], int]) -> Mapping[int, Sequence[R]]:
    found: dict[int, list[R]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def _steps(one: Going, held: _Held) -> list[StepSpec]:
    resource, standing = one.resource, _standing(one, held)
    match resource.kind:
        case Kind.SERVER:
            return releasing.release_server(
                server=standing,
                port_id=held.ports[resource.unit],
                volumes=[_standing(volume, held) for volume in one.volumes],
                further_ports=held.further_ports.get(resource.pk, {}),
                addresses=held.floating.get(resource.pk, ()),
            )
        case Kind.VOLUME:
            server = resource.volume.server
            return releasing.release_volume(
                volume=standing, server=server.resource.unit if server is not None else None
            )
        case Kind.CONTAINER:
            return containers.release(resource, standing, with_contents=one.with_contents)
        case _:
            return releasing.release_allowance(standing)


def _standing(one: Going, held: _Held) -> releasing.Standing:
    resource = one.resource
    snapshots = (
        releasing.Standing(
            built=snapshot.unit,
            release=uuid5(one.release, str(snapshot.unit)),
            name=snapshot.name,
            external_id=snapshot.external_id,
        )
        for snapshot in held.snapshots.get(resource.pk, ())
    )
    return releasing.Standing(
        built=resource.unit,
        release=one.release,
        name=resource.name,
        external_id=resource.external_id,
        snapshots=tuple(snapshots),
        points=tuple(held.points.get(resource.pk, ())),
    )
