from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from govcloud.clouds.models import Maintenance


class MaintenanceQuerySet(models.QuerySet["Maintenance"]):
    def in_force(self, *, at: datetime) -> "MaintenanceQuerySet":
        return self.filter(starts_at__lte=at, ends_at__gt=at)

    def not_over(self, *, at: datetime) -> "MaintenanceQuerySet":
        """In force and to come, without those that were called off before they began."""
        return self.filter(ends_at__gt=at).exclude(ends_at=models.F("starts_at"))
