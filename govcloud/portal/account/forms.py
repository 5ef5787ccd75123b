"""What people type to come in and to keep their account."""

from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.core import context
from django import forms
from django.contrib.auth.forms import PasswordChangeForm
from django.utils.translation import gettext_lazy as _

from govcloud import clock
from govcloud.audit.refusals import refuse
from govcloud.portal.account import entrance
from tenants.access import second_factor
from tenants.lockout import LOCKED, locked_until
from tenants.models import User


class CodeInput(forms.TextInput):
    """A code is typed anew each time: it holds for one try, and is no business of the page's."""

    def format_value(self, value: Any) -> None:  # noqa: ARG002
        return None


class CodeForm(forms.Form):
    """The second step of signing in. Its failures count as those of the first step do."""

    code = forms.CharField(
        label=_("Code"),
        max_length=20,
        widget=CodeInput(
            attrs={
                "class": "form-control",
                "autocomplete": "one-time-code",
                "inputmode": "numeric",
                "autofocus": True,
            }
        ),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if locked_until(self.user, at=clock.now()) is not None:
            entrance.refused(self.user, reason=LOCKED)
            raise forms.ValidationError(entrance.TOO_MANY, code="locked")
        if not second_factor.accepts(self.user, code):
            entrance.refused(self.user, reason=second_factor.WrongCode.code)
            raise forms.ValidationError(second_factor.WrongCode.message, code="wrong")
        return code

    def save(self) -> None:
        record_authentication(context.request, self.user, method="mfa")


class NewPasswordForm(PasswordChangeForm):
    """The old password, and the new one twice. A wrong old one counts as a failed attempt to sign in."""

    error_messages = {
        **PasswordChangeForm.error_messages,
        "locked": entrance.TOO_MANY,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs |= {"class": "form-control"}

    def clean_old_password(self) -> str:
        if locked_until(self.user, at=clock.now()) is not None:
            raise forms.ValidationError(self.error_messages["locked"], code="locked")
        try:
            return super().clean_old_password()
        except forms.ValidationError:
            refuse(
                actor=self.user, verb="user.password_changed", subject=self.user, at=clock.now(),
                reason="wrong-credentials",
            )  # fmt: skip
            raise
