from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Count, Q

from govcloud.organisation.lifecycle import ReviewStatus, Verdict
from tenants.models import Role
from tenants.policies import scope_of
from tenants.queries import in_units_approved_by

if TYPE_CHECKING:
    from govcloud.organisation.models import AccessReview, ReviewLine
    from tenants.models import User

READ_ALL = frozenset({Role.SECURITY_ADMIN, Role.AUDIT_ADMIN, Role.SUPERVISOR})


class AccessReviewQuerySet(models.QuerySet["AccessReview"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "AccessReviewQuerySet":
        """All for those who answer for access; else those with lines in the actor's unit."""
        if scope_of(actor, at=at).roles & READ_ALL:
            return self
        return self.filter(lines__in=_lines().visible_to(actor, at=at).values("pk")).distinct()

    def counted(self, actor: "User", *, at: datetime) -> "AccessReviewQuerySet":
        """With how many lines there are and how many wait, of those that the actor sees."""
        seen = Q(lines__in=_lines().visible_to(actor, at=at).values("pk"))
        pending = seen & Q(lines__verdict=Verdict.PENDING)
        return self.annotate(total=Count("lines", filter=seen), pending=Count("lines", filter=pending))


class ReviewLineQuerySet(models.QuerySet["ReviewLine"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "ReviewLineQuerySet":
        if scope_of(actor, at=at).roles & READ_ALL:
            return self
        return self.filter(in_units_approved_by(actor, at=at, path="department__path"))

    def overdue(self, *, at: datetime) -> "ReviewLineQuerySet":
        """Undecided after the review's deadline."""
        return self.filter(verdict=Verdict.PENDING, review__due_at__lte=at, review__status=ReviewStatus.OPEN)

    def with_particulars(self) -> "ReviewLineQuerySet":
        return self.select_related("review", "membership__user", "department", "decided_by")


def _lines() -> ReviewLineQuerySet:
    from govcloud.organisation.models import ReviewLine  # noqa: PLC0415  the models import this module

    return ReviewLine.objects.all()
