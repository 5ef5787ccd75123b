"""Versions of the approval flow: drafted from one that was, changed, checked, published from a date, or thrown away."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any, ClassVar

from django.db import IntegrityError, transaction
from django.db.models import Count, Max, TextChoices
from django.utils.translation import gettext_lazy as _

from govcloud.approvals.models import (
    CaseKind,
    FlowVersion,
    MatterAction,
    Priority,
    Quorum,
    Quota,
    Sizes,
    Stage,
)
from govcloud.approvals.policies import FLOW_EDITORS
from govcloud.approvals.routing import DEFAULT_FLOW, DEFAULT_LIMITS, Limits, StageRule, leaves_none_out
from govcloud.audit import services as audit
from govcloud.audit.refusals import refuse
from govcloud.errors import Conflict, DomainError, Forbidden, Invalid, Invalids
from govcloud.lifecycle import ChangedMeanwhile
from tenants.models import DECIDING, UNIT_ROLES, Membership, NetworkZone, Role, User
from tenants.policies import require

CODE = re.compile(r"[a-z][a-z0-9_-]{0,39}")
MOST_STAGES = 20
MOST_SIGNATURES = 20
LONGEST_LIMIT = 60  # working days
CHOICES: Mapping[str, type[TextChoices]] = {
    "only_kind": CaseKind,
    "only_action": MatterAction,
    "only_zone": NetworkZone,
    "only_quota": Quota,
    "only_priority": Priority,
    "auto_quota": Quota,
    "auto_sizes": Sizes,
    "auto_zone": NetworkZone,
}
MOST: Mapping[str, int] = {
    "min_mlps_level": 5,
    "min_dr_level": 6,
    "min_quantity": 1_000_000,
    "min_amount": 10**12,
    "auto_max_mlps_level": 5,
    "auto_max_quantity": 1_000_000,
    "auto_below_amount": 10**12,
}
"""The greatest number that makes sense as a condition."""


class FlowSkipsMatters(Invalid):
    code = "flow-skips-matters"
    message = _("Each matter must go through at least one stage, or some would be approved by nobody.")


class FlowNameMissing(Invalid):
    code = "flow-name-missing"
    message = _("A version of the flow needs a name of at most %(most)s characters.")


class TooManyStages(Invalid):
    code = "too-many-stages"
    message = _("A flow has at most %(most)s stages.")


class StageCodeUnfit(Invalid):
    code = "stage-code-unfit"
    message = _(
        "“%(given)s” cannot be a stage's code: use lower-case letters, digits, _ and -, a letter first."
    )


class StageCodeTwice(Invalid):
    code = "stage-code-twice"
    message = _("Two stages have the code “%(given)s”.")


class StageNameMissing(Invalid):
    code = "stage-name-missing"
    message = _("A stage needs its name in both languages, of at most %(most)s characters.")


class StageRoleUnfit(Invalid):
    code = "stage-role-unfit"
    message = _("A stage is not decided by “%(given)s”.")


class StageRoleTwice(Invalid):
    code = "stage-role-twice"
    message = _("Each role signs a stage once.")


class StageLimitUnfit(Invalid):
    code = "stage-limit-unfit"
    message = _("A stage's limit is 0 (the same day) to %(most)s working days.")


class FulfilmentLimitUnfit(Invalid):
    code = "fulfilment-limit-unfit"
    message = _("The limit for building is 0 (the same day) to %(most)s working days, or none.")


class ConfirmationLimitUnfit(Invalid):
    code = "confirmation-limit-unfit"
    message = _("The limit for confirming is 0 (the same day) to %(most)s working days, or none.")


LIMITS_UNFIT = {"fulfilment_days": FulfilmentLimitUnfit, "confirmation_days": ConfirmationLimitUnfit}
NO_LIMITS = Limits()


class QuorumUnfit(Invalid):
    code = "quorum-unfit"
    message = _("Say how many of a role sign, 2 to %(most)s, where so many of them do, and only there.")


class QuorumBeyondHolders(Invalid):
    code = "quorum-beyond-holders"
    message = _("%(number)s who are %(role)s shall sign, but there are %(held)s.")


class ConditionUnfit(Invalid):
    code = "condition-unfit"
    message = _("“%(given)s” is no value for this condition.")


class FlowPublished(Conflict):
    code = "flow-published"
    message = _("What is published never changes: draft a further version.")


class OwnFlow(Forbidden):
    code = "own-flow"
    message = _("You have worked on this draft: another system administrator publishes it.")


class FlowBeginsInThePast(Invalid):
    code = "flow-begins-in-the-past"
    message = _("A version comes into force when it is published or later, not before.")


class StaleFlow(Conflict):
    code = "stale-flow"
    message = _("The draft has been changed since you read it: it is at version %(version)s now.")
    status: ClassVar = 412  # Precondition Failed


@transaction.atomic
def draft(*, name: str, based_on: FlowVersion, actor: User, at: datetime) -> FlowVersion:
    """A draft with the stages of a version that was. Raises FlowNameMissing, RoleMissing for who may not edit flows, and
    ChangedMeanwhile where that was a draft and is thrown away.
    """
    require(actor, *FLOW_EDITORS, at=at)
    _refuse([*_name_problems(name)])
    based_on = _unchanging(based_on)
    origin = based_on if based_on.published_at else based_on.based_on  # a draft may go again
    # Who wrote the draft that this one is copied from has written this one too.
    editors = {actor.pk, *(() if based_on.published_at else based_on.editors)}
    flow = FlowVersion.objects.create(
        name=name.strip(),
        **asdict(based_on.limits),
        based_on=origin,
        drafted_by=actor,
        editors=sorted(editors),
    )
    rules = rules_of(based_on.stages.all())
    _write(flow, rules)
    _tell("flow.drafted", flow, actor=actor, at=at, after={"based_on": str(based_on), "stages": _told(rules)})
    return flow


@transaction.atomic
def change(
    *,
    flow: FlowVersion,
    name: str,
    stages: Sequence[StageRule],
    limits: Limits,
    expected_version: int,
    actor: User,
    at: datetime,
) -> FlowVersion:
    """Replace what is in a draft. What only a whole flow must fulfil is looked at when it is published (``problems``).

    Raises Invalids with everything that is wrong with single stages, FlowPublished, and StaleFlow when somebody else
    changed it since it was read.
    """
    flow = _locked_draft(flow, expected_version, actor=actor, at=at)
    _refuse([*_name_problems(name), *_limit_problems(limits), *stage_problems(stages)])
    before = {"stages": _told(rules_of(flow.stages.all())), **asdict(flow.limits)}
    flow.stages.all().delete()
    _write(flow, stages)
    flow.name, flow.limits = name.strip(), limits
    flow.version += 1
    flow.editors = sorted({*flow.editors, actor.pk})
    flow.save(update_fields=["name", *asdict(limits), "version", "editors"])
    told = {"before": before, "after": {"stages": _told(stages), **asdict(limits)}}
    _tell("flow.changed", flow, actor=actor, at=at, **told)
    return flow


@transaction.atomic
def discard(*, flow: FlowVersion, expected_version: int, actor: User, at: datetime) -> None:
    """Throw a draft away. Raises FlowPublished and StaleFlow."""
    flow = _locked_draft(flow, expected_version, actor=actor, at=at)
    _tell("flow.discarded", flow, actor=actor, at=at, before={"stages": _told(rules_of(flow.stages.all()))})
    flow.delete()


def publish_draft(
    *, flow: FlowVersion, in_force_from: datetime, expected_version: int, actor: User, at: datetime
) -> FlowVersion:
    """Publish a draft as the next version, in force from an instant that is not over. Running cases stay on theirs, and
    versions that were to come into force then or later are superseded.

    It takes two people, since a version may let rules alone decide. Raises OwnFlow for who drafted or changed it,
    FlowBeginsInThePast, Invalids with the draft's ``problems``, FlowPublished, StaleFlow, and ChangedMeanwhile when somebody
    else publishes at the same moment.
    """
    try:
        with transaction.atomic():
            draft = _locked_draft(flow, expected_version, actor=actor, at=at)
            _require_another(draft, actor)
            if in_force_from < at:
                raise FlowBeginsInThePast(pointers=("/in_force_from",))
            _refuse(problems(flow=draft, at=at))
            draft.published_by = actor
            return _publish(draft, in_force_from=in_force_from, actor=actor, at=at)
    except OwnFlow as refusal:
        refuse(actor=actor, verb="flow.published", subject=flow, at=at, reason=refusal.code)
        raise


def may_publish(flow: FlowVersion, *, actor: User) -> bool:
    """Whether somebody who edits flows may publish this draft: not who has worked on it."""
    return actor.pk not in flow.editors


def editors_of(flow: FlowVersion) -> list[User]:
    """Who has drafted or changed a version, by name."""
    return sorted(User.objects.filter(pk__in=flow.editors), key=lambda user: (str(user), user.pk))


@transaction.atomic
def publish(
    *,
    name: str,
    stages: Sequence[StageRule],
    limits: Limits = NO_LIMITS,
    in_force_from: datetime,
    actor: audit.Actor,
    at: datetime,
) -> FlowVersion:
    """Publish a version that was written down elsewhere; it never changes again, and running cases stay on theirs.

    Raises FlowSkipsMatters, and ChangedMeanwhile when somebody else publishes at the same moment.
    """
    if not leaves_none_out(stages):
        raise FlowSkipsMatters
    flow = FlowVersion.objects.create(name=name, **asdict(limits))
    _write(flow, stages)
    return _publish(flow, in_force_from=in_force_from, actor=actor, at=at)


def publish_default_flow(*, actor: audit.Actor, at: datetime) -> FlowVersion:
    """Have a flow in force: the default one, published now, unless new cases are routed by one already.

    Whatever that is stays: it may be the installation's own, or the default flow of an earlier release.
    """
    flow = FlowVersion.objects.in_force(at=at).first()
    if flow is not None and flow.stages.exists():
        return flow
    return publish(
        name="标准审批流程", stages=DEFAULT_FLOW, limits=DEFAULT_LIMITS, in_force_from=at, actor=actor, at=at
    )  # fmt: skip


def problems(*, flow: FlowVersion, at: datetime) -> list[DomainError]:
    """Everything that keeps a draft from being published."""
    rules = rules_of(flow.stages.all())
    found = [*_name_problems(flow.name), *_limit_problems(flow.limits), *stage_problems(rules)]
    if not leaves_none_out(rules):
        found.append(FlowSkipsMatters(pointers=("/stages",)))
    return found + list(_quorum_problems(rules, at=at))


def stage_problems(rules: Sequence[StageRule]) -> Iterable[DomainError]:
    """What is wrong with single stages, each with its pointer."""
    if len(rules) > MOST_STAGES:
        yield TooManyStages(most=MOST_STAGES, pointers=("/stages",))
    seen: set[str] = set()
    for position, rule in enumerate(rules):
        at = f"/stages/{position}"
        if not CODE.fullmatch(rule.code):
            yield StageCodeUnfit(given=rule.code, pointers=(f"{at}/code",))
        if rule.code in seen:
            yield StageCodeTwice(given=rule.code, pointers=(f"{at}/code",))
        seen.add(rule.code)
        for name in ("name", "name_en"):
            if not 1 <= len(getattr(rule, name).strip()) <= 80:
                yield StageNameMissing(most=80, pointers=(f"{at}/{name}",))
        if not 0 <= rule.working_days <= LONGEST_LIMIT:
            yield StageLimitUnfit(most=LONGEST_LIMIT, pointers=(f"{at}/working_days",))
        yield from _role_problems(rule, at)
        yield from _condition_problems(rule, at)


def rules_of(stages: Iterable[Stage]) -> list[StageRule]:
    """The stages of a version as they were written down."""
    return [_rule_of(stage) for stage in stages]


def _rule_of(stage: Stage) -> StageRule:
    values: dict[str, Any] = {field.name: getattr(stage, field.name) for field in fields(StageRule)}
    return StageRule(**{**values, "also_roles": tuple(values["also_roles"])})


def _role_problems(rule: StageRule, at: str) -> Iterable[DomainError]:
    unfit = [role for role in (rule.role, *rule.also_roles) if role not in DECIDING]
    for role in unfit:
        yield StageRoleUnfit(given=role, pointers=(f"{at}/role",))
    if len({rule.role, *rule.also_roles}) != 1 + len(rule.also_roles):
        yield StageRoleTwice(pointers=(f"{at}/also_roles",))
    counts = rule.quorum == Quorum.SOME
    if (
        rule.quorum not in Quorum.values
        or counts != (rule.quorum_count is not None)
        or (rule.quorum_count is not None and not 2 <= rule.quorum_count <= MOST_SIGNATURES)
    ):
        yield QuorumUnfit(most=MOST_SIGNATURES, pointers=(f"{at}/quorum_count",))


def _condition_problems(rule: StageRule, at: str) -> Iterable[DomainError]:
    for name, choices in CHOICES.items():
        value = getattr(rule, name)
        if value and value not in choices.values:
            yield ConditionUnfit(given=value, pointers=(f"{at}/{name}",))
    for name, most in MOST.items():
        number = getattr(rule, name)
        if number is not None and not 0 <= number <= most:
            yield ConditionUnfit(given=number, pointers=(f"{at}/{name}",))


def _quorum_problems(rules: Sequence[StageRule], *, at: datetime) -> Iterable[DomainError]:
    """Roles of the centre that fewer people hold than shall sign; of a department's it depends on the department."""
    held = _holders({role for rule in rules for role in (rule.role, *rule.also_roles)}, at=at)
    for position, rule in enumerate(rules):
        for role in (rule.role, *rule.also_roles):
            number = rule.quorum_count or 1
            if role in DECIDING - UNIT_ROLES and held.get(role, 0) < number:
                yield QuorumBeyondHolders(
                    number=number,
                    held=held.get(role, 0),
                    role=Role(role).label,
                    pointers=(f"/stages/{position}/quorum_count",),
                )


def _holders(roles: Collection[str], *, at: datetime) -> dict[str, int]:
    valid = Membership.objects.valid(at=at).filter(role__in=roles, user__is_active=True)
    counted = valid.values_list("role").annotate(Count("user", distinct=True))
    return dict(counted.order_by())


def _name_problems(name: str) -> Iterable[DomainError]:
    if not 1 <= len(name.strip()) <= 80:
        yield FlowNameMissing(most=80, pointers=("/name",))


def _limit_problems(limits: Limits) -> Iterable[DomainError]:
    for name, days in asdict(limits).items():
        if days is not None and not 0 <= days <= LONGEST_LIMIT:
            yield LIMITS_UNFIT[name](most=LONGEST_LIMIT, pointers=(f"/{name}",))


def _refuse(errors: list[DomainError]) -> None:
    if errors:
        raise Invalids(errors)


def _locked_draft(flow: FlowVersion, expected_version: int, *, actor: User, at: datetime) -> FlowVersion:
    """The draft, for this transaction alone. Raises RoleMissing, FlowPublished and StaleFlow."""
    require(actor, *FLOW_EDITORS, at=at)
    locked = FlowVersion.objects.select_for_update().filter(pk=flow.pk).first()
    if locked is None:
        raise ChangedMeanwhile  # thrown away since
    if locked.published_at is not None:
        raise FlowPublished
    if locked.version != expected_version:
        raise StaleFlow(version=locked.version)
    return locked


def _unchanging(flow: FlowVersion) -> FlowVersion:
    """As it is now, until this transaction ends: its stages are copied along with whoever has written them. Cases that are
    opened on it do not wait.
    """
    locked = FlowVersion.objects.select_for_update(no_key=True).filter(pk=flow.pk).first()
    if locked is None:
        raise ChangedMeanwhile  # thrown away since
    return locked


def _require_another(draft: FlowVersion, actor: User) -> None:
    if not may_publish(draft, actor=actor):
        raise OwnFlow


def _write(flow: FlowVersion, rules: Sequence[StageRule]) -> None:
    Stage.objects.bulk_create(
        Stage(flow=flow, position=n, **{**asdict(rule), "also_roles": list(rule.also_roles)})
        for n, rule in enumerate(rules, 1)
    )


def _publish(flow: FlowVersion, *, in_force_from: datetime, actor: audit.Actor, at: datetime) -> FlowVersion:
    last = FlowVersion.objects.aggregate(last=Max("number"))["last"] or 0
    superseded = FlowVersion.objects.to_come(at=at).filter(in_force_from__gte=in_force_from)
    numbers = list(superseded.order_by("number").values_list("number", flat=True))
    flow.number, flow.in_force_from, flow.published_at = last + 1, in_force_from, at
    try:
        with transaction.atomic():
            flow.save(update_fields=["number", "in_force_from", "published_at", "published_by"])
    except IntegrityError:
        raise ChangedMeanwhile from None
    told = [stage.code for stage in flow.stages.all()]
    after = {"number": flow.number, "in_force_from": in_force_from, "stages": told}
    after |= {name: days for name, days in asdict(flow.limits).items() if days is not None}
    if numbers:
        after["superseded"] = numbers
    _tell("flow.published", flow, actor=actor, at=at, after=after)
    return flow


def _told(rules: Iterable[StageRule]) -> list[dict[str, Any]]:
    """Stages for the audit trail: what says nothing is left out."""
    return [
        {name: value for name, value in asdict(rule).items() if value not in (None, "", ())} for rule in rules
    ]


def _tell(verb: str, flow: FlowVersion, *, actor: audit.Actor, at: datetime, **told: Any) -> None:
    audit.record(actor=actor, verb=verb, subject=flow, at=at, **told)
