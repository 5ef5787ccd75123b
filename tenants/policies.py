"""What an actor may do, and where: the roles they hold, and what the table of permissions gives those roles."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef
from django.utils.translation import gettext_lazy as _

from govcloud.errors import Forbidden
from tenants.access.models import RolePermission
from tenants.access.permissions import DUTIES, ROLES_OF_DUTIES, Permission
from tenants.models import Department, Membership, Role, User


class RoleMissing(Forbidden):
    code = "role-missing"
    message = _("Only %(roles)s may do this.")


Wanted = Role | Permission
"""What code asks for: a permission by its name, or a role, which means the duty of that role."""


READS_AUDIT = (Permission.READ_AUDIT,)
"""Who may look at the audit trail as a whole; an order's own story is read with the order."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What the actor's roles allow: for the whole centre, and below which departments."""

    permissions: frozenset[str]
    unit_permissions: frozenset[tuple[str, str]]  # (permission, path)

    @property
    def roles(self) -> frozenset[str]:
        """The roles of the centre whose duties the actor does."""
        return frozenset(ROLES_OF_DUTIES[duty] for duty in self.permissions & ROLES_OF_DUTIES.keys())

    @property
    def unit_roles(self) -> frozenset[tuple[str, str]]:
        return frozenset(
            (ROLES_OF_DUTIES[permission], path)
            for permission, path in self.unit_permissions
            if permission in ROLES_OF_DUTIES
        )

    @property
    def everywhere(self) -> bool:
        """Whether the work is with every department's orders, resources and bills."""
        return Permission.SEE_ALL in self.permissions

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(path for _permission, path in self.unit_permissions)

    def holds(self, wanted: str, *, department: Department | None = None) -> bool:
        """For the centre; or in this department or one above it (anywhere, if none is named)."""
        permission = DUTIES.get(wanted, wanted)
        if permission in self.permissions:
            return True
        return any(
            held == permission and (department is None or department.path.startswith(path))
            for held, path in self.unit_permissions
        )

    def holds_any(self, wanted: Iterable[str], *, department: Department | None = None) -> bool:
        return any(self.holds(each, department=department) for each in wanted)


def scope_of(actor: User, *, at: datetime) -> Scope:
    """Read once per request: the result is kept on the actor for the instant it was asked for."""
    kept: tuple[datetime, Scope] | None = getattr(actor, "_scope", None)
    if kept is None or kept[0] != at:
        kept = at, read_scopes([actor], at=at)[actor.pk]
    return kept[1]


def read_scopes(people: Collection[User], *, at: datetime) -> dict[int, Scope]:
    """By the people's keys, in one query; ``scope_of`` each of these objects takes none then, for the same instant."""
    allowed = RolePermission.objects.filter(role=OuterRef("role")).values("permission")
    rows = Membership.objects.valid(at=at).filter(user__in=people).annotate(allowed=ArraySubquery(allowed))
    held: dict[int, set[tuple[str, str | None]]] = {person.pk: set() for person in people}
    for user, path, permissions in rows.values_list("user", "department__path", "allowed"):
        held[user] |= {(permission, path) for permission in permissions}
    scopes = {person.pk: _scope(person, held[person.pk]) for person in people}
    for person in people:
        person._scope = (at, scopes[person.pk])  # type: ignore[attr-defined]  # noqa: SLF001
    return scopes


def _scope(person: User, held: Collection[tuple[str, str | None]]) -> Scope:
    """Of what a person's roles allow, that which they may do now."""
    may = [each for each in held if person.limited_to is None or each[0] in person.limited_to]
    return Scope(
        permissions=frozenset(permission for permission, path in may if path is None),
        unit_permissions=frozenset((permission, path) for permission, path in may if path is not None),
    )


def limit(actor: User, *, to: Collection[str]) -> None:
    """From now on, and as long as this object lives, the actor may do no more than these permissions allow."""
    actor.limited_to = frozenset(to)
    actor._scope = None  # type: ignore[attr-defined]  # noqa: SLF001


def allows(actor: User, role: str) -> bool:
    """Whether what the actor acts with is not limited to other duties than this role's; always so where there is no role."""
    return actor.limited_to is None or not role or DUTIES.get(role, role) in actor.limited_to


def require(actor: User, *wanted: Wanted, at: datetime, department: Department | None = None) -> None:
    """Raises RoleMissing unless the actor may do one of these (in a unit: in the department or above it)."""
    scope = scope_of(actor, at=at)
    if not scope.holds_any(wanted, department=department):
        raise RoleMissing(roles=_(", ").join(_who_may(wanted)))


def _who_may(wanted: Collection[Wanted]) -> list[str]:
    permissions = [DUTIES.get(each, each) for each in wanted]
    roles = RolePermission.objects.filter(permission__in=permissions).values_list("role", flat=True)
    holders = set(roles)
    return [str(role.label) for role in Role if role in holders]
