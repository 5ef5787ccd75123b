"""Access reviews: every so often each role that somebody holds is confirmed or ended, and the evidence is kept."""

from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import F, Q

from govcloud.organisation.lifecycle import REVIEW_TRANSITIONS, ReviewStatus, Verdict
from govcloud.organisation.queries import AccessReviewQuerySet, ReviewLineQuerySet
from tenants.models import Department, Membership, User


class AccessReview(models.Model):
    """One round, over the units named (``ReviewLine`` has the roles held in them when it was opened).

    ``near_told_at`` and ``overdue_told_at`` are when its reviewers were told that the deadline is near, and that it is past.
    """

    TRANSITIONS: ClassVar[Mapping[str, frozenset[str]]] = REVIEW_TRANSITIONS

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    title = models.CharField(max_length=120)
    status = models.CharField(max_length=6, choices=ReviewStatus, default=ReviewStatus.OPEN)
    opened_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    near_told_at = models.DateTimeField(null=True)
    overdue_told_at = models.DateTimeField(null=True)

    objects = AccessReviewQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(due_at__gt=F("opened_at")), name="access_review_due_after_opening"
            ),
            models.CheckConstraint(
                condition=Q(status=ReviewStatus.OPEN, closed_at__isnull=True)
                | Q(status=ReviewStatus.CLOSED, closed_at__isnull=False),
                name="access_review_closed_has_its_date",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class ReviewLine(models.Model):
    """A role that is to be confirmed or ended. Once it is, the line is evidence and never changes (a trigger refuses it).

    Role and department are as they were when the review was opened.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    review = models.ForeignKey(AccessReview, on_delete=models.PROTECT, related_name="lines")
    membership = models.ForeignKey(Membership, on_delete=models.PROTECT, related_name="review_lines")
    department = models.ForeignKey(Department, null=True, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=9, choices=Verdict, default=Verdict.PENDING)
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True)

    objects = ReviewLineQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["review", "membership"], name="review_line_once_per_membership"),
            models.CheckConstraint(
                condition=Q(verdict=Verdict.PENDING, decided_at__isnull=True, decided_by__isnull=True)
                | Q(verdict=Verdict.LAPSED, decided_at__isnull=False, decided_by__isnull=True)
                | Q(
                    verdict__in=[Verdict.CONFIRMED, Verdict.ENDED],
                    decided_at__isnull=False,
                    decided_by__isnull=False,
                ),
                name="review_line_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(verdict=Verdict.ENDED) | ~Q(reason=""), name="review_line_ended_for_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.membership.user}: {self.membership.get_role_display()}"
