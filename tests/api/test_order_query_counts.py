"""What submitting, deciding and reading an order cost as whole requests, answers included. The counts are committed."""

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from govcloud.approvals.lifecycle import StageStatus
from govcloud.orders.models import Order
from tenants.access import tokens
from tenants.models import Role, User
from tests.api.house import AT
from tests.factories.orders import drafted, scene

BASELINE = Path(__file__).with_name("order_query_counts.json")


@pytest.mark.django_db
def test_requests_about_an_order_take_as_many_statements_as_committed(
    signed_in: Callable[[User], APIClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "NOTED_EVERY", timedelta(days=1))
    on = scene()
    address = f"/api/v1/orders/{drafted(on, at=AT).uuid}"
    counted: dict[str, int] = {}

    def asked(name: str, client: APIClient, method: str, path: str, **body: str) -> None:
        client.get("/api/v1/me")  # a token's first request notes that it is in use
        with CaptureQueriesContext(connection) as queries:
            answer = getattr(client, method)(f"{address}{path}", body)
        assert answer.status_code == 200, (name, answer.content)
        counted[name] = sum("SAVEPOINT" not in query["sql"] for query in queries)
        if method == "post":
            # A write is answered with what it has read, and that is what there is.
            assert answer.json() == client.get(address).json()

    applicant = signed_in(on.applicant)
    asked("a draft", applicant, "get", "")
    asked("its submission", applicant, "post", "/submission")
    asked("in approval", applicant, "get", "")
    case = Order.objects.select_related("case").get().case
    assert case is not None
    while (stage := case.stages.filter(status=StageStatus.CURRENT).first()) is not None:
        decision = {"verb": "approve", "revision_hash": case.revision_hash, "stage": stage.code}
        decider = signed_in(on.chain[Role(stage.role)])
        if "its review" not in counted:
            asked("its review", decider, "get", "/review")
        asked(f"its decision: {stage.code}", decider, "post", "/decisions", **decision)
    asked("being built", applicant, "get", "")
    if os.environ.get("UPDATE_BASELINES"):
        BASELINE.write_text(json.dumps(counted, indent=2) + "\n")
    assert counted == json.loads(BASELINE.read_text())
