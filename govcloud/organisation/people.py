"""Who of the people somebody keeps, and with which roles they see them."""

from datetime import datetime

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from govcloud.organisation.policies import KEEPERS_OF_PEOPLE
from tenants.models import Membership, Role, User
from tenants.policies import RoleMissing, scope_of
from tenants.queries import in_units_approved_by


def kept_by(actor: User, *, at: datetime) -> QuerySet[User]:
    """Everybody for the security administrator; for unit approvers those with a role in their unit, past or present."""
    if Role.SECURITY_ADMIN in scope_of(actor, at=at).roles:
        return User.objects.all()
    there = Membership.objects.filter(_in_units_of(actor, at=at), user=OuterRef("pk"))
    return User.objects.filter(Exists(there))


def with_roles(people: QuerySet[User], actor: User, *, at: datetime) -> QuerySet[User]:
    """With the roles that are held or still to come (``held``), as far as the actor keeps them."""
    rows = not_over(at=at).select_related("department").order_by("department__path", "role")
    if Role.SECURITY_ADMIN not in scope_of(actor, at=at).roles:
        rows = rows.filter(_in_units_of(actor, at=at))
    return people.prefetch_related(Prefetch("memberships", rows, to_attr="held"))


def not_over(*, at: datetime) -> QuerySet[Membership]:
    """What is held or still to come; not what was taken back before it began."""
    return Membership.objects.overlapping(at, None)


def require_keeper(*, person: User, actor: User, at: datetime) -> None:
    """That the actor may end whatever the person holds: all of it is in the units that they answer for.

    Raises RoleMissing.
    """
    if Role.SECURITY_ADMIN in scope_of(actor, at=at).roles:
        return
    held = not_over(at=at).filter(user=person)
    if not held.exists() or held.exclude(_in_units_of(actor, at=at)).exists():
        raise RoleMissing(roles=str(KEEPERS_OF_PEOPLE[0].label))


def _in_units_of(actor: User, *, at: datetime) -> Q:
    """Memberships in the units in which the actor is an approver, and below them."""
    return in_units_approved_by(actor, at=at, path="department__path")
