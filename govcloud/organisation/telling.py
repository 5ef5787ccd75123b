"""Access reviews near their deadline, and past it: each reviewer hears once of either, while something waits for them."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from govcloud.calendars import services as calendars
from govcloud.notifications import services as notifications
from govcloud.notifications.kinds import Kind
from govcloud.notifications.services import Posting
from govcloud.organisation.lifecycle import ReviewStatus, Verdict
from govcloud.organisation.models import AccessReview, ReviewLine
from govcloud.organisation.people import not_over
from tenants.models import Membership, Role


@transaction.atomic
def tell(*, at: datetime) -> int:
    """Tell what is due; returns of how many reviews. The marks are written with the notices, so that of two at once one tells."""
    near = calendars.due_after(start=at, working_days=settings.REVIEW_NOTICE_WORKING_DAYS)
    waiting = (
        AccessReview.objects.filter(status=ReviewStatus.OPEN)
        .filter(Q(overdue_told_at=None, due_at__lte=at) | Q(near_told_at=None, due_at__gt=at, due_at__lte=near))
        .select_for_update(skip_locked=True)
        .order_by("pk")
    )  # fmt: skip
    reviews = list(waiting)
    for review in reviews:
        overdue = review.due_at <= at
        mark = "overdue_told_at" if overdue else "near_told_at"
        setattr(review, mark, at)
        review.save(update_fields=[mark])
        kind = Kind.REVIEW_OVERDUE if overdue else Kind.REVIEW_DUE
        notifications.post_many(postings=list(_postings(kind, review, at=at)), at=at)
    return len(reviews)


def _postings(kind: Kind, review: AccessReview, *, at: datetime) -> Iterator[Posting]:
    """For the unit approvers each what they can decide; for the security administrators, who keep the round, all of it."""
    lines = review.lines.filter(verdict=Verdict.PENDING, membership__in=not_over(at=at).values("pk"))
    facts = {"title": review.title, "due_at": review.due_at}
    total = lines.count()
    if total:
        yield Posting(kind=kind, subject=review, facts=facts | {"count": total}, roles=[Role.SECURITY_ADMIN])
    keepers = set(
        Membership.objects.valid(at=at).filter(role=Role.SECURITY_ADMIN).values_list("user", flat=True)
    )
    for person, count in _by_approver(lines, at=at).items():
        if person not in keepers:
            yield Posting(kind=kind, subject=review, facts=facts | {"count": count}, people=[person])


def _by_approver(lines: QuerySet[ReviewLine], *, at: datetime) -> Counter[int]:
    """How many lines each unit approver (by key) can decide: those in the unit and below it, but for their own."""
    waiting = list(lines.filter(department__isnull=False).values_list("department__path", "membership__user"))
    approvers = (
        Membership.objects.valid(at=at)
        .filter(role=Role.UNIT_APPROVER, user__is_active=True)
        .values_list("user", "department__path")
    )
    paths: dict[int, list[str]] = {}
    for person, path in approvers:
        paths.setdefault(person, []).append(path)
    counts = Counter[int]()
    for person, own in paths.items():
        counts[person] = sum(
            whose != person and any(path.startswith(prefix) for prefix in own) for path, whose in waiting
        )
    return +counts
