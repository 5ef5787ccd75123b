from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext

from govcloud.orders.lifecycle import OPEN
from tenants.queries import within

if TYPE_CHECKING:
    from govcloud.inventory.models import Resource
    from govcloud.orders.models import Order, Placement
    from tenants.models import User


class OrderQuerySet(models.QuerySet["Order"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "OrderQuerySet":
        return self.filter(within(actor, at=at, path="system__department__path"))


class PlacementQuerySet(models.QuerySet["Placement"]):
    def waiting(self) -> "PlacementQuerySet":
        return self.filter(cloud=None, called_off_at=None)


def claim_on(resource: "Resource") -> str | None:
    """Whether an open order is about to change or release a resource, or to give it a volume: its number, in words."""
    from govcloud.orders.models import Action, Unit  # noqa: PLC0415  the models read this module

    about = Q(resource=resource) & ~Q(item__action=Action.CREATE)
    units = Unit.objects.filter(about | Q(volume__server=resource), item__order__status__in=OPEN)
    number = units.values_list("item__order__number", flat=True).first()
    return gettext("the order %(number)s is about it") % {"number": number} if number else None
