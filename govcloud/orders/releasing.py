"""From what an order releases to the steps that take it down. Pure, like ``planner``."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from govcloud.inventory.models import FloatingAddress, Network
from govcloud.orders.planner import key_of
from govcloud.protection import keeping
from govcloud.protection.models import RecoveryPoint
from govcloud.provisioning.actions.outside import given_back, taken_off
from govcloud.provisioning.lifecycle import Desired
from govcloud.provisioning.services import StepSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A resource as it stands: the unit it was built as, the release's own unit, and its id in the cloud."""

    built: UUID
    release: UUID
    name: str
    external_id: str
    snapshots: tuple["Standing", ...] = ()  # of a volume: the cloud keeps it while it has any
    points: tuple[
        RecoveryPoint, ...
    ] = ()  # that go with it, once it is gone: of a volume, or of an allowance's plan


def release_server(
    *,
    server: Standing,
    port_id: str,
    volumes: Iterable[Standing],
    further_ports: Mapping[UUID, str] | None = None,
    addresses: Sequence[FloatingAddress] = (),
) -> list[StepSpec]:
    """A server with all its volumes: out of service and out of reach first, then the server, then what it held.

    ``further_ports`` are the ids of the ports of its other interfaces, by the units of their addresses.
    """
    volumes = list(volumes)
    retired, gone = retirement(server, *volumes), key_of(server.release, "server")
    unreached = [
        given_back(
            each, key=key_of(each.unit, "floating-released"), unit=server.release, needs=(retired.key,)
        )
        for each in addresses
    ]
    ports = {server.built: port_id, **(further_ports or {})}
    keys = [key_of(server.release, "port"), *(key_of(unit, "port-released") for unit in further_ports or {})]
    port_steps = [
        StepSpec(
            key=key, kind="port", label=server.name, unit=server.release, desired=Desired.ABSENT,
            external_id=each, desired_state={"resource": str(unit)}, needs=(gone,),
        )
        for key, (unit, each) in zip(keys, ports.items(), strict=True)
    ]  # fmt: skip
    return [
        retired,
        *unreached,
        absent("server", server, retired.key, *(step.key for step in unreached)),
        *port_steps,
        *(step for volume in volumes for step in _volume_gone(volume, gone)),
    ]


def release_volume(*, volume: Standing, server: UUID | None) -> list[StepSpec]:
    """A data volume: let go of by the guest and detached first, if ``server`` has it."""
    retired = retirement(volume)
    if server is None:
        return [retired, *_volume_gone(volume, retired.key)]
    guest = {"server": str(server), "volumes": [str(volume.built)], "may_be_skipped": True}
    unmounted, detached = key_of(volume.release, "unmount"), key_of(volume.release, "detachment")
    return [
        retired,
        StepSpec(
            key=unmounted, kind="unmount", label=volume.name, unit=volume.release, desired_state=guest, needs=(retired.key,)
        ),
        StepSpec(
            key=detached, kind="attachment", label=volume.name, unit=volume.release, desired=Desired.ABSENT,
            external_id=volume.external_id, needs=(unmounted,),
            desired_state={"volume": str(volume.built), "server": str(server)},
        ),
        *_volume_gone(volume, detached),
    ]  # fmt: skip


def _volume_gone(volume: Standing, *needs: str) -> list[StepSpec]:
    """A volume nobody has any more, after its snapshots."""
    kept = [
        StepSpec(
            key=key_of(snapshot.release, "snapshot"), kind="snapshot", label=snapshot.name, unit=volume.release,
            desired=Desired.ABSENT, external_id=snapshot.external_id, needs=needs,
            desired_state={"volume": str(volume.built), "snapshot": str(snapshot.built)},
        )
        for snapshot in volume.snapshots
    ]  # fmt: skip
    gone = absent("volume", volume, *needs, *(step.key for step in kept))
    return [*kept, gone, *_points_gone(volume, gone.key)]


def _points_gone(standing: Standing, *needs: str) -> list[StepSpec]:
    return [
        keeping.expiry(point, key=key_of(standing.release, f"expiry:{point.uuid}"), unit=standing.release, needs=needs)
        for point in standing.points
    ]  # fmt: skip


def release_network(*, network: Standing, particulars: Network, after: Sequence[str]) -> list[StepSpec]:
    """A network with its router, if it has one, and its security group.

    ``after`` are the keys of the steps that take down what is on it.
    """
    state = {"resource": str(network.built)}
    cut_off: list[StepSpec] = []
    if particulars.router_id:
        key = key_of(network.release, "disconnected")
        cut_off = taken_off(particulars, key=key, unit=network.release, needs=after)
    gone = StepSpec(
        key=key_of(network.release, "network"), kind="network", label=network.name, unit=network.release,
        desired=Desired.ABSENT, external_id=network.external_id, desired_state=state,
        needs=(*after, *(step.key for step in cut_off)),
    )  # fmt: skip
    group = StepSpec(
        key=key_of(network.release, "security_group"), kind="security_group", label=network.name, unit=network.release,
        desired=Desired.ABSENT, external_id=particulars.security_group_id, desired_state=state, needs=(gone.key,),
    )  # fmt: skip
    return [*cut_off, gone, group]


def release_allowance(allowance: Standing) -> list[StepSpec]:
    """A backup allowance: its plan ends, and then its recovery points go."""
    gone = absent("backup_allowance", allowance, key_of(allowance.release, "retirement"))
    return [retirement(allowance), gone, *_points_gone(allowance, gone.key)]


def retirement(*standing: Standing, needs: tuple[str, ...] = ()) -> StepSpec:
    """Nothing of these is used any more. Carried by the first one's release."""
    first = standing[0]
    return StepSpec(
        key=key_of(first.release, "retirement"), kind="retirement", label=first.name, unit=first.release,
        desired_state={"units": [str(one.built) for one in standing]}, needs=needs,
    )  # fmt: skip


def absent(kind: str, standing: Standing, *needs: str) -> StepSpec:
    return StepSpec(
        key=key_of(standing.release, kind), kind=kind, label=standing.name, unit=standing.release, desired=Desired.ABSENT,
        external_id=standing.external_id, desired_state={"resource": str(standing.built)}, needs=needs,
    )  # fmt: skip
