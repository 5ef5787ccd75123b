"""Roles as they are written down, and taken away. (Who may do it: ``tenants.access.grants``; how they end by themselves: ``tenants.memberships``.)"""

from datetime import datetime

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.errors import Conflict, Invalid
from tenants import memberships
from tenants.models import ADMINISTRATORS, UNIT_ROLES, Department, Membership, Role, User
from tenants.naming import name_of
from tenants.services import UnitClosed


class RoleNeedsDepartment(Invalid):
    code = "role-needs-department"
    message = _("The role “%(role)s” is held in a department: name it.")


class RoleOfTheCentre(Invalid):
    code = "role-of-the-centre"
    message = _("The role “%(role)s” is held for the whole centre, not in a department.")


class HolderLeft(Conflict):
    code = "role-holder-left"
    message = _("%(user)s has left: nobody gives them a role.")


class RoleHeldAlready(Conflict):
    code = "role-held-already"
    message = _("%(user)s holds this role already.")


class RoleTakesTwo(Conflict):
    code = "role-takes-two"
    message = _(
        "The role “%(role)s” takes two people: ask for it, and another security administrator confirms."
    )


class RoleEndsTooEarly(Invalid):
    code = "role-ends-too-early"
    message = _("A role ends after it begins, and not in the past.")


class RoleEnded(Conflict):
    code = "role-ended"
    message = _("%(user)s does not hold this role any more.")


class SeparatedRoles(Conflict):
    """GB/T 22239 level 3: the three administrators are different people."""

    code = "separated-roles"
    message = _(
        "%(user)s is %(held)s and cannot also be %(role)s: the three administrators are different people."
    )


def grant_role(
    *,
    user: User,
    role: str,
    actor: audit.Actor,
    at: datetime,
    department: Department | None = None,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
) -> Membership:
    """Give a person a role: in a department for unit roles, for the whole centre otherwise; from now on, unless told.

    Who may do it has been told by the caller's policy. Raises RoleTakesTwo for an administrator's, RoleNeedsDepartment,
    RoleOfTheCentre, RoleEndsTooEarly, UnitClosed, HolderLeft and RoleHeldAlready.
    """
    if role in ADMINISTRATORS:
        raise RoleTakesTwo(role=Role(role).label, pointers=("/role",))
    return enter_role(
        user=user,
        role=role,
        department=department,
        valid_from=valid_from,
        valid_until=valid_until,
        actor=actor,
        at=at,
    )


def enter_role(
    *,
    user: User,
    role: str,
    actor: audit.Actor,
    at: datetime,
    department: Department | None = None,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
) -> Membership:
    """Write down a role that was granted as such a role has to be; ``tenants.access.grants`` sees to an administrator's.

    Raises what ``grant_role`` does, and SeparatedRoles for a second administrator's role.
    """
    label = Role(role).label
    if role in UNIT_ROLES and department is None:
        raise RoleNeedsDepartment(role=label, pointers=("/department",))
    if role not in UNIT_ROLES and department is not None:
        raise RoleOfTheCentre(role=label, pointers=("/department",))
    begins = max(valid_from or at, at)
    if valid_until is not None and valid_until <= begins:
        raise RoleEndsTooEarly(pointers=("/valid_until",))
    with transaction.atomic():
        if department is not None:
            _hold_open(department)  # before the person, as closing a unit does, which ends roles
        # Two grants at once could each miss the other, and so could a grant and a departure.
        if not User.objects.select_for_update().get(pk=user.pk).is_active:
            raise HolderLeft(user=user.audit_name)
        held = list(Membership.objects.overlapping(begins, valid_until).filter(user=user))
        if any(m.role == role and m.department_id == (department.pk if department else None) for m in held):
            raise RoleHeldAlready(user=user.audit_name)
        other = next((m for m in held if {m.role, role} <= ADMINISTRATORS), None)
        if other is not None:
            raise SeparatedRoles(user=user.audit_name, held=Role(other.role).label, role=label)
        membership = Membership.objects.create(
            user=user, role=role, department=department, valid_from=begins, valid_until=valid_until
        )
        after = {
            "role": role,
            "department": str(department.uuid) if department else None,
            "valid_from": begins,
            "valid_until": valid_until,
        }
        audit.record(actor=actor, verb="role.granted", subject=user, at=at, after=after)
    return membership


def revoke_role(*, membership: Membership, actor: audit.Actor, at: datetime, reason: str) -> None:
    """Take a role away from now on; one that has not begun never does. Raises RoleEnded.

    The person's sessions and sign-ins end; named tokens can do from now on what is left to their holder, and are revoked
    with the last role. Who may do this has been told by the caller's policy.
    """
    with transaction.atomic():
        rows = Membership.objects.select_for_update(of=("self",)).select_related("user", "department")
        held = rows.get(pk=membership.pk)
        if held.valid_until is not None and held.valid_until <= max(at, held.valid_from):
            raise RoleEnded(user=held.user.audit_name)
        before = {"role": held.role, "valid_until": held.valid_until}
        held.valid_until = max(at, held.valid_from)
        held.save(update_fields=["valid_until"])
        after = {"department": str(held.department.uuid) if held.department else None, "valid_until": at}
        audit.record(
            actor=actor,
            verb="role.revoked",
            subject=held.user,
            at=at,
            before=before,
            after=after,
            reason=reason,
        )
        memberships.shut_out(user=held.user, reason=reason, actor=actor, at=at)
    membership.valid_until = held.valid_until


def _hold_open(department: Department) -> None:
    """Until the transaction ends the unit is neither closed nor moved; of others who do the same nobody waits. Raises UnitClosed."""
    table = Department._meta.db_table  # noqa: SLF001
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT closed_at FROM {table} WHERE id = %s FOR SHARE", [department.pk])  # noqa: S608  no input
        (closed_at,) = cursor.fetchone()
    if closed_at is not None:
        raise UnitClosed(department=name_of(department), pointers=("/department",))
