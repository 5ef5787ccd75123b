"""What the engine costs in time against a bare script that makes the same calls on the same cloud.

    BENCH_ROUNDS=5 BENCH_SERVERS=1,10 pytest tests/bench/test_overhead.py -s

The engine has what the script has not: rows, leases, fences, quota, bills, an audit trail. Runs of both alternate, each
builds a system of its own with so many servers, as many of them at a time as the cloud builds, and the ratio is that of the medians. Asserts what was built, no times.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from govcloud.catalog.models import Zone
from govcloud.orders.drafts import NetworkDraft, ServerDraft, VolumeDraft
from govcloud.provisioning.models import CloudCall, Operation, Step
from tests.bench.results import keep, tell
from tests.bench.running import Workers, wait
from tests.factories.orders import Scene, approved, scene
from tests.factories.tenants import SystemFactory
from tests.integration import sandboxed
from tests.integration.sandboxed import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SERVERS = [int(each) for each in os.environ.get("BENCH_SERVERS", "1,10,100").split(",")]
PROCESSES = int(os.environ.get("BENCH_PROCESSES", "4"))
CLOUDS_PACE = {
    "volume_seconds": 2.0,
    "build_seconds": 6.0,
}  # a quick cloud: real ones take several times as long


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    state = tmp_path / "sandbox"
    state.mkdir()
    with sandboxed.running(state, "--no-guests") as running:
        running.ask("PUT", "/timing", CLOUDS_PACE)
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(state / "clouds.yaml"))
        yield running


@pytest.fixture
def workers(tmp_path: Path, sandbox: Sandbox) -> Iterator[Workers]:
    workers = Workers(tmp_path / "var", sandbox.state / "clouds.yaml", {})
    workers.start("one", concurrency=PROCESSES)
    workers.start_beat()
    yield workers
    workers.stop()


def by_the_engine(on: Scene, workers: Workers, servers: int) -> float:
    """Seconds from the last approval to the last server in its department's hands."""
    of_one_kind = [50] * (servers // 50) + [servers % 50] * bool(servers % 50)  # an item has 50 at most
    items = (
        NetworkDraft(name="net", zone="public"),
        *(
            ServerDraft(
                name=f"app-{number}", quantity=quantity, zone="public", flavor="g.4c16g", image="debian-12",
                network="net", system_volume=VolumeDraft(storage_class="ssd", size_gb=40),
            )
            for number, quantity in enumerate(of_one_kind)
        ),
    )  # fmt: skip
    order = approved(replace(on, system=SystemFactory(department=on.department)), at=now(), items=items)
    began = now()
    workers.ring()
    wait(lambda: Operation.objects.get(thread=order.uuid).finished_at is not None, seconds=900, every=0.2)
    operation = Operation.objects.get(thread=order.uuid)
    assert operation.status == "done"
    assert operation.steps.filter(kind="server", state="done").count() == servers
    assert operation.finished_at is not None
    return (operation.finished_at - began).total_seconds()


def by_the_script(on: Scene, servers: int) -> float:
    script = Path(__file__).with_name("bare.py")
    arguments = [str(servers), str(on.catalogue.cloud.build_width), "10.9.0.0/24"]
    done = subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.parametrize("servers", SERVERS)
def test_the_engine_against_a_bare_script(servers: int, workers: Workers, sandbox: Sandbox) -> None:
    on = scene()
    Zone.objects.update(network_prefix=24)  # as the script's: a hundred servers are on one network
    by_the_engine(on, workers, 1)  # processes have connections and tokens
    engine, script = [], []
    for round_ in range(ROUNDS):
        script.append(by_the_script(on, servers))
        engine.append(by_the_engine(on, workers, servers))
        tell(f"  {servers} servers, round {round_ + 1}: script {script[-1]:.2f} s, engine {engine[-1]:.2f} s")
    ratio = statistics.median(engine) / statistics.median(script)
    calls = Step.objects.filter(kind="server", state="done").count()
    assert calls == servers * ROUNDS + 1
    assert (
        CloudCall.objects.filter(step__kind="server", method="POST").count() == calls
    )  # each was asked for once
    tell(
        f"engine: {servers} servers in {statistics.median(engine):.2f} s, the bare script in "
        f"{statistics.median(script):.2f} s: [bold]{ratio:.2f}[/bold] times as long"
    )
    keep(
        f"overhead_{servers}",
        servers=servers, rounds=ROUNDS, processes=PROCESSES, ratio=round(ratio, 3),
        engine_seconds=[round(each, 2) for each in engine], script_seconds=[round(each, 2) for each in script],
    )  # fmt: skip
