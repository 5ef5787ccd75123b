"""Ending what somebody is signed in with, everywhere and at once."""

from django.db.models import F
from knox.models import AuthToken

from tenants.access.models import TokenKind
from tenants.models import User


def end(*, user: User) -> None:
    """Every session of the portal and every token of signing in. The caller tells why in its own audit event."""
    User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
    user.refresh_from_db(fields=["session_epoch"])
    AuthToken.objects.filter(user=user, label__kind=TokenKind.SIGN_IN).delete()
