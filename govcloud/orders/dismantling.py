"""Taking down what stands, whether an order releases it or its lease is over: the same steps, and the same evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from govcloud.audit import services as audit
from govcloud.catalog.models import Kind
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Address, Resource, Volume
from govcloud.orders import containers, planner, releasing
from govcloud.protection import holds, keeping
from govcloud.protection import services as protection
from govcloud.protection.models import RecoveryPoint
from govcloud.provisioning.services import StepSpec


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
    volumes = list(Volume.objects.filter(resource__in=[one.resource for one in everything]))
    holds.require_none(volumes=volumes)
    holds.require_no_container(resources=[one.resource for one in everything])
    protection.uncover(volumes=volumes, actor=actor, thread=thread, at=at)
    for one in everything:
        inventory.mark(resource=one.resource, to=Status.RELEASING, actor=actor, thread=thread, at=at)
    steps: list[StepSpec] = []
    networks = [one for one in going if one.resource.kind == Kind.NETWORK]
    for one in going:
        if one not in networks:
            steps += _steps(one)
    ports = [step.key for step in steps if step.kind == "port"]
    for one in networks:
        particulars = one.resource.network
        steps += releasing.release_network(network=_standing(one), particulars=particulars, after=ports)
    return steps + planner.limits(order=part, system=system, after=[step.key for step in steps])


def _steps(one: Going) -> list[StepSpec]:
    resource, standing = one.resource, _standing(one)
    match resource.kind:
        case Kind.SERVER:
            further = Address.objects.filter(server=resource.server, released_at=None)
            return releasing.release_server(
                server=standing,
                port_id=Address.objects.get(unit=resource.unit).port_id,
                volumes=[_standing(volume) for volume in one.volumes],
                further_ports=dict(further.values_list("unit", "port_id")),
                addresses=list(resource.server.floating_addresses.filter(released_at=None)),
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


def _standing(one: Going) -> releasing.Standing:
    resource = one.resource
    return releasing.Standing(
        built=resource.unit,
        release=one.release,
        name=resource.name,
        external_id=resource.external_id,
        snapshots=_snapshots(one) if resource.kind == Kind.VOLUME else (),
        points=_points(resource),
    )


def _points(resource: Resource) -> tuple[RecoveryPoint, ...]:
    """The recovery points that go with it. Those under a legal hold stay; what they are of is not released meanwhile."""
    points = RecoveryPoint.objects.all()
    match resource.kind:
        case Kind.VOLUME:
            return tuple(keeping.expirable(points.filter(volume=resource.volume)))
        case Kind.BACKUP:
            return tuple(keeping.expirable(points.filter(run__plan__allowance=resource.backup)))
        case _:
            return ()


def _snapshots(one: Going) -> tuple[releasing.Standing, ...]:
    kept = one.resource.volume.snapshots.filter(deleted_at=None).order_by("pk")
    return tuple(
        releasing.Standing(
            built=snapshot.unit,
            release=uuid5(one.release, str(snapshot.unit)),
            name=snapshot.name,
            external_id=snapshot.external_id,
        )
        for snapshot in kept
    )
