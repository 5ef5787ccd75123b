from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q

from govcloud.notifications.lifecycle import DeliveryState
from tenants.models import Role, User
from tenants.policies import scope_of
from tenants.queries import in_units_approved_by

if TYPE_CHECKING:
    from govcloud.notifications.models import Delivery, Message, Webhook


class MessageQuerySet(models.QuerySet["Message"]):
    def visible_to(self, actor: User) -> "MessageQuerySet":
        """An inbox is its owner's alone, whatever role the reader holds."""
        return self.filter(person=actor)

    def unread(self) -> "MessageQuerySet":
        return self.filter(read_at=None)


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def visible_to(self, actor: User, *, at: datetime) -> "WebhookQuerySet":
        """All of them for the system administrator; for a unit approver those of their units."""
        return self.filter(kept_by(actor, at=at, path="department__path"))


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def visible_to(self, actor: User, *, at: datetime) -> "DeliveryQuerySet":
        """Calls of the webhooks that the actor keeps; mail is nobody's to look at."""
        kept = kept_by(actor, at=at, path="webhook__department__path")
        return self.filter(kept, webhook__isnull=False)

    def due(self, *, at: datetime) -> "DeliveryQuerySet":
        """In nobody's hands, to be tried by now; a webhook that fails rests between two tries."""
        free = Q(lease_until__isnull=True) | Q(lease_until__lte=at)
        awake = (
            Q(webhook__isnull=True) | Q(webhook__rests_until__isnull=True) | Q(webhook__rests_until__lte=at)
        )
        return self.filter(free, awake, state=DeliveryState.DUE, next_run_at__lte=at)


def kept_by(actor: User, *, at: datetime, path: str) -> Q:
    """The filter "of a department whose webhooks the actor keeps": all for the system administrator."""
    if Role.SYSTEM_ADMIN in scope_of(actor, at=at).roles:
        return Q()
    return in_units_approved_by(actor, at=at, path=path)
