from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models

from tenants.queries import within

if TYPE_CHECKING:
    from govcloud.protection.models import LegalHold, RecoveryPoint
    from tenants.models import User


class RecoveryPointQuerySet(models.QuerySet["RecoveryPoint"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "RecoveryPointQuerySet":
        return self.filter(within(actor, at=at, path="volume__resource__system__department__path"))


class LegalHoldQuerySet(models.QuerySet["LegalHold"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "LegalHoldQuerySet":
        """Whoever sees what is held sees the hold."""
        of_point = within(actor, at=at, path="point__volume__resource__system__department__path")
        of_container = within(actor, at=at, path="container__resource__system__department__path")
        return self.filter(of_point | of_container)

    def with_what_is_held(self) -> "LegalHoldQuerySet":
        """And whose it is, and who placed and lifted it: one statement."""
        return self.select_related(
            "point__volume__resource__system__department",
            "container__resource__system__department",
            "placed_by",
            "lifted_by",
        )
