from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models

from tenants.queries import within

if TYPE_CHECKING:
    from govcloud.orders.models import Order, Placement
    from tenants.models import User


class OrderQuerySet(models.QuerySet["Order"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "OrderQuerySet":
        return self.filter(within(actor, at=at, path="system__department__path"))


class PlacementQuerySet(models.QuerySet["Placement"]):
    def waiting(self) -> "PlacementQuerySet":
        return self.filter(cloud=None, called_off_at=None)
