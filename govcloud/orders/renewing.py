"""From the leases that an order extends to the steps that do it. Pure, like ``planner``."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from govcloud.orders.planner import key_of
from govcloud.provisioning.services import StepSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalPlan:
    """``unit`` is the renewal, ``resource`` the unit of what is let; ``resumes`` for a server that its end has stopped, with the
    units of those of its volumes that have ``grown`` while it could not take that up.

    ``runs_until`` is the end of the lease when the renewal was ordered: to it the months are added, whatever becomes of the
    lease before the hand-over.
    """

    unit: UUID
    resource: UUID
    name: str
    months: int
    runs_until: datetime
    resumes: bool
    grown: tuple[str, ...] = ()


def renew(plans: Iterable[RenewalPlan]) -> list[StepSpec]:
    """Each lease by itself, so that none waits for another; a suspended server is brought back once its lease runs again."""
    return [step for plan in plans for step in _steps(plan)]


def _steps(plan: RenewalPlan) -> list[StepSpec]:
    state = {"resource": str(plan.resource)}
    extended = StepSpec(
        key=key_of(plan.unit, "lease"), kind="lease", label=plan.name, unit=plan.unit,
        desired_state={**state, "months": plan.months, "runs_until": plan.runs_until.isoformat()},
    )  # fmt: skip
    if not plan.resumes:
        return [extended]
    back = StepSpec(
        key=key_of(plan.unit, "resumption"), kind="resumption", label=plan.name, unit=plan.unit,
        desired_state=state, needs=(extended.key,),
    )  # fmt: skip
    if not plan.grown:
        return [extended, back]
    grow = StepSpec(
        key=key_of(plan.unit, "grow"), kind="grow", label=plan.name, unit=plan.unit, needs=(back.key,),
        desired_state={"server": str(plan.resource), "volumes": list(plan.grown), "may_be_skipped": True},
    )  # fmt: skip
    return [extended, back, grow]
