"""Which roles an actor holds, and where."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from govcloud.errors import Forbidden
from tenants.models import UNIT_ROLES, Department, Membership, Role, User


class RoleMissing(Forbidden):
    code = "role-missing"
    message = _("Only %(roles)s may do this.")


SEES_EVERYTHING = frozenset(Role) - UNIT_ROLES - {Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN}
"""Roles of the centre whose work is with every department's orders, resources and bills."""


READS_AUDIT = (Role.AUDIT_ADMIN, Role.SUPERVISOR)
"""Who may look at the audit trail as a whole; an order's own story is read with the order."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The actor's roles, and the paths of the departments they hold unit roles in."""

    roles: frozenset[str]
    unit_roles: frozenset[tuple[str, str]]  # (role, path)

    @property
    def everywhere(self) -> bool:
        return bool(self.roles & SEES_EVERYTHING)

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(path for _role, path in self.unit_roles)

    def holds(self, role: str, *, department: Department | None = None) -> bool:
        """A role of the centre; or a unit role in this department or one above it (anywhere, if none is named)."""
        if role in self.roles:
            return True
        return any(
            r == role and (department is None or department.path.startswith(p)) for r, p in self.unit_roles
        )


def scope_of(actor: User, *, at: datetime) -> Scope:
    """Read once per request: the result is kept on the actor for the instant it was asked for."""
    kept: tuple[datetime, Scope] | None = getattr(actor, "_scope", None)
    if kept is not None and kept[0] == at:
        return kept[1]
    held = Membership.objects.valid(at=at).filter(user=actor).values_list("role", "department__path")
    scope = Scope(
        roles=frozenset(role for role, path in held if path is None),
        unit_roles=frozenset((role, path) for role, path in held if path is not None),
    )
    actor._scope = (at, scope)  # type: ignore[attr-defined]  # noqa: SLF001
    return scope


def require(actor: User, *roles: Role, at: datetime, department: Department | None = None) -> None:
    """Raises RoleMissing unless the actor holds one of the roles (unit roles: in the department or above it)."""
    scope = scope_of(actor, at=at)
    if not any(scope.holds(role, department=department) for role in roles):
        raise RoleMissing(roles=", ".join(str(role.label) for role in roles))
