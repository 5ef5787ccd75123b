from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q, QuerySet
from django.utils.translation import gettext

from govcloud.orders.lifecycle import OPEN, Status
from tenants.queries import within

if TYPE_CHECKING:
    from collections.abc import Iterable

    from govcloud.inventory.models import Resource
    from govcloud.orders.models import Attachment, Order, Placement, Unit
    from tenants.models import User


class OrderQuerySet(models.QuerySet["Order"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "OrderQuerySet":
        return self.filter(within(actor, at=at, path="system__department__path"))


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def in_the_order(self) -> "AttachmentQuerySet":
        return self.filter(removed_before=None)

    def of_revision(self, number: int) -> "AttachmentQuerySet":
        """Those that a revision was submitted with; of the order that the query is of."""
        there = Q(removed_before=None) | Q(removed_before__gt=number)
        return self.filter(there, first_revision__lte=number)

    def visible_to(self, actor: "User", *, at: datetime) -> "AttachmentQuerySet":
        return self.filter(within(actor, at=at, path="order__system__department__path"))


class PlacementQuerySet(models.QuerySet["Placement"]):
    def waiting(self) -> "PlacementQuerySet":
        return self.filter(cloud=None, called_off_at=None)


def orders_about(
    resources: "Iterable[Resource]", *, statuses: "Iterable[Status]" = OPEN
) -> "QuerySet[Unit, str]":
    """The numbers of orders that are about to change, renew or release resources, give them a volume or put servers on them."""
    from govcloud.orders.models import Action, Unit  # noqa: PLC0415  the models read this module

    about = Q(resource__in=resources) & ~Q(item__action=Action.CREATE)
    comes_to = Q(volume__server__in=resources) | Q(item__server__network__in=resources)
    units = Unit.objects.filter(about | comes_to, item__order__status__in=statuses)
    return units.order_by("item__order").values_list("item__order__number", flat=True)


def claim_on(resource: "Resource") -> str | None:
    """Whether an open order is about to make something else of a resource than it is: its number, in words."""
    number = orders_about([resource]).exclude(item__action="renew").first()
    return gettext("the order %(number)s is about it") % {"number": number} if number else None
