from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import models

from govcloud.provisioning.lifecycle import FINISHED
from tenants.queries import within

if TYPE_CHECKING:
    from govcloud.provisioning.models import Operation
    from tenants.models import User


class OperationQuerySet(models.QuerySet["Operation"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "OperationQuerySet":
        return self.filter(within(actor, at=at, path="system__department__path"))


def unfinished_units(operation: "Operation") -> set[UUID]:
    """The units of an operation for which something is still to be done, if only to take it down."""
    return set(operation.steps.exclude(state__in=FINISHED).values_list("unit", flat=True))
