"""Confirming second factors: who set one up is whom the account belongs to.

A system administrator knows an account's first password, and could set up a second factor of their own before the person
does. So a security administrator confirms it with a code that only who has set it up can read, told face to face.
"""

import hmac
from base64 import b32encode
from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.mfa.utils import decrypt
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.audit.refusals import refuse
from govcloud.errors import Conflict, Forbidden, Invalid
from tenants.access import tokens
from tenants.access.grants import ENOUGH
from tenants.access.models import Enrolment, RolePermission
from tenants.access.permissions import DUTIES
from tenants.access.second_factor import NEEDING, NotEnrolled, TooManyCodes
from tenants.lockout import locked_until
from tenants.models import Membership, Role, User
from tenants.policies import require

LABEL = b"govcloud: confirmation of a second factor"
"""What sets the code apart from all else that could be derived from a secret."""

BYTES = 5
"""Eight characters of base 32: enough against guessing, with the lock, and short enough to be said."""

OLDER_TOKENS = "made before the second factor"


class WrongConfirmationCode(Invalid):
    code = "wrong-confirmation-code"
    message = _(
        "This is not the code that the person's page of the second factor shows. Have it told once more."
    )


class ConfirmedAlready(Conflict):
    code = "second-factor-confirmed-already"
    message = _("This second factor is confirmed already.")


class OwnSecondFactor(Forbidden):
    code = "own-second-factor"
    message = _("Nobody confirms their own second factor: another security administrator does.")


class AdministratorsConfirm(Conflict):
    code = "confirmed-by-administrators"
    message = _("There are two security administrators with confirmed second factors: they confirm this one.")


def code_of(user: User) -> str:
    """What the person tells, like ``ABCD-EFGH``: derived from the secret and nowhere kept. Raises NotEnrolled."""
    code = _code(_app_of(user))
    return f"{code[:4]}-{code[4:]}"


def waiting(*, at: datetime) -> QuerySet[Enrolment]:
    """Second factors that are not confirmed, of active people whose roles need one now."""
    if settings.SECOND_FACTOR != "required":
        return Enrolment.objects.none()
    duties = [DUTIES[role] for role in NEEDING]
    roles = RolePermission.objects.filter(permission__in=duties).values("role")
    holders = Membership.objects.valid(at=at).filter(role__in=roles).values("user")
    return Enrolment.objects.filter(confirmed_at=None, user__is_active=True, user__in=holders)


def confirm(*, user: User, code: str, actor: User, at: datetime) -> None:
    """By a security administrator. Wrong codes lock as those of signing in do; tokens older than the second factor end.

    Raises RoleMissing, OwnSecondFactor, TooManyCodes, NotEnrolled, ConfirmedAlready and WrongConfirmationCode.
    """
    require(actor, Role.SECURITY_ADMIN, at=at)
    if actor.pk == user.pk:
        refuse(actor=actor, verb="second_factor.confirmed", subject=user, at=at, reason=OwnSecondFactor.code)
        raise OwnSecondFactor
    if locked_until(actor, at=at) is not None:
        raise TooManyCodes
    _confirm(user, code, actor=actor, by=actor, at=at)


def confirm_on_the_machine(*, user: User, code: str, actor: audit.Actor, at: datetime) -> None:
    """The first ones of an installation, by whoever runs its machines.

    Raises AdministratorsConfirm once two can, NotEnrolled, ConfirmedAlready and WrongConfirmationCode.
    """
    in_office = Membership.objects.valid(at=at).filter(role=Role.SECURITY_ADMIN, user__is_active=True)
    if in_office.filter(user__enrolment__confirmed_at__isnull=False).count() >= ENOUGH:
        raise AdministratorsConfirm
    _confirm(user, code, actor=actor, by=None, at=at)


def _confirm(user: User, code: str, *, actor: audit.Actor, by: User | None, at: datetime) -> None:
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        app = _app_of(user)
        # There is a row, unless it was set up while the release that brought them was being installed.
        enrolment, _new = Enrolment.objects.get_or_create(
            authenticator=app, defaults={"user": user, "enrolled_at": app.created_at}
        )
        if enrolment.confirmed_at is not None:
            raise ConfirmedAlready
        right = hmac.compare_digest(_code(app).encode(), _normal(code).encode(errors="replace"))
        if right:
            enrolment.confirmed_at, enrolment.confirmed_by = at, by
            enrolment.save(update_fields=["confirmed_at", "confirmed_by"])
            # Who knew the first password may have made tokens that would now do what the second factor is needed for.
            tokens.revoke_older(user=user, than=app.created_at, actor=actor, at=at, reason=OLDER_TOKENS)
            audit.record(actor=actor, verb="second_factor.confirmed", subject=user, at=at)
    if not right:
        refuse(
            actor=actor, verb="second_factor.confirmed", subject=user, at=at,
            reason=WrongConfirmationCode.code,
        )  # fmt: skip
        raise WrongConfirmationCode(pointers=("/code",))


def _app_of(user: User) -> Authenticator:
    app = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if app is None:
        raise NotEnrolled
    return app


def _code(app: Authenticator) -> str:
    secret = decrypt(app.data["secret"])
    return b32encode(hmac.digest(secret.encode(), LABEL, "sha256")[:BYTES]).decode()


def _normal(code: str) -> str:
    """As it is derived, however it was typed."""
    return code.replace(" ", "").replace("-", "").upper()
