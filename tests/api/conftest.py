"""Clients that speak to the API as people do: with a token of their own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from tenants.models import User
from tests.factories.tenants import token_of

ROOT = "/api/v1"


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    cache.clear()


@pytest.fixture(autouse=True)
def _no_cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test of the API reaches a cloud that happens to run on this machine."""
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))


@pytest.fixture
def anonymous() -> APIClient:
    return APIClient(headers={"Accept-Language": "en"})


@pytest.fixture
def signed_in(db: None) -> Callable[[User], APIClient]:
    """A client with a token of the person's own."""

    def client(user: User) -> APIClient:
        _label, text = token_of(user)
        return APIClient(headers={"Authorization": f"Bearer {text}", "Accept-Language": "en"})

    return client
