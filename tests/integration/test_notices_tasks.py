"""The tasks' bodies, called directly: what a message, the sweep and the hourly round do, however often they come."""

from datetime import datetime, timedelta

import pytest
from django.core import mail
from pytest_django import Settings

from govcloud.notifications import payloads, tasks
from govcloud.notifications.models import Delivery, Message, Webhook
from govcloud.supervision import tasks as supervision
from govcloud.supervision.models import SupervisionCard
from tests.factories.approvals import case_of, chain
from tests.factories.notifications import posted, webhook
from tests.factories.tenants import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)
    monkeypatch.setattr("govcloud.clock.agreed", lambda: lambda: at)


def test_a_bell_rung_twice_sends_once(at: datetime) -> None:
    posted(UserFactory(), at=at)
    tasks.deliver()
    tasks.deliver()
    assert len(mail.outbox) == 1
    assert Message.objects.count() == 1


def test_the_sweep_rings_for_what_nobody_rang_for(at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[dict[str, object]] = []
    monkeypatch.setattr(tasks.deliver, "apply_async", lambda **how: rung.append(how))
    tasks.sweep()
    assert rung == []
    posted(UserFactory(), at=at)
    tasks.sweep()
    assert len(rung) == 1
    for _each in range(9):
        posted(UserFactory(), at=at)
    tasks.dispatch.dispatch(at=at)
    tasks.sweep()
    assert len(rung) == 1 + tasks.MOST_BELLS


def test_the_hourly_round_lets_go_of_the_log_and_renews_seals(at: datetime, settings: Settings) -> None:
    row, secret = webhook("https://localhost:1/", at=at)
    posted(at=at - timedelta(days=200))
    tasks.dispatch.dispatch(at=at - timedelta(days=200))
    Delivery.objects.update(state="delivered", next_run_at=None, finished_at=at - timedelta(days=91))
    settings.CREDENTIAL_KEYS = ["n" * 32, *settings.CREDENTIAL_KEYS]
    tasks.forget()
    assert not Delivery.objects.exists()
    settings.CREDENTIAL_KEYS = settings.CREDENTIAL_KEYS[:1]
    assert payloads.secret_of(Webhook.objects.get(pk=row.pk)) == secret


def test_the_sweep_of_supervision_raises_what_is_due_once(at: datetime) -> None:
    case_of(chain(), at=at - timedelta(days=30))
    supervision.sweep()
    supervision.sweep()
    assert SupervisionCard.objects.count() == 2
