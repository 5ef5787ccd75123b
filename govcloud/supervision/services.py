"""Raising cards. A sweep finds by the dates what a card is due for; each is written once, with its notices, and stays.

A case that is back for correction gets none: its clock stands still. One goes through the cases at a time (an advisory
lock); should two, the cards' unique constraint lets one of them through.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from govcloud.alone import alone
from govcloud.approvals import absences, handover, waiting
from govcloud.approvals.lifecycle import StageStatus, Status
from govcloud.approvals.models import Case, CaseStage, Decision, Verb
from govcloud.approvals.policies import owners
from govcloud.approvals.waiting import Waiting
from govcloud.audit import services as audit
from govcloud.calendars import services as calendars
from govcloud.notifications import services as notifications
from govcloud.notifications.kinds import Kind
from govcloud.notifications.services import Posting
from govcloud.supervision import building, confirming, late
from govcloud.supervision.models import Cause, Colour, Escalation, SupervisionCard
from tenants.models import Role

SUPERVISION = audit.SystemActor("supervision")
ALONE = 0x676F_7375  # the advisory lock of whoever raises cards
LOOKED_BACK = timedelta(days=30)
"""For what was decided late and has no card yet: signed without a reason, or before any sweep had seen that it was late."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who hears of a card besides those whose turn it is."""

    kind: Kind
    also: tuple[Role, ...] = ()


RULES: Mapping[tuple[str, str], Rule] = {
    (Colour.YELLOW, Cause.LIMIT): Rule(Kind.CARD_YELLOW),
    (Colour.RED, Cause.LIMIT): Rule(Kind.CARD_RED, also=(Role.SUPERVISOR,)),
    (Colour.YELLOW, Cause.REASON): Rule(Kind.CARD_REASON, also=(Role.SUPERVISOR,)),
}
ESCALATED_TO = (Role.LEADER, Role.SUPERVISOR)


def sweep(*, at: datetime) -> int:
    """Raise all cards that are due, a batch at a time, and escalate; returns how many were raised.

    Seats by name of people whose role has ended are freed first, so that a card reaches who can sign; substitutes whose time
    has begun are told what waits.
    """
    handover.vacate(actor=SUPERVISION, at=at)
    absences.tell_of_beginnings(at=at)
    raised = 0
    while count := _raise_due(at=at):
        raised += count
    _escalate(at=at)
    return raised


@transaction.atomic
def _raise_due(*, at: datetime) -> int:
    if not alone(ALONE):
        return 0
    warned = calendars.warned(at=at)
    passed = Q(due_at__lte=at)
    # What began when the warning was due or later gets none: it would be one at once.
    near = Q(due_at__gt=at, due_at__lte=warned.until, opened_at__lt=warned.since)
    limits = [
        *_for_stages(Colour.RED, passed, at=at),
        *_for_stages(Colour.YELLOW, near, at=at),
        *_for_cases(Colour.RED, passed, at=at),
        *_for_cases(Colour.YELLOW, near & Q(Exists(_this_round(begun_before=warned.since))), at=at),
    ]
    waits = waiting.of({card.case_id for card in limits})
    due = [(card, waits[card.case_id]) for card in limits if _waits_still(card, waits)]
    # What was decided between the two looks is late and waits still.
    there = {(card.case_id, card.stage_id) for card, _missing in due if card.colour == Colour.RED}
    decided = (*late.stages(at=at, since=at - LOOKED_BACK), *late.cases(at=at, since=at - LOOKED_BACK))
    due += [(card, missed) for card, missed in decided if (card.case_id, card.stage_id) not in there]
    due += building.cards(at=at, warned=warned, since=at - LOOKED_BACK)
    due += confirming.cards(at=at, warned=warned, since=at - LOOKED_BACK)
    for card, missing in due:
        card.role, *card.also_roles = missing.roles
    reasons = list(_for_missing_reasons(at=at))
    cards = SupervisionCard.objects.bulk_create([*(card for card, _missing in due), *reasons])
    if cards:
        _name_people(due)
        _tell([*due, *((card, None) for card in reasons)], at=at)
    return len(cards)


def _waits_still(card: SupervisionCard, waits: Mapping[int, Waiting]) -> bool:
    """Unless the step was decided between the two looks."""
    waits_for = waits.get(card.case_id)
    return waits_for is not None and card.stage_id in {None, waits_for.stage}


def _name_people(due: Iterable[tuple[SupervisionCard, Waiting]]) -> None:
    named = SupervisionCard.people.through
    named.objects.bulk_create(
        named(supervisioncard=card, user_id=person) for card, missing in due for person in missing.named
    )


# -- what a card is due for


def _for_stages(colour: Colour, near: Q, *, at: datetime) -> Iterator[SupervisionCard]:
    current = CaseStage.objects.filter(near, status=StageStatus.CURRENT, case__status=Status.OPEN)
    rows = late.without_card(
        current.select_related("case__department"), colour, Cause.LIMIT, stage=OuterRef("pk")
    )
    for stage in rows:
        yield late.card_of(colour, Cause.LIMIT, stage.case, stage, due_at=stage.due_at, at=at)


def _for_cases(colour: Colour, near: Q, *, at: datetime) -> Iterator[SupervisionCard]:
    current = CaseStage.objects.filter(case=OuterRef("pk"), status=StageStatus.CURRENT)
    running = Case.objects.filter(near, Exists(current), status=Status.OPEN)
    rows = late.without_card(running.select_related("department"), colour, Cause.LIMIT, **late.OF_THE_WHOLE)
    for case in rows:
        yield late.card_of(colour, Cause.LIMIT, case, None, due_at=case.due_at, at=at)


def _this_round(*, begun_before: datetime) -> QuerySet[CaseStage]:
    """Stages of the case's present revision that had come before then: a case that came back later was not there to be warned of."""
    return CaseStage.objects.filter(
        case=OuterRef("pk"), revision=OuterRef("revision"), opened_at__lt=begun_before
    )


def _for_missing_reasons(*, at: datetime) -> Iterator[SupervisionCard]:
    """Signed after the limit with no opinion: returns and rejections have one anyway."""
    signed = Decision.objects.filter(
        verb=Verb.APPROVE, opinion="", at__gt=F("stage__due_at"), at__gte=at - LOOKED_BACK
    ).select_related("stage__case__department", "decider", "seat")
    which = {"stage": OuterRef("stage"), "decider": OuterRef("decider")}
    for decision in late.without_card(signed, Colour.YELLOW, Cause.REASON, **which):
        stage = decision.stage
        card = late.card_of(Colour.YELLOW, Cause.REASON, stage.case, stage, due_at=stage.due_at, at=at)
        card.role = (decision.seat.role if decision.seat else "") or stage.role
        card.decider = decision.decider
        yield card


# -- who hears of it


def _tell(cards: Sequence[tuple[SupervisionCard, Waiting | None]], *, at: datetime) -> None:
    audit.record_many(
        actor=SUPERVISION, verb="card.raised", at=at,
        entries=[
            audit.Entry(
                subject=card, thread=card.case.thread,
                after={
                    "colour": card.colour, "cause": card.cause, "stage": card.stage.code if card.stage else None,
                    "due_at": card.due_at, **({"fulfilment": True} if card.fulfilment else {}),
                    **({"confirmation": True} if card.confirmation_id else {}),
                },
            )
            for card, _missing in cards
        ],
    )  # fmt: skip
    notifications.post_many(postings=[_posting(card, missing) for card, missing in cards], at=at)


def _posting(card: SupervisionCard, missing: Waiting | None) -> Posting:
    return Posting(
        kind=RULES[card.colour, card.cause].kind,
        subject=card,
        facts=_facts(card),
        **_audience(card, missing),
        department=card.department,
        thread=card.case.thread,
    )


def _audience(card: SupervisionCard, missing: Waiting | None) -> dict[str, Any]:
    """For a limit whom the step waits for, or waited for until it was too late, for a missing reason who gave none; and who hears of
    such cards besides.
    """
    also = RULES[card.colour, card.cause].also
    if missing is None:
        people = [] if card.decider_id is None else [card.decider_id]
        return {"people": people, "roles": also, "without": owners(card.case)}
    return {
        "people": [*missing.named, *missing.signed],
        "roles": [*map(Role, missing.open_to), *also],
        "without": missing.without,
        "standing_in": missing.standing_in,
    }


def _facts(card: SupervisionCard) -> dict[str, Any]:
    name, name_en = card.names
    return {"label": card.case.subject_label, "stage": name, "stage_en": name_en, "due_at": card.due_at}


@transaction.atomic
def _escalate(*, at: datetime) -> None:
    """Leaders hear of what still waits ``SUPERVISION_LEADER_DAYS`` working days after its limit; once for each card."""
    if not alone(ALONE):
        return
    long_past = calendars.long_past(at=at, working_days=settings.SUPERVISION_LEADER_DAYS)
    decided = Q(stage__status=StageStatus.CURRENT) | Q(
        stage=None, fulfilment=False, confirmation=None, case__due_at__lte=long_past
    )
    open_ones = decided & Q(case__status=Status.OPEN)
    waits = open_ones | building.still_waits(since=long_past) | confirming.still_waits()
    cards = list(
        SupervisionCard.objects.filter(
            waits, colour=Colour.RED, escalation=None, due_at__lte=long_past
        ).select_related("case", "stage", "department")[: late.BATCH]
    )
    if not cards:
        return
    Escalation.objects.bulk_create(Escalation(card=card, at=at) for card in cards)
    audit.record_many(
        actor=SUPERVISION, verb="card.escalated", at=at,
        entries=[audit.Entry(subject=card, thread=card.case.thread, after={"to": ESCALATED_TO}) for card in cards],
    )  # fmt: skip
    notifications.post_many(
        postings=[
            Posting(
                kind=Kind.CARD_ESCALATED, subject=card, facts=_facts(card), roles=ESCALATED_TO,
                department=card.department, thread=card.case.thread,
            )
            for card in cards
        ],
        at=at,
    )  # fmt: skip
