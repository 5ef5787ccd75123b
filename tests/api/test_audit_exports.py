"""Exports of the audit trail as callers see them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from govcloud.audit import services
from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from tenants.models import Role
from tests.factories.audit import seal_all
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db(transaction=True)  # a seal takes only what has been committed

SignedIn = Callable[..., APIClient]
URL = "/api/v1/audit-exports"


@pytest.fixture
def auditor(signed_in: SignedIn, settings: Settings, tmp_path: Path, at: datetime) -> APIClient:
    settings.AUDIT_EXPORT_TO = str(tmp_path / "shelf")
    client = signed_in(member(Role.AUDIT_ADMIN))
    with transaction.atomic():
        services.record(actor=SystemActor("tests"), verb="test.done", subject=None, at=at)
    seal_all(at)
    return client


def test_what_is_sealed_is_exported_once(auditor: APIClient, tmp_path: Path) -> None:
    answer = auditor.post(URL)
    made = answer.json()
    assert (answer.status_code, answer.headers["Location"].endswith(made["uuid"])) == (201, True)
    assert (tmp_path / "shelf" / made["file"]).stat().st_size == made["size"]
    again = auditor.post(URL)
    assert (again.status_code, again.json()["code"]) == (409, "audit-nothing-to-export")
    (listed,) = auditor.get(f"{URL}?delivered=true").json()["results"]
    assert listed == made == auditor.get(f"{URL}/{made['uuid']}").json()


def test_what_cannot_be_delivered_is_told_and_stays_to_be_delivered(
    auditor: APIClient, tmp_path: Path, settings: Settings
) -> None:
    settings.AUDIT_EXPORT_TO = "/proc/nowhere"
    answer = auditor.post(URL)
    assert (answer.status_code, answer.json()["code"]) == (503, "audit-export-not-delivered")
    (waiting,) = auditor.get(f"{URL}?delivered=false").json()["results"]
    assert waiting["delivered_at"] is None
    settings.AUDIT_EXPORT_TO = str(tmp_path / "shelf")
    assert auditor.post(URL).json()["uuid"] == waiting["uuid"]


def test_the_chain_is_verified_and_says_how_long_events_have_had_no_seal(auditor: APIClient) -> None:
    url = "/api/v1/audit-verification"
    proved = auditor.get(url).json()
    assert (proved["intact"], proved["waiting"], proved["waiting_seconds"]) == (True, 0, 0)
    with transaction.atomic():
        Event.objects.create(
            at=timezone.now(), verb="test.done", recorded_at=timezone.now() - timedelta(minutes=5)
        )
    waiting = auditor.get(f"{url}?anchor={proved['last']['seal']}:{proved['last']['digest']}").json()
    assert (waiting["intact"], waiting["waiting"]) == (True, 1)
    assert 300 <= waiting["waiting_seconds"] < 360
    assert (
        auditor.get(f"{url}?anchor=9:{proved['last']['digest']}").json()["breach"]["damage"] == "seal-missing"
    )
    assert auditor.get(f"{url}?anchor=0:abc").status_code == 400


def test_without_a_destination_it_is_said_so(auditor: APIClient, settings: Settings) -> None:
    settings.AUDIT_EXPORT_TO = ""
    answer = auditor.post(URL)
    assert (answer.status_code, answer.json()["code"]) == (409, "audit-export-not-configured")


def test_supervisors_read_and_do_not_export(auditor: APIClient, signed_in: SignedIn) -> None:
    assert auditor.post(URL).status_code == 201
    supervisor = signed_in(member(Role.SUPERVISOR))
    assert supervisor.get(URL).json()["count"] == 1
    assert supervisor.post(URL).status_code == 403
