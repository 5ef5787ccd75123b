"""The cards of an order's case, at the steps that have got them: who has applied sees what kept it waiting."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, Value
from django.db.models.functions import Coalesce, JSONObject, NullIf

from govcloud.approvals.models import CaseStage
from govcloud.orders.models import Order
from govcloud.supervision.models import Cause, Colour, SupervisionCard
from tenants.models import User


@dataclass(frozen=True, slots=True)
class Card:
    """``step`` is the key of its stage, None for the matter as a whole and for what comes after it; ``name`` and ``name_en`` are the stage's.

    ``decider`` is who gave no reason, where it is for a missing one.
    """

    colour: Colour
    cause: Cause
    raised_at: datetime
    step: int | None
    fulfilment: bool
    confirmation: bool
    name: str
    name_en: str
    decider: str


@dataclass(frozen=True, slots=True)
class Cards:
    """``at_steps`` by the key of the stage; ``of_matter`` are those for the matter as a whole, and for steps that are not shown."""

    at_steps: Mapping[int, tuple[Card, ...]]
    of_fulfilment: tuple[Card, ...] = ()
    of_confirmation: tuple[Card, ...] = ()
    of_matter: tuple[Card, ...] = ()


def seen_by(actor: User, *, at: datetime) -> ArraySubquery:
    """What a query of orders is annotated with for ``cards_of``: they come with the order's own row."""
    rows = SupervisionCard.objects.visible_to(actor, at=at).filter(case=OuterRef("case")).order_by("pk")
    names = {"name": "stage__name", "name_en": "stage__name_en"}
    decider = Coalesce(NullIf(F("decider__display_name"), Value("")), F("decider__username"))
    return ArraySubquery(
        rows.values(
            told=JSONObject(
                colour="colour",
                cause="cause",
                raised_at="raised_at",
                step="stage",
                fulfilment="fulfilment",
                confirmation="confirmation",
                decider=decider,
                **names,
            )
        )
    )


def cards_of(order: Order, stages: Collection[CaseStage]) -> Cards:
    """Those that whom the order was read for may see, in the order in which they were raised."""
    cards = [_card(each) for each in order.cards]  # type: ignore[attr-defined]
    shown = [stage.pk for stage in stages]
    at_steps = {step: tuple(card for card in cards if card.step == step) for step in shown}
    before = [card for card in cards if not (card.fulfilment or card.confirmation)]
    return Cards(
        at_steps,
        of_fulfilment=tuple(card for card in cards if card.fulfilment and not card.confirmation),
        of_confirmation=tuple(card for card in cards if card.confirmation),
        of_matter=tuple(card for card in before if card.step not in shown),
    )


def _card(told: Mapping[str, Any]) -> Card:
    return Card(
        Colour(told["colour"]),
        Cause(told["cause"]),
        datetime.fromisoformat(told["raised_at"]),
        told["step"],
        told["fulfilment"],
        told["confirmation"] is not None,
        told["name"] or "",
        told["name_en"] or "",
        told["decider"] or "",
    )
