"""The story of an order as its audit events tell it, in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.audit.models import Event, Outcome
from govcloud.orders.models import Order

TELLINGS: Mapping[str, str | Promise] = {
    "order.drafted": _("Draft made"),
    "order.revised": _("Draft changed"),
    "order.in_approval": _("Submitted for approval"),
    "order.submitted": _("Submitted for approval"),
    "order.returned": _("Returned for correction"),
    "order.rejected": _("Rejected"),
    "order.withdrawn": _("Withdrawn"),
    "order.fulfilling": _("Approved; building began"),
    "order.fulfilled": _("Everything delivered"),
    "order.cancelled": _("Cancelled"),
}
"""Audit verbs and what a person reads for them."""

EVENTS_SHOWN = 300
"""An order's trail is some dozens of events; one with more is read through the API."""


@dataclass(frozen=True, slots=True)
class Told:
    event: Event
    words: str | Promise
    refused: bool


def trail(order: Order) -> list[Told]:
    """The order's events, the latest first; one query."""
    events = Event.objects.filter(thread=order.uuid).order_by("-id")[:EVENTS_SHOWN]
    return [Told(event, TELLINGS.get(event.verb, event.verb), event.outcome == Outcome.REFUSED) for event in events]
