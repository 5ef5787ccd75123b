"""From an order's units to the steps that build, change or release them. Pure: reads rows, writes and asks nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from govcloud.provisioning.services import StepSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPlan:
    unit: UUID
    name: str
    zone: str
    cidr: str
    dns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumePlan:
    """``label`` is the filesystem's, empty on a system volume."""

    unit: UUID
    name: str
    storage_class: str
    size_gb: int
    label: str = ""
    mount_point: str = ""  # by its label if empty


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPlan:
    """``network`` is the unit of its network, whether built here or before."""

    unit: UUID
    name: str
    zone: str
    flavor: str
    image: str
    network: UUID
    system_volume: VolumePlan
    data_volumes: tuple[VolumePlan, ...]
    lease_end: datetime
    availability_zone: str = ""  # code; empty where the cloud chooses


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePlan:
    """A data volume by itself; ``server`` is the unit of the one it is attached to, if any."""

    volume: VolumePlan
    zone: str
    server: UUID | None
    lease_end: datetime
    availability_zone: str = ""  # code; empty where the cloud chooses


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPlan:
    unit: UUID
    name: str
    cloud_name: str
    zone: str
    storage_class: str
    quota_gb: int
    lease_end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowancePlan:
    unit: UUID
    name: str
    zone: str
    dr_level: int
    capacity_gb: int
    frequency: str
    off_site: bool
    lease_end: datetime


def deliver(
    *,
    order: UUID,
    system: UUID,
    networks: Sequence[NetworkPlan],
    servers: Sequence[ServerPlan],
    allowances: Sequence[AllowancePlan],
    storage: Sequence[StoragePlan] = (),
    covered: Sequence[UUID] = (),
    containers: Sequence[ContainerPlan] = (),
) -> list[StepSpec]:
    """Everything an order creates: the system's space first, then its networks, its servers side by side, its backups.

    ``covered`` are the units of volumes that stand already and that its backup covers.
    """
    steps = space(order=order, system=system)
    ready = tuple(step.key for step in steps)
    for network in networks:
        steps += _network(network, ready)
    for server in servers:
        steps += _server(server, ready, built_here={network.unit for network in networks})
    for volume in storage:
        steps += _storage(volume, ready)
    for container in containers:
        steps += _container(container, ready)
    handed_over = tuple(key_of(server.unit, "handover") for server in servers)
    volumes = [
        str(volume.unit) for server in servers for volume in (server.system_volume, *server.data_volumes)
    ]
    volumes += [str(unit) for unit in covered]
    steps += [_allowance(allowance, handed_over or ready, volumes) for allowance in allowances]
    return steps


def space(*, order: UUID, system: UUID) -> list[StepSpec]:
    """The system's project, our access to it, and its limits as they will be with this order."""
    project = key_of(order, "project")
    access = key_of(order, "access")
    chain = [("project", ()), ("access", (project,)), ("keypair", (access,))]
    steps = [
        StepSpec(key=key_of(order, kind), kind=kind, label=kind, unit=system, needs=needs)
        for kind, needs in chain
    ]
    return steps + limits(order=order, system=system, after=(access,))


def limits(*, order: UUID, system: UUID, after: Sequence[str]) -> list[StepSpec]:
    """The cloud's own limits, set to what the system has been granted once the steps before are done."""
    return [
        StepSpec.limits(kind, key=key_of(order, kind), system=system, needs=after)
        for kind in ("compute_quota", "volume_quota", "network_quota")
    ]


def _network(plan: NetworkPlan, ready: tuple[str, ...]) -> list[StepSpec]:
    state = {"cidr": plan.cidr, "dns": list(plan.dns), "zone": plan.zone}
    chain = ("network", "subnet", "security_group")
    return [
        StepSpec(
            key=key_of(plan.unit, kind), kind=kind, label=plan.name, unit=plan.unit, desired_state=state,
            needs=ready if position == 0 else (key_of(plan.unit, chain[position - 1]),),
        )
        for position, kind in enumerate(chain)
    ]  # fmt: skip


def _server(plan: ServerPlan, ready: tuple[str, ...], *, built_here: set[UUID]) -> list[StepSpec]:
    on_network = (key_of(plan.network, "security_group"),) if plan.network in built_here else ready
    volumes = (plan.system_volume, *plan.data_volumes)
    lease_end = plan.lease_end.isoformat()
    steps = [
        _volume(
            volume,
            plan.zone,
            ready,
            lease_end,
            image="" if volume.label else plan.image,
            availability_zone=plan.availability_zone,
        )
        for volume in volumes
    ]
    boot, port = key_of(plan.system_volume.unit, "volume"), key_of(plan.unit, "port")

    def step(kind: str, state: Mapping[str, Any], *needs: str) -> StepSpec:
        return StepSpec(
            key=key_of(plan.unit, kind),
            kind=kind,
            label=plan.name,
            unit=plan.unit,
            desired_state=dict(state),
            needs=needs,
        )

    steps.append(step("port", {"network": str(plan.network)}, *on_network))
    server_state = {
        "zone": plan.zone, "flavor": plan.flavor, "image": plan.image, "lease_end": lease_end,
        "system_volume": str(plan.system_volume.unit), "availability_zone": plan.availability_zone,
    }  # fmt: skip
    steps.append(step("server", server_state, boot, port, *ready))
    steps += [
        attachment(
            volume.unit, volume.name, plan.unit, key_of(volume.unit, "volume"), key_of(plan.unit, "server")
        )
        for volume in plan.data_volumes
    ]
    attached = [key_of(volume.unit, "attachment") for volume in plan.data_volumes]
    guest = {"server": str(plan.unit), "volumes": [str(volume.unit) for volume in plan.data_volumes]}
    steps.append(step("configure", guest, key_of(plan.unit, "server"), *attached))
    steps.append(step("confirm", guest, key_of(plan.unit, "configure")))
    units = [str(plan.unit), *(str(volume.unit) for volume in volumes)]
    steps.append(step("handover", {"units": units}, key_of(plan.unit, "confirm")))
    return steps


def _storage(plan: StoragePlan, ready: tuple[str, ...]) -> list[StepSpec]:
    """Built; attached, mounted and backed up with the server's others if one is to have it; then handed over."""
    volume = plan.volume
    zone, lease_end = plan.availability_zone, plan.lease_end.isoformat()
    steps = [_volume(volume, plan.zone, ready, lease_end, availability_zone=zone)]
    if plan.server is not None:
        steps.append(attachment(volume.unit, volume.name, plan.server, steps[-1].key))
        guest = {"server": str(plan.server), "volumes": [str(volume.unit)]}
        steps.append(_after(steps[-1], "mount", guest))
        pair = {"volume": str(volume.unit), "server": str(plan.server)}
        steps.append(_after(steps[-1], "coverage", pair))
    steps.append(_after(steps[-1], "handover", {"units": [str(volume.unit)]}))
    return steps


def _container(plan: ContainerPlan, ready: tuple[str, ...]) -> list[StepSpec]:
    state = {
        "cloud_name": plan.cloud_name, "zone": plan.zone, "storage_class": plan.storage_class,
        "quota_gb": plan.quota_gb, "lease_end": plan.lease_end.isoformat(),
    }  # fmt: skip
    made = StepSpec(
        key=key_of(plan.unit, "container"), kind="container", label=plan.name, unit=plan.unit, desired_state=state,
        needs=ready,
    )  # fmt: skip
    return [made, _after(made, "handover", {"units": [str(plan.unit)]})]


def _after(before: StepSpec, kind: str, state: dict[str, Any]) -> StepSpec:
    return StepSpec(
        key=key_of(before.unit, kind), kind=kind, label=before.label, unit=before.unit, desired_state=state, needs=(before.key,)
    )  # fmt: skip


def _volume(
    volume: VolumePlan,
    zone: str,
    ready: tuple[str, ...],
    lease_end: str,
    *,
    availability_zone: str,
    image: str = "",
) -> StepSpec:
    state: dict[str, Any] = {
        "zone": zone, "storage_class": volume.storage_class, "size_gb": volume.size_gb,
        "role": "data" if volume.label else "system", "label": volume.label, "lease_end": lease_end,
        "availability_zone": availability_zone,
    }  # fmt: skip
    if image:
        state["image"] = image
    if volume.mount_point:
        state["mount_point"] = volume.mount_point
    return StepSpec(
        key=key_of(volume.unit, "volume"),
        kind="volume",
        label=volume.name,
        unit=volume.unit,
        desired_state=state,
        needs=ready,
    )


def attachment(unit: UUID, name: str, server: UUID, *needs: str) -> StepSpec:
    return StepSpec(
        key=key_of(unit, "attachment"), kind="attachment", label=name, unit=unit,
        desired_state={"volume": str(unit), "server": str(server)}, needs=needs,
    )  # fmt: skip


def _allowance(plan: AllowancePlan, needs: tuple[str, ...], volumes: list[str]) -> StepSpec:
    state = {
        "zone": plan.zone, "dr_level": plan.dr_level, "capacity_gb": plan.capacity_gb, "frequency": plan.frequency,
        "off_site": plan.off_site, "volumes": volumes, "lease_end": plan.lease_end.isoformat(),
    }  # fmt: skip
    return StepSpec(
        key=key_of(plan.unit, "backup_allowance"), kind="backup_allowance", label=plan.name, unit=plan.unit,
        desired_state=state, needs=needs,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionPlan:
    """``unit`` is the change; ``volume`` the unit of what is changed, ``server`` of where it is attached, if anywhere."""

    unit: UUID
    order: UUID
    system: UUID
    name: str
    volume: UUID
    volume_id: str
    server: UUID | None
    storage_class: str
    from_gb: int
    size_gb: int
    online: bool


def extend(plan: ExtensionPlan) -> list[StepSpec]:
    """Grow a volume where it is; or, where the cloud cannot do that, let go of it, grow it, and attach it again."""
    quota = StepSpec.limits("volume_quota", key=key_of(plan.unit, "volume_quota"), system=plan.system)
    state = {
        "resource": str(plan.volume), "storage_class": plan.storage_class,
        "from_gb": plan.from_gb, "size_gb": plan.size_gb,
    }  # fmt: skip
    if plan.server is None:
        return [quota, _change(plan, "extension", state, quota.key)]
    if plan.online:
        steps = [quota, _change(plan, "extension", state, quota.key)]
    else:
        steps = [quota, *_aside(plan, plan.server, "extension", state, quota.key)]
    guest = {"server": str(plan.server), "volumes": [str(plan.volume)]}
    return [*steps, _change(plan, "grow", guest, steps[-1].key)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetypePlan:
    """``unit`` is the change; ``volume`` the unit of what moves, ``server`` of where it is attached, if anywhere."""

    unit: UUID
    name: str
    volume: UUID
    volume_id: str
    server: UUID | None
    storage_class: str
    attached: bool  # whether it can move while its server has it


def retype(plan: RetypePlan) -> list[StepSpec]:
    """Move a volume; its server lets go of it first where the cloud wants that, and has it again afterwards."""
    state = {"resource": str(plan.volume), "storage_class": plan.storage_class}
    if plan.server is None or plan.attached:
        return [_change(plan, "retype", state)]
    return _aside(plan, plan.server, "retype", state)


def _aside(
    plan: ExtensionPlan | RetypePlan, server: UUID, kind: str, state: Mapping[str, Any], *needs: str
) -> list[StepSpec]:
    """A change made while the server does not have its volume.

    The record goes on telling whose the volume is: who releases the server meanwhile has to see it.
    """
    guest = {"server": str(server), "volumes": [str(plan.volume)]}
    pair = {"volume": str(plan.volume), "server": str(server), "for_a_change": True}
    let_go, detached, changed, attached = (
        key_of(plan.unit, each) for each in ("let_go", "detachment", kind, "attachment")
    )
    return [
        _change(plan, "let_go", guest, *needs),
        _change(plan, "detachment", pair, let_go),
        _change(plan, kind, state, detached),
        _change(plan, "attachment", pair, changed),
        _change(plan, "mount", guest, attached),
    ]


def _change(plan: ExtensionPlan | RetypePlan, kind: str, state: Mapping[str, Any], *needs: str) -> StepSpec:
    return StepSpec(
        key=key_of(plan.unit, kind), kind=kind, label=plan.name, unit=plan.unit, desired_state=dict(state), needs=needs
    )  # fmt: skip


def key_of(unit: UUID, kind: str) -> str:
    """Of a step: what it makes, changes or takes down, and how."""
    return f"{unit}:{kind}"
