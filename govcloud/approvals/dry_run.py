"""What a draft of the flow would have done to the matters of the past."""

from dataclasses import dataclass
from datetime import datetime

from govcloud.approvals.flows import rules_of
from govcloud.approvals.models import Case, CaseStage, FlowVersion
from govcloud.approvals.policies import FLOW_EDITORS
from govcloud.approvals.routing import Station, applicable, decides_itself, differs, station
from tenants.models import User
from tenants.policies import require

CASES = 200
MOST_CASES = 1_000


@dataclass(frozen=True, slots=True)
class Rerouted:
    """A case of the past, the way it went, and the way it would have gone."""

    case: Case
    before: list[Station]
    after: list[Station]


@dataclass(frozen=True, slots=True)
class DryRun:
    """``unknown`` are cases from before it was kept what they were routed by; they are not compared."""

    compared: int
    unknown: int
    rerouted: list[Rerouted]


def dry_run(*, flow: FlowVersion, actor: User, at: datetime, cases: int = CASES) -> DryRun:
    """The last cases, those that this flow would route to other people first to last. Four queries, however many.

    What is compared is who signs at which station and how many of them, or that a rule decides; not names and limits.
    Raises RoleMissing for who may not edit flows.
    """
    require(actor, *FLOW_EDITORS, at=at)
    rules = rules_of(flow.stages.all())
    last = list(
        Case.objects.select_related("department")
        .prefetch_related("stages")
        .order_by("-id")[: min(cases, MOST_CASES)]
    )
    known = [case for case in last if case.zone]
    ways = [
        Rerouted(
            case,
            before=[_station(stage) for stage in case.stages.all() if stage.revision == case.revision],
            after=[
                station(rule, automatic=decides_itself(rule, case.matter))
                for rule in applicable(rules, case.matter)
            ],
        )
        for case in known
    ]
    rerouted = [one for one in ways if differs(one.before, one.after)]
    return DryRun(compared=len(known), unknown=len(last) - len(known), rerouted=rerouted)


def _station(stage: CaseStage) -> Station:
    return station(stage, automatic=bool(stage.auto_reason))
