from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models

from tenants.queries import within

if TYPE_CHECKING:
    from govcloud.protection.models import RecoveryPoint
    from tenants.models import User


class RecoveryPointQuerySet(models.QuerySet["RecoveryPoint"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "RecoveryPointQuerySet":
        return self.filter(within(actor, at=at, path="volume__resource__system__department__path"))
