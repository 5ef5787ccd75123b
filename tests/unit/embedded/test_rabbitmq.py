"""What Celery is told about RabbitMQ: tried with one where this machine has it, else with the settings alone."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings
from pytest_django.fixtures import DjangoCaptureOnCommitCallbacks

from govcloud.embedded.supervisor import Supervisor
from govcloud.provisioning import completion
from govcloud.provisioning.tasks import ring
from tests.chaos.chaos_brokers import SERVER, RabbitBroker

TOLD = """
import json
from celery.utils.quorum_queues import detect_quorum_queues
from govcloud.celery import app
(queue,) = app.amqp.queues.values()
print(json.dumps([detect_quorum_queues(app, "amqp")[0], queue.name, queue.exchange.type]))
"""
DELAYED = """
import time
import django
django.setup()
from govcloud.celery import app
from govcloud.provisioning.tasks import ring
with app.connection_for_read() as connection:
    app.amqp.queues["govcloud"](connection.default_channel).declare()
    from celery.worker.consumer.delayed_delivery import DelayedDelivery
    class Consumer:
        pass
    consumer = Consumer()
    consumer.app = app
    DelayedDelivery(consumer).start(consumer)
    ring.apply_async(countdown=2, ignore_result=True)
    began = time.monotonic()
    channel = connection.default_channel
    assert channel.basic_get("govcloud") is None, "a worker would have it at once"
    while channel.basic_get("govcloud", no_ack=True) is None and time.monotonic() < began + 30:
        time.sleep(0.05)
    print(time.monotonic() - began)
"""


def in_production(code: str, var: Path, **environment: str) -> str:
    """What a process with the settings of RabbitMQ prints."""
    told = {"DJANGO_SETTINGS_MODULE": "govcloud.settings", "GOVCLOUD_VAR": str(var), **environment}
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "Direct exchanges" not in run.stderr
    return run.stdout


def test_a_quorum_queue_hangs_on_an_exchange_by_which_the_broker_can_delay(tmp_path: Path) -> None:
    found = in_production(TOLD, tmp_path, BROKER_URL="amqp://nobody@127.0.0.1:1//")
    assert json.loads(found) == [True, "govcloud", "topic"]


@pytest.mark.skipif(not SERVER.exists(), reason="this machine has no RabbitMQ")
def test_a_bell_for_later_waits_in_the_broker_and_not_in_a_worker(tmp_path: Path) -> None:
    broker = RabbitBroker(tmp_path / "rabbitmq")
    supervisor = Supervisor(say=print)
    try:
        supervisor.start(*broker.children(), seconds=120)
        waited = float(in_production(DELAYED, tmp_path, **broker.environment()))
    finally:
        supervisor.stop()
        broker.end()
    assert waited > 1.5  # whole seconds on the broker's clock


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("broker", "seconds"), [("filesystem://", [0.4, 0.0]), ("amqp://127.0.0.1//", [1, 0])]
)
def test_rabbitmq_is_asked_for_whole_seconds(
    broker: str,
    seconds: list[float],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.CELERY_BROKER_URL = broker
    rung: list[float] = []
    monkeypatch.setattr(ring, "apply_async", lambda countdown, **_options: rung.append(countdown))
    with django_capture_on_commit_callbacks(execute=True):
        completion.ring_at(timedelta(seconds=0.4))
        completion.ring_at(timedelta(seconds=-3))
    assert rung == seconds
