"""Webhooks over real HTTP: signed, tried again, disabled, sent again, and never to where they must not go."""

import base64
import hashlib
import hmac
import json
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from pytest_django import Settings

from govcloud.audit.models import Event
from govcloud.errors import Invalids
from govcloud.gateways import webhooks as calls
from govcloud.notifications import dispatch, payloads, webhooks
from govcloud.notifications.kinds import Kind
from govcloud.notifications.models import Attempt, Delivery, Message, Webhook
from tenants.models import Role
from tenants.policies import RoleMissing
from tests.factories.notifications import Listener, delivered, listening, posted, webhook
from tests.factories.tenants import DepartmentFactory, UserFactory, member

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def heard(settings: Settings) -> Iterator[Listener]:
    settings.WEBHOOK_PLAIN_HTTP = True
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.0/8")]
    with listening() as listener:
        yield listener


def the_try() -> Attempt:
    return Attempt.objects.latest("pk")


def test_a_call_is_signed_over_its_id_its_time_and_its_body(heard: Listener, at: datetime) -> None:
    _row, secret = webhook(heard.url(), at=at)
    notice = posted(at=at, facts={"label": "GC-2026-000001"})
    assert delivered(at=at) == 1
    ((headers, body),) = heard.calls
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == str(notice.uuid)
    assert int(headers["webhook-timestamp"]) == int(at.timestamp())
    told = json.loads(body)
    assert (told["type"], told["data"]["facts"]["label"]) == ("case.returned", "GC-2026-000001")
    assert told["data"]["title"]["en"] == "Returned for correction: GC-2026-000001"


def test_a_webhook_hears_of_its_kinds_and_of_its_department_and_below(heard: Listener, at: datetime) -> None:
    above = DepartmentFactory()
    unit = DepartmentFactory(parent=above)
    everything, _ = webhook(heard.url(), at=at)
    of_department, _ = webhook(heard.url(), at=at, department=above)
    of_a_kind, _ = webhook(heard.url(), at=at, kinds=["case.approved"])
    foreign, _ = webhook(heard.url(), at=at, department=DepartmentFactory())
    posted(at=at, department=unit)
    dispatch.dispatch(at=at)
    hearing = set(Delivery.objects.values_list("webhook", flat=True))
    assert hearing == {everything.pk, of_department.pk}
    assert hearing.isdisjoint({of_a_kind.pk, foreign.pk})


@pytest.mark.parametrize("kind", ["role.requested", "role.lapsed", "review.overdue"])
def test_who_becomes_an_administrator_is_told_to_no_outside_system(
    kind: str, heard: Listener, at: datetime
) -> None:
    webhook(heard.url(), at=at)
    posted(at=at, kind=Kind(kind))
    dispatch.dispatch(at=at)
    assert not Delivery.objects.filter(channel="webhook").exists()
    with pytest.raises(Invalids, match="No outside system"):
        webhook(heard.url(), at=at, kinds=[kind])


def test_a_call_that_fails_is_made_again_with_the_same_id_and_body(heard: Listener, at: datetime) -> None:
    webhook(heard.url(), at=at)
    posted(at=at)
    heard.answers = [500, 429]
    for hours in range(3):
        delivered(at=at + hours * HOUR)
    assert len({(headers["webhook-id"], body) for headers, body in heard.calls}) == 1
    assert list(Attempt.objects.values_list("status_code", flat=True)) == [500, 429, 204]
    assert Delivery.objects.get().state == "delivered"
    assert Webhook.objects.get().failing_since is None


def test_a_webhook_that_fails_rests_while_others_are_called(heard: Listener, at: datetime) -> None:
    with listening() as well:
        webhook(heard.url(), at=at)
        webhook(well.url(), at=at)
        heard.answers = [503] * 9
        for _notice in range(4):
            posted(at=at)
        delivered(at=at)
        assert (len(heard.calls), len(well.calls)) == (1, 4)


def test_a_webhook_that_fails_for_three_days_is_disabled_and_its_keepers_are_told(
    heard: Listener, at: datetime
) -> None:
    row, _secret = webhook(heard.url(), at=at)
    posted(at=at)
    heard.answers = [500] * 9
    delivered(at=at)
    delivered(at=at + timedelta(hours=71))
    assert Webhook.objects.get().status == "active"
    delivered(at=at + timedelta(hours=73))
    row.refresh_from_db()
    assert (row.status, Delivery.objects.get(notice__kind="case.returned").state) == ("disabled", "given_up")
    dispatch.dispatch(at=at + timedelta(hours=73))
    assert Message.objects.get(person=row.registered_by).notice.kind == "webhook.disabled"
    assert Event.objects.get(verb="webhook.disabled").actor == "system:notifications"
    posted(at=at + timedelta(hours=74))
    delivered(at=at + timedelta(hours=74))
    assert len(heard.calls) == 3


def test_a_call_that_is_always_refused_while_others_are_taken_is_given_up(
    heard: Listener, at: datetime
) -> None:
    webhook(heard.url(), at=at)
    posted(at=at)
    heard.answers = [400]
    delivered(at=at)
    posted(at=at + HOUR)
    for hours, answers in ((1, [400]), (2, [204, 400]), (72, [400])):
        heard.answers = answers
        delivered(at=at + hours * HOUR)
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["delivered", "given_up"]
    assert Webhook.objects.get().status == "active"


def test_switched_on_again_it_hears_of_what_happens_from_then_on(heard: Listener, at: datetime) -> None:
    row, _secret = webhook(heard.url(), at=at)
    keeper = row.registered_by
    webhooks.switch_off(webhook=row, reason="moved", actor=keeper, at=at)
    posted(at=at)
    delivered(at=at)
    webhooks.switch_on(webhook=row, actor=keeper, at=at)
    posted(at=at)
    delivered(at=at)
    assert len(heard.calls) == 1


def test_a_call_is_made_again_by_hand(heard: Listener, at: datetime) -> None:
    row, _secret = webhook(heard.url(), at=at)
    posted(at=at)
    delivered(at=at)
    delivery = Delivery.objects.get()
    webhooks.send_again(delivery=delivery, actor=row.registered_by, at=at + HOUR)
    with pytest.raises(webhooks.NotGivenUp):
        webhooks.send_again(delivery=delivery, actor=row.registered_by, at=at + HOUR)
    assert delivered(at=at + HOUR) == 1
    assert len({headers["webhook-id"] for headers, _body in heard.calls}) == 1
    assert Delivery.objects.get().attempts.count() == 2


# -- where it must not go


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_not_called_however_it_is_written(
    heard: Listener, settings: Settings, at: datetime, host: str
) -> None:
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
    webhook(heard.url(host), at=at)
    settings.WEBHOOK_NETWORKS = []
    posted(at=at)
    delivered(at=at)
    assert heard.calls == []
    assert "WEBHOOK_NETWORKS does not allow" in the_try().detail


def test_redirects_are_not_followed(heard: Listener, at: datetime) -> None:
    webhook(heard.url(), at=at)
    posted(at=at)
    heard.answers = [302]
    delivered(at=at)
    assert len(heard.calls) == 1
    assert (the_try().succeeded, the_try().status_code) == (False, 302)


def test_a_name_that_answers_otherwise_a_moment_later_leads_nowhere_else(
    heard: Listener, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the address that was judged is the one that is called."""
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.1/32")]
    answers = ["127.0.0.1", "127.0.0.2", "127.0.0.2"]
    plain = socket.getaddrinfo

    def rebinding(host: Any, port: Any, *args: Any, **how: Any) -> Any:
        return plain(answers.pop(0) if host == "rebinding.example" else host, port, *args, **how)

    monkeypatch.setattr("socket.getaddrinfo", rebinding)
    url = f"http://rebinding.example:{heard.port}/hook"
    assert calls.post(url, body=b"{}", headers={"Content-Length": "2"}).status == 204
    ((headers, _body),) = heard.calls
    assert headers["host"] == f"rebinding.example:{heard.port}"
    with pytest.raises(calls.AddressRefused):
        calls.post(url, body=b"{}", headers={})


def test_an_answer_that_never_ends_is_cut_off(settings: Settings) -> None:
    settings.WEBHOOK_PLAIN_HTTP, settings.WEBHOOK_TIMEOUT = True, 0.3
    settings.WEBHOOK_NETWORKS = [ip_network("127.0.0.0/8")]
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(calls.NotDelivered):
        calls.post(f"http://127.0.0.1:{silent.getsockname()[1]}/", body=b"", headers={})


# -- who keeps them


def test_a_unit_registers_for_its_own_events_alone(settings: Settings, at: datetime) -> None:
    department = DepartmentFactory()
    approver = member(Role.UNIT_APPROVER, department)
    draft = webhooks.WebhookDraft(name="总线", url="https://bus.example/hook")
    row, _secret = webhooks.register(draft=draft, department=department, actor=approver, at=at)
    assert list(Webhook.objects.visible_to(approver, at=at)) == [row]
    with pytest.raises(RoleMissing):
        webhooks.register(draft=draft, department=DepartmentFactory(), actor=approver, at=at)
    with pytest.raises(RoleMissing):
        webhooks.register(draft=draft, department=None, actor=member(Role.APPLICANT, department), at=at)
    assert not Webhook.objects.visible_to(member(Role.UNIT_APPROVER, DepartmentFactory()), at=at).exists()
    assert not Webhook.objects.visible_to(member(Role.APPLICANT, department), at=at).exists()


def test_all_that_is_wrong_is_said_at_once(at: datetime) -> None:
    draft = webhooks.WebhookDraft(name=" ", url="http://bus.example/", kinds=["case.returned", "case.eaten"])
    with pytest.raises(webhooks.Invalids) as refused:
        webhooks.register(draft=draft, department=None, actor=member(Role.SYSTEM_ADMIN), at=at)
    assert [(error.code, error.pointers) for error in refused.value.errors] == [
        ("webhook-name-missing", ("/name",)),
        ("bad-webhook-address", ("/url",)),
        ("unknown-notice-kind", ("/kinds/1",)),
    ]


def test_the_secret_is_kept_sealed_and_told_to_nobody(settings: Settings, at: datetime) -> None:
    row, secret = webhook("https://bus.example/", at=at)
    stored = bytes(Webhook.objects.values_list("sealed", flat=True).get())
    assert secret.encode() not in stored
    assert secret not in str(list(Event.objects.values()))
    assert payloads.secret_of(row) == secret


def test_the_secret_is_put_under_a_new_key_and_replaced_by_another(settings: Settings, at: datetime) -> None:
    row, secret = webhook("https://bus.example/", at=at)
    settings.CREDENTIAL_KEYS = ["n" * 32, *settings.CREDENTIAL_KEYS]
    assert payloads.seal_anew() == 1
    assert payloads.seal_anew() == 0
    settings.CREDENTIAL_KEYS = settings.CREDENTIAL_KEYS[:1]
    row.refresh_from_db()
    assert payloads.secret_of(row) == secret
    other = webhooks.renew_secret(webhook=row, actor=row.registered_by, at=at)
    row.refresh_from_db()
    assert payloads.secret_of(row) == other != secret


def test_a_change_made_from_an_old_version_is_refused(at: datetime) -> None:
    row, _secret = webhook("https://bus.example/", at=at)
    draft = webhooks.WebhookDraft(name="新总线", url="https://bus.example/2", kinds=[Kind.CASE_APPROVED])
    changed = webhooks.change(webhook=row, draft=draft, expected_version=1, actor=row.registered_by, at=at)
    assert (changed.url, changed.version) == ("https://bus.example/2", 2)
    with pytest.raises(webhooks.ChangedMeanwhile):
        webhooks.change(webhook=row, draft=draft, expected_version=1, actor=row.registered_by, at=at)


def test_the_log_is_let_go_of_and_what_is_on_its_way_stays(heard: Listener, at: datetime) -> None:
    webhook(heard.url(), at=at)
    posted(UserFactory(), at=at)
    delivered(at=at)
    posted(at=at)
    dispatch.dispatch(at=at)
    assert dispatch.forget(before=at + HOUR) == 1
    assert Delivery.objects.get(channel="webhook").state == "due"
    assert Message.objects.count() == 1
