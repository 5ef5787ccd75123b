"""Which stages a matter goes through, how many sign each, and what is decided by rule: pure, over a flow version's stages."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Matter:
    """What routing looks at; the package above fills it in.

    ``actions`` is what is done (``create``, ``change``, ``renew``, ``release``), ``quantity`` to how many resources,
    ``amount`` for how many yuan a month. ``quota``, ``priority`` and ``sizes`` take the values of ``models.Quota``,
    ``Priority`` and ``Sizes``.
    """

    kind: str
    zone: str
    mlps_level: int
    amount: Decimal = Decimal(0)
    actions: frozenset[str] = frozenset()
    quantity: int = 1
    dr_level: int = 1
    quota: str = "within"
    priority: str = "normal"
    sizes: str = "standard"


class Conditional(Protocol):
    """A stage with its conditions and its rule. An empty or null condition always holds; all of them must.

    The ``auto_`` columns are a rule of the same manner: where all that are given hold, the stage is decided by it.
    """

    @property
    def only_kind(self) -> str: ...

    @property
    def only_action(self) -> str: ...

    @property
    def only_zone(self) -> str: ...

    @property
    def only_quota(self) -> str: ...

    @property
    def only_priority(self) -> str: ...

    @property
    def min_mlps_level(self) -> int | None: ...

    @property
    def min_dr_level(self) -> int | None: ...

    @property
    def min_quantity(self) -> int | None: ...

    @property
    def min_amount(self) -> Decimal | None: ...

    @property
    def auto_zone(self) -> str: ...

    @property
    def auto_quota(self) -> str: ...

    @property
    def auto_sizes(self) -> str: ...

    @property
    def auto_max_mlps_level(self) -> int | None: ...

    @property
    def auto_max_quantity(self) -> int | None: ...

    @property
    def auto_below_amount(self) -> Decimal | None: ...


S = TypeVar("S", bound=Conditional)

CONDITIONS = (
    "only_kind",
    "only_action",
    "only_zone",
    "only_quota",
    "only_priority",
    "min_mlps_level",
    "min_dr_level",
    "min_quantity",
    "min_amount",
)
EXHAUSTIVE: Mapping[str, tuple[str, ...]] = {
    "only_kind": ("committed", "instant"),
    "only_quota": ("within", "over"),
    "only_priority": ("normal", "urgent"),
}
"""Conditions of which each matter has one of few values, so that stages for all of them leave no matter out."""
RULE = (
    "auto_quota",
    "auto_sizes",
    "auto_zone",
    "auto_max_mlps_level",
    "auto_max_quantity",
    "auto_below_amount",
)


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
    also_roles: tuple[str, ...] = ()
    quorum: str = "one"
    quorum_count: int | None = None
    only_action: str = ""
    only_quota: str = ""
    only_priority: str = ""
    min_dr_level: int | None = None
    min_quantity: int | None = None
    auto_quota: str = ""
    auto_sizes: str = ""
    auto_zone: str = ""
    auto_max_mlps_level: int | None = None
    auto_max_quantity: int | None = None
    auto_below_amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Of what comes after the stages, in working days: building, None without a limit; and the department's confirmation of what
    was delivered, None where it is not asked.
    """

    fulfilment_days: int | None = None
    confirmation_days: int | None = None


DEFAULT_LIMITS = Limits(fulfilment_days=3, confirmation_days=3)

DEFAULT_FLOW = (
    StageRule(
        "unit_approval",
        "单位审批",
        "Unit approval",
        "unit_approver",
        2,
        only_kind="committed",
        only_priority="normal",
    ),
    StageRule(
        "urgent_unit_approval",
        "单位审批（紧急）",
        "Unit approval (urgent)",
        "unit_approver",
        1,
        only_kind="committed",
        only_priority="urgent",
    ),
    StageRule(
        "instant_unit_approval",
        "单位审批（即办）",
        "Unit approval (instant)",
        "unit_approver",
        0,
        only_kind="instant",
    ),
    StageRule("intake", "受理", "Intake", "service_desk", 1, only_kind="committed"),
    StageRule("instant_intake", "受理（即办）", "Intake (instant)", "service_desk", 0, only_kind="instant"),
    StageRule(
        "technical_review",
        "技术评审",
        "Technical review",
        "technical_reviewer",
        2,
        only_kind="committed",
        only_priority="normal",
    ),
    StageRule(
        "urgent_technical_review",
        "技术评审（紧急）",
        "Technical review (urgent)",
        "technical_reviewer",
        1,
        only_kind="committed",
        only_priority="urgent",
    ),
    StageRule(
        "egress_review", "互联网出口评审", "Internet egress review", "cloud_admin", 1, only_zone="internet"
    ),
    StageRule(
        "authority_approval",
        "主管审批",
        "Authority approval",
        "authority_approver",
        2,
        only_kind="committed",
        only_priority="normal",
    ),
    StageRule(
        "urgent_authority_approval",
        "主管审批（紧急）",
        "Authority approval (urgent)",
        "authority_approver",
        1,
        only_kind="committed",
        only_priority="urgent",
    ),
)
"""The chain as centres practise it. An instant matter needs no review and is done on the same day; the Internet zone adds one of its own. An urgent matter
is decided by the same people in the same order, each within a day: nobody's word is left out for being in a hurry.
"""


def applicable(stages: Iterable[S], matter: Matter) -> list[S]:
    """The stages that the matter goes through, in the order given."""
    return [stage for stage in stages if applies(stage, matter)]


def leaves_none_out(rules: Sequence[StageRule]) -> bool:
    """Whether some stage applies to each matter, whatever its kind, quota and priority. Stages with any other condition are not
    counted on.
    """
    names = [name for name in CONDITIONS if name not in EXHAUSTIVE]
    certain = [rule for rule in rules if not any(_given(getattr(rule, name)) for name in names)]
    return all(
        any(
            all(getattr(rule, name) in {"", value} for name, value in zip(EXHAUSTIVE, values, strict=True))
            for rule in certain
        )
        for values in product(*EXHAUSTIVE.values())
    )


def applies(stage: Conditional, matter: Matter) -> bool:
    return (
        stage.only_kind in {"", matter.kind}
        and (not stage.only_action or stage.only_action in matter.actions)
        and stage.only_zone in {"", matter.zone}
        and stage.only_quota in {"", matter.quota}
        and stage.only_priority in {"", matter.priority}
        and _reaches(matter.mlps_level, stage.min_mlps_level)
        and _reaches(matter.dr_level, stage.min_dr_level)
        and _reaches(matter.quantity, stage.min_quantity)
        and _reaches(matter.amount, stage.min_amount)
    )


def has_rule(stage: Conditional) -> bool:
    return any(_given(getattr(stage, name)) for name in RULE)


def decides_itself(stage: Conditional, matter: Matter) -> bool:
    """Whether the stage has a rule and all of it holds for the matter. What goes beyond the quota is decided by people."""
    return (
        has_rule(stage)
        and matter.quota != "over"
        and stage.auto_zone in {"", matter.zone}
        and stage.auto_quota in {"", matter.quota}
        and stage.auto_sizes in {"", matter.sizes}
        and (stage.auto_max_mlps_level is None or matter.mlps_level <= stage.auto_max_mlps_level)
        and (stage.auto_max_quantity is None or matter.quantity <= stage.auto_max_quantity)
        and (stage.auto_below_amount is None or matter.amount < stage.auto_below_amount)
    )


@dataclass(frozen=True, slots=True)
class Station:
    """A stage of a way by what makes ways differ: who signs and how many, or that nobody does."""

    roles: tuple[str, ...]
    quorum: str
    quorum_count: int | None
    automatic: bool
    code: str
    name: str
    name_en: str

    def same_as(self, other: "Station") -> bool:
        """Whether the same people would decide, whatever the stage is called."""
        if self.automatic or other.automatic:
            return self.automatic == other.automatic and self.roles == other.roles
        return (self.roles, self.quorum, self.quorum_count) == (
            other.roles,
            other.quorum,
            other.quorum_count,
        )


class Staffed(Protocol):
    """A stage of a flow or of a case, by what makes ways differ."""

    @property
    def code(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def name_en(self) -> str: ...

    @property
    def role(self) -> str: ...

    @property
    def also_roles(self) -> Sequence[str]: ...

    @property
    def quorum(self) -> str: ...

    @property
    def quorum_count(self) -> int | None: ...


def station(stage: Staffed, *, automatic: bool) -> Station:
    return Station(
        roles=(stage.role, *sorted(stage.also_roles)),
        quorum=stage.quorum,
        quorum_count=stage.quorum_count,
        automatic=automatic,
        code=stage.code,
        name=stage.name,
        name_en=stage.name_en,
    )


def differs(one: Collection[Station], other: Collection[Station]) -> bool:
    return len(one) != len(other) or any(not a.same_as(b) for a, b in zip(one, other, strict=True))


def _reaches(value: Decimal | int, least: Decimal | int | None) -> bool:
    return least is None or value >= least


def _given(value: object) -> bool:
    """Whether a condition says anything: 0 does, empty and null do not."""
    return value is not None and value not in ("", ())
