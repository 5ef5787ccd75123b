"""No list asks the database more often because it has more rows. The counts are committed; fewer is an improvement to commit."""

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from api.urls import router
from tenants.access import tokens
from tenants.access.models import ApiToken
from tenants.models import Role, User
from tests.api.house import house
from tests.factories.tenants import grant, member, token_of

BASELINE = Path(__file__).with_name("query_counts.json")
ROWS = 50
MOST = 10
FEWER_BY_NATURE = {
    "flavors",
    "offerings",
    "storage-classes",
    "images",
    "dr-tiers",
    "month-closes",
    "tokens",
    "role-permissions",
}
OF_SECURITY = {"accounts", "memberships", "role-requests", "second-factors"}
"""Lists that only security administrators see whole; nobody who may do other work is one."""


@pytest.mark.django_db
def test_every_list_of_fifty_rows_takes_as_many_statements_as_committed(
    signed_in: Callable[[User], APIClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a slow machine a minute passes within the lists, and then the next request notes that the token is in use.
    monkeypatch.setattr(tokens, "NOTED_EVERY", timedelta(days=1))
    on = house(ROWS).on
    reader = on.applicant
    for role in (Role.CLOUD_ADMIN, Role.AUDIT_ADMIN, Role.FINANCE, Role.UNIT_APPROVER):
        grant(reader, role, on.department)
    token_of(reader)
    client, officer = signed_in(reader), signed_in(member(Role.SECURITY_ADMIN))
    counted: dict[str, int] = {}
    for prefix, _viewset, _name in router.registry:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            asking = officer if prefix in OF_SECURITY else client
            answer = asking.get(f"/api/v1/{prefix}", {"page_size": ROWS})
        assert answer.status_code == 200, (prefix, answer.content)
        assert len(answer.json()["results"]) == ROWS or prefix in FEWER_BY_NATURE, prefix
        counted[prefix] = len(queries)
    if os.environ.get("UPDATE_BASELINES"):
        BASELINE.write_text(json.dumps(counted, indent=2) + "\n")
    assert counted == json.loads(BASELINE.read_text())
    assert max(counted.values()) <= MOST
    assert ApiToken.objects.filter(token__user=reader).exists()
