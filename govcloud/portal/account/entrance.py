"""What allauth asks of us when somebody comes in, by a password or from another provider: one way in, one set of rules."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import check_for_language
from django.utils.translation import gettext_lazy as _

from govcloud import clock
from govcloud.audit import services as audit
from govcloud.audit.refusals import refuse
from tenants.access import accounts, attempts, second_factor
from tenants.lockout import CODE_NEEDED, LOCKED, first_since, locked_until
from tenants.models import User

SIGN_IN = "session.opened"

TOO_OFTEN = _("Too many attempts to sign in from here. Try again in %(seconds)s seconds.")
NOT_ACTIVE = _("This account is not active. Ask your system administrator.")
TOO_MANY = _("Too many failed attempts. Try again in half an hour, or ask your security administrator.")


class Entrance(DefaultAccountAdapter):  # type: ignore[misc]
    """Nobody signs up here; whoever is known and not locked passes, after their second factor if they have one."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Pages tell themselves what has happened."""

    def get_login_stages(self) -> list[str]:
        return ["allauth.mfa.stages.AuthenticateStage"]

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:  # noqa: ARG002
        """The lock of an account and its being active hold at every entrance."""
        if not user.is_active:
            return turned_away(request, NOT_ACTIVE, user=user, reason="inactive")
        if locked_until(user, at=clock.now()) is not None:
            return turned_away(request, TOO_MANY, user=user, reason=LOCKED)
        was_right(request)
        if second_factor.enrolled(user):
            refused(
                user, reason=CODE_NEEDED
            )  # on record although the code never comes: somebody knows the password
        return None

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **kwargs)
        by = [record["method"] for record in get_authentication_records(request, user)]
        with transaction.atomic():
            audit.record(actor=user, verb=SIGN_IN, subject=user, at=clock.now(), after={"by": by})
        if settings.LANGUAGE_COOKIE_NAME not in request.COOKIES and check_for_language(user.language):
            _remember_language(response, user.language)
        return response


def refused(user: User | None, *, reason: str, label: str = "") -> None:
    """What was typed as a name is not stored: people type passwords there. Of a lock its first attempt is told."""
    at = clock.now()
    if reason == LOCKED and user is not None and not first_since(user, at=at):
        return
    actor = user or audit.SystemActor("sign-in")
    refuse(actor=actor, verb=SIGN_IN, subject=user, at=at, reason=reason, label=label)


def too_often(request: HttpRequest, *, name: str | None = None) -> int:
    """Count an attempt to come in, before it is looked at: in how many seconds another can be made if it is one too many, else 0."""
    address = attempts.address_of(request.META)
    counted = attempts.count(address=address, name=name, now=timezone.now())
    if counted.noticed:
        refused(None, reason=attempts.TOO_OFTEN, label=address)
    return counted.seconds


def was_right(request: HttpRequest) -> None:
    """It does not count against others at the same address."""
    attempts.give_back(address=attempts.address_of(request.META), now=timezone.now())


def turned_away(request: HttpRequest, why: str | Promise, *, user: User | None, reason: str) -> HttpResponse:
    """The sign-in page once more, which says why; the attempt is audited."""
    refused(user, reason=reason)
    return _sign_in_page(request, why, status=403)


def asked_to_wait(request: HttpRequest, seconds: int) -> HttpResponse:
    """The sign-in page once more, for who was sent here too often."""
    headers = {"Retry-After": str(seconds)}
    return _sign_in_page(request, TOO_OFTEN % {"seconds": seconds}, status=429, headers=headers)


def _sign_in_page(
    request: HttpRequest, why: str | Promise, *, status: int, headers: dict[str, str] | None = None
) -> HttpResponse:
    from govcloud.portal.session import SignInForm  # noqa: PLC0415  which brings people here

    context = {"form": SignInForm(request), "turned_away": why, "next": "", **other_way_in()}
    response = render(request, "portal/sign_in.html", context, status=status)
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response


def other_way_in() -> dict[str, Any]:
    """What the sign-in page shows where an identity provider is configured."""
    if not accounts.has_provider():
        return {}
    return {
        "provider": settings.OIDC_NAME or _("the identity provider"),
        "provider_url": reverse("openid_connect_login", args=["sso"]),
    }


def stop(request: HttpRequest, why: str | Promise, *, user: User | None, reason: str) -> None:
    """The same from the middle of one of allauth's flows. Raises ImmediateHttpResponse."""
    raise ImmediateHttpResponse(turned_away(request, why, user=user, reason=reason))


def _remember_language(response: HttpResponse, language: str) -> None:
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        secure=bool(settings.SESSION_COOKIE_SECURE),
        samesite="Lax",
    )
