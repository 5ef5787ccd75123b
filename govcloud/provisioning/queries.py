from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models

from tenants.queries import within

if TYPE_CHECKING:
    from govcloud.provisioning.models import Operation
    from tenants.models import User


class OperationQuerySet(models.QuerySet["Operation"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "OperationQuerySet":
        return self.filter(within(actor, at=at, path="system__department__path"))
