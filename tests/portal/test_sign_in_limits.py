"""How often somebody can try to come in by the portal: the limits are those of the API, and counted with it."""

from datetime import datetime

import pytest
from django.conf import LazySettings
from django.contrib.auth import get_user
from django.http import HttpResponse
from django.test import Client

from govcloud.audit.models import Event
from tenants.access.models import AttemptCount
from tests.factories.second_factors import code_of, enrolled
from tests.factories.tenants import PASSWORD, UserFactory
from tests.portal.reading import text

pytestmark = pytest.mark.django_db


def tried(browser: Client, name: str, password: str = "guess", **how: str) -> HttpResponse:  # noqa: S107
    return browser.post("/sign-in/", {"username": name, "password": password, "next": "/leases/"}, **how)


def for_a_token(name: str, password: str = "guess") -> int:  # noqa: S107
    body = {"username": name, "password": password, "name": "x"}
    return Client().post("/api/v1/tokens", body, content_type="application/json").status_code


def a_minute_later() -> None:
    AttemptCount.objects.all().delete()


def test_the_eleventh_attempt_for_a_name_is_not_looked_at(client: Client) -> None:
    UserFactory(username="li.ming")
    for _attempt in range(10):
        assert tried(client, "li.ming").status_code == 200
    events = Event.objects.count()
    answer = tried(client, "li.ming", PASSWORD)
    assert (answer.status_code, Event.objects.count()) == (429, events)
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert not get_user(client).is_authenticated
    assert tried(client, UserFactory().username, PASSWORD).status_code == 302


@pytest.mark.parametrize(
    ("language", "words"), [("zh-hans", "登录尝试过于频繁"), ("en", "Too many attempts to sign in from here")]
)
def test_the_page_says_so_and_keeps_what_was_typed_but_the_password(
    client: Client, settings: LazySettings, language: str, words: str
) -> None:
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    for _attempt in range(10):
        tried(client, "li.ming")
    answer = tried(client, "li.ming", "my password")
    page = answer.content.decode()
    assert words in text(answer)
    assert ('value="li.ming"' in page, 'name="next" value="/leases/"' in page) == (True, True)
    assert "my password" not in page


def test_one_address_tries_sixty_names_a_minute_at_both_entrances_together(client: Client) -> None:
    assert {tried(client, f"name-{number}").status_code for number in range(40)} == {200}
    assert {for_a_token(f"other-{number}") for number in range(20)} == {401}
    events = Event.objects.count()
    assert [tried(client, f"more-{number}").status_code for number in range(5)] == [429] * 5
    assert for_a_token("yet-another") == 429
    assert Event.objects.count() == events + 1
    noticed = Event.objects.get(reason="too-many-requests")
    assert (noticed.actor, noticed.verb, noticed.subject_label) == (
        "system:sign-in",
        "session.opened",
        "127.0.0.1",
    )
    assert tried(client, "more", REMOTE_ADDR="192.0.2.7").status_code == 200


def test_an_office_behind_one_address_gets_in(db: None) -> None:
    people = [UserFactory() for _each in range(65)]
    assert {tried(Client(), each.username, PASSWORD).status_code for each in people} == {302}


def test_an_address_that_callers_make_up_is_no_new_start(client: Client) -> None:
    answers = [
        tried(client, "nobody", headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code for n in range(11)
    ]
    assert answers == [200] * 10 + [429]


def test_the_trusted_proxy_tells_the_address(client: Client, settings: LazySettings) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    for _attempt in range(10):
        tried(client, "nobody", headers={"X-Forwarded-For": "192.0.2.7"})
    assert tried(client, "nobody", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 429
    assert tried(client, "nobody", headers={"X-Forwarded-For": "192.0.2.8"}).status_code == 200


def test_codes_are_limited_too_and_one_that_is_not_looked_at_stays_good(client: Client, at: datetime) -> None:
    user = UserFactory()
    secret, _codes = enrolled(user, at=at)
    code = code_of(secret, later=1)
    tried(client, user.username, PASSWORD)
    for _attempt in range(4):
        assert client.post("/sign-in/code/", {"code": "000000"}).status_code == 200
    for _attempt in range(5):
        tried(Client(), user.username, PASSWORD)
    answer = client.post("/sign-in/code/", {"code": code})
    assert (answer.status_code, "登录尝试过于频繁" in text(answer)) == (429, True)
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    a_minute_later()
    assert client.post("/sign-in/code/", {"code": code}).url == "/leases/"


def test_going_on_with_a_locked_account_leaves_one_event_for_the_lock(client: Client) -> None:
    user = UserFactory()
    for _attempt in range(9):
        tried(client, user.username)
    assert Event.objects.filter(actor=user.audit_ref).count() == 6
    assert Event.objects.filter(reason="account-locked").count() == 1


@pytest.fixture
def _provider(settings: LazySettings) -> None:
    """One that nobody asks: what comes to the callback is nonsense before that."""
    app = {
        "provider_id": "sso",
        "name": "sso",
        "client_id": "govcloud",
        "secret": "secret",
        "settings": {"server_url": "http://127.0.0.1:9"},
    }
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}


@pytest.mark.usefixtures("_provider")
@pytest.mark.parametrize("path", ["callback/?code=x&state=invented", "callback/", ""])
def test_nonsense_from_where_an_identity_provider_sends_people_is_limited_by_address(
    client: Client, path: str
) -> None:
    answers = [client.get(f"/sign-in/with/sso/{path}") for _each in range(63)]
    assert [answer.status_code for answer in answers] == [403] * 60 + [429] * 3
    assert "登录尝试过于频繁" in text(answers[-1])
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert Event.objects.filter(verb="session.opened").count() == 61
    assert tried(client, "li.ming").status_code == 429
