"""A sandbox cloud to build on: one per module, without faults at the start of each test."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import Settings

from govcloud.clouds import guest_keys
from tests.factories.orders import Scene, scene
from tests.integration import sandboxed
from tests.integration.sandboxed import Sandbox


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandboxed.running(tmp_path_factory.mktemp("sandbox"), "--no-guests") as running:
        running.ask("PUT", "/timing", {"build_seconds": 0.05, "volume_seconds": 0.02})
        yield running


@pytest.fixture
def building(
    sandbox: Sandbox, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Sandbox:
    """The engine in the test's process builds on the sandbox."""
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(sandbox.state / "clouds.yaml"))
    sandbox.ask("DELETE", "/faults")
    settings.GUEST_KEY_FILE = tmp_path / "key"
    settings.STEP_POLL = timedelta(seconds=0.05)
    guest_keys.make(settings.GUEST_KEY_FILE)
    return sandbox


@pytest.fixture
def on() -> Scene:
    return scene()
