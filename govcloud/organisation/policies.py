"""Who registers and changes units, systems and people."""

from datetime import datetime
from typing import Final

from tenants.access.permissions import Permission
from tenants.models import Connection, Department, Role, System, User
from tenants.policies import require, scope_of

REGISTRARS: Final = (Permission.REGISTER,)
"""Of the centre: they keep the register of divisions, units and systems."""

OF_A_UNIT: Final = (Role.APPLICANT, Role.UNIT_APPROVER)

KEEPERS_OF_PEOPLE: Final = (Role.SECURITY_ADMIN, Role.UNIT_APPROVER)
"""The security administrator for everybody, unit approvers for the people of their own unit."""

READERS_OF_ACCOUNTS: Final = (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN)
"""Who opens accounts and resets passwords, and who confirms and resets second factors."""


def require_for_connection(*, department: Department, to: str, actor: User, at: datetime) -> None:
    """A department asks for its connection and takes that back; the centre makes it, refuses it, cuts it off.

    Raises RoleMissing.
    """
    asked = {department.connection, to} == {Connection.NOT_CONNECTED, Connection.REQUESTED}
    require(actor, *(OF_A_UNIT if asked else ()), *REGISTRARS, at=at, department=department)


def require_for_system(*, system: System, actor: User, at: datetime) -> None:
    """Raises RoleMissing for anybody but those of the system's department and the centre's registrars."""
    require(actor, *OF_A_UNIT, *REGISTRARS, at=at, department=system.department)


def needs_owner(*, system: System, actor: User, at: datetime) -> bool:
    """Whether the actor may read who answers for a system: its own department, and who has to call when it fails."""
    return scope_of(actor, at=at).holds_any((*OF_A_UNIT, *REGISTRARS), department=system.department)
