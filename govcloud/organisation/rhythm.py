"""When the next access review is due: so long after the last one ended or, before the first, after somebody was first given a role."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from govcloud.notifications import services as notifications
from govcloud.notifications.kinds import Kind
from govcloud.notifications.models import Notice
from govcloud.organisation.lifecycle import ReviewStatus
from govcloud.organisation.models import AccessReview
from tenants.models import Membership, Role


@dataclass(frozen=True, slots=True)
class NextRound:
    """``after`` is what the time is counted from."""

    after: AccessReview | Membership
    due_at: datetime


def next_round() -> NextRound | None:
    """None while a review is open, where nobody has ever held a role, and without ``REVIEW_EVERY_DAYS``."""
    every = timedelta(days=settings.REVIEW_EVERY_DAYS)
    if not every or AccessReview.objects.filter(status=ReviewStatus.OPEN).exists():
        return None
    last = AccessReview.objects.filter(closed_at__isnull=False).order_by("-closed_at", "-pk").first()
    if last is not None and last.closed_at is not None:
        return NextRound(last, last.closed_at + every)
    first = Membership.objects.order_by("valid_from", "pk").first()
    return NextRound(first, first.valid_from + every) if first is not None else None


def late_seconds(*, at: datetime) -> float:
    """For how long the next review has been due and is not open; 0 for one that is not due."""
    coming = next_round()
    return max(0.0, (at - coming.due_at).total_seconds()) if coming is not None else 0.0


def tell(*, at: datetime) -> bool:
    """Tell those who open reviews, once for each that is due; whether it was told now.

    Whether it was is in the outbox itself, looked up under the lock of what the time is counted from, so that of two at once one tells.
    """
    coming = next_round()
    if coming is None or coming.due_at > at:
        return False
    rows = type(coming.after)._default_manager.filter(pk=coming.after.pk)  # noqa: SLF001
    with transaction.atomic():
        locked = rows.select_for_update(no_key=True, skip_locked=True).first()
        told = Notice.objects.filter(kind=Kind.REVIEW_TO_OPEN, subject_id=coming.after.uuid)
        if locked is None or told.exists():
            return False
        facts = {"days": settings.REVIEW_EVERY_DAYS, "due_at": coming.due_at}
        notifications.post(
            kind=Kind.REVIEW_TO_OPEN, subject=coming.after, facts=facts, roles=[Role.SECURITY_ADMIN], at=at
        )
    return True
