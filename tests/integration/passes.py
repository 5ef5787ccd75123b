"""A full pass and an incremental one over an estate in which one server in a hundred was changed by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from govcloud.gateways import openstack
from govcloud.orders.drafts import ServerDraft, VolumeDraft
from govcloud.reconciliation import services, sweeps
from govcloud.reconciliation.findings import RECONCILER
from govcloud.reconciliation.models import Extent, Finding
from tests.factories.orders import NETWORK, Scene, scene
from tests.integration import estate, sandboxed
from tests.integration.building import built, now, states
from tests.integration.sandboxed import Sandbox

ONE = ServerDraft(
    name="app", quantity=1, zone="private", flavor="g.4c16g", image="debian-12", network="app-net",
    system_volume=VolumeDraft(storage_class="ssd", size_gb=100),
    data_volumes=(VolumeDraft(storage_class="sas", size_gb=500),),
)  # fmt: skip
EVERY = 100
Key = tuple[str, str, str, str]
SOON = timedelta(minutes=1)  # what ended a moment ago is left alone


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one pass."""

    looked_at: int
    api_calls: int
    seconds: float
    of_the_cloud: float  # seconds of them that the cloud took to answer
    statements: int


@dataclass(frozen=True, slots=True)
class Costs:
    findings: int
    full: Cost
    incremental: Cost


def compared(state: Path, monkeypatch: pytest.MonkeyPatch, *, servers: int, per_system: int) -> Costs:
    """Fails unless exactly what was changed is found by the full pass, and what changes later by the incremental one."""
    on = scene(level_3=False, zone="private")
    with _cloud(state, monkeypatch):
        assert built(on, items=(NETWORK, ONE)).status == "fulfilled", states()
    grown = estate.grown(on, state, servers=servers, per_system=per_system)
    changes = list(estate.drifted(grown, every=EVERY))
    estate.write(state, ((kind, row) for kind, row, _finding in changes))
    expected = {finding for _kind, _row, finding in changes}
    with _cloud(state, monkeypatch) as sandbox:
        full = _pass(on, Extent.FULL)
        _same(_found(), expected)
        later = grown.servers[1].external_id
        sandbox.ask("POST", f"/rows/server/{later}", {"name": "renamed"})
        incremental = _pass(on, Extent.INCREMENTAL)
        _same(_found(), expected | {("drifted", "server", later, "set_back")})
    return Costs(len(changes), full, incremental)


@contextmanager
def _cloud(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with sandboxed.running(state, "--no-guests", "--instant") as running:
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(state / "clouds.yaml"))
        yield running


def _pass(on: Scene, extent: Extent) -> Cost:
    def clock() -> datetime:
        return now() + SOON

    waiting = sweeps.request(cloud=on.catalogue.cloud, extent=extent, actor=RECONCILER, at=clock())
    exchanges: list[openstack.Exchange] = []
    with CaptureQueriesContext(connection) as queries, openstack.recording(exchanges.append):
        services.sweep(waiting=waiting, clock=clock)
    waiting.refresh_from_db()
    assert waiting.status == "done", waiting.failure
    return Cost(
        looked_at=waiting.objects_seen,
        api_calls=waiting.api_calls,
        seconds=waiting.seconds or 0.0,
        of_the_cloud=sum(each.milliseconds for each in exchanges) / 1_000,
        statements=len(queries),
    )


def _same(found: set[Key], expected: set[Key]) -> None:
    assert found == expected, {
        "too much": sorted(found - expected)[:10],
        "not found": sorted(expected - found)[:10],
    }


def _found() -> set[Key]:
    return set(Finding.objects.values_list("kind", "subject", "external_id", "remedy"))
