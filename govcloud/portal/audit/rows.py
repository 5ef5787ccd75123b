"""The audit trail as a list for those whose work is to look at it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from govcloud.audit.models import Event, Outcome
from govcloud.audit.queries import narrowed, of_request
from govcloud.orders.models import Order
from govcloud.orders.resolution import as_uuid
from govcloud.portal.audit.words import actor_of, words_of
from govcloud.portal.files import Sheet, local
from govcloud.portal.listing import Narrowing
from govcloud.searching import terms_of

VIEWS: Mapping[str, str | Promise] = {
    "": _("All of them"),
    "refused": _("Refused"),
    "people": _("By people"),
    "sign-in": _("Sign-in and access"),
}
ACCESS = (
    "session.", "token.", "user.", "second_factor.",
    "access.", "accessreview.", "role.", "rolerequest.", "person.",
)  # fmt: skip
"""What events about who gets in begin with."""

HEADINGS: tuple[str | Promise, ...] = (
    _("Time"),
    _("Who"),
    _("What"),
    _("About"),
    _("Outcome"),
    _("Reason"),
    _("Request"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    event: Event
    words: str | Promise
    actor: str | Promise
    refused: bool


@dataclass(frozen=True, slots=True)
class Change:
    """One value as it was and as it is; None where it was not told."""

    name: str
    before: Any
    after: Any

    @property
    def differs(self) -> bool:
        return bool(self.before != self.after)


def in_view(view: str) -> Q:
    match view:
        case "refused":
            return Q(outcome=Outcome.REFUSED)
        case "people":
            return Q(actor__startswith="user:")
        case "sign-in":
            found = Q()
            for begins in ACCESS:
                found |= Q(verb__startswith=begins)
            return found
    return Q()


def matching(filters: Narrowing, *, many: bool = False) -> QuerySet[Event]:
    """Narrowed by words, each of which some column begins with or contains; the public id of anything or of a request, or the
    number of an order, finds all that is told of it.

    Where they are known to be in ``many`` events, a page of the latest is found sooner by going back from the last one than by
    putting all that an index finds in order.
    """
    rows = Event.objects.all()
    for word in terms_of(filters.text):
        known = _known(word)
        if known is None and not many:
            rows = narrowed(rows, [word])
        rows = rows.filter(_named(word) if known is None else known)
    return rows


def _known(word: str) -> Q | None:
    """What is told of the order, the thing or the request that a word identifies, each found by an index; None of other words."""
    if order := Order.objects.filter(number=word.upper()).values_list("uuid", flat=True).first():
        return Q(thread=order) | Q(subject_id=order)
    if uuid := as_uuid(word):
        ids = Q(subject_id=uuid) | Q(thread=uuid) | Q(actor=f"user:{uuid}") | Q(uuid=uuid)
        return ids | Q(request_id=word)
    return Q(request_id=word) if of_request(word) else None


def _named(word: str) -> Q:
    names = Q(actor_name__icontains=word) | Q(subject_label__icontains=word)
    return names | Q(verb__startswith=word.lower())


def listed(filters: Narrowing, *, many: bool = False) -> QuerySet[Event]:
    """The latest first; ``many`` as above."""
    return matching(filters, many=many).filter(in_view(filters.view)).order_by("-id")


def shown(events: Iterable[Event]) -> Iterator[Shown]:
    for event in events:
        yield Shown(event, words_of(event), actor_of(event), event.outcome == Outcome.REFUSED)


def changes(event: Event) -> list[Change]:
    """Before and after side by side, in the order in which they were told."""
    names = dict.fromkeys([*event.before, *event.after])
    return [Change(name, event.before.get(name), event.after.get(name)) for name in names]


def sheet(events: Iterable[Event]) -> Sheet:
    told = (
        (
            local(each.event.at),
            str(each.actor),
            str(each.words),
            each.event.subject_label,
            each.event.get_outcome_display(),
            each.event.reason,
            each.event.request_id,
        )
        for each in shown(events)
    )
    return Sheet("audit", _("Audit trail"), HEADINGS, told)


def at_most(rows: QuerySet[Event], most: int) -> int:
    """How many there are, counted no further than that: a trail of years is long."""
    return rows.order_by()[: most + 1].count()
