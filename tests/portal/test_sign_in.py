import time
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from govcloud.audit.models import Event, Outcome
from govcloud.portal.middleware import LAST_ACTION
from tests.factories.tenants import PASSWORD
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text


def sign_in(client: Client, name: str, password: str = PASSWORD, **extra: str):
    return client.post("/sign-in/", {"username": name, "password": password, **extra})


def test_pages_lead_to_signing_in_and_back(people: scenes.Cast, client: Client, at: datetime) -> None:
    order = scenes.submitted(people, at=at)
    asked = client.get(f"/orders/{order.number}/")
    assert asked.url == f"/sign-in/?next=/orders/{order.number}/"
    assert sign_in(client, "applicant", next=f"/orders/{order.number}/").url == f"/orders/{order.number}/"


@pytest.mark.parametrize("elsewhere", ["https://example.org/", "//example.org", "javascript:alert(1)"])
def test_signing_in_never_leads_to_another_site(people: scenes.Cast, client: Client, elsewhere: str) -> None:
    assert sign_in(client, "applicant", next=elsewhere).url == "/orders/"


def test_success_is_audited(people: scenes.Cast, client: Client) -> None:
    sign_in(client, "applicant")
    event = Event.objects.get(verb="session.opened")
    assert (event.outcome, event.actor, event.subject_id) == (
        Outcome.DONE,
        people.applicant.audit_ref,
        people.applicant.uuid,
    )


def test_failure_is_audited_and_says_which_is_wrong_of_neither(people: scenes.Cast, client: Client) -> None:
    page = sign_in(client, "applicant", "wrong")
    assert "用户名或密码不正确" in text(page)
    event = Event.objects.get(verb="session.opened")
    assert (event.outcome, event.reason, event.subject_id) == (
        Outcome.REFUSED,
        "wrong-credentials",
        people.applicant.uuid,
    )


def test_what_was_typed_as_a_name_is_not_stored(people: scenes.Cast, client: Client) -> None:
    sign_in(client, "my-secret-password", "wrong")
    event = Event.objects.get(verb="session.opened")
    assert "my-secret-password" not in str(event.__dict__)
    assert (event.actor, event.subject_id) == ("system:sign-in", None)


def test_five_failures_lock_the_account_for_half_an_hour(
    people: scenes.Cast, client: Client, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [at]
    monkeypatch.setattr("govcloud.clock.now", lambda: now[0])
    for _attempt in range(5):
        sign_in(client, "applicant", "wrong")
    assert "登录失败次数过多" in text(sign_in(client, "applicant"))
    assert Event.objects.filter(reason="account-locked").count() == 1
    now[0] = at + timedelta(minutes=31)
    assert sign_in(client, "applicant").status_code == 302


def test_a_success_forgets_the_failures_before_it(people: scenes.Cast, client: Client) -> None:
    for _attempt in range(4):
        sign_in(client, "applicant", "wrong")
    sign_in(client, "applicant")
    client.logout()
    sign_in(client, "applicant", "wrong")
    assert sign_in(client, "applicant").status_code == 302


def test_signing_out_is_a_form_and_audited(people: scenes.Cast, signed_in: Signed) -> None:
    browser = signed_in(people.applicant)
    assert browser.get("/sign-out/").headers["Location"] == "/"
    assert browser.get("/orders/").status_code == 200
    browser.post("/sign-out/")
    assert Event.objects.filter(verb="session.closed", subject_id=people.applicant.uuid).exists()
    assert browser.get("/orders/").status_code == 302


def test_pages_are_chinese_whatever_the_browser_prefers(client: Client, db: None) -> None:
    page = client.get("/sign-in/", headers={"Accept-Language": "en-US"})
    assert '<html lang="zh-Hans">' in page.content.decode()


def test_language_switch_stays_on_the_page(client: Client, db: None) -> None:
    switched = client.post("/language/", {"language": "en", "next": "/sign-in/?next=/orders/"})
    assert switched.url == "/sign-in/?next=/orders/"
    assert '<html lang="en">' in client.get("/sign-in/").content.decode()


def test_language_switch_never_leads_to_another_site(client: Client, db: None) -> None:
    assert client.post("/language/", {"language": "en", "next": "https://example.org/"}).url == "/"


def test_signing_in_brings_ones_own_language(people: scenes.Cast, client: Client) -> None:
    sign_in(client, "applicant")
    assert client.cookies[settings.LANGUAGE_COOKIE_NAME].value == "en"


def idle(client: Client, seconds: int) -> None:
    session = client.session
    session[LAST_ACTION] = time.time() - seconds
    session.save()


def test_fifteen_idle_minutes_end_the_session(people: scenes.Cast, signed_in: Signed) -> None:
    browser = signed_in(people.applicant)
    browser.get("/orders/")
    idle(browser, 14 * 60)
    assert browser.get("/orders/").status_code == 200
    idle(browser, 16 * 60)
    assert browser.get("/orders/").status_code == 302


def test_a_session_in_use_is_written_now_and_then_and_not_with_every_page(
    people: scenes.Cast, signed_in: Signed
) -> None:
    browser = signed_in(people.applicant)
    browser.get("/orders/")
    for seconds, written in ((10, 0), (40, 1)):
        idle(browser, seconds)
        with CaptureQueriesContext(connection) as asked:
            answer = browser.get("/orders/")
        assert sum("UPDATE" in each["sql"] for each in asked) == written
        assert (settings.SESSION_COOKIE_NAME in answer.cookies) == bool(written)


def test_a_page_that_polls_does_not_keep_the_session_alive(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.building(people, at=at)
    browser = signed_in(people.applicant)
    browser.get("/orders/")
    idle(browser, 14 * 60)
    asked = {"HX-Request": "true"}
    assert browser.get(f"/orders/{order.number}/", headers=asked).status_code == 200
    idle(browser, 16 * 60)
    answer = browser.get(f"/orders/{order.number}/", headers=asked)
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (204, "true")
