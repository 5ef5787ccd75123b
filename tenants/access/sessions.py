"""How a session began, and ending what somebody is signed in with, everywhere and at once."""

from typing import Protocol

from allauth.account.authentication import get_authentication_records
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import F
from knox.models import AuthToken

from tenants.access.models import TokenKind
from tenants.models import User


class HasSession(Protocol):
    """A request of the portal, or of the API with the portal's session."""

    @property
    def session(self) -> SessionBase: ...


SECOND_STEP = "mfa"
"""What follows a first step and says nothing of which it was."""


def began_at_provider(request: HasSession, *, user: User) -> bool:
    """Whether the person came in from the identity provider, and not by the password that they have here."""
    methods = [record["method"] for record in get_authentication_records(request, user)]
    first_steps = [method for method in methods if method != SECOND_STEP]
    return bool(first_steps) and first_steps[-1] == "socialaccount"


def end(*, user: User) -> None:
    """Every session of the portal and every token of signing in. The caller tells why in its own audit event."""
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
    user.refresh_from_db(fields=["session_epoch"])
    AuthToken.objects.filter(user=user, label__kind=TokenKind.SIGN_IN).delete()
