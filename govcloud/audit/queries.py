from uuid import UUID

from django.db.models import QuerySet

from govcloud.audit.models import Event


def trail(*, thread: UUID) -> QuerySet[Event]:
    """An order's story from its draft to the statements it was billed on, in the order it was written down.

    The caller has made sure that the reader may see the order.
    """
    return Event.objects.filter(thread=thread).select_related("sealed__seal").order_by("id")
