"""One's own account: password, second factor, tokens."""

from base64 import b64encode
from datetime import datetime
from typing import Any, cast

from allauth.mfa.adapter import get_adapter as authenticators
from allauth.mfa.base.views import AuthenticateView
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from django.conf import settings
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from requests import RequestException

from govcloud import clock
from govcloud.organisation import identity
from govcloud.portal import deeds
from govcloud.portal.account.entrance import TOO_OFTEN, asked_to_wait, too_often, turned_away, was_right
from govcloud.portal.account.forms import NewPasswordForm
from govcloud.portal.account.single_sign_on import FAILED
from govcloud.portal.deeds import Refused
from tenants.access import confirmations, passwords, second_factor, sessions
from tenants.models import Membership, User

SECRET = "portal_second_factor_secret"  # noqa: S105  the session's key for it, until the app has proved that it has it


class SecondStep(AuthenticateView):  # type: ignore[misc]
    """The code of the authenticator app, or a recovery code, after name and password."""

    template_name = "portal/account/code.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user: User = self.stage.login.user
        seconds = too_often(request, name=user.username)
        if not seconds:
            return cast("HttpResponse", super().post(request, *args, **kwargs))
        self.auth_form = self.get_form_class()(user=user)  # one that does not look at the code
        context = {**self.get_context_data(), "turned_away": TOO_OFTEN % {"seconds": seconds}}
        headers = {"Retry-After": str(seconds)}
        return cast("HttpResponse", self.render_to_response(context, status=429, headers=headers))

    def form_valid(self, form: Form) -> HttpResponse:
        was_right(self.request)
        return cast("HttpResponse", super().form_valid(form))


@require_GET
def to_provider(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Lead to the identity provider, where it can be reached."""
    seconds = too_often(request)
    if seconds:
        return asked_to_wait(request, seconds)
    try:
        response = cast("HttpResponse", openid_connect.login(request, provider_id))
    except RequestException:
        return turned_away(request, FAILED, user=None, reason="identity-provider-failed")
    was_right(request)
    return response


@require_GET
def from_provider(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Where the identity provider sends people back to. Anybody can come here with anything, without a form of ours."""
    seconds = too_often(request)
    if seconds:
        return asked_to_wait(request, seconds)
    return cast("HttpResponse", openid_connect.callback(request, provider_id))


@require_GET
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Who one is here, and what keeps others from being it."""
    user, at = cast("User", request.user), clock.now()
    roles = Membership.objects.valid(at=at).filter(user=user).select_related("department")
    context = {
        "roles": roles.order_by("role", "id"),
        "enrolled": second_factor.enrolled(user),
        "obliged": second_factor.obliged(user, at=at),
        "codes_left": second_factor.recovery_codes_left(user),
        "max_age": settings.PASSWORD_MAX_AGE_DAYS,
        "at": at,
    }
    return render(request, "portal/account/page.html", context)


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
@login_required
def password(request: HttpRequest) -> HttpResponse:
    """Change it; all other sessions and sign-ins end. Who has none changes none: there is no old one to give."""
    user, at = cast("User", request.user), clock.now()
    if not user.has_usable_password():
        return redirect("portal:account")
    form = NewPasswordForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        passwords.change(user=user, password=form.cleaned_data["new_password1"], at=at)
        update_session_auth_hash(request, user)
        return redirect("portal:account")
    must = passwords.must_change(user, at=at) and not sessions.began_at_provider(request, user=user)
    context = {"form": form, "must": must, "at": at}
    return render(
        request, "portal/account/password.html", context, status=422 if request.method == "POST" else 200
    )


@sensitive_post_parameters("code")
@never_cache
@require_http_methods(["GET", "POST"])
@login_required
def second_factor_page(request: HttpRequest) -> HttpResponse:
    """Set up an authenticator app; where there is one, its recovery codes and giving it up."""
    user, at = cast("User", request.user), clock.now()
    if request.method == "GET":
        return _second_factor(request, user, at=at)
    codes: list[str] = []
    secret, code = request.session.get(SECRET, ""), request.POST.get("code", "")
    refused = deeds.attempt(lambda: codes.extend(identity.enrol(user=user, secret=secret, code=code, at=at)))
    if refused:
        return _second_factor(request, user, at=at, refused=refused)
    del request.session[SECRET]
    update_session_auth_hash(request, user)
    return _codes(request, user, codes, at=at)


@never_cache
@require_POST
@login_required
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """New recovery codes in place of the old ones."""
    user, at = cast("User", request.user), clock.now()
    codes: list[str] = []
    code = request.POST.get("code", "")
    refused = deeds.attempt(
        lambda: codes.extend(second_factor.renew_recovery_codes(user=user, code=code, at=at))
    )
    if refused:
        return _second_factor(request, user, at=at, refused=refused)
    return _codes(request, user, codes, at=at)


@require_POST
@login_required
def second_factor_removal(request: HttpRequest) -> HttpResponse:
    """Do without, where the roles allow it."""
    user, at = cast("User", request.user), clock.now()
    code = request.POST.get("code", "")
    refused = deeds.attempt(lambda: second_factor.give_up(user=user, code=code, at=at))
    return _second_factor(request, user, at=at, refused=refused) if refused else redirect("portal:account")


def _codes(request: HttpRequest, user: User, codes: list[str], *, at: datetime) -> HttpResponse:
    context = {"codes": codes, "confirmation_code": _confirmation_code(user, at=at), "at": at}
    return render(request, "portal/account/recovery_codes.html", context)


def _confirmation_code(user: User, *, at: datetime) -> str:
    """What the person has to tell a security administrator; empty if nothing needs to be confirmed."""
    return confirmations.code_of(user) if second_factor.to_be_confirmed(user, at=at) else ""


def _second_factor(
    request: HttpRequest, user: User, *, at: datetime, refused: Refused | None = None
) -> HttpResponse:
    context: dict[str, Any] = {
        "enrolled": second_factor.enrolled(user),
        "obliged": second_factor.obliged(user, at=at),
        "codes_left": second_factor.recovery_codes_left(user),
        "confirmation_code": _confirmation_code(user, at=at),
        "refused": refused,
        "at": at,
    }
    if not context["enrolled"]:
        secret = request.session.setdefault(SECRET, second_factor.new_secret())
        app = authenticators()
        picture = app.build_totp_svg(app.build_totp_url(user, secret))
        context["secret"] = secret
        context["picture"] = f"data:image/svg+xml;base64,{b64encode(picture.encode()).decode()}"
    return render(
        request, "portal/account/second_factor.html", context, status=refused.status if refused else 200
    )
