"""What somebody has to do before anything else: change a password, set up a second factor."""

from datetime import datetime

from django.utils.translation import gettext_lazy as _

from govcloud.errors import DomainError, Forbidden
from tenants.access import passwords, second_factor
from tenants.models import User


class PasswordChangeNeeded(Forbidden):
    code = "password-change-needed"
    message = _("Change your password in the portal first: somebody else has set it, or it is too old.")


class SecondFactorMissing(Forbidden):
    code = "second-factor-missing"
    message = _("Your role needs a second factor: set one up in the portal first.")


def first_thing(user: User, *, at: datetime) -> DomainError | None:
    if passwords.must_change(user, at=at):
        return PasswordChangeNeeded()
    if second_factor.missing(user, at=at):
        return SecondFactorMissing()
    return None
