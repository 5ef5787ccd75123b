"""Which stages a matter goes through: pure, over the conditions of the stages of a flow version."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Matter:
    """What routing looks at: the kind of the matter, its zone, the system's MLPS level, and yuan a month."""

    kind: str
    zone: str
    mlps_level: int
    amount: Decimal = Decimal(0)


class Conditional(Protocol):
    """A stage with its conditions. An empty or null condition always holds; all of them must."""

    @property
    def only_kind(self) -> str: ...

    @property
    def only_zone(self) -> str: ...

    @property
    def min_mlps_level(self) -> int | None: ...

    @property
    def min_amount(self) -> Decimal | None: ...


S = TypeVar("S", bound=Conditional)


@dataclass(frozen=True, slots=True)
class StageRule:
    """A stage of a flow as it is written down before it is published; see ``models.Stage``."""

    code: str
    name: str
    name_en: str
    role: str
    working_days: int
    only_kind: str = ""
    only_zone: str = ""
    min_mlps_level: int | None = None
    min_amount: Decimal | None = None

    @property
    def unconditional(self) -> bool:
        return (
            not self.only_kind
            and not self.only_zone
            and self.min_mlps_level is None
            and self.min_amount is None
        )


DEFAULT_FLOW = (
    StageRule("unit_approval", "单位审批", "Unit approval", "unit_approver", 2, only_kind="committed"),
    StageRule(
        "instant_unit_approval",
        "单位审批（即办）",
        "Unit approval (instant)",
        "unit_approver",
        1,
        only_kind="instant",
    ),
    StageRule("intake", "受理", "Intake", "service_desk", 1),
    StageRule(
        "technical_review", "技术评审", "Technical review", "technical_reviewer", 2, only_kind="committed"
    ),
    StageRule(
        "egress_review", "互联网出口评审", "Internet egress review", "cloud_admin", 1, only_zone="internet"
    ),
    StageRule(
        "authority_approval", "主管审批", "Authority approval", "authority_approver", 2, only_kind="committed"
    ),
)
"""The chain as centres practise it. An instant matter needs no review; the Internet zone adds one of its own."""


def applicable(stages: Iterable[S], matter: Matter) -> list[S]:
    """The stages that the matter goes through, in the order given."""
    return [stage for stage in stages if applies(stage, matter)]


def applies(stage: Conditional, matter: Matter) -> bool:
    return (
        stage.only_kind in {"", matter.kind}
        and stage.only_zone in {"", matter.zone}
        and (stage.min_mlps_level is None or matter.mlps_level >= stage.min_mlps_level)
        and (stage.min_amount is None or matter.amount >= stage.min_amount)
    )
