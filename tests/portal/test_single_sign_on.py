"""Coming in from an identity provider: a real one, a process of its own, over HTTP."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from allauth.socialaccount.models import SocialAccount
from django.conf import LazySettings
from django.test import Client
from rest_framework.test import APIClient

from govcloud import clock
from govcloud.audit.models import Event, Outcome
from govcloud.embedded.installation import free_port
from govcloud.portal.resuming import MARK, mark_for
from tenants.models import Role, User
from tests.factories.second_factors import code_of, enrolled
from tests.factories.tenants import PASSWORD, UserFactory, member
from tests.portal.reading import text

pytestmark = pytest.mark.django_db

PEOPLE = {
    "subject-1": "wang.fang",
    "subject-2": "nobody.here",
    "subject-3": "wang.fang",  # the name was given to somebody else, as names are
}


@dataclass(frozen=True)
class Provider:
    url: str

    def signs_in(self, client: Client, subject: str, *, to: str = "") -> object:
        """The way of a browser: from us to the provider, where somebody signs in, and back with a code."""
        asked = client.get("/sign-in/with/sso/", {"next": to} if to else {})
        told = requests.post(asked.url, data={"sub": subject}, allow_redirects=False, timeout=10)
        back = told.headers["Location"]
        assert back.startswith("http://testserver/sign-in/with/sso/callback/")
        return client.get(back.removeprefix("http://testserver"))


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    port = free_port(0)
    claims = [
        json.dumps({"sub": sub, "preferred_username": name, "name": "王芳"}) for sub, name in PEOPLE.items()
    ]
    options = [option for each in claims for option in ("--user-claims", each)]
    process = subprocess.Popen(
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/.well-known/openid-configuration")
        yield Provider(url)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait_for(url: str) -> None:
    for _attempt in range(200):
        try:
            requests.get(url, timeout=5)
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the identity provider did not start")


@pytest.fixture(autouse=True)
def _configured(settings: LazySettings, provider: Provider) -> None:
    app = {
        "provider_id": "sso",
        "name": "统一身份认证",
        "client_id": "govcloud",
        "secret": "secret",
        "settings": {"server_url": provider.url},
    }
    settings.OIDC_NAME = "统一身份认证"
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}


def test_the_sign_in_page_offers_it_and_leads_back_to_the_page_that_was_asked_for(
    client: Client, provider: Provider
) -> None:
    assert "使用 统一身份认证 登录" in text(client.get("/sign-in/?next=/leases/"))
    UserFactory(username="wang.fang")
    assert provider.signs_in(client, "subject-1", to="/leases/").url == "/leases/"
    assert client.get("/leases/").status_code == 200


def test_what_was_typed_before_the_session_ended_comes_through_it(client: Client, provider: Provider) -> None:
    user = UserFactory(username="wang.fang")
    typed = {"name": "夜间报表", "scope": "read", "days": "7", MARK: mark_for(user)}
    refused = client.post("/account/tokens/", typed)
    (way,) = parse_qs(urlsplit(refused.headers["Location"]).query)["next"]
    assert provider.signs_in(client, "subject-1", to=way).url == way
    page = client.get(way)
    assert (page.status_code, 'value="夜间报表"' in page.content.decode()) == (422, True)


def test_somebody_known_by_name_is_linked_once_and_audited(client: Client, provider: Provider) -> None:
    user = UserFactory(username="wang.fang")
    provider.signs_in(client, "subject-1")
    assert client.session["_auth_user_id"] == str(user.pk)
    (linked,) = SocialAccount.objects.filter(user=user)
    assert (linked.uid, linked.extra_data) == ("subject-1", {})  # no more is kept than the id
    told = [(event.verb, event.subject_id) for event in Event.objects.order_by("id")]
    assert told == [("user.identity_linked", user.uuid), ("session.opened", user.uuid)]
    assert Event.objects.get(verb="session.opened").after == {"by": ["socialaccount"]}


def test_the_second_time_goes_by_the_providers_id_and_not_by_the_name(
    client: Client, provider: Provider
) -> None:
    user = UserFactory(username="wang.fang")
    provider.signs_in(client, "subject-1")
    user.username = "wang.fang.2"
    user.save(update_fields=["username"])
    again = Client()
    provider.signs_in(again, "subject-1")
    assert again.session["_auth_user_id"] == str(user.pk)


def test_a_name_that_was_given_to_somebody_else_does_not_open_the_account(
    client: Client, provider: Provider
) -> None:
    UserFactory(username="wang.fang")
    provider.signs_in(client, "subject-1")
    other = Client()
    answer = provider.signs_in(other, "subject-3")
    assert answer.status_code == 403
    assert "_auth_user_id" not in other.session


def test_somebody_unknown_gets_no_account(client: Client, provider: Provider) -> None:
    answer = provider.signs_in(client, "subject-2")
    assert answer.status_code == 403
    assert "这里没有您的账号" in text(answer)
    refused = Event.objects.get(verb="session.opened")
    assert (refused.outcome, refused.reason) == (Outcome.REFUSED, "unknown-identity")


def test_a_locked_account_is_locked_at_this_entrance_too(client: Client, provider: Provider) -> None:
    UserFactory(username="wang.fang")
    for _attempt in range(5):
        client.post("/sign-in/", {"username": "wang.fang", "password": "wrong"})
    answer = provider.signs_in(client, "subject-1")
    assert answer.status_code == 403
    assert "登录失败次数过多" in text(answer)


def test_an_account_that_is_not_active_stays_outside(client: Client, provider: Provider) -> None:
    user = UserFactory(username="wang.fang")
    provider.signs_in(client, "subject-1")
    user.is_active = False
    user.save(update_fields=["is_active"])
    assert provider.signs_in(Client(), "subject-1").status_code == 403


def test_whoever_has_a_second_factor_is_asked_for_it_here_as_well(
    client: Client, provider: Provider, at: datetime
) -> None:
    secret, _codes = enrolled(UserFactory(username="wang.fang"), at=at)
    assert provider.signs_in(client, "subject-1").url == "/sign-in/code/"
    assert client.get("/orders/").status_code == 302
    assert client.post("/sign-in/code/", {"code": code_of(secret, later=1)}).status_code == 302
    assert client.get("/orders/").status_code == 200


def test_it_never_leads_to_another_site(client: Client, provider: Provider) -> None:
    UserFactory(username="wang.fang")
    assert provider.signs_in(client, "subject-1", to="https://example.org/").url == "/orders/"


def test_an_answer_that_was_not_asked_for_is_turned_away(client: Client, provider: Provider) -> None:
    answer = client.get("/sign-in/with/sso/callback/?code=stolen&state=invented")
    assert answer.status_code == 403
    assert "_auth_user_id" not in client.session


def test_a_provider_that_does_not_answer_is_told_of_in_words(
    client: Client, settings: LazySettings, db: None
) -> None:
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    app["settings"] = {"server_url": f"http://127.0.0.1:{free_port(0)}"}
    answer = client.get("/sign-in/with/sso/")
    assert answer.status_code == 403
    assert "统一身份认证登录未成功" in text(answer)


def opened(typed: dict[str, str], browser: Client) -> str:
    """An account opened on the page; its first password, if it has one."""
    browser.force_login(member(Role.SYSTEM_ADMIN))
    page = browser.post("/security/accounts/", {"name": "王芳", "language": "en", **typed}).content.decode()
    return next(iter(re.findall(r'id="first-password">([^<]+)</code>', page)), "")


@pytest.mark.parametrize("days", [0, 100])
def test_nobody_who_comes_from_the_provider_has_to_know_a_password_of_ours(
    client: Client, provider: Provider, settings: LazySettings, days: int
) -> None:
    password = opened({"username": "wang.fang"}, Client())
    settings.PASSWORD_MAX_AGE_DAYS = 90
    changed_at = clock.now() - timedelta(days=days) if days else None
    User.objects.filter(username="wang.fang").update(password_changed_at=changed_at)
    provider.signs_in(client, "subject-1")
    assert client.get("/orders/").status_code == 200
    assert client.get("/api/v1/me").status_code == 200
    assert "choose a new one to go on" not in text(client.get("/account/password/"))
    with_it = Client()
    with_it.post("/sign-in/", {"username": "wang.fang", "password": password})
    assert with_it.get("/orders/").url == "/account/password/"
    assert with_it.get("/api/v1/me").json()["code"] == "password-change-needed"


def test_a_password_that_was_typed_before_asks_nothing_of_who_came_from_the_provider_since(
    client: Client, provider: Provider, settings: LazySettings, at: datetime
) -> None:
    user = UserFactory(username="wang.fang", password_changed_at=None)
    secret, _codes = enrolled(user, at=at)
    client.post("/sign-in/", {"username": "wang.fang", "password": PASSWORD})
    provider.signs_in(client, "subject-1")
    client.post("/sign-in/code/", {"code": code_of(secret, later=1)})
    assert client.get("/orders/").status_code == 200


def test_an_account_without_a_password_is_opened_on_the_page_and_used(
    client: Client, provider: Provider
) -> None:
    assert opened({"username": "wang.fang", "without_password": "on"}, Client()) == ""
    user = User.objects.get(username="wang.fang")
    assert not user.has_usable_password()
    assert Event.objects.get(verb="user.opened").after == {"with_password": False}
    provider.signs_in(client, "subject-1")
    assert client.get("/orders/").status_code == 200
    assert 'href="/account/password/"' not in client.get("/account/").content.decode()
    assert client.get("/account/password/").url == "/account/"
    assert client.post("/account/password/", {"old_password": "x"}).url == "/account/"
    assert not Event.objects.filter(verb="user.password_changed").exists()


def test_an_account_without_a_password_is_opened_by_the_api(settings: LazySettings) -> None:
    api = APIClient()
    api.force_login(member(Role.SYSTEM_ADMIN))
    body = {"username": "wang.fang", "name": "王芳", "with_password": False}
    answer = api.post("/api/v1/accounts", body, format="json")
    assert (answer.status_code, answer.json()["password"]) == (201, "")
    assert api.get(answer.headers["Location"]).json()["has_password"] is False
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": []}}
    refused = api.post("/api/v1/accounts", {**body, "username": "li.na"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (422, "no-identity-provider")
    assert not User.objects.filter(username="li.na").exists()


def test_who_enrolled_before_the_person_did_gets_nowhere_by_the_provider(
    client: Client, provider: Provider, settings: LazySettings, at: datetime
) -> None:
    settings.SECOND_FACTOR = "required"
    user = member(Role.CLOUD_ADMIN, username="wang.fang")
    secret, _codes = enrolled(user, at=at)
    provider.signs_in(client, "subject-1")
    client.post("/sign-in/code/", {"code": code_of(secret, later=1)})
    assert client.session["_auth_user_id"] == str(user.pk)
    assert client.get("/orders/").url == "/account/second-factor/"
