"""Second factors as people set them up with an app on their telephone, and have them confirmed."""

from datetime import datetime

from allauth.mfa.totp.internal import auth as totp

from tenants.access import second_factor
from tenants.access.models import Enrolment
from tenants.models import User


def code_of(secret: str, *, later: int = 0) -> str:
    """What an app with the secret shows now, or some half minutes later (as a fast telephone does)."""
    present = list(totp.yield_hotp_counters_from_time())[1]
    return totp.format_hotp_value(totp.hotp_value(secret, present + later))


def enrolled(user: User, *, at: datetime) -> tuple[str, list[str]]:
    """The secret of the person's app, whose present code is used up, and their recovery codes. Nobody has confirmed it."""
    secret = second_factor.new_secret()
    return secret, second_factor.enrol(user=user, secret=secret, code=code_of(secret), at=at)


def confirmed(user: User, *, at: datetime, by: User | None = None) -> tuple[str, list[str]]:
    """The same, confirmed: by a security administrator, or on the machine."""
    given = enrolled(user, at=at)
    Enrolment.objects.filter(user=user).update(confirmed_at=at, confirmed_by=by)
    return given
