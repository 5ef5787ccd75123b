"""Passwords as GB/T 22239 level 3 asks for them: of several kinds of characters, none that was had before, and not for ever.

Length, common passwords and likeness to the name are Django's validators; see ``AUTH_PASSWORD_VALIDATORS``.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from govcloud.audit import services as audit
from tenants.access import sessions
from tenants.access.models import FormerPassword
from tenants.models import User


class Kinds:
    """Small and capital letters, digits, everything else: a password has some of at least so many kinds."""

    def __init__(self, least: int = 3) -> None:
        self.least = least

    def validate(self, password: str, user: User | None = None) -> None:  # noqa: ARG002  Django's signature
        kinds = {_kind(character) for character in password}
        if len(kinds) < self.least:
            raise ValidationError(self.get_help_text(), code="password_of_too_few_kinds")

    def get_help_text(self) -> str:
        return _("Use at least %(least)s of: small letters, capital letters, digits, other characters.") % {
            "least": self.least
        }


class NotOneOfTheLast:
    """Neither the present password nor one of the last ``PASSWORD_HISTORY`` before it comes back."""

    def validate(self, password: str, user: User | None = None) -> None:
        if user is None or user.pk is None:
            return
        digests = [user.password, *_former(user)]
        if any(check_password(password, digest) for digest in digests if digest):
            raise ValidationError(self.get_help_text(), code="password_had_before")

    def get_help_text(self) -> str:
        return _("Not the present password, nor one of the last %(last)s.") % {
            "last": settings.PASSWORD_HISTORY
        }


def _kind(character: str) -> str:
    if character.isdigit():
        return "digit"
    if character.islower():
        return "small"
    return "capital" if character.isupper() else "other"


def _former(user: User) -> list[str]:
    rows = FormerPassword.objects.filter(user=user).order_by("-id")
    return list(rows.values_list("digest", flat=True)[: settings.PASSWORD_HISTORY])


def must_change(user: User, *, at: datetime) -> bool:
    """Whether somebody else set it (the first sign-in), or it has grown too old. Not for who signs in elsewhere only."""
    if not user.has_usable_password():
        return False
    since = user.password_changed_at
    if since is None:
        return True
    age = settings.PASSWORD_MAX_AGE_DAYS
    return bool(age) and at - since > timedelta(days=age)


def change(*, user: User, password: str, at: datetime) -> None:
    """The person's own change, of a password that was validated: all their sessions and sign-ins end."""
    with transaction.atomic():
        remember(User.objects.select_for_update().get(pk=user.pk), at=at)
        user.set_password(password)
        user.password_changed_at = at
        user.save(update_fields=["password", "password_changed_at"])
        sessions.end(user=user)
        audit.record(actor=user, verb="user.password_changed", subject=user, at=at)


def remember(user: User, *, at: datetime) -> None:
    """Keep the digest of a password that is about to be replaced, if the person chose it: first ones are had once anyway."""
    if user.password_changed_at is None or not user.has_usable_password():
        return
    FormerPassword.objects.create(user=user, digest=user.password, replaced_at=at)
    former = FormerPassword.objects.filter(user=user)
    former.exclude(pk__in=former.order_by("-id")[: settings.PASSWORD_HISTORY]).delete()
