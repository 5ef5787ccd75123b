"""The inbox, choices and webhooks as callers see them."""

from collections.abc import Callable
from datetime import datetime

import pytest
from rest_framework.test import APIClient

from govcloud.audit.models import Event
from govcloud.notifications import dispatch
from govcloud.notifications.models import Message, Webhook
from tenants.models import Membership, Role, User
from tests.factories.notifications import delivered, posted, webhook
from tests.factories.tenants import DepartmentFactory, UserFactory, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]
HOOK = {"name": "总线", "url": "https://bus.example/hook", "kinds": ["case.approved"]}


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def reader(at: datetime) -> User:
    person = UserFactory()
    for number in range(2):
        posted(person, at=at, facts={"label": f"GC-{number}"})
    dispatch.dispatch(at=at)
    return person


def test_a_message_is_told_in_the_language_that_was_asked_for(signed_in: SignedIn, reader: User) -> None:
    client = signed_in(reader)
    chinese = client.get("/api/v1/messages", headers={"Accept-Language": "zh-hans"}).json()["results"]
    english = client.get("/api/v1/messages", headers={"Accept-Language": "en"}).json()["results"]
    assert [row["title"] for row in chinese] == ["退回补正：GC-1", "退回补正：GC-0"]
    assert english[0]["title"] == "Returned for correction: GC-1"


def test_messages_are_marked_as_read_one_by_one_or_all_at_once(signed_in: SignedIn, reader: User) -> None:
    client = signed_in(reader)

    def unread() -> int:
        return int(client.get("/api/v1/messages?unread=true").json()["count"])

    (first, _second) = client.get("/api/v1/messages").json()["results"]
    assert client.post(f"/api/v1/messages/{first['uuid']}/reading").json() == {"read": 1}
    assert client.post(f"/api/v1/messages/{first['uuid']}/reading").json() == {"read": 0}
    assert unread() == 1
    assert client.post("/api/v1/messages/reading").json() == {"read": 1}
    assert unread() == 0


def test_the_inbox_of_somebody_else_is_not_there_for_any_role(signed_in: SignedIn, reader: User) -> None:
    message = Message.objects.earliest("pk")
    client = signed_in(member(Role.SUPERVISOR))
    assert client.get("/api/v1/messages").json()["count"] == 0
    assert client.post(f"/api/v1/messages/{message.uuid}/reading").status_code == 404
    assert Event.objects.filter(verb="access.refused", subject_id=message.uuid).exists()


def test_choices_are_read_and_made(signed_in: SignedIn, reader: User) -> None:
    client = signed_in(reader)
    assert client.get("/api/v1/notice-preferences").json()["ways"]["case.waiting"] == "mail"
    body = {"digest_hour": 8, "ways": {"case.waiting": "inbox"}}
    assert client.put("/api/v1/notice-preferences", body).status_code == 200
    kept = client.get("/api/v1/notice-preferences").json()
    assert (kept["digest_hour"], kept["ways"]["case.waiting"]) == (8, "inbox")
    refused = client.put("/api/v1/notice-preferences", {"digest_hour": 99, "ways": {"case.rejected": "not"}})
    assert refused.status_code == 422
    assert {error["pointer"] for error in refused.json()["errors"]} == {"/digest_hour", "/ways/case.rejected"}


def test_a_webhook_is_registered_and_its_secret_shown_once(signed_in: SignedIn) -> None:
    client = signed_in(member(Role.SYSTEM_ADMIN))
    made = client.post("/api/v1/webhooks", HOOK)
    assert (made.status_code, made.json()["secret"][:6]) == (201, "whsec_")
    shown = client.get(f"/api/v1/webhooks/{made.json()['uuid']}")
    assert "secret" not in shown.json()
    other = client.post(f"/api/v1/webhooks/{made.json()['uuid']}/secret").json()["secret"]
    assert other != made.json()["secret"]


def test_a_units_approver_keeps_the_webhooks_of_the_unit_alone(signed_in: SignedIn, at: datetime) -> None:
    department, elsewhere = DepartmentFactory(), DepartmentFactory()
    foreign, _secret = webhook("https://bus.example/", at=at, department=elsewhere)
    client = signed_in(member(Role.UNIT_APPROVER, department))
    own = client.post("/api/v1/webhooks", {**HOOK, "department": str(department.uuid)})
    assert own.status_code == 201
    assert client.post("/api/v1/webhooks", {**HOOK, "department": str(elsewhere.uuid)}).status_code == 404
    assert [row["uuid"] for row in client.get("/api/v1/webhooks").json()["results"]] == [own.json()["uuid"]]
    assert client.post(f"/api/v1/webhooks/{foreign.uuid}/secret").status_code == 404
    assert signed_in(member(Role.APPLICANT, department)).get("/api/v1/webhooks").status_code == 403


def test_who_keeps_those_of_a_unit_is_told_to_name_it_with_all_else_that_is_wrong(
    signed_in: SignedIn,
) -> None:
    client = signed_in(member(Role.UNIT_APPROVER, DepartmentFactory()))
    answer = client.post("/api/v1/webhooks", {**HOOK, "name": "", "url": "https://[::ffff:10.0.0.1]:8443/"})
    assert answer.status_code == 422
    assert {(each["code"], each["pointer"]) for each in answer.json()["errors"]} == {
        ("webhook-department-missing", "/department"),
        ("webhook-name-missing", "/name"),
        ("webhook-leads-inside", "/url"),
    }
    assert not Webhook.objects.exists()


def test_an_address_inside_is_refused_when_it_is_changed_to(signed_in: SignedIn, at: datetime) -> None:
    row, _secret = webhook("https://bus.example/", at=at)
    client = signed_in(member(Role.SYSTEM_ADMIN))
    url = f"/api/v1/webhooks/{row.uuid}"
    etag = client.get(url).headers["ETag"]
    answer = client.put(url, {**HOOK, "url": "https://2130706433/"}, headers={"If-Match": etag})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/url")


def test_an_edit_names_the_version_it_was_made_from(signed_in: SignedIn, at: datetime) -> None:
    row, _secret = webhook("https://bus.example/", at=at)
    client = signed_in(member(Role.SYSTEM_ADMIN))
    url = f"/api/v1/webhooks/{row.uuid}"
    etag = client.get(url).headers["ETag"]
    assert client.put(url, HOOK).status_code == 428
    assert client.put(url, HOOK, headers={"If-Match": etag}).json()["kinds"] == ["case.approved"]
    assert client.put(url, HOOK, headers={"If-Match": etag}).status_code == 412


def test_a_webhook_is_switched_off_and_on(signed_in: SignedIn, at: datetime) -> None:
    row, _secret = webhook("https://bus.example/", at=at)
    client = signed_in(member(Role.SYSTEM_ADMIN))
    url = f"/api/v1/webhooks/{row.uuid}"
    assert client.post(f"{url}/deactivation", {"reason": "moved"}).json()["status"] == "disabled"
    assert client.post(f"{url}/deactivation", {"reason": "moved"}).status_code == 409
    on = client.post(f"{url}/activation").json()
    assert (on["status"], on["secret"], on["keeper"]["uuid"]) == ("active", None, str(row.keeper.uuid))
    assert Event.objects.get(verb="webhook.disabled").reason == "moved"


def test_one_that_has_lost_its_keeper_is_taken_over_with_another_secret(
    signed_in: SignedIn, at: datetime
) -> None:
    unit = DepartmentFactory()
    row, secret = webhook("https://bus.example/", at=at, department=unit)
    Membership.objects.filter(user=row.keeper).update(valid_until=at)
    posted(at=at, department=unit)
    delivered(at=at)
    approver = member(Role.UNIT_APPROVER, unit)
    client, url = signed_in(approver), f"/api/v1/webhooks/{row.uuid}"
    assert client.get(url).json()["status"] == "disabled"
    on = client.post(f"{url}/activation").json()
    assert (on["status"], on["keeper"]["uuid"]) == ("active", str(approver.uuid))
    assert on["secret"].startswith("whsec_")
    assert on["secret"] != secret
    assert "secret" not in client.get(url).json()


def test_the_log_says_what_was_answered_and_what_failed_is_sent_again(
    signed_in: SignedIn, at: datetime
) -> None:
    row, _secret = webhook("https://localhost:1/", at=at)
    posted(at=at)
    delivered(at=at)
    client = signed_in(member(Role.SYSTEM_ADMIN))
    (listed,) = client.get(f"/api/v1/webhook-deliveries?webhook={row.uuid}").json()["results"]
    assert (listed["state"], listed["attempts"][0]["succeeded"]) == ("due", False)
    assert "localhost" in listed["attempts"][0]["detail"]
    url = f"/api/v1/webhook-deliveries/{listed['uuid']}/redelivery"
    assert client.post(url).json()["code"] == "delivery-on-its-way"
    client.post(f"/api/v1/webhooks/{row.uuid}/deactivation", {"reason": "x"})
    assert client.post(url).json()["code"] == "webhook-disabled"
    client.post(f"/api/v1/webhooks/{row.uuid}/activation")
    assert client.post(url).json()["state"] == "due"
    assert Webhook.objects.count() == 1
