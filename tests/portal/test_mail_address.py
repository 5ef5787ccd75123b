"""The address that somebody's notices go to: proved by a link, by a real SMTP server."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.test import Client
from pytest_django import Settings

from govcloud.audit.models import Event
from tenants.models import User
from tests.factories.notifications import Post, mail_server
from tests.factories.tenants import UserFactory
from tests.portal.conftest import Signed
from tests.portal.reading import text

pytestmark = pytest.mark.django_db
URL = "/account/mail/"
ADDRESS = "li.na@water.example.gov.cn"


@pytest.fixture
def post(settings: Settings) -> Iterator[Post]:
    with mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.PORTAL_URL = "https://portal.example"
        yield server


@pytest.fixture
def person() -> User:
    return UserFactory(email="", username="li.na")


def link_of(post: Post) -> str:
    """Of the last mail, as the portal's own path."""
    body = post.mails[-1].get_body(preferencelist=("plain",))
    assert body is not None
    (found,) = re.findall(r"https://portal\.example(/account/mail/\S+/)", str(body.get_content()))
    return str(found)


def asked(browser: Client, post: Post, address: str = ADDRESS) -> str:
    assert browser.post(URL, {"address": address}).status_code == 302
    return link_of(post)


def test_an_address_is_used_once_its_link_was_opened(person: User, post: Post, signed_in: Signed) -> None:
    browser = signed_in(person)
    assert "nothing comes by mail" in text(browser.get("/account/"))
    link = asked(browser, post)
    assert post.mails[-1]["To"] == ADDRESS
    person.refresh_from_db()
    assert person.email == ""
    assert ADDRESS in text(browser.get(link))
    person.refresh_from_db()
    assert person.email == ""  # programs that look at mail follow links
    assert browser.post(link).status_code == 302
    person.refresh_from_db()
    assert person.email == ADDRESS
    assert ADDRESS in text(browser.get("/account/"))


def test_neither_link_nor_audit_trail_tells_the_address(person: User, post: Post, signed_in: Signed) -> None:
    browser = signed_in(person)
    link = asked(browser, post)
    browser.post(link)
    events = Event.objects.filter(subject_id=person.uuid, verb__startswith="user.mail").order_by("id")
    assert [(event.verb, event.after) for event in events] == [
        ("user.mail_address_asked", {"mail_address": "l***@water.example.gov.cn"}),
        ("user.mail_address_changed", {"mail_address": "l***@water.example.gov.cn"}),
    ]
    assert "li.na" not in link


def test_a_link_is_good_once_for_a_day_and_for_who_asked(
    person: User, post: Post, signed_in: Signed, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)
    link = asked(signed_in(person), post)
    stranger = UserFactory(email="")
    assert signed_in(stranger).post(link).status_code == 409
    for spoilt in (link[:-6] + "AAA=/", f"{URL}nonsense/", f"{URL}a.b.c/", f"{URL}aes-256-gcm.b.c/"):
        answer = signed_in(person).post(spoilt)
        assert answer.status_code == 409
        assert "no longer good" in text(answer)
    monkeypatch.setattr("govcloud.clock.now", lambda: at + timedelta(hours=25))
    assert signed_in(person).get(link).status_code == 409
    monkeypatch.setattr("govcloud.clock.now", lambda: at + timedelta(hours=23))
    assert signed_in(person).post(link).status_code == 302
    assert signed_in(person).post(link).status_code == 409
    assert not User.objects.filter(pk=stranger.pk).exclude(email="").exists()
    assert Event.objects.filter(verb="user.mail_address_changed", outcome="refused").count() == 6


@pytest.mark.parametrize(
    "typed", ["", "li.na", "li na@example.org", "李娜@example.org", "a@b", "x" * 250 + "@example.org"]
)
def test_what_is_no_address_is_told_and_kept(person: User, post: Post, signed_in: Signed, typed: str) -> None:
    answer = signed_in(person).post(URL, {"address": typed})
    assert answer.status_code == 422
    assert "is no mail address" in text(answer)
    assert f'value="{typed[:255]}"' in answer.content.decode()
    assert post.mails == []


@pytest.mark.parametrize(
    ("address", "status"),
    [(ADDRESS, 302), ("a@EXAMPLE.gov.cn", 302), ("a@notexample.gov.cn", 422), ("a@example.org", 422)],
)
def test_addresses_may_have_to_be_the_governments_own(
    post: Post, signed_in: Signed, settings: Settings, address: str, status: int
) -> None:
    settings.MAIL_DOMAINS = ["example.gov.cn"]
    answer = signed_in(UserFactory(email="")).post(URL, {"address": address})
    assert answer.status_code == status
    assert len(post.mails) == (status == 302)


def test_nobody_has_many_links_sent(person: User, post: Post, signed_in: Signed) -> None:
    browser = signed_in(person)
    for number in range(5):
        asked(browser, post, f"somebody{number}@example.org")
    assert browser.post(URL, {"address": "another@example.org"}).status_code == 409
    assert len(post.mails) == 5


def test_a_server_that_does_not_answer_is_told(person: User, signed_in: Signed, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    answer = signed_in(person).post(URL, {"address": ADDRESS})
    assert answer.status_code == 503
    assert ADDRESS in answer.content.decode()


def test_nothing_more_by_mail(post: Post, signed_in: Signed) -> None:
    person = UserFactory()
    assert signed_in(person).post(f"{URL}removal/").status_code == 302
    person.refresh_from_db()
    assert person.email == ""
    assert "You have given no mail address" in text(signed_in(person).get("/inbox/preferences/"))


def test_the_mail_is_in_the_persons_language(post: Post, signed_in: Signed) -> None:
    asked(signed_in(UserFactory(language="zh-hans", email=""), language="zh-hans"), post)
    assert str(post.mails[-1]["Subject"]).strip() == "确认您的邮箱地址"
