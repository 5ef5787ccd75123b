"""Signing in and out, and the language of the pages."""

from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import check_for_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from govcloud import clock
from govcloud.audit import refusals
from govcloud.audit import services as audit
from tenants.lockout import LOCKED, locked_until
from tenants.models import User

SIGN_IN = "session.opened"
SIGN_OUT = "session.closed"


class SignInForm(AuthenticationForm):
    """Names and passwords; after five failures in half an hour the account waits, and a right password waits too."""

    error_messages = {
        "invalid_login": _("The user name or the password is not right. Both are case-sensitive."),
        "inactive": _("This account is not active. Ask your system administrator."),
        "locked": _(
            "Too many failed attempts. Try again in half an hour, or ask your security administrator."
        ),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        username, password = self.fields["username"], self.fields["password"]
        username.label, password.label = _("User name"), _("Password")
        username.widget.attrs |= {"class": "form-control", "autocomplete": "username"}
        password.widget.attrs |= {"class": "form-control", "autocomplete": "current-password"}

    def clean(self) -> dict[str, Any]:
        at = clock.now()
        user = User.objects.filter(username=self.cleaned_data.get("username", "")).first()
        if user is not None and locked_until(user, at=at) is not None:
            _refused(user, reason=LOCKED, at=at)
            raise forms.ValidationError(self.error_messages["locked"], code="locked")
        try:
            return super().clean() or {}
        except forms.ValidationError:
            if self.cleaned_data.get("password"):
                _refused(user, reason="wrong-credentials", at=at)
            raise


class SignIn(LoginView):
    """Django's sign-in page with an audit event for every success and failure."""

    template_name = "portal/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        user = form.get_user()
        with transaction.atomic():
            audit.record(actor=user, verb=SIGN_IN, subject=user, at=clock.now())
        if settings.LANGUAGE_COOKIE_NAME not in self.request.COOKIES and check_for_language(user.language):
            _remember_language(response, user.language)
        return response


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session; a form, so that no foreign page can do it by a link."""
    if isinstance(request.user, User):
        with transaction.atomic():
            audit.record(actor=request.user, verb=SIGN_OUT, subject=request.user, at=clock.now())
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Switch the language by a cookie and come back to the page (``next``, if it is one of ours)."""
    return set_language(request)


def _refused(user: User | None, *, reason: str, at: datetime) -> None:
    """What was typed as a name is not stored: people type passwords there."""
    actor = user or audit.SystemActor("sign-in")
    refusals.refuse(actor=actor, verb=SIGN_IN, subject=user, at=at, reason=reason)


def _remember_language(response: HttpResponse, language: str) -> None:
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        secure=bool(settings.SESSION_COOKIE_SECURE),
        samesite="Lax",
    )
