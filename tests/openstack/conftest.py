"""The contract: what we rely on a cloud for, asked of whichever cloud ``OS_CLOUD`` names.

    OS_CLIENT_CONFIG_FILE=/var/lib/devcloud/clouds.yaml OS_CLOUD=devcloud pytest tests/openstack    a real OpenStack
    OS_CLIENT_CONFIG_FILE=var/sandbox/clouds.yaml OS_CLOUD=sandbox pytest tests/openstack           the sandbox

The credentials must be an operator's. Where the two differ, the sandbox is wrong.
"""

import os
from collections.abc import Iterator

import pytest

from govcloud.gateways.openstack import Cloud, connect, models
from tests.openstack.laboratory import Laboratory


@pytest.fixture(scope="session")
def operator() -> Cloud:
    """The cloud as its operators see it."""
    name = os.environ.get("OS_CLOUD")
    if not name:
        pytest.skip("no cloud is named: set OS_CLIENT_CONFIG_FILE and OS_CLOUD")
    return connect(cloud=name)


@pytest.fixture(scope="session")
def laboratory(operator: Cloud) -> Iterator[Laboratory]:
    """A project for the whole run."""
    laboratory = Laboratory(operator)
    operator.quotas.set_compute(laboratory.project.id, {"cores": 40, "instances": 20})
    operator.quotas.set_volume(laboratory.project.id, {"volumes": 80, "gigabytes": 160, "backups": 40})
    yield laboratory
    laboratory.clear()


@pytest.fixture(scope="session")
def cloud(laboratory: Laboratory) -> Cloud:
    """The cloud as a member of the laboratory's project sees it."""
    return laboratory.cloud


@pytest.fixture(scope="session")
def server(laboratory: Laboratory) -> models.Server:
    """A running server that several tests share and leave running."""
    return laboratory.server(tag="shared")


@pytest.fixture
def empty_project(operator: Cloud) -> Iterator[Laboratory]:
    """A project of the test's own, for limits."""
    laboratory = Laboratory(operator)
    yield laboratory
    laboratory.clear()
