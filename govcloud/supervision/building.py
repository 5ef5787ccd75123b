"""Cards for what has been approved and is not there by its limit: it waits for cloud administrators, with no stage to sign."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import F, OuterRef, Q

from govcloud.approvals.models import Case
from govcloud.approvals.waiting import Waiting
from govcloud.calendars.services import Warned
from govcloud.supervision import late
from govcloud.supervision.models import Cause, Colour, SupervisionCard
from tenants.models import Role

BUILDERS = Waiting(
    stage=0, roles=(Role.CLOUD_ADMIN,), open_to=(Role.CLOUD_ADMIN,), named=(), without=frozenset(), standing_in=frozenset()
)  # fmt: skip


def cards(*, at: datetime, warned: Warned, since: datetime) -> Iterator[tuple[SupervisionCard, Waiting]]:
    """Red at the limit, also for what was there too late before any sweep had looked (``since`` then); yellow a working day before, but
    not for what began after that.
    """
    not_there, too_late = (
        Q(fulfilled_at=None),
        Q(fulfilled_at__gt=F("fulfilment_due_at"), fulfilled_at__gte=since),
    )
    passed = Q(fulfilment_due_at__lte=at)
    near = Q(fulfilment_due_at__gt=at, fulfilment_due_at__lte=warned.until, closed_at__lte=warned.since)
    yield from _raised(Colour.RED, passed & (not_there | too_late), at=at)
    yield from _raised(Colour.YELLOW, near & not_there, at=at)


def still_waits(*, since: datetime) -> Q:
    """Which cards are for what was due by then and is still not there."""
    return Q(
        fulfilment=True,
        confirmation=None,
        case__fulfilled_at=None,
        case__fulfilment_due_at__lte=since,
    )


def _raised(colour: Colour, due: Q, *, at: datetime) -> Iterator[tuple[SupervisionCard, Waiting]]:
    cases = Case.objects.filter(due).select_related("department")
    for case in late.without_card(
        cases, colour, Cause.LIMIT, case=OuterRef("pk"), fulfilment=True, confirmation=None
    ):
        limit = case.fulfilment_due_at
        if limit is not None:  # which the condition has said
            card = late.card_of(colour, Cause.LIMIT, case, None, due_at=limit, at=at)
            card.fulfilment = True
            yield card, BUILDERS
