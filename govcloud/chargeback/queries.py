from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models

from tenants.queries import within

if TYPE_CHECKING:
    from govcloud.chargeback.models import Statement
    from tenants.models import User


class StatementQuerySet(models.QuerySet["Statement"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "StatementQuerySet":
        return self.filter(within(actor, at=at, path="department__path"))
