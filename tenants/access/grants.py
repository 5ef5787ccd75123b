"""Who gives and takes roles: security administrators, never their own; an administrator's role takes two of them."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.audit.refusals import refuse
from govcloud.errors import Conflict, DomainError, Forbidden
from govcloud.lifecycle import transition
from tenants import roles
from tenants.access.models import RequestStatus, RoleRequest
from tenants.models import ADMINISTRATORS, Department, Membership, Role, User
from tenants.policies import require, scope_of

OPEN_FOR = timedelta(days=7)
"""How long a request waits for its second person."""

ENOUGH = 2
"""Security administrators in office with whom the rule of two can be kept."""


class NotAnAdministrator(Conflict):
    code = "role-takes-one"
    message = _("The role “%(role)s” is granted directly.")


class OwnRole(Forbidden):
    code = "own-role"
    message = _("Nobody gives roles to themselves.")


class OwnRequest(Forbidden):
    code = "own-request"
    message = _("Somebody else than who asked for it, and than whom it is for, confirms it.")


class RequestedAlready(Conflict):
    code = "role-requested-already"
    message = _("This role has been asked for already and waits for its second person.")


class RequestExpired(Conflict):
    code = "role-request-expired"
    message = _("This request has expired. Ask again.")


class RequesterNotInOffice(Conflict):
    code = "requester-not-in-office"
    message = _(
        "Who asked for this is no security administrator any more. Decline it, and ask again if it is needed."
    )


class InOffice(Conflict):
    code = "administrators-in-office"
    message = _("There are security administrators: they grant this role, two together.")


def grant(
    *,
    user: User,
    role: str,
    actor: User,
    at: datetime,
    department: Department | None = None,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
) -> Membership:
    """By one security administrator. Raises RoleMissing, OwnRole, and what ``roles.grant_role`` does."""
    _admit(actor, user, verb="role.granted", at=at)
    return roles.grant_role(
        user=user,
        role=role,
        department=department,
        valid_from=valid_from,
        valid_until=valid_until,
        actor=actor,
        at=at,
    )


def ask(
    *,
    user: User,
    role: str,
    reason: str,
    actor: User,
    at: datetime,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
) -> RoleRequest:
    """Ask for an administrator's role for somebody. Raises RoleMissing, OwnRole, NotAnAdministrator, HolderLeft, RequestedAlready."""
    _admit(actor, user, verb="role.requested", at=at)
    if role not in ADMINISTRATORS:
        raise NotAnAdministrator(role=Role(role).label, pointers=("/role",))
    with transaction.atomic():
        if not User.objects.select_for_update().get(pk=user.pk).is_active:
            raise roles.HolderLeft(user=user.audit_name)
        for stale in RoleRequest.objects.filter(
            user=user, role=role, status=RequestStatus.OPEN, expires_at__lte=at
        ):
            transition(stale, RequestStatus.DECLINED, actor=actor, at=at, decided_by=actor, decided_at=at)
        request = RoleRequest(
            user=user,
            role=role,
            reason=reason,
            valid_from=valid_from,
            valid_until=valid_until,
            requested_by=actor,
            requested_at=at,
            expires_at=at + OPEN_FOR,
        )
        try:
            with transaction.atomic():
                request.save(force_insert=True)
        except IntegrityError as error:
            raise RequestedAlready from error
        after = {"role": role, "valid_from": valid_from, "valid_until": valid_until}
        audit.record(
            actor=actor, verb="role.requested", subject=request, at=at, after=after, reason=reason,
            before={"user": str(user.uuid)},
        )  # fmt: skip
    return request


def confirm(*, request: RoleRequest, actor: User, at: datetime) -> Membership:
    """By another security administrator: from now on the role is held.

    Raises RoleMissing, OwnRequest, RequestExpired, RequesterNotInOffice, and what ``roles.enter_role`` does.
    """
    require(actor, Role.SECURITY_ADMIN, at=at)
    if actor.pk in {request.requested_by_id, request.user_id}:
        _refused(OwnRequest(), actor, request, verb="rolerequest.confirmed", at=at)
    if request.has_expired(at=at):
        raise RequestExpired
    with transaction.atomic():
        # Before the request, as a departure does, which declines what is open for who leaves.
        User.objects.select_for_update().get(pk=request.user_id)
        asker = User.objects.get(pk=request.requested_by_id)
        if not may_ask(asker, at=at):
            raise RequesterNotInOffice
        transition(request, RequestStatus.CONFIRMED, actor=actor, at=at, decided_by=actor, decided_at=at)
        return roles.enter_role(
            user=request.user,
            role=request.role,
            valid_from=request.valid_from,
            valid_until=request.valid_until,
            actor=actor,
            at=at,
        )


def may_ask(user: User, *, at: datetime) -> bool:
    """Whether what they ask for can be confirmed: two security administrators in office stand for an administrator's role."""
    return user.is_active and scope_of(user, at=at).holds(Role.SECURITY_ADMIN)


def decline(*, request: RoleRequest, actor: User, at: datetime, reason: str) -> None:
    """By any security administrator, the one who asked included. Raises RoleMissing."""
    require(actor, Role.SECURITY_ADMIN, at=at)
    transition(
        request, RequestStatus.DECLINED, actor=actor, at=at, reason=reason, decided_by=actor, decided_at=at
    )


def revoke(*, membership: Membership, actor: User, at: datetime, reason: str) -> None:
    """By one security administrator, whatever the role: taking away must not wait. Raises RoleMissing and RoleEnded."""
    require(actor, Role.SECURITY_ADMIN, at=at)
    roles.revoke_role(membership=membership, actor=actor, at=at, reason=reason)


def appoint(*, user: User, role: str, actor: audit.Actor, at: datetime) -> Membership:
    """The first administrators of an installation, by whoever runs its machines. Raises InOffice once two can confirm."""
    in_office = Membership.objects.valid(at=at).filter(role=Role.SECURITY_ADMIN, user__is_active=True)
    if in_office.count() >= ENOUGH:
        raise InOffice
    return roles.enter_role(user=user, role=role, actor=actor, at=at)


def _admit(actor: User, user: User, *, verb: str, at: datetime) -> None:
    require(actor, Role.SECURITY_ADMIN, at=at)
    if actor.pk == user.pk:
        _refused(OwnRole(), actor, user, verb=verb, at=at)


def _refused(
    error: DomainError, actor: User, subject: RoleRequest | User, *, verb: str, at: datetime
) -> None:
    refuse(actor=actor, verb=verb, subject=subject, at=at, reason=error.code)
    raise error
