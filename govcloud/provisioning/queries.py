from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import models

from govcloud.provisioning.lifecycle import FINISHED
from tenants.queries import within

if TYPE_CHECKING:
    from govcloud.inventory.models import Resource
    from govcloud.provisioning.models import Operation
    from tenants.models import User

IN_THE_CLOUDS_WORDS = frozenset({"operation.parked"})
"""Verbs of audit events whose reason is what a cloud said: for cloud administrators, as a department is told in plain words."""


class OperationQuerySet(models.QuerySet["Operation"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "OperationQuerySet":
        return self.filter(within(actor, at=at, path="system__department__path"))


def unfinished_units(operation: "Operation") -> set[UUID]:
    """The units of an operation for which something is still to be done, if only to take it down."""
    return set(operation.steps.exclude(state__in=FINISHED).values_list("unit", flat=True))


def units_called_off(operation: "Operation") -> set[UUID]:
    return set(operation.steps.filter(called_off_at__isnull=False).values_list("unit", flat=True))


def being_built(resource: "Resource") -> bool:
    """Whether the order that builds it, or the server that it belongs to, has more to do with it before it is handed over."""
    from govcloud.provisioning.models import OperationKind, Step  # noqa: PLC0415  the models read this module

    own = models.Q(unit=resource.unit)
    if resource.kind == "volume":
        server = resource.volume.server
        own |= (
            models.Q(unit=server.resource.unit)
            if server is not None
            # its system volume is there first, and in the record of nobody
            else models.Q(kind="server", desired_state__system_volume=str(resource.unit))
        )
    building = Step.objects.filter(
        own, operation__system=resource.system_id, operation__finished_at=None, operation__kind=OperationKind.DELIVER,
    )  # fmt: skip
    return building.exclude(state__in=FINISHED).exists()
