"""The story of an order as its audit events tell it, in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.audit.models import Event, Outcome
from govcloud.orders.models import Order
from govcloud.portal.audit.words import actor_of, reason_of, words_of
from govcloud.provisioning.queries import IN_THE_CLOUDS_WORDS
from tenants.models import User

DECISIONS: Mapping[str, str | Promise] = {
    "approve_with_conditions": _("Approved with conditions"),
    "approved": _("Approved"),
    "returned": _("Returned for correction"),
    "rejected": _("Rejected"),
}
"""What was decided, by the verb where it says more than the status that the decided stage has from then on."""

TO_SOMEBODY: Mapping[str, str | Promise] = {
    "case.delegated": _("Delegated to %(person)s"),
    "case.reviewer_added": _("%(person)s added as a reviewer"),
    "consultation.asked": _("Opinion of %(person)s asked for"),
}
"""Verbs whose ``after`` has whom it concerns, as ``person``."""

SILENT = frozenset(
    {
        "order.in_approval",  # "order.submitted" of the same moment says it
        "case.opened",
        "case.open",
        "case.returned",  # the order's own event says these
        "case.rejected",
        "case.approved",
        "case.withdrawn",
        "temporaryraise.ended",  # "quota.fell_back" of the same moment says it
    }
)
EVENTS_READ = 500
"""An order's trail is some dozens of events; one with more is read to its end through the API."""

NAMED = 10
"""Of the things (and requests) of one line, so many are told; the trail itself and the API have them all."""

TOGETHER = timedelta(minutes=1)
"""Events of one kind by one actor within this time are told in one line."""


@dataclass(slots=True)
class Told:
    """One line: when it began, who, what in words, and the things it happened to."""

    at: datetime
    actor: str | Promise
    actor_ref: str
    words: str | Promise
    refused: bool
    reason: str
    verb: str
    subjects: list[str] = field(default_factory=list)
    request_ids: set[str] = field(default_factory=set)

    @property
    def named(self) -> list[str]:
        return self.subjects[:NAMED]

    @property
    def further(self) -> int:
        """How many more things it happened to."""
        return len(self.subjects) - len(self.named)

    @property
    def first_requests(self) -> list[str]:
        return sorted(self.request_ids)[:NAMED]

    def takes(self, event: Event, reason: str) -> bool:
        """Whether the next older event belongs on this line."""
        same = (self.verb, self.actor_ref, self.refused) == (event.verb, event.actor, _refused(event))
        return same and not (self.reason or reason) and self.at - event.at <= TOGETHER


def trail(order: Order, *, stages: Mapping[str, str], technical: bool) -> list[Told]:
    """The order's events, the latest first; ``stages`` are the names of its stages by code; ``technical`` adds the clouds' own words,
    for cloud administrators. One query, and one for the people whom some concern.
    """
    told: list[Told] = []
    events = list(Event.objects.filter(thread=order.uuid).order_by("-id")[:EVENTS_READ])
    people = _concerned(events)
    for event in events:
        if event.verb in SILENT and not _refused(event):
            continue
        reason = reason_of(event) if technical or event.verb not in IN_THE_CLOUDS_WORDS else ""
        if not told or not told[-1].takes(event, reason):
            told.append(_line(event, reason, people))
        line = told[-1]
        line.at = event.at
        line.request_ids |= {event.request_id} - {""}
        subject = stages.get(event.after.get("stage", ""), "") or event.subject_label
        if subject not in ("", order.number, *line.subjects):
            line.subjects.insert(0, subject)
    return told


def _concerned(events: Iterable[Event]) -> Mapping[str, User]:
    """By their audit reference; nothing is asked for events that concern nobody."""
    found = {
        event.after["person"] for event in events if event.verb in TO_SOMEBODY and "person" in event.after
    }
    uuids = {ref.removeprefix("user:") for ref in found}
    return {user.audit_ref: user for user in User.objects.filter(uuid__in=uuids)} if uuids else {}


def in_words(event: Event, people: Mapping[str, User]) -> str | Promise:
    """What happened, with whom of the ``people`` it concerned."""
    words = words_of(event)
    if event.verb == "case.decided" and not _refused(event):
        decided = event.after.get("verb", ""), event.after.get("status", "")
        words = next((DECISIONS[each] for each in decided if each in DECISIONS), words)
    if person := people.get(event.after.get("person", "")):
        words = TO_SOMEBODY.get(event.verb, words) % {"person": person}
    return words


def _line(event: Event, reason: str, people: Mapping[str, User]) -> Told:
    words = in_words(event, people)
    return Told(event.at, actor_of(event), event.actor, words, _refused(event), reason, event.verb)


def _refused(event: Event) -> bool:
    return event.outcome == Outcome.REFUSED
