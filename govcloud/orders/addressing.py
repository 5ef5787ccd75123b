"""From a server's unit to the steps that give it a floating address. Pure, like ``planner``."""

from uuid import UUID

from govcloud.orders.planner import key_of
from govcloud.provisioning.services import StepSpec


def give_address(*, unit: UUID, system: UUID, name: str) -> list[StepSpec]:
    """Room in the cloud's own limits first; ``unit`` is the change, under which the address is reserved."""
    room = StepSpec.limits("network_quota", key=key_of(unit, "room"), system=system)
    given = StepSpec(
        key=key_of(unit, "floating_address"), kind="floating_address", label=name, unit=unit, needs=(room.key,)
    )  # fmt: skip
    return [room, given]
