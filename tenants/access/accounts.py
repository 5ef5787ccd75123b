"""Accounts of people: nobody makes their own; a system administrator opens them, and the person changes the first password."""

import secrets
import string
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.errors import Conflict, Invalid
from tenants.access import passwords, second_factor, sessions, tokens
from tenants.models import Role, User
from tenants.policies import require

ALPHABET = string.ascii_letters + string.digits + "-_+=."
LENGTH = 20
AFTER_RESET = "the password was reset"  # why tokens were revoked


class UsernameTaken(Conflict):
    code = "username-taken"
    message = _("There is an account of this name already.")


class BadUsername(Invalid):
    code = "bad-username"
    message = _("A user name has letters, digits and @ . + - _ only.")


class NoProvider(Invalid):
    code = "no-identity-provider"
    message = _("No identity provider is configured here: without a password nobody could sign in.")


@dataclass(frozen=True, slots=True)
class Opened:
    """An account with its first password, which is nowhere kept and good for one sign-in; empty where there is none."""

    user: User
    password: str


def has_provider() -> bool:
    """Whether people can come in from an identity provider."""
    return bool(settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"])


def open_account(
    *,
    username: str,
    display_name: str,
    actor: User,
    at: datetime,
    language: str = "zh-hans",
    with_password: bool = True,
) -> Opened:
    """For a person who holds no role yet; without a password, for who signs in by the identity provider only.

    Raises RoleMissing, NoProvider, BadUsername and UsernameTaken.
    """
    require(actor, Role.SYSTEM_ADMIN, at=at)
    if not with_password and not has_provider():
        raise NoProvider(pointers=("/with_password",))
    if not all(character.isalnum() or character in "@.+-_" for character in username):
        raise BadUsername(pointers=("/username",))
    user = User(username=username, display_name=display_name, language=language, date_joined=at)
    password = _first_password() if with_password else ""
    user.set_password(password or None)
    with transaction.atomic():
        try:
            with transaction.atomic():
                user.save(force_insert=True)
        except IntegrityError as error:
            raise UsernameTaken(pointers=("/username",)) from error
        after = {"with_password": with_password}
        audit.record(actor=actor, verb="user.opened", subject=user, at=at, after=after)
    return Opened(user, password)


def reset_password(*, user: User, actor: User, at: datetime) -> Opened:
    """A first password anew, for who has forgotten theirs; all their sessions and tokens end. Raises RoleMissing.

    Named tokens as well: after an earlier reset somebody else may have made them.
    """
    require(actor, Role.SYSTEM_ADMIN, at=at)
    password = _first_password()
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user.pk)
        passwords.remember(user, at=at)
        user.set_password(password)
        user.save(update_fields=["password", "password_changed_at"])
        sessions.end(user=user)
        tokens.revoke_all(user=user, actor=actor, at=at, reason=AFTER_RESET)
        audit.record(actor=actor, verb="user.password_reset", subject=user, at=at)
    return Opened(user, password)


def reset_second_factor(*, user: User, actor: User, at: datetime, reason: str) -> None:
    """For who has lost theirs. Raises RoleMissing and NotEnrolled.

    By another administrator than who resets passwords: neither can come in as somebody else alone.
    """
    require(actor, Role.SECURITY_ADMIN, at=at)
    second_factor.reset(user=user, actor=actor, at=at, reason=reason)


def _first_password() -> str:
    while True:
        password = "".join(secrets.choice(ALPHABET) for _character in range(LENGTH))
        if any(c.islower() for c in password) and any(c.isupper() for c in password):
            return password
