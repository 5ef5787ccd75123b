"""From candidates that are taken over, or given up, to the steps that do it. Pure: reads rows, writes and asks nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from govcloud.inventory.models import ResourceKind
from govcloud.provisioning.lifecycle import Desired
from govcloud.provisioning.services import StepSpec
from govcloud.takeover.models import Candidate, Port, Takeover

STEP = {
    ResourceKind.NETWORK: "network_takeover",
    ResourceKind.SERVER: "server_takeover",
    ResourceKind.VOLUME: "volume_takeover",
}
GROUP, ENTRY = "network_takeover_group", "takeover_entry"
LIMITS = ("compute_quota", "volume_quota", "network_quota")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``units`` are those of servers and networks, taken over now or ours before, by their ids in the cloud.

    ``addresses`` are the units of ports' addresses, by the ports' ids; ``parts`` our codes of availability zones by the cloud's.
    """

    takeover: Takeover
    key: UUID
    candidates: Sequence[Candidate]
    ports: Mapping[str, Sequence[Port]]  # by the server's id
    units: Mapping[str, UUID]
    addresses: Mapping[str, UUID]
    names: Mapping[str, set[str]]  # by kind, what the catalogue's things are called on the cloud
    parts: Mapping[str, str]


def taking(plan: Plan) -> list[StepSpec]:
    """Our access and room for our groups first; then networks, servers, volumes; the limits last."""
    system = plan.takeover.system
    if system is None:
        raise ValueError("nothing is taken over for no system")
    entry = StepSpec(
        key=f"{plan.key}:{ENTRY}",
        kind=ENTRY,
        label=plan.takeover.project_name[:120],
        unit=system.uuid,
        desired_state={"project": plan.takeover.project_id},
    )
    room = StepSpec.limits("network_quota", key=f"{plan.key}:room", system=system.uuid, needs=(entry.key,))
    steps = [entry, room]
    for candidate in _ordered(plan.candidates):
        steps.append(_step(plan, candidate, needs=(room.key, *_needs(plan, candidate))))
        if candidate.kind == ResourceKind.NETWORK:
            steps.append(_group(plan, candidate, steps[-1]))
    done = tuple(step.key for step in steps)
    return [*steps, *limits(plan.key, system.uuid, needs=done)]


def limits(key: UUID, system: UUID, *, needs: tuple[str, ...]) -> list[StepSpec]:
    """The cloud's own, which count what is in the project and not ours as well."""
    return [StepSpec.limits(kind, key=f"{key}:{kind}", system=system, needs=needs) for kind in LIMITS]


def _ordered(candidates: Sequence[Candidate]) -> list[Candidate]:
    order = list(STEP)
    return sorted(candidates, key=lambda each: (order.index(ResourceKind(each.kind)), each.pk))


def _needs(plan: Plan, candidate: Candidate) -> list[str]:
    """What has to be recorded before: a server's networks, a volume's server."""
    coming = {each.external_id: each for each in plan.candidates}
    match candidate.kind:
        case ResourceKind.SERVER:
            networks = {port.network_id for port in plan.ports.get(candidate.external_id, ())}
            return [_key(plan.key, coming[each], GROUP) for each in sorted(networks & coming.keys())]
        case ResourceKind.VOLUME:
            return [_key(plan.key, coming[each]) for each in candidate.held_by if each in coming]
        case _:
            return []


def _step(plan: Plan, candidate: Candidate, *, needs: tuple[str, ...]) -> StepSpec:
    return StepSpec(
        key=_key(plan.key, candidate),
        kind=STEP[ResourceKind(candidate.kind)],
        label=candidate.name,
        unit=candidate.unit,
        desired_state=_state(plan, candidate),
        needs=needs,
    )


def _group(plan: Plan, network: Candidate, marked: StepSpec) -> StepSpec:
    return StepSpec(
        key=_key(plan.key, network, GROUP),
        kind=GROUP,
        label=network.name,
        unit=network.unit,
        desired_state=_state(plan, network),
        needs=(marked.key,),
    )


def _state(plan: Plan, candidate: Candidate) -> dict[str, Any]:
    takeover = plan.takeover
    state = {
        "id": candidate.external_id,
        "ids": [
            candidate.external_id,
            *(port.external_id for port in plan.ports.get(candidate.external_id, ())),
        ],
        "was": candidate.found_name,
        "name": candidate.name,
        "mark": str(candidate.mark or ""),
        "zone": takeover.zone,
        "lease_end": takeover.lease_end.isoformat() if takeover.lease_end else None,
        "billing_start": takeover.billing_start.isoformat() if takeover.billing_start else None,
    }
    return state | _PARTICULARS[ResourceKind(candidate.kind)](plan, candidate)


def _server(plan: Plan, server: Candidate) -> dict[str, Any]:
    if server.flavor is None or server.image is None:
        raise ValueError(f"{server} has obstacles")
    known = server.flavor_name in plan.names["flavors"]
    return {
        "size": [server.flavor_name, server.vcpus, server.memory_mib],
        "flavor": server.flavor.code,
        "cloud_flavor": "" if known else server.flavor_name,
        "image": server.image.code,
        "availability_zone": plan.parts.get(server.availability_zone, ""),
        "volumes_there": sorted(
            each.external_id for each in plan.candidates if server.external_id in each.held_by
        ),
        "ports": [
            {
                "id": port.external_id,
                "address": port.addresses[0],
                "unit": str(plan.addresses[port.external_id]),
                "network": str(plan.units[port.network_id]),
                "security_groups": port.security_groups,
            }
            for port in plan.ports[server.external_id]
        ],
    }


def _volume(plan: Plan, volume: Candidate) -> dict[str, Any]:
    if volume.storage_class is None:
        raise ValueError(f"{volume} has obstacles")
    known = volume.volume_type in plan.names["storage_classes"]
    server = {"server": str(plan.units[volume.held_by[0]])} if volume.held_by else {}
    return server | {
        "size": [volume.volume_type, volume.size_gib],
        "role": volume.boots,
        "storage_class": volume.storage_class.code,
        "cloud_class": "" if known else volume.volume_type,
        "size_gb": volume.size_gb,
        "held_by": sorted(volume.held_by),
    }


def _network(plan: Plan, network: Candidate) -> dict[str, Any]:  # noqa: ARG001
    return {"cidr": network.cidr, "gateway": network.gateway, "subnet_id": network.subnet_id}


_PARTICULARS = {
    ResourceKind.SERVER: _server,
    ResourceKind.VOLUME: _volume,
    ResourceKind.NETWORK: _network,
}


def leaving(
    *,
    key: UUID,
    system: UUID,
    entry: Mapping[str, Any],
    candidates: Sequence[Candidate],
    groups: Mapping[int, str],
) -> list[StepSpec]:
    """The opposite: volumes, servers, networks; then the limits, and our access if nothing is left.

    ``groups`` are the ids of our security groups by the candidates of their networks; ``entry`` is what the entry step
    found out. What each was called before is in the step that took it over.
    """
    steps: list[StepSpec] = []
    for candidate in reversed(_ordered(candidates)):
        before = tuple(step.key for step in steps) if candidate.kind == ResourceKind.NETWORK else ()
        if candidate.kind == ResourceKind.NETWORK:
            steps.append(_absent(key, candidate, GROUP, groups[candidate.pk], needs=before))
            before = (steps[-1].key,)
        steps.append(
            _absent(key, candidate, STEP[ResourceKind(candidate.kind)], candidate.external_id, needs=before)
        )
    gone = tuple(step.key for step in steps)
    last = limits(key, system, needs=gone)
    return [*steps, *last, way_out(key, system, entry, needs=tuple(step.key for step in last))]


def way_out(key: UUID, system: UUID, entry: Mapping[str, Any], needs: tuple[str, ...] = ()) -> StepSpec:
    """The end of our access, with the limits as they were, if nothing of ours is left there by then."""
    return StepSpec(
        key=f"{key}:{ENTRY}", kind=ENTRY, label=ENTRY, unit=system, desired=Desired.ABSENT, needs=needs,
        external_id=str(entry["role"]), desired_state={"had": entry["had"], "limits": entry["limits"]},
    )  # fmt: skip


def _absent(
    key: UUID, candidate: Candidate, kind: str, external_id: str, *, needs: tuple[str, ...]
) -> StepSpec:
    state = {
        "id": candidate.external_id,
        "ids": [candidate.external_id],
        "was": candidate.found_name,
        "cidr": candidate.cidr,
    }
    return StepSpec(
        key=_key(key, candidate, kind), kind=kind, label=candidate.name, unit=candidate.unit, desired=Desired.ABSENT,
        external_id=external_id, desired_state=state, needs=needs,
    )  # fmt: skip


def _key(key: UUID, candidate: Candidate, kind: str = "") -> str:
    return f"{key}:{candidate.unit}:{kind or STEP[ResourceKind(candidate.kind)]}"
