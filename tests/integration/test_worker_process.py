"""A real Celery worker with its scheduler, killed and started again while it builds an order on the sandbox cloud."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import connection

from govcloud.clouds import guest_keys
from govcloud.gateways import openstack
from govcloud.inventory.models import Project
from govcloud.orders.models import Order
from govcloud.provisioning.models import Step
from govcloud.quotas.models import QuotaAccount
from tests.factories.orders import Scene, approved, scene
from tests.integration import sandboxed
from tests.integration.sandboxed import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 90.0  # seconds for an order; it takes about ten


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    state = tmp_path / "sandbox"
    state.mkdir()
    with sandboxed.running(state, "--no-guests") as running:
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(state / "clouds.yaml"))
        yield running


class Worker:
    """``celery worker --beat`` on the test's database and a broker of its own, made of files."""

    def __init__(self, var: Path) -> None:
        database = connection.settings_dict
        for folder in ("broker/queue", "broker/control", "runs"):
            (var / folder).mkdir(parents=True)
        guest_keys.make(var / "guest_key")
        self.var = var
        self.environment = {
            **os.environ,
            "DATABASE_URL": f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}",
            "SECRET_KEY": "for this test",
            "CREDENTIAL_KEYS": "one key for this test that is long enough to be one",
            "BROKER_URL": "filesystem://",
            "GOVCLOUD_VAR": str(var),
            "STEP_LEASE_SECONDS": "5",
            "STEP_SETTLE_SECONDS": "3",
            "STEP_POLL_SECONDS": "0.2",
            "CLOUD_API_TIMEOUT": "3",
            "SWEEP_SECONDS": "1",
        }
        if database["PASSWORD"] or database["PORT"]:
            self.environment["DATABASE_URL"] = (
                os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/{database['NAME']}"
            )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.var / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "govcloud", "worker", "--beat", "-c", "2", "--without-mingle"],
                env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        """SIGKILL to it and its children at once: nothing gets a chance to tidy up."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def lose_messages(self) -> None:
        """Empty the broker, as a restart of one that keeps nothing on disk would."""
        for message in (self.var / "broker" / "queue").iterdir():
            message.unlink(missing_ok=True)


@pytest.fixture
def worker(tmp_path: Path, sandbox: Sandbox) -> Iterator[Worker]:
    worker = Worker(tmp_path / "var")
    worker.start()
    yield worker
    worker.kill()


def wait(until: Callable[[], bool], worker: Worker) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until():
        if time.monotonic() > deadline:
            steps = "\n".join(
                f"{s.kind} {s.label} {s.state} {s.last_error}" for s in Step.objects.exclude(state="done")
            )
            raise AssertionError(f"{steps}\n{(worker.var / 'log').read_text()[-3000:]}")
        time.sleep(0.2)


def fulfilled(order: Order) -> bool:
    return Order.objects.get(pk=order.pk).status == "fulfilled"


def in_cloud(on: Scene) -> Counter[str]:
    cloud = openstack.connect(cloud="sandbox", project_id=Project.objects.get(system=on.system).external_id)
    return Counter(
        servers=len(cloud.compute.find_servers()),
        volumes=len(cloud.volumes.find_volumes()),
        ports=len([port for port in cloud.network.find_ports() if port.name.startswith("gc-")]),
        networks=len(
            [network for network in cloud.network.find_networks() if network.name.startswith("gc-")]
        ),
    )


def test_a_worker_builds_an_order_by_itself(worker: Worker) -> None:
    on = scene()
    order = approved(on, at=datetime.now(UTC))
    wait(lambda: fulfilled(order), worker)
    assert in_cloud(on) == {"servers": 2, "volumes": 4, "ports": 2, "networks": 1}


def test_workers_killed_again_and_again_with_all_messages_lost_build_each_thing_once(worker: Worker) -> None:
    on = scene()
    order = approved(on, at=datetime.now(UTC))
    done = -1
    for _life in range(5):
        wait(
            lambda before=done: fulfilled(order) or Step.objects.filter(state="done").count() > before + 2,
            worker,
        )  # type: ignore[misc]
        done = Step.objects.filter(state="done").count()
        worker.kill()
        worker.lose_messages()
        worker.start()
    wait(lambda: fulfilled(order), worker)
    assert in_cloud(on) == {"servers": 2, "volumes": 4, "ports": 2, "networks": 1}
    held = QuotaAccount.objects.filter(department=on.department).values_list("dimension", "held", "used")
    assert {dimension: (held, used) for dimension, held, used in held if held or used} == {
        "servers": (0, 2), "vcpus": (0, 8), "memory_gb": (0, 32), "storage_gb": (0, 1200), "backup_gb": (0, 1200),
        "networks": (0, 1),
    }  # fmt: skip


def test_a_database_that_drops_every_connection_only_delays_the_order(worker: Worker) -> None:
    on = scene()
    order = approved(on, at=datetime.now(UTC))
    for _restart in range(4):
        done = Step.objects.filter(state="done").count()
        wait(
            lambda before=done: fulfilled(order) or Step.objects.filter(state="done").count() > before, worker
        )  # type: ignore[misc]
        drop_connections()
    wait(lambda: fulfilled(order), worker)
    assert in_cloud(on) == {"servers": 2, "volumes": 4, "ports": 2, "networks": 1}


def drop_connections() -> None:
    """What the others see of a restart of the database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
