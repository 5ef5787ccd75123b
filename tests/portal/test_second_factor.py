"""The second factor: who needs one, setting it up, and signing in with it."""

import re
from datetime import datetime, timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.conf import LazySettings
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from govcloud.audit.models import Event, Outcome
from tenants.access import confirmations, second_factor, tokens
from tenants.models import Role, User
from tests.factories.second_factors import code_of, confirmed, enrolled
from tests.factories.tenants import PASSWORD, DepartmentFactory, UserFactory, grant, member, token_of
from tests.portal.conftest import Signed
from tests.portal.reading import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def required(settings: LazySettings) -> None:
    settings.SECOND_FACTOR = "required"


def first_step(client: Client, user: User) -> str:
    return client.post("/sign-in/", {"username": user.username, "password": PASSWORD}).url


def test_the_password_alone_does_not_open_a_session(client: Client, at: datetime) -> None:
    user = UserFactory()
    enrolled(user, at=at)
    assert first_step(client, user) == "/sign-in/code/"
    assert client.get("/orders/").url.startswith("/sign-in/")
    told = Event.objects.get(verb="session.opened")
    assert (told.outcome, told.reason) == (Outcome.REFUSED, "code-needed")  # somebody knows the password


def test_the_code_of_the_app_does(client: Client, at: datetime) -> None:
    user = UserFactory()
    secret, _codes = enrolled(user, at=at)
    first_step(client, user)
    assert client.post("/sign-in/code/", {"code": code_of(secret, later=1)}).url == "/orders/"
    assert Event.objects.get(verb="session.opened", outcome=Outcome.DONE).after == {"by": ["password", "mfa"]}


def test_a_code_is_good_once(client: Client, at: datetime) -> None:
    user = UserFactory()
    secret, _codes = enrolled(user, at=at)
    code = code_of(secret, later=1)
    first_step(client, user)
    client.post("/sign-in/code/", {"code": code})
    other = Client()
    first_step(other, user)
    assert other.post("/sign-in/code/", {"code": code}).status_code == 200
    assert other.get("/orders/").status_code == 302


def test_a_recovery_code_is_good_once_in_place_of_a_code(client: Client, at: datetime) -> None:
    user = UserFactory()
    _secret, codes = enrolled(user, at=at)
    first_step(client, user)
    assert client.post("/sign-in/code/", {"code": codes[0]}).url == "/orders/"
    assert second_factor.recovery_codes_left(user) == 9
    other = Client()
    first_step(other, user)
    assert other.post("/sign-in/code/", {"code": codes[0]}).status_code == 200


def test_a_wrong_code_does_not_stay_in_the_field(client: Client, at: datetime) -> None:
    user = UserFactory()
    enrolled(user, at=at)
    first_step(client, user)
    answer = client.post("/sign-in/code/", {"code": "314159"})
    assert answer.status_code == 200
    assert "314159" not in answer.content.decode()


def test_wrong_codes_lock_the_account_as_wrong_passwords_do(client: Client, at: datetime) -> None:
    user = UserFactory()
    secret, _codes = enrolled(user, at=at)
    first_step(client, user)
    for _attempt in range(5):
        client.post("/sign-in/code/", {"code": "000000"})
    assert "登录失败次数过多" in text(client.post("/sign-in/code/", {"code": code_of(secret, later=1)}))
    assert Event.objects.filter(verb="session.opened", reason="wrong-code").count() == 5
    answer = Client().post("/sign-in/", {"username": user.username, "password": PASSWORD})
    assert "登录失败次数过多" in text(answer)


def test_the_secret_is_not_stored_in_the_clear(at: datetime) -> None:
    user = UserFactory()
    secret, codes = enrolled(user, at=at)
    stored = str([(row.type, row.data) for row in Authenticator.objects.filter(user=user)])
    assert secret not in stored
    assert not any(code in stored for code in codes)


def test_a_replaced_key_can_go_once_the_secrets_are_rotated(at: datetime, settings: LazySettings) -> None:
    user = UserFactory()
    old, new = settings.CREDENTIAL_KEYS[0], "n" * 32
    secret, codes = enrolled(user, at=at)
    settings.CREDENTIAL_KEYS = [new, old]
    call_command("rotate_credentials")
    settings.CREDENTIAL_KEYS = [new]
    assert second_factor.accepts(user, code_of(secret, later=1))
    assert second_factor.accepts(user, codes[0])


@pytest.mark.usefixtures("required")
@pytest.mark.parametrize("role", sorted(second_factor.OBLIGED))
def test_who_approves_or_administers_can_only_enrol_one(role: str, signed_in: Signed) -> None:
    browser = signed_in(member(Role(role), DepartmentFactory()))
    for path in ("/orders/", "/account/", "/findings/"):
        assert browser.get(path).url == "/account/second-factor/", path
    assert browser.get("/account/second-factor/").status_code == 200


@pytest.mark.usefixtures("required")
def test_who_only_applies_needs_none(signed_in: Signed) -> None:
    assert signed_in(member(Role.APPLICANT, DepartmentFactory())).get("/orders/").status_code == 200


@pytest.mark.usefixtures("required")
def test_whoever_gets_such_a_role_has_to_enrol_before_the_next_page(signed_in: Signed) -> None:
    user = member(Role.LEADER)
    browser = signed_in(user)
    assert browser.get("/orders/").status_code == 200
    grant(user, Role.CLOUD_ADMIN)
    assert browser.get("/orders/").url == "/account/second-factor/"


@pytest.mark.usefixtures("required")
def test_setting_it_up_shows_the_recovery_codes_and_what_is_to_be_told(signed_in: Signed) -> None:
    user = member(Role.CLOUD_ADMIN)
    browser = signed_in(user)
    page = browser.get("/account/second-factor/").content.decode()
    secret = re.search(r"<code>([A-Z2-7]{32})</code>", page).group(1)
    assert browser.post("/account/second-factor/", {"code": "000000"}).status_code == 422
    shown = browser.post("/account/second-factor/", {"code": code_of(secret)})
    assert len(re.findall(r"<code>\d{8}</code>", shown.content.decode())) == 10
    assert confirmations.code_of(user) in text(shown)
    assert Event.objects.filter(verb="second_factor.enrolled", subject_id=user.uuid).exists()


@pytest.mark.usefixtures("required")
def test_setting_it_up_ends_sessions_that_were_opened_without_it(signed_in: Signed) -> None:
    user = member(Role.CLOUD_ADMIN)
    other = Client()
    other.force_login(user)
    browser = signed_in(user)
    page = browser.get("/account/second-factor/").content.decode()
    secret = re.search(r"<code>([A-Z2-7]{32})</code>", page).group(1)
    browser.post("/account/second-factor/", {"code": code_of(secret)})
    assert other.get("/orders/").url.startswith("/sign-in/")


@pytest.mark.usefixtures("required")
def test_the_obliged_cannot_give_it_up(signed_in: Signed, at: datetime) -> None:
    user = member(Role.CLOUD_ADMIN)
    secret, _codes = confirmed(user, at=at)
    answer = signed_in(user).post("/account/second-factor/removal/", {"code": code_of(secret, later=1)})
    assert answer.status_code == 403
    assert second_factor.enrolled(user)


def test_others_can_for_a_code(signed_in: Signed, at: datetime) -> None:
    user = member(Role.LEADER)
    secret, _codes = enrolled(user, at=at)
    browser = signed_in(user)
    assert browser.post("/account/second-factor/removal/", {"code": "000000"}).status_code == 422
    assert second_factor.enrolled(user)
    browser.post("/account/second-factor/removal/", {"code": code_of(secret, later=1)})
    assert not second_factor.enrolled(user)


def test_guessing_at_it_in_an_open_session_locks_the_account(signed_in: Signed, at: datetime) -> None:
    user = UserFactory()
    secret, _codes = enrolled(user, at=at)
    browser = signed_in(user)
    for path in ["/account/second-factor/removal/", "/account/second-factor/codes/"] * 3:
        browser.post(path, {"code": "000000"})
    browser.post("/account/second-factor/removal/", {"code": code_of(secret, later=1)})
    assert second_factor.enrolled(user)


def made(user: User) -> None:
    """A named token, as an open session makes one."""
    now = timezone.now()
    tokens.issue(
        user=user, name="for later", scope="roles", permissions=(), networks=(), until=now + timedelta(days=1),
        now=now, at=now,
    )  # fmt: skip


def test_a_token_made_between_two_guesses_unlocks_nothing(signed_in: Signed, at: datetime) -> None:
    user = UserFactory()
    secret, _codes = enrolled(user, at=at)
    browser = signed_in(user)
    for _attempt in range(5):
        made(user)
        browser.post("/account/second-factor/removal/", {"code": "000000"})
    made(user)
    browser.post("/account/second-factor/removal/", {"code": code_of(secret, later=1)})
    assert second_factor.enrolled(user)


def test_new_recovery_codes_make_the_old_ones_void(signed_in: Signed, at: datetime) -> None:
    user = UserFactory()
    secret, codes = enrolled(user, at=at)
    signed_in(user).post("/account/second-factor/codes/", {"code": code_of(secret, later=1)})
    assert not second_factor.accepts(user, codes[0])
    assert second_factor.recovery_codes_left(user) == 10


def ask(user: User, **more: str) -> object:
    body = {"username": user.username, "password": PASSWORD, "name": "laptop", **more}
    return APIClient(headers={"Accept-Language": "en"}).post("/api/v1/tokens", body, format="json")


def test_the_api_asks_for_the_code_too(at: datetime) -> None:
    user = UserFactory()
    secret, _codes = enrolled(user, at=at)
    for _time in range(3):  # it was the right password: that is on record, and locks nobody out
        assert (ask(user).status_code, ask(user).json()["code"]) == (401, "code-needed")
    assert Event.objects.filter(verb="token.refused", reason="code-needed").count() == 6
    assert ask(user, code="000000").json()["code"] == "wrong-credentials"
    assert ask(user, code=code_of(secret, later=1)).status_code == 201


@pytest.mark.usefixtures("required")
def test_the_api_lets_nobody_in_whose_role_needs_a_second_factor_that_is_not_there() -> None:
    user = member(Role.SECURITY_ADMIN)
    assert ask(user).json()["code"] == "second-factor-missing"
    _label, text_ = token_of(user)
    answer = APIClient(headers={"Authorization": f"Bearer {text_}"}).get("/api/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (403, "second-factor-missing")
    browser = APIClient()
    browser.force_login(user)
    assert browser.get("/api/v1/me").json()["code"] == "second-factor-missing"
