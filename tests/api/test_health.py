"""What the probes of load balancers and operators are answered, part by failing part."""

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from api import health
from govcloud import clock
from govcloud.provisioning import presence
from govcloud.provisioning.models import Sighting
from tests.factories.catalog import CloudFactory
from tests.factories.clouds import signed_in_with

pytestmark = pytest.mark.django_db(transaction=True)  # checks have connections of their own
ALL_WELL = dict.fromkeys(("database", "migrations", "broker", "clouds", "workers", "sweep"), "ok")


@pytest.fixture
def ready(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.CELERY_BROKER_URL = "filesystem://"
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_in": str(tmp_path / "queue")}
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text("clouds: {sandbox: {}}\n")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
    presence.worker_seen(name="celery@one", at=clock.now())
    presence.sweep_seen(at=clock.now())
    return clouds


def asked(client: Client) -> tuple[int, str, dict[str, str]]:
    """Status, its word, and what is not well."""
    answer = client.get("/readyz")
    body = answer.json()
    return (
        answer.status_code,
        body["status"],
        {name: told for name, told in body["checks"].items() if told != "ok"},
    )


def test_the_process_answers(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


def test_ready_when_every_part_is(client: Client, ready: Path) -> None:
    CloudFactory()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "checks": ALL_WELL})


def test_not_ready_while_a_cloud_has_no_credentials(client: Client, ready: Path) -> None:
    CloudFactory(code="elsewhere")
    assert asked(client) == (503, "not-ready", {"clouds": "not configured: elsewhere"})


def test_not_ready_while_clouds_yaml_cannot_be_read(client: Client, ready: Path) -> None:
    ready.write_text("clouds: [")
    assert asked(client) == (503, "not-ready", {"clouds": "ParserError"})


def test_not_ready_without_a_broker(client: Client, ready: Path, settings: Any) -> None:
    settings.CELERY_BROKER_URL = "amqp://127.0.0.1:1//"
    code, status, troubles = asked(client)
    assert (code, status, set(troubles)) == (503, "not-ready", {"broker"})


def test_not_ready_while_the_database_is_behind_the_code(client: Client, ready: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE django_migrations SET name = 'x' || name WHERE app = 'provisioning' AND name LIKE '0001%'"
        )
    try:
        assert asked(client) == (503, "not-ready", {"migrations": "not applied: 1"})
    finally:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_migrations SET name = substr(name, 2) WHERE name LIKE 'x0001%'")


def test_a_database_newer_than_the_code_is_no_trouble(client: Client, ready: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('provisioning', '9999_next', now())"
        )
    try:
        assert asked(client)[0] == 200
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE name = '9999_next'")


def test_not_ready_without_a_database(client: Client, ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    code, _status, troubles = asked(client)
    assert code == 503
    assert troubles["database"] == "OperationalError"
    assert "broker" not in troubles  # told, although others fail


def test_without_workers_the_portal_is_served_and_the_lack_of_them_told(client: Client, ready: Path) -> None:
    Sighting.objects.filter(part="worker").update(seen_at=clock.now() - timedelta(minutes=5))
    assert asked(client) == (200, "degraded", {"workers": "none seen"})


def test_a_sweep_that_does_not_come_is_told(client: Client, ready: Path) -> None:
    Sighting.objects.filter(part="sweep").update(seen_at=clock.now() - timedelta(minutes=5))
    code, status, troubles = asked(client)
    assert (code, status) == (200, "degraded")
    assert troubles["sweep"].startswith("last seen 30")
    Sighting.objects.filter(part="sweep").delete()
    assert asked(client)[2] == {"sweep": "never seen"}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE", 1.0)


def test_a_table_that_is_locked_holds_up_its_own_check_only(
    client: Client, ready: Path, impatient: None
) -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE catalog_cloud IN ACCESS EXCLUSIVE MODE")
        assert asked(client) == (503, "not-ready", {"clouds": "no answer within 1 s"})
    health.PROBES["clouds"].start().ended.wait(10)
    assert asked(client)[0] == 200


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as server:
        yield server.getsockname()[1]


def test_a_broker_that_says_nothing_holds_up_its_own_check_only(
    client: Client, ready: Path, settings: Any, silent: int, impatient: None
) -> None:
    settings.CELERY_BROKER_URL = f"amqp://127.0.0.1:{silent}//"
    assert asked(client) == (503, "not-ready", {"broker": "no answer within 1 s"})
    assert health.PROBES["broker"].start().ended.wait(30)


def test_a_check_that_hangs_is_not_started_again_by_every_probe() -> None:
    released, started = threading.Event(), []

    def hangs() -> str:
        started.append(1)
        released.wait(30)
        return ""

    probe = health.Probe(hangs)
    first, second = probe.start(), probe.start()
    assert first is second
    assert first.outcome(0.0) == "no answer within 3 s"
    released.set()
    assert first.ended.wait(10)
    assert probe.start() is not first
    assert len(started) == 2


def test_not_ready_while_credentials_cannot_be_decrypted(client: Client, ready: Path, settings: Any) -> None:
    signed_in_with(CloudFactory(code="east"), at=clock.now())
    assert asked(client) == (200, "ready", {})
    settings.CREDENTIAL_KEYS = ["another key, which is long enough to be one"]
    told = "no key for the credentials of: east"
    assert asked(client) == (503, "not-ready", {"clouds": told})
