from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet

from govcloud.audit.models import EVENT_GRAMS, Event
from govcloud.grams import grams_of

REFUSED_REQUEST = "request.refused"


def trail(*, thread: UUID) -> QuerySet[Event]:
    """An order's story from its draft to the statements it was billed on, in the order it was written down.

    The caller has made sure that the reader may see the order.
    """
    return Event.objects.filter(thread=thread).select_related("sealed__seal").order_by("id")


def history(*subjects: UUID) -> QuerySet[Event]:
    """What was done to things, in the order it was written down. Requests that were refused by their edge did nothing to them: the
    trail tells of those.
    """
    return Event.objects.filter(subject_id__in=subjects).exclude(verb=REFUSED_REQUEST).order_by("id")


def narrowed(events: QuerySet[Event], words: Iterable[str]) -> QuerySet[Event]:
    """To those that an index has the words' characters of, in the actor's name, the verb or the subject's label. Whoever asks
    compares the words themselves.

    No alternative to the index's condition, or PostgreSQL takes the characters of every event apart that it has found.
    """
    events = events.alias(grams=EVENT_GRAMS)
    for word in words:
        events = events.filter(grams__contains=grams_of(word))
    return events


def of_request(identifier: str) -> bool:
    """Whether anything was written by a request of that id."""
    return Event.objects.filter(request_id=identifier).exists() if identifier else False
