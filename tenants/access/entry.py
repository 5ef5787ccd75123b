"""What somebody has to do before anything else: change a password, set up a second factor, have it confirmed."""

from datetime import datetime

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from govcloud.errors import DomainError, Forbidden
from tenants.access import passwords, second_factor
from tenants.access.second_factor import Standing
from tenants.models import User


class PasswordChangeNeeded(Forbidden):
    code = "password-change-needed"
    message = _("Change your password in the portal first: somebody else has set it, or it is too old.")


class SecondFactorMissing(Forbidden):
    code = "second-factor-missing"
    message = _("Your role needs a second factor: set one up in the portal first.")


class SecondFactorUnconfirmed(Forbidden):
    code = "second-factor-unconfirmed"
    message = _(
        "Your second factor counts once a security administrator has confirmed it: tell one, face to face, the code "
        "that your page of the second factor shows."
    )


class SecondFactorNeeded(Forbidden):
    code = "second-factor-needed"
    message = _(
        "This lets somebody in or loses data: it needs a second factor. Set one up in the portal, under your account."
    )


def first_thing(user: User, *, at: datetime, at_provider: bool = False) -> DomainError | None:
    """Who came in ``at_provider`` proved nothing by a password here, and may not even know the one that was set for them."""
    if not at_provider and passwords.must_change(user, at=at):
        return PasswordChangeNeeded()
    return lacking(user, at=at)


def first_thing_by_token(user: User, *, at: datetime) -> DomainError | None:
    """As ``first_thing``, for a token: what a password has to be renewed for, does not go on by what it once made.

    Who can come in from the identity provider needs no password of ours to make or revoke tokens, so its age stops none of theirs.
    """
    thing = first_thing(user, at=at)
    if isinstance(thing, PasswordChangeNeeded) and SocialAccount.objects.filter(user=user).exists():
        return lacking(user, at=at)
    return thing


def lacking(user: User, *, at: datetime) -> DomainError | None:
    """What a second factor is obliged to be, and is not."""
    if not second_factor.obliged(user, at=at):
        return None
    return _short_of_confirmed(user, missing=SecondFactorMissing)


def require_second_factor(user: User) -> None:
    """For what lets somebody into a server or loses data and nobody else approves: who has reset a password knows it as well.

    Raises SecondFactorNeeded and SecondFactorUnconfirmed.
    """
    refusal = without_second_factor(user)
    if refusal is not None:
        raise refusal


def without_second_factor(user: User) -> DomainError | None:
    """Why such a thing is not for the person now, or None."""
    if settings.SECOND_FACTOR != "required":
        return None
    return _short_of_confirmed(user, missing=SecondFactorNeeded)


def _short_of_confirmed(user: User, *, missing: type[Forbidden]) -> DomainError | None:
    """What keeps a second factor from counting; ``missing`` where there is none."""
    match second_factor.standing(user):
        case Standing.MISSING:
            return missing()
        case Standing.UNCONFIRMED:
            return SecondFactorUnconfirmed()
    return None
