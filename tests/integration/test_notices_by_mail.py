"""Mail by a real SMTP server: what it says, what happens when the server says no, and when the worker dies."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage

import pytest
from pytest_django import Settings

from govcloud.notifications import dispatch, sending, services
from govcloud.notifications.kinds import Kind
from govcloud.notifications.models import Attempt, Delivery
from tests.factories.notifications import Post, delivered, mail_server, posted
from tests.factories.tenants import UserFactory

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def post(settings: Settings) -> Iterator[Post]:
    with mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.DEFAULT_FROM_EMAIL = "Cloud centre <cloud@centre.example>"
        settings.PORTAL_URL = "https://portal.example"
        yield server


def subject_of(mail: EmailMessage) -> str:
    return str(mail["Subject"]).strip()  # a long one is folded, which leaves a space


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(preferencelist=("plain",))
    assert body is not None
    return str(body.get_content())


def test_a_mail_tells_it_in_the_persons_language_and_leads_to_the_page(post: Post, at: datetime) -> None:
    reader, leser = UserFactory(language="zh-hans"), UserFactory(language="en")
    posted(reader, leser, at=at, facts={"label": "GC-2026-000001 门户", "opinion": "请补充材料"})
    assert delivered(at=at) == 2
    chinese, english = sorted(post.mails, key=lambda mail: mail["X-Given-To"] != reader.email)
    assert subject_of(chinese) == "[政务云计算中心] 退回补正：GC-2026-000001 门户"
    assert subject_of(english) == "[Government cloud centre] Returned for correction: GC-2026-000001 门户"
    assert "请补充材料" in text_of(english)
    message = leser.messages.get()
    assert f"https://portal.example/inbox/{message.uuid}/" in text_of(english)
    assert (english["Content-Language"], english["Auto-Submitted"]) == ("en", "auto-generated")
    assert english.get_content_type() == "text/plain"


def test_nobody_sees_who_else_was_told(post: Post, at: datetime) -> None:
    first, second = UserFactory(), UserFactory()
    posted(first, second, at=at)
    delivered(at=at)
    assert sorted(mail["To"] for mail in post.mails) == sorted([first.email, second.email])
    assert all(mail["X-Given-To"] == mail["To"] for mail in post.mails)


def test_a_digest_is_one_mail_at_its_hour(post: Post, at: datetime) -> None:
    person = UserFactory()
    services.prefer(person=person, digest_hour=17, ways={}, at=at)
    for number in range(3):
        posted(person, at=at, facts={"label": f"GC-{number}"})
    assert delivered(at=at) == 0
    assert delivered(at=at + 7 * HOUR) == 1
    (mail,) = post.mails
    assert subject_of(mail) == "[Government cloud centre] 3 notices"
    assert [f"GC-{number}" in text_of(mail) for number in range(3)] == [True] * 3


def test_a_server_that_is_busy_is_asked_again_with_growing_pauses(post: Post, at: datetime) -> None:
    posted(UserFactory(), at=at)
    post.answers = ["451 later"] * 3
    pauses = []
    for _try in range(3):
        assert delivered(at=at) == 1
        row = Delivery.objects.get()
        pauses.append(row.next_run_at - at)
        at = row.next_run_at
    assert pauses == [timedelta(seconds=30), timedelta(seconds=60), timedelta(seconds=120)]
    assert delivered(at=at) == 1
    assert len(post.mails) == 1
    assert list(Attempt.objects.values_list("succeeded", "status_code")) == [(False, 451)] * 3 + [
        (True, None)
    ]


def test_a_mail_that_is_refused_for_good_is_given_up(post: Post, at: datetime) -> None:
    posted(UserFactory(), at=at)
    post.answers = ["554 not wanted"]
    delivered(at=at)
    assert Delivery.objects.get().state == "given_up"
    assert delivered(at=at + HOUR) == 0


def test_a_server_that_is_away_loses_nothing(post: Post, settings: Settings, at: datetime) -> None:
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    posted(UserFactory(), at=at)
    delivered(at=at)
    settings.EMAIL_PORT = port
    delivered(at=at + HOUR)
    assert len(post.mails) == 1


def test_mail_that_cannot_be_sent_for_three_days_is_given_up(
    post: Post, settings: Settings, at: datetime
) -> None:
    settings.EMAIL_PORT = 1
    posted(UserFactory(), at=at)
    delivered(at=at)
    delivered(at=at + timedelta(hours=71))
    assert Delivery.objects.get().state == "due"
    delivered(at=at + timedelta(hours=72))
    assert Delivery.objects.get().state == "given_up"


def test_who_died_after_sending_lets_it_be_sent_again_under_the_same_id(post: Post, at: datetime) -> None:
    """At least once: between the server's yes and our commit nothing can be both."""
    posted(UserFactory(), at=at)
    dispatch.dispatch(at=at)
    held = sending.claim(at=at)
    assert held is not None
    assert sending._send(held, at=at).succeeded  # and the worker dies before it has written that down
    assert delivered(at=at + sending.LEASE) == 1
    first, second = post.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert Delivery.objects.get().state == "delivered"


def test_who_lost_its_lease_writes_nothing(post: Post, at: datetime) -> None:
    posted(UserFactory(), at=at)
    dispatch.dispatch(at=at)
    slow = sending.claim(at=at)
    quick = sending.claim(at=at + sending.LEASE)
    assert slow is not None
    assert quick is not None
    failed = sending.Tried(succeeded=False, detail="slow")
    assert not sending.settle(slow, failed, asked_at=at, at=at)
    assert sending.settle(quick, sending.Tried(succeeded=True), asked_at=at, at=at)
    assert list(Attempt.objects.values_list("succeeded", flat=True)) == [True]


def test_what_somebody_holds_is_not_taken_by_another(post: Post, at: datetime) -> None:
    posted(UserFactory(), at=at)
    dispatch.dispatch(at=at)
    assert sending.claim(at=at) is not None
    assert sending.claim(at=at) is None


def test_a_kind_that_this_worker_does_not_know_holds_up_nobody_else(post: Post, at: datetime) -> None:
    first, second = UserFactory(), UserFactory()
    posted(first, at=at)
    broken = posted(second, at=at, kind=Kind.CASE_REJECTED)
    dispatch.dispatch(at=at)
    type(broken).objects.filter(pk=broken.pk).update(kind="of.tomorrow")
    assert delivered(at=at) == 2
    assert [mail["To"] for mail in post.mails] == [first.email]
    assert Delivery.objects.get(person=second).state == "due"


def test_who_has_left_gets_nothing_more(post: Post, at: datetime) -> None:
    person = UserFactory()
    posted(person, at=at)
    dispatch.dispatch(at=at)
    person.is_active = False
    person.save()
    delivered(at=at)
    assert post.mails == []
    assert Delivery.objects.get().state == "given_up"
