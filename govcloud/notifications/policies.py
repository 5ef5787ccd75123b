"""Who keeps webhooks: the system administrator all of them, a unit's approver those of the unit."""

from datetime import datetime

from django.db.models import QuerySet

from govcloud.notifications.queries import kept_by
from tenants.models import Department, Role, User

KEEPERS = (Role.SYSTEM_ADMIN, Role.UNIT_APPROVER)


def departments_kept_by(actor: User, *, at: datetime) -> QuerySet[Department]:
    """Those whose webhooks the actor keeps."""
    return Department.objects.filter(kept_by(actor, at=at, path="path"))
