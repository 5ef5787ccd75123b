"""What of the access tables an actor may see."""

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from tenants.access.models import ApiToken, RoleRequest
    from tenants.models import User


def _manages_security(actor: "User", *, at: datetime) -> bool:
    from tenants.models import Role  # noqa: PLC0415  the models read this module
    from tenants.policies import scope_of  # noqa: PLC0415

    return scope_of(actor, at=at).holds(Role.SECURITY_ADMIN)


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "ApiTokenQuerySet":
        """One's own; a security administrator sees everybody's."""
        return self if _manages_security(actor, at=at) else self.filter(token__user=actor)

    def in_force(self, *, now: datetime) -> "ApiTokenQuerySet":
        return self.filter(token__expiry__gt=now)


class RoleRequestQuerySet(models.QuerySet["RoleRequest"]):
    def visible_to(self, actor: "User", *, at: datetime) -> "RoleRequestQuerySet":
        """All of them for security administrators; else what was asked for oneself."""
        return self if _manages_security(actor, at=at) else self.filter(user=actor)
