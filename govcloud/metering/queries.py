from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models

from tenants.queries import within

if TYPE_CHECKING:
    from govcloud.metering.models import UsageSegment
    from tenants.models import User


class UsageSegmentQuerySet(models.QuerySet["UsageSegment"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "UsageSegmentQuerySet":
        return self.filter(within(actor, at=at, path="resource__system__department__path"))

    def going_on(self) -> "UsageSegmentQuerySet":
        """Usage without an end yet."""
        return self.filter(period__endswith__isnull=True)
