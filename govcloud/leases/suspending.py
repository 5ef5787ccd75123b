"""From a server whose lease has ended to the steps that suspend it. Pure, like ``orders.planner``."""

from govcloud.inventory.models import Resource
from govcloud.provisioning.services import StepSpec


def suspend(server: Resource, *, key: str) -> list[StepSpec]:
    """Stopped first; only then it is suspended, and not metered any more. ``key`` begins those of the steps."""
    state = {"resource": str(server.unit)}
    stopped = StepSpec(
        key=f"{key}:power", kind="power", label=server.name, unit=server.unit,
        desired_state={**state, "power": "stopped"},
    )  # fmt: skip
    suspended = StepSpec(
        key=f"{key}:suspension", kind="suspension", label=server.name, unit=server.unit,
        desired_state=state, needs=(stopped.key,),
    )  # fmt: skip
    return [stopped, suspended]
