from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models

from tenants.queries import within

if TYPE_CHECKING:
    from govcloud.approvals.models import Case
    from tenants.models import User


class CaseQuerySet(models.QuerySet["Case"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "CaseQuerySet":
        return self.filter(within(actor, at=at, path="department__path"))
