from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models

from tenants.queries import within

if TYPE_CHECKING:
    from govcloud.quotas.models import QuotaAccount
    from tenants.models import Department, User


class QuotaAccountQuerySet(models.QuerySet["QuotaAccount"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "QuotaAccountQuerySet":
        return self.filter(within(actor, at=at, path="department__path"))

    def up_the_tree(self, department: "Department", dimensions: Collection[str]) -> "QuotaAccountQuerySet":
        """The accounts of the department and of everything above it, for these dimensions."""
        return self.filter(department__in=department.ancestor_ids, dimension__in=dimensions)

    def locked(self) -> "QuotaAccountQuerySet":
        """Locked until the transaction ends, always in the same order, so that two of us never wait for each other."""
        return self.select_for_update(no_key=True).order_by("pk")
