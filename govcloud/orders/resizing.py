"""From a server's unit to the steps that give it another flavor. Pure, like ``planner``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from govcloud.provisioning.services import StepSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizePlan:
    """``server`` and its volumes are units; a server that is not ``running`` has no guest to look at."""

    unit: UUID
    system: UUID
    name: str
    server: UUID
    from_flavor: str
    flavor: str
    system_volumes: tuple[UUID, ...]
    data_volumes: tuple[UUID, ...]
    running: bool


def resize(plan: ResizePlan) -> list[StepSpec]:
    """Room first, then the new flavor, the guest looked at on it, and only then kept: until that it can be taken back."""
    state = {
        "resource": str(plan.server),
        "from_flavor": plan.from_flavor,
        "flavor": plan.flavor,
        "volumes": [str(volume) for volume in (*plan.system_volumes, *plan.data_volumes)],
    }
    guest = {"server": str(plan.server), "volumes": [str(volume) for volume in plan.data_volumes]}

    def quota(key: str, *needs: str) -> StepSpec:
        return StepSpec.limits("compute_quota", key=key, system=plan.system, needs=needs)

    def step(kind: str, state: Mapping[str, Any], *needs: str) -> StepSpec:
        return StepSpec(
            key=_key(plan.unit, kind),
            kind=kind,
            label=plan.name,
            unit=plan.unit,
            desired_state=dict(state),
            needs=needs,
        )

    room = quota(_key(plan.unit, "room"))
    steps = [room, step("resize", state, room.key)]
    if plan.running:
        steps += [
            step("configure", guest, _key(plan.unit, "resize")),
            step("confirm", guest, _key(plan.unit, "configure")),
        ]
    steps.append(step("resize_confirmation", state, steps[-1].key))
    return [*steps, quota(_key(plan.unit, "limits"), steps[-1].key)]


def _key(unit: UUID, kind: str) -> str:
    return f"{unit}:{kind}"
