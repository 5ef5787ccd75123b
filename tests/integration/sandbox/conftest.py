from collections.abc import Iterator
from pathlib import Path

import openstack
import pytest

from tests.integration.sandbox.process import Sandbox, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The SDK announces at every turn what it is going to drop."""
    for item in items:
        if "integration/sandbox" in item.nodeid:
            item.add_marker(pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"))


@pytest.fixture(scope="session")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running(tmp_path_factory.mktemp("sandbox"), "--no-guests", "--instant") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Iterator[Sandbox]:
    """The shared sandbox, without faults and delays at the start of each test."""
    yield shared_sandbox
    shared_sandbox.control("DELETE", "/faults")
    delays = ("build", "delete", "action", "volume", "attach", "backup")
    shared_sandbox.control("PUT", "/timing", token_seconds=3600, **{f"{name}_seconds": 0 for name in delays})


@pytest.fixture
def admin(sandbox: Sandbox) -> Iterator[openstack.connection.Connection]:
    connection = sandbox.connect()
    yield connection
    connection.close()


@pytest.fixture
def cloud(sandbox: Sandbox) -> Iterator[openstack.connection.Connection]:
    """A member of a project of the test's own."""
    connection = sandbox.project()
    yield connection
    connection.close()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory whose path is too long for a socket's name."""
    path = tmp_path / ("deep" * 12) / ("deeper" * 12)
    path.mkdir(parents=True)
    return path
