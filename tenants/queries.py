"""What of the tenants' tables an actor may see. Every tenant-owned queryset has ``visible_to``."""

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import F, Q

if TYPE_CHECKING:
    from tenants.models import Department, Membership, System, User


class MembershipQuerySet(models.QuerySet["Membership"]):
    def valid(self, *, at: datetime) -> "MembershipQuerySet":
        """Memberships in force at the instant: started, and not ended."""
        return self.filter(Q(valid_until__isnull=True) | Q(valid_until__gt=at), valid_from__lte=at)

    def overlapping(self, begins: datetime, ends: datetime | None) -> "MembershipQuerySet":
        """Memberships in force at some instant of the range; None is without an end."""
        never_over = Q(valid_until__isnull=True) | Q(valid_until__gt=begins)
        rows = self.filter(never_over).exclude(valid_until=F("valid_from"))
        return rows if ends is None else rows.filter(valid_from__lt=ends)


class DepartmentQuerySet(models.QuerySet["Department"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "DepartmentQuerySet":
        """All of them for the centre's roles; else the actor's own departments and everything below them."""
        return self.filter(within(actor, at=at, path="path"))

    def below(self, path: str) -> "DepartmentQuerySet":
        return self.filter(path__startswith=path)

    def open(self) -> "DepartmentQuerySet":
        return self.filter(closed_at=None)


class SystemQuerySet(models.QuerySet["System"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "SystemQuerySet":
        return self.filter(within(actor, at=at, path="department__path"))


def within(actor: "User", *, at: datetime, path: str) -> Q:
    """The filter "belongs to a department this actor may see", for a table that reaches the department's path so.

    One query for the actor's memberships; an actor without any sees nothing.
    """
    from tenants.policies import scope_of  # noqa: PLC0415  the policy reads the models that this module serves

    scope = scope_of(actor, at=at)
    if scope.everywhere:
        return Q()
    condition = Q(pk__in=[])
    for prefix in scope.paths:
        condition |= Q(**{f"{path}__startswith": prefix})
    return condition


def in_units_approved_by(actor: "User", *, at: datetime, path: str) -> Q:
    """The filter "belongs to a unit whose approver this actor is, or to one below", as ``within`` is told the path."""
    from tenants.models import Role  # noqa: PLC0415  as above
    from tenants.policies import scope_of  # noqa: PLC0415

    condition = Q(pk__in=[])
    for role, prefix in scope_of(actor, at=at).unit_roles:
        if role == Role.UNIT_APPROVER:
            condition |= Q(**{f"{path}__startswith": prefix})
    return condition
