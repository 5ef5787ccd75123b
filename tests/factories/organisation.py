"""Access reviews, opened the way the product opens them."""

from datetime import datetime, timedelta

from govcloud.organisation import reviews
from govcloud.organisation.models import AccessReview
from tenants.models import Department, Role, User
from tests.factories.tenants import member


def review_of(
    department: Department, *, at: datetime, by: User | None = None, days: int = 10
) -> AccessReview:
    """Of every role held there now, open for so many days."""
    return reviews.open_review(
        title="年度复核",
        departments=[department],
        due_at=at + timedelta(days=days),
        actor=by or member(Role.SECURITY_ADMIN),
        at=at,
    )
