from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from govcloud.clouds.models import Maintenance


class MaintenanceQuerySet(models.QuerySet["Maintenance"]):
    def in_force(self, *, at: datetime) -> "MaintenanceQuerySet":
        return self.filter(starts_at__lte=at, ends_at__gt=at)

    def not_over(self, *, at: datetime) -> "MaintenanceQuerySet":
        """In force and to come, without those that were called off before they began."""
        return self.filter(ends_at__gt=at).exclude(ends_at=models.F("starts_at"))


def coming(*, at: datetime) -> "models.Prefetch[Any]":
    """For clouds: the maintenances in force and to come, as ``coming``."""
    from govcloud.clouds.models import Maintenance  # noqa: PLC0415  the models read this module

    rows = Maintenance.objects.not_over(at=at).select_related("announced_by").order_by("starts_at")
    return models.Prefetch("maintenances", rows, to_attr="coming")
