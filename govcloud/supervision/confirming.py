"""Cards for what comes after the delivery: the department's confirmation, and the remedy of defects that it has reported."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import F, OuterRef, Q

from govcloud.approvals.models import Answer, Confirmation
from govcloud.approvals.waiting import Waiting
from govcloud.calendars.services import Warned
from govcloud.supervision import late
from govcloud.supervision.building import BUILDERS
from govcloud.supervision.models import Cause, Colour, SupervisionCard
from tenants.models import Role


def cards(*, at: datetime, warned: Warned, since: datetime) -> Iterator[tuple[SupervisionCard, Waiting]]:
    """Red at the limit, also for what was late before any sweep had looked (``since`` then); yellow a working day before, but not for
    what began after that.
    """
    owed = Q(answer="")
    answered = Q(answered_at__gt=F("due_at"), answered_at__gte=since)
    yield from _raised(Colour.RED, Q(due_at__lte=at) & (owed | answered), fulfilment=False, at=at)
    near = Q(due_at__gt=at, due_at__lte=warned.until, asked_at__lte=warned.since)
    yield from _raised(Colour.YELLOW, near & owed, fulfilment=False, at=at)
    broken = Q(answer=Answer.DEFECTS, remedied_at=None)
    mended = Q(remedied_at__gt=F("remedy_due_at"), remedied_at__gte=since)
    yield from _raised(Colour.RED, Q(remedy_due_at__lte=at) & (broken | mended), fulfilment=True, at=at)
    near = Q(remedy_due_at__gt=at, remedy_due_at__lte=warned.until, answered_at__lte=warned.since)
    yield from _raised(Colour.YELLOW, near & broken, fulfilment=True, at=at)


def still_waits() -> Q:
    """Which cards are for what is still not answered, or not mended."""
    mended = Q(fulfilment=True, confirmation__answer=Answer.DEFECTS, confirmation__remedied_at=None)
    return mended | Q(fulfilment=False, confirmation__answer="")


def _raised(
    colour: Colour, due: Q, *, fulfilment: bool, at: datetime
) -> Iterator[tuple[SupervisionCard, Waiting]]:
    rows = Confirmation.objects.filter(due).select_related("case__department")
    which = {"confirmation": OuterRef("pk"), "fulfilment": fulfilment}
    for asked in late.without_card(rows, colour, Cause.LIMIT, **which):
        limit = asked.remedy_due_at if fulfilment else asked.due_at
        card = late.card_of(colour, Cause.LIMIT, asked.case, None, due_at=limit, at=at)
        card.fulfilment, card.confirmation = fulfilment, asked
        yield card, BUILDERS if fulfilment else _of_department(asked)


def _of_department(asked: Confirmation) -> Waiting:
    """Any applicant of the department may confirm; whose matter it is hears of it by name."""
    return Waiting(
        stage=0, roles=(Role.APPLICANT,), open_to=(Role.APPLICANT,), named=(asked.case.applicant_id,),
        without=frozenset(), standing_in=frozenset(),
    )  # fmt: skip
