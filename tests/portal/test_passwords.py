"""Passwords: what they have to be like, when they are changed, and what a change ends."""

from datetime import datetime, timedelta

import pytest
from django.conf import LazySettings
from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.test import Client
from rest_framework.test import APIClient

from govcloud import clock
from govcloud.audit.models import Event
from tenants.access import accounts, passwords
from tenants.access.models import ApiToken
from tenants.models import Role, User
from tests.factories.tenants import PASSWORD, UserFactory, member, token_of
from tests.portal.conftest import Signed
from tests.portal.reading import text

pytestmark = pytest.mark.django_db
GOOD = "Nanning-2026-autumn"


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("Short-1", "password_too_short"),
        ("lowercaseonly", "password_of_too_few_kinds"),
        ("lowercase1234", "password_of_too_few_kinds"),
        ("Password123", "password_too_common"),
        ("Wang.Fang-1", "password_too_similar"),
    ],
)
def test_weak_passwords_are_refused(password: str, code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        validate_password(password, UserFactory(username="wang.fang"))
    assert code in {error.code for error in refused.value.error_list}


def test_a_good_one_is_taken() -> None:
    validate_password(GOOD, UserFactory())


def test_none_of_the_last_ones_comes_back(at: datetime, settings: LazySettings) -> None:
    settings.PASSWORD_HISTORY = 2
    user = UserFactory()
    for number in range(3):
        passwords.change(user=user, password=f"{GOOD}-{number}", at=at)
    for number in (0, 1, 2):
        with pytest.raises(ValidationError):
            validate_password(f"{GOOD}-{number}", user)
    validate_password(PASSWORD + "-A1", user)
    passwords.change(user=user, password=f"{GOOD}-3", at=at)
    validate_password(f"{GOOD}-0", user)  # three ago


def test_nor_the_one_that_somebody_had_before_it_was_reset(at: datetime) -> None:
    user, administrator = UserFactory(), member(Role.SYSTEM_ADMIN)
    passwords.change(user=user, password=GOOD, at=at)
    for _time in range(6):  # first passwords, which nobody chose, are not counted among the last
        user = accounts.reset_password(user=user, actor=administrator, at=at).user
    with pytest.raises(ValidationError):
        validate_password(GOOD, user)


def test_a_reset_ends_named_tokens_too(at: datetime) -> None:
    user = UserFactory()
    token_of(user)
    accounts.reset_password(user=user, actor=member(Role.SYSTEM_ADMIN), at=at)
    assert not ApiToken.objects.exists()
    assert Event.objects.get(verb="token.revoked").reason == "the password was reset"


def change(browser: Client, new: str = GOOD, old: str = PASSWORD) -> object:
    typed = {"old_password": old, "new_password1": new, "new_password2": new}
    return browser.post("/account/password/", typed)


def test_a_password_that_somebody_else_set_is_changed_before_anything_else(
    signed_in: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = UserFactory(username="new-person")
    monkeypatch.setattr("getpass.getpass", lambda **_asked: "First-Password-1")
    call_command("changepassword", "new-person")
    user.refresh_from_db()
    browser = signed_in(user)
    assert browser.get("/orders/").url == "/account/password/"
    assert change(browser, old="First-Password-1").url == "/account/"
    assert browser.get("/orders/").status_code == 200


@pytest.mark.parametrize(("days", "status"), [(89, 200), (91, 302)])
def test_a_password_grows_too_old(signed_in: Signed, settings: LazySettings, days: int, status: int) -> None:
    settings.PASSWORD_MAX_AGE_DAYS = 90
    browser = signed_in(UserFactory(password_changed_at=clock.now() - timedelta(days=days)))
    assert browser.get("/orders/").status_code == status


def test_the_api_opens_nothing_for_a_password_that_has_to_be_changed() -> None:
    user = UserFactory(password_changed_at=None)
    body = {"username": user.username, "password": PASSWORD, "name": "laptop"}
    answer = APIClient().post("/api/v1/tokens", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (403, "password-change-needed")
    browser = APIClient()
    browser.force_login(user)
    assert browser.get("/api/v1/me").json()["code"] == "password-change-needed"


def test_a_stronger_digest_of_the_same_password_is_no_change_of_it(settings: LazySettings) -> None:
    user = UserFactory()
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    body = {"username": user.username, "password": PASSWORD, "name": "laptop"}
    assert APIClient().post("/api/v1/tokens", body, format="json").status_code == 201
    user.refresh_from_db()
    assert user.password.startswith("scrypt")
    assert user.password_changed_at is not None


def test_who_signs_in_elsewhere_has_no_password_to_change(signed_in: Signed) -> None:
    user = UserFactory(password="!", password_changed_at=None)
    assert signed_in(user).get("/orders/").status_code == 200


def test_changing_it_ends_everything_else_and_not_this(signed_in: Signed, at: datetime) -> None:
    user = UserFactory()
    other = Client()
    other.force_login(user)
    token_of(user, name="nightly")
    token_of(user, name="laptop", kind="sign_in")
    browser = signed_in(user)
    change(browser)
    assert browser.get("/orders/").status_code == 200
    assert other.get("/orders/").url.startswith("/sign-in/")
    assert [token.name for token in ApiToken.objects.filter(token__user=user)] == ["nightly"]
    assert authenticate(username=user.username, password=GOOD) == user
    told = Event.objects.get(verb="user.password_changed")
    assert GOOD not in str(vars(told))


def test_guessing_the_old_one_locks_the_account(signed_in: Signed) -> None:
    user = UserFactory()
    browser = signed_in(user)
    for _attempt in range(5):
        assert change(browser, old="wrong").status_code == 422
    assert "Too many failed attempts" in text(change(browser))
    assert User.objects.get(pk=user.pk).password == user.password
    attempt = Client().post("/sign-in/", {"username": user.username, "password": PASSWORD})
    assert attempt.status_code == 200
