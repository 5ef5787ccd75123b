"""Who keeps webhooks: the system administrator all of them, a unit's approver those of the unit."""

from datetime import datetime

from django.db.models import Q, QuerySet

from tenants.models import Department, Role, User
from tenants.policies import scope_of

KEEPERS = (Role.SYSTEM_ADMIN, Role.UNIT_APPROVER)


def departments_kept_by(actor: User, *, at: datetime) -> QuerySet[Department]:
    """Those whose webhooks the actor keeps."""
    scope = scope_of(actor, at=at)
    if scope.holds(Role.SYSTEM_ADMIN):
        return Department.objects.all()
    condition = Q(pk__in=[])
    for role, path in scope.unit_roles:
        if role == Role.UNIT_APPROVER:
            condition |= Q(path__startswith=path)
    return Department.objects.filter(condition)
