"""How much is asked: ``--examples`` odd requests per operation and role, from ``--fuzz-seed``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.db import close_old_connections


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--examples", type=int, default=2, help="odd requests per operation and role")
    parser.addoption("--fuzz-seed", type=int, default=1, help="another seed asks other requests")
    parser.addoption("--only", default="", help="only operations with this in their method and path")


@pytest.fixture(autouse=True)
def _by_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any) -> None:
    """No cloud that happens to run on this machine is reached, and nothing from before is remembered."""
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    settings.ALLOWED_HOSTS = ["localhost"]
    settings.ATTACHMENT_DIR = tmp_path / "attachments"
    cache.clear()


@pytest.fixture(autouse=True)
def _in_the_tests_transaction() -> Iterator[None]:
    """A server ends what a request left of its connection to the database; here that is the test's own."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
