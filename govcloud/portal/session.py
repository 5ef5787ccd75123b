"""Signing in and out, and the language of the pages."""

from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.account.utils import perform_login
from django import forms
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from govcloud import clock
from govcloud.audit import services as audit
from govcloud.portal import resuming
from govcloud.portal.account import entrance
from tenants.lockout import LOCKED, locked_until
from tenants.models import User

SIGN_OUT = "session.closed"
LONGEST_NAME = 150


class SignInForm(AuthenticationForm):
    """Names and passwords; after five failures in half an hour the account waits, and a right password waits too."""

    error_messages = {
        "invalid_login": _("The user name or the password is not right. Both are case-sensitive."),
        "inactive": entrance.NOT_ACTIVE,
        "locked": entrance.TOO_MANY,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        username, password = self.fields["username"], self.fields["password"]
        username.label, password.label = _("User name"), _("Password")
        username.widget.attrs |= {"class": "form-control", "autocomplete": "username"}
        password.widget.attrs |= {"class": "form-control", "autocomplete": "current-password"}

    def clean(self) -> dict[str, Any]:
        user = User.objects.filter(username=self.cleaned_data.get("username", "")).first()
        if user is not None and locked_until(user, at=clock.now()) is not None:
            entrance.refused(user, reason=LOCKED)
            raise forms.ValidationError(self.error_messages["locked"], code="locked")
        try:
            return super().clean() or {}
        except forms.ValidationError:
            if self.cleaned_data.get("password"):
                entrance.refused(user, reason="wrong-credentials")
            raise


class SignIn(LoginView):
    """Name and password; who has a second factor is asked for it next. Success is audited by ``account.entrance``."""

    template_name = "portal/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        typed = request.POST.get("username", "")
        seconds = entrance.too_often(request, name=typed)
        if not seconds:
            return super().post(request, *args, **kwargs)
        form = SignInForm(request, initial={"username": typed.replace("\0", "")[:LONGEST_NAME]})
        why = entrance.TOO_OFTEN % {"seconds": seconds}
        context = self.get_context_data(form=form, turned_away=why)
        return self.render_to_response(context, status=429, headers={"Retry-After": str(seconds)})

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        record_authentication(self.request, user, method="password")
        response: HttpResponse = perform_login(self.request, user, redirect_url=self.get_success_url())
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), **entrance.other_way_in()}


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
    """Switch the language by a cookie and come back to the page (``next``, if it is one of ours), with what came along of a form."""
    answer: HttpResponse = set_language(request)
    form = resuming.switching(request, request.user) if isinstance(request.user, User) else None
    if form is not None:
        answer.headers["Location"] = form
    return answer
