"""What people read of stages and decisions, in the language active now."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from govcloud.approvals.models import CaseStage, Confirmation, Decision, Seat, SeatOrigin
from tenants.models import User


class Ruled(Protocol):
    """A stage with the words of the rule that decides it, empty where people do."""

    @property
    def auto_reason(self) -> str: ...

    @property
    def auto_reason_en(self) -> str: ...


def rule_of(stage: Ruled) -> str:
    """The rule that decides; empty where people do."""
    english = (get_language() or "").startswith("en")
    return stage.auto_reason_en if english else stage.auto_reason


def signed_by(decision: Decision) -> str:
    """Who decided, and on whose behalf; a rule where nobody did."""
    if decision.decider is None:
        return _("by rule")
    if decision.on_behalf_of is None:
        return str(decision.decider)
    people = {"substitute": decision.decider, "person": decision.on_behalf_of}
    return _("%(substitute)s on behalf of %(person)s") % people


def given_by(seat: Seat) -> str:
    """Who gave a seat to the person who has it by name, and on whose behalf."""
    if seat.given_for_id == seat.given_by_id:
        return str(seat.given_by)
    return _("%(substitute)s on behalf of %(person)s") % {
        "substitute": seat.given_by,
        "person": seat.given_for,
    }


def handed_on(seat: Seat | None) -> str:
    """By whom and to whom a seat was given, and why; empty of one that its role has, or whose it was has again."""
    if seat is None or seat.origin == SeatOrigin.ROLE or seat.person_id == seat.given_for_id:
        return ""
    told = {"giver": given_by(seat), "person": seat.person, "reason": seat.reason}
    if seat.origin == SeatOrigin.DELEGATED:
        return _("delegated by %(giver)s to %(person)s: %(reason)s") % told
    return _("%(person)s added as a reviewer by %(giver)s: %(reason)s") % told


def said(stage: CaseStage, decision: Decision) -> str:
    """The opinion; of a rule, the rule."""
    return rule_of(stage) if decision.decider is None else decision.opinion


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What a person said about a delivery: ``answer`` in a word, ``words`` as they were written."""

    person: User
    answer: str
    words: str
    at: datetime


def exchanged(rounds: Iterable[Confirmation]) -> Iterator[Exchanged]:
    """What the department said of a delivery, and the centre of its remedies, in turn."""
    for asked in rounds:
        if asked.answered_by is not None and asked.answered_at is not None:
            yield Exchanged(
                asked.answered_by, str(asked.get_answer_display()), asked.remark, asked.answered_at
            )
        if asked.remedied_by is not None and asked.remedied_at is not None:
            yield Exchanged(asked.remedied_by, _("mended"), asked.remedy, asked.remedied_at)
