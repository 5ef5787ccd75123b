from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from govcloud import clock
from tests.factories.catalog import CloudFactory
from tests.factories.clouds import signed_in_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def ready(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.CELERY_BROKER_URL = "filesystem://"
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_in": str(tmp_path / "queue")}
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text("clouds: {sandbox: {}}\n")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
    return clouds


def test_the_process_answers(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


def test_ready_when_database_broker_and_clouds_are(client: Client, ready: Path) -> None:
    CloudFactory()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (
        200,
        {"database": "ok", "broker": "ok", "clouds": "ok"},
    )


def test_not_ready_while_a_cloud_has_no_credentials(client: Client, ready: Path) -> None:
    CloudFactory(code="elsewhere")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["clouds"] == "not configured: elsewhere"


def test_not_ready_without_a_broker(client: Client, ready: Path, settings: Any) -> None:
    settings.CELERY_BROKER_URL = "amqp://127.0.0.1:1//"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["broker"] != "ok"


def test_not_ready_while_credentials_cannot_be_decrypted(client: Client, ready: Path, settings: Any) -> None:
    signed_in_with(CloudFactory(code="east"), at=clock.now())
    assert client.get("/readyz").status_code == 200
    settings.CREDENTIAL_KEYS = ["another key, which is long enough to be one"]
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["clouds"] == "no key for the credentials of: east"
