"""The second factor: one-time codes of an authenticator app (RFC 6238), and recovery codes for when it is lost.

allauth keeps the secrets, encrypted by the adapter of ``MFA_ADAPTER``. A code is good once, for all processes.
"""

from datetime import datetime
from enum import Enum

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.utils import decrypt, encrypt
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.audit.refusals import refuse
from govcloud.errors import Conflict, Forbidden, Invalid
from tenants.access import sessions
from tenants.access.models import Enrolment
from tenants.lockout import locked_until
from tenants.models import ADMINISTRATORS, DECIDING, Role, User
from tenants.policies import scope_of

OBLIGED: frozenset[str] = ADMINISTRATORS | DECIDING
"""Who decides on orders, and who administers."""

NEEDING = OBLIGED | {Role.APPLICANT}
"""Whose second factor counts once it is confirmed. Applicants sign in without one, but are let into servers with one only
(``entry.require_second_factor``).
"""

ENCRYPTED = frozenset({"secret", "seed"})
"""Of an authenticator's data: what the app shares with us, and what recovery codes are made from."""


class WrongCode(Invalid):
    code = "wrong-code"
    message = _("This code is not right, or it has been used. Wait for the next one.")


class TooManyCodes(Conflict):
    code = "too-many-codes"
    message = _("Too many failed attempts. Try again in half an hour, or ask your security administrator.")


class EnrolledAlready(Conflict):
    code = "second-factor-enrolled-already"
    message = _("You have a second factor already. Remove it first.")


class NotEnrolled(Conflict):
    code = "second-factor-not-enrolled"
    message = _("There is no second factor.")


class Obliged(Forbidden):
    code = "second-factor-obliged"
    message = _(
        "Your role needs a second factor. A security administrator can reset it if you have lost yours."
    )


class Standing(Enum):
    """How far somebody has come with their second factor. Of who is obliged to have one, only a confirmed one counts."""

    MISSING = "missing"
    UNCONFIRMED = "unconfirmed"
    CONFIRMED = "confirmed"


def obliged(user: User, *, at: datetime) -> bool:
    if settings.SECOND_FACTOR != "required":
        return False
    scope = scope_of(user, at=at)
    return scope.holds_any(OBLIGED)


def to_be_confirmed(user: User, *, at: datetime) -> bool:
    """Whether the person's second factor is one that counts only once it is confirmed, and is not."""
    if settings.SECOND_FACTOR != "required" or not scope_of(user, at=at).holds_any(NEEDING):
        return False
    return standing(user) is Standing.UNCONFIRMED


def enrolled(user: User) -> bool:
    return bool(Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists())


def standing(user: User) -> Standing:
    """By one query, which every request of somebody obliged makes."""
    apps = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP)
    for confirmed_at in apps.values_list("enrolment__confirmed_at", flat=True):
        return Standing.CONFIRMED if confirmed_at else Standing.UNCONFIRMED
    return Standing.MISSING


def new_secret() -> str:
    """In the base-32 that authenticator apps read; kept by the caller until it is enrolled."""
    return str(totp.generate_totp_secret())


def enrol(*, user: User, secret: str, code: str, at: datetime) -> list[str]:
    """Take the app up whose code proves that it has the secret; returns the recovery codes, shown this once.

    All other sessions and sign-ins end: they were opened without it. Raises WrongCode and EnrolledAlready.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        if enrolled(user):
            raise EnrolledAlready
        step = _step_of(secret, code)
        if step is None:
            raise WrongCode(pointers=("/code",))
        app = totp.TOTP.activate(user, secret).instance
        _used(app, step)
        Enrolment.objects.create(authenticator=app, user=user, enrolled_at=at)
        codes = _fresh_codes(user)
        sessions.end(user=user)
        audit.record(actor=user, verb="second_factor.enrolled", subject=user, at=at)
    return codes


def accepts(user: User, code: str) -> bool:
    """Whether it is a code of the app or a recovery code that was not used before; it is used then."""
    code = code.replace(" ", "").replace("-", "")
    with transaction.atomic():
        rows = Authenticator.objects.select_for_update().filter(user=user).order_by("pk")
        found = {row.type: row for row in rows}
        app, spare = found.get(Authenticator.Type.TOTP), found.get(Authenticator.Type.RECOVERY_CODES)
        if app is not None:
            step = _step_of(decrypt(app.data["secret"]), code)
            if step is not None and step > app.data.get("last_step", 0):
                _used(app, step)
                return True
        if app is not None and spare is not None and RecoveryCodes(spare).validate_code(code):
            spare.record_usage()
            return True
    return False


def renew_recovery_codes(*, user: User, code: str, at: datetime) -> list[str]:
    """New ones in place of the old, for a code. Raises NotEnrolled, WrongCode and TooManyCodes."""
    _prove(user, code, verb="second_factor.recovery_codes_renewed", at=at)
    with transaction.atomic():
        codes = _fresh_codes(user)
        audit.record(actor=user, verb="second_factor.recovery_codes_renewed", subject=user, at=at)
    return codes


def recovery_codes_left(user: User) -> int:
    spare = Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).first()
    return len(RecoveryCodes(spare).get_unused_codes()) if spare is not None else 0


def give_up(*, user: User, code: str, at: datetime) -> None:
    """One's own, for a code. Raises Obliged, NotEnrolled, WrongCode and TooManyCodes."""
    if obliged(user, at=at):
        raise Obliged
    _prove(user, code, verb="second_factor.removed", at=at)
    with transaction.atomic():
        _remove(user)
        audit.record(actor=user, verb="second_factor.removed", subject=user, at=at)


def reset(*, user: User, actor: audit.Actor, at: datetime, reason: str) -> None:
    """Somebody else's, who has lost it: their sessions end, and who is obliged enrols anew at the next sign-in.

    Raises NotEnrolled. Who may do it has been told by the caller's policy.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        if not enrolled(user):
            raise NotEnrolled
        _remove(user)
        sessions.end(user=user)
        audit.record(actor=actor, verb="second_factor.reset", subject=user, at=at, reason=reason)


def rotate(*, actor: audit.Actor, at: datetime) -> int:
    """Encrypt all secrets anew, with the newest key of ``CREDENTIAL_KEYS``; returns how many people have some.

    Raises what the adapter does for a secret that does not open: nothing is changed then.
    """
    with transaction.atomic():
        rows = list(Authenticator.objects.select_for_update().order_by("pk"))
        for row in rows:
            secrets = {name: encrypt(decrypt(row.data[name])) for name in ENCRYPTED & row.data.keys()}
            row.data |= secrets
            row.save(update_fields=["data"])
        people = len({row.user_id for row in rows})
        if people:
            audit.record(
                actor=actor,
                verb="second_factor.secrets_rotated",
                subject=None,
                at=at,
                after={"people": people},
            )
    return people


def _prove(user: User, code: str, *, verb: str, at: datetime) -> None:
    """That whoever has the session has the app as well. Failures count as those of signing in do."""
    if not enrolled(user):
        raise NotEnrolled
    if locked_until(user, at=at) is not None:
        raise TooManyCodes
    if not accepts(user, code):
        refuse(actor=user, verb=verb, subject=user, at=at, reason=WrongCode.code)
        raise WrongCode(pointers=("/code",))


def _step_of(secret: str, code: str) -> int | None:
    """Which half minute the code belongs to, of those that a slow or a fast telephone may be in."""
    for step in totp.yield_hotp_counters_from_time():
        if totp.format_hotp_value(totp.hotp_value(secret, step)) == code.replace(" ", ""):
            return int(step)
    return None


def _used(app: Authenticator, step: int) -> None:
    """No code of this half minute or one before it is taken again."""
    app.data["last_step"] = step
    app.save(update_fields=["data"])
    app.record_usage()


def _fresh_codes(user: User) -> list[str]:
    Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).delete()
    return list(RecoveryCodes.activate(user).get_unused_codes())


def _remove(user: User) -> None:
    Authenticator.objects.filter(user=user).delete()
