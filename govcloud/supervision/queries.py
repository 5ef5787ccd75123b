from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models

from tenants.queries import within

if TYPE_CHECKING:
    from govcloud.supervision.models import SupervisionCard
    from tenants.models import User


class CardQuerySet(models.QuerySet["SupervisionCard"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "CardQuerySet":
        """Those of the departments that the actor may see: who has applied sees who kept it waiting."""
        return self.filter(within(actor, at=at, path="department__path"))
