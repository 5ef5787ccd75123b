"""A stage of a draft as a form: what was typed, read into a rule, and a rule in words."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from typing import Any

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from govcloud.approvals.flows import CHOICES, LIMITS_UNFIT, LONGEST_LIMIT, MOST, ConditionUnfit
from govcloud.approvals.models import Quorum
from govcloud.approvals.routing import CONDITIONS, RULE, Limits, StageRule, has_rule
from govcloud.portal.deciding.forms import typed
from govcloud.portal.reading import plain
from tenants.models import DECIDING, Role

LABELS: Mapping[str, str | Promise] = {
    "only_kind": gettext_lazy("Kind of matter"),
    "only_action": gettext_lazy("What is asked for, among others"),
    "only_zone": gettext_lazy("Most exposed zone"),
    "only_quota": gettext_lazy("Quota"),
    "only_priority": gettext_lazy("Priority"),
    "min_mlps_level": gettext_lazy("MLPS level, at least"),
    "min_dr_level": gettext_lazy("DR level, at least"),
    "min_quantity": gettext_lazy("Resources, at least"),
    "min_amount": gettext_lazy("Yuan a month, at least"),
    "auto_quota": gettext_lazy("Quota"),
    "auto_sizes": gettext_lazy("Flavors"),
    "auto_zone": gettext_lazy("Most exposed zone"),
    "auto_max_mlps_level": gettext_lazy("MLPS level, at most"),
    "auto_max_quantity": gettext_lazy("Resources, at most"),
    "auto_below_amount": gettext_lazy("Yuan a month, below"),
}
TEXTS = ("code", "name", "name_en", "role", "working_days", "quorum", "quorum_count")
MONEY = frozenset({"min_amount", "auto_below_amount"})
NUMBERS = (frozenset(MOST) - MONEY) | {"working_days", "quorum_count"}
NEW: Mapping[str, Any] = {"quorum": Quorum.ONE, "working_days": "1", "also_roles": ()}
LONGEST_NUMBER = 18
LIMITS = tuple(field.name for field in fields(Limits))
NO_LIMIT = -1
"""Of a stage whose limit was left empty: refused as any that is unfit, since 0 says the same day."""


def deciding_roles() -> list[tuple[str, str]]:
    """The roles that can decide, in the order in which roles are listed."""
    return [(role.value, str(role.label)) for role in Role if role in DECIDING]


def questions(values: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The conditions or the rule as questions of a form, with what is chosen now."""
    for name in names:
        choices = CHOICES[name].choices if name in CHOICES else None
        yield {"name": name, "label": LABELS[name], "choices": choices, "value": values.get(name, "")}


def values_of(rule: StageRule) -> dict[str, Any]:
    """What stands in the fields of the form; nothing is an empty field."""
    values = {field.name: getattr(rule, field.name) for field in fields(StageRule)}
    return {name: "" if value is None else value for name, value in values.items()}


def read(request: HttpRequest) -> dict[str, Any]:
    """What was typed, by field."""
    given: dict[str, Any] = dict(typed(request, *TEXTS, *CONDITIONS, *RULE))
    return {**given, "also_roles": tuple(request.POST.getlist("also_roles"))}


def rule_of(values: Mapping[str, Any]) -> StageRule:
    """Raises ConditionUnfit for a field that should be a number and is not."""
    parsed = {name: _parsed(name, value) for name, value in values.items()}
    limit = parsed["working_days"]
    return StageRule(**{**parsed, "working_days": NO_LIMIT if limit is None else limit})


def limits_in(given: Mapping[str, str]) -> Limits:
    """The limits as they were typed; empty is none. Raises FulfilmentLimitUnfit or ConfirmationLimitUnfit for what is no number."""
    return Limits(**{name: _days(name, given[name]) for name in LIMITS})


def _days(name: str, text: str) -> int | None:
    if not text:
        return None
    text = plain(text)
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        raise LIMITS_UNFIT[name](most=LONGEST_LIMIT, pointers=(f"/{name}",))
    return int(text)


def when(rule: StageRule) -> list[str]:
    """The conditions of a stage in words."""
    return [_said(rule, name) for name in CONDITIONS if getattr(rule, name) not in ("", None)]


def rule_in_words(rule: StageRule) -> list[str]:
    """By which rule it is decided without anybody; empty if by none."""
    return (
        [_said(rule, name) for name in RULE if getattr(rule, name) not in ("", None)]
        if has_rule(rule)
        else []
    )


def who(rule: StageRule) -> str:
    """The roles that sign, and how many of each if more than one does."""
    roles = _(" and ").join(
        str(Role(role).label) for role in (rule.role, *rule.also_roles) if role in Role.values
    )
    match rule.quorum:
        case Quorum.ALL:
            return _("%(many)s of: %(roles)s") % {"many": _("all"), "roles": roles}
        case Quorum.SOME:
            return _("%(many)s of: %(roles)s") % {"many": rule.quorum_count, "roles": roles}
    return roles


def _said(rule: StageRule, name: str) -> str:
    value = getattr(rule, name)
    said = (
        dict(CHOICES[name].choices).get(value, value)
        if name in CHOICES
        else f"{value:f}"
        if name in MONEY
        else value
    )
    return f"{LABELS[name]}: {said}"


def _parsed(name: str, value: Any) -> Any:
    if name == "also_roles":
        return value
    text = value.strip()
    if name not in NUMBERS | MONEY:
        return text
    if not text:
        return None
    number = _decimal(text, places=2 if name in MONEY else 0)
    if number is None:
        raise ConditionUnfit(given=text, pointers=(f"/{name}",))
    return number if name in MONEY else int(number)


def _decimal(text: str, *, places: int) -> Decimal | None:
    """The number, if it needs no more decimal places than that."""
    try:
        number = Decimal(text) if len(text) <= LONGEST_NUMBER else None
        exact = number is not None and number.is_finite() and number == round(number, places)
    except InvalidOperation:  # rounding 1e999999 is one as well
        return None
    return number if exact else None
