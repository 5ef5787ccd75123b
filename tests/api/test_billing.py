"""Months are closed and statements answered over HTTP."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from rest_framework.test import APIClient

from govcloud.chargeback.models import Statement
from tenants.models import Role, User
from tests.factories.chargeback import statement, tariff
from tests.factories.metering import UsageSegmentFactory
from tests.factories.tenants import BEGINNING, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


def test_finance_closes_a_month_once(signed_in: SignedIn) -> None:
    tariff()
    UsageSegmentFactory(resource__built_at=BEGINNING)
    client = signed_in(member(Role.FINANCE))
    answer = client.post("/api/v1/month-closes", {"month": "2026-01"})
    assert (answer.status_code, answer.json()["total"]) == (201, "184.00")
    assert client.get(answer["Location"]).json()["month"] == "2026-01"
    again = client.post("/api/v1/month-closes", {"month": "2026-01"})
    assert (again.status_code, again.json()["code"]) == (409, "month-closed")


@pytest.mark.parametrize("month", ["2026-13", "26-01", "2026-01-01", "", None, 202601])
def test_what_is_no_month_is_refused(signed_in: SignedIn, month: object) -> None:
    answer = signed_in(member(Role.FINANCE)).post("/api/v1/month-closes", {"month": month})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/month")


def test_a_month_that_is_not_over_is_not_closed(signed_in: SignedIn) -> None:
    answer = signed_in(member(Role.FINANCE)).post("/api/v1/month-closes", {"month": "2126-01"})
    assert (answer.status_code, answer.json()["code"]) == (409, "month-not-over")


def test_lines_tell_all_that_is_needed_to_recompute_them(signed_in: SignedIn) -> None:
    issued = statement()
    client = signed_in(member(Role.UNIT_APPROVER, issued.department))
    (line,) = client.get(f"/api/v1/statements/{issued.uuid}/lines").json()["results"]
    figures = {name: Decimal(line[name]) for name in ("quantity", "per_month", "seconds", "amount", "rated")}
    assert (
        figures["quantity"] * figures["per_month"] * figures["seconds"] / line["month_seconds"]
        == figures["rated"]
    )
    assert figures["amount"] == issued.total


def test_a_department_disputes_and_then_confirms(signed_in: SignedIn) -> None:
    issued = statement()
    url = f"/api/v1/statements/{issued.uuid}"
    client = signed_in(member(Role.UNIT_APPROVER, issued.department))
    assert client.post(f"{url}/dispute", {"reason": ""}).json()["errors"][0]["pointer"] == "/reason"
    assert client.post(f"{url}/dispute", {"reason": "too much"}).json()["status"] == "disputed"
    assert client.post(f"{url}/confirmation").json()["status"] == "confirmed"
    assert client.post(f"{url}/dispute", {"reason": "after all"}).status_code == 409
    assert Statement.objects.get().version == 3
