"""Coming in from the identity provider of the government (OpenID Connect): for people who are known here already."""

from typing import Any

from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from govcloud import clock
from govcloud.audit import services as audit
from govcloud.portal.account.entrance import stop
from tenants.models import User

UNKNOWN = _(
    "The identity provider knows you, but there is no account of yours here. Ask your system administrator."
)
FAILED = _("Signing in with the identity provider did not work. Try again.")


class SingleSignOn(DefaultSocialAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:  # noqa: ARG002
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """The first time by the user name, from then on by the provider's own id: a name given to somebody else opens nothing."""
        if not sociallogin.is_existing:
            user = _known_by_name(sociallogin)
            if user is None:
                stop(request, UNKNOWN, user=None, reason="unknown-identity")
            else:
                _link(request, sociallogin, user)
        # What the provider tells of people is not needed any more.
        SocialAccount.objects.filter(pk=sociallogin.account.pk).update(extra_data={})

    def on_authentication_error(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        stop(request, FAILED, user=None, reason="identity-provider-failed")


def _known_by_name(sociallogin: SocialLogin) -> User | None:
    told = sociallogin.account.extra_data
    claims = told.get("userinfo") or told.get("id_token") or {}
    name = claims.get(settings.OIDC_USERNAME_CLAIM)
    if not name:
        return None
    user = User.objects.filter(username=name, is_active=True).first()
    linked = user is not None and SocialAccount.objects.filter(user=user).exists()
    return None if linked else user


def _link(request: HttpRequest, sociallogin: SocialLogin, user: User) -> None:
    with transaction.atomic():
        sociallogin.connect(request, user)
        audit.record(actor=user, verb="user.identity_linked", subject=user, at=clock.now())
