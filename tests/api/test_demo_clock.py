"""The clock of a demonstration over HTTP."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings
from rest_framework.test import APIClient

from tenants.models import Role, User
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


@pytest.mark.parametrize("to", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "2100-01-01T00:00:00Z"])
def test_a_time_too_far_ahead_is_refused_and_the_installation_goes_on(
    signed_in: SignedIn, settings: LazySettings, tmp_path: Path, to: str
) -> None:
    settings.DEMO_CLOCK_FILE = tmp_path / "clock"
    client = signed_in(member(Role.CLOUD_ADMIN))
    answer = client.put("/api/v1/demo-clock", {"to": to})
    assert answer.status_code == 422
    assert {entry["pointer"] for entry in answer.json()["errors"]} == {"/to"}
    assert not settings.DEMO_CLOCK_FILE.exists()
    assert client.get("/api/v1/orders").status_code == 200
