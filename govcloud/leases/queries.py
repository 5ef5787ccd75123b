from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import F, QuerySet

from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource
from tenants.queries import within

if TYPE_CHECKING:
    from govcloud.leases.models import Expiry, Notice
    from tenants.models import User

DEPARTMENT = "resource__system__department__path"


class NoticeQuerySet(models.QuerySet["Notice"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "NoticeQuerySet":
        return self.filter(within(actor, at=at, path=DEPARTMENT))


class ExpiryQuerySet(models.QuerySet["Expiry"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "ExpiryQuerySet":
        return self.filter(within(actor, at=at, path=DEPARTMENT))

    def in_force(self) -> "ExpiryQuerySet":
        """Those whose lease has not been extended since, of what is not going yet and goes by no server's lease."""
        rows = self.filter(
            lease_end=F("resource__lease_end"), resource__released_at=None, resource__volume__server=None
        )
        return rows.exclude(resource__status=Status.RELEASING)

    def due(self, *, at: datetime) -> "ExpiryQuerySet":
        return self.filter(next_look_at__lte=at)


def let() -> QuerySet[Resource]:
    """What has a lease of its own that can run out: not what is going, and not the volumes that a server has."""
    rows = Resource.objects.filter(lease_end__isnull=False, released_at=None, volume__server=None)
    return rows.exclude(status=Status.RELEASING)
