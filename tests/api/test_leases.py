"""The end of leases as callers see it: ordering renewals, notices, what has ended, and putting off."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from govcloud.inventory.models import Resource
from govcloud.leases.models import Expiry
from govcloud.orders import services
from govcloud.orders.models import Order
from tenants.models import Role, User
from tests.api.story import order_body
from tests.factories.inventory import VolumeFactory, whole_server
from tests.factories.leases import ending, found, swept
from tests.factories.orders import Scene, scene
from tests.factories.tenants import DepartmentFactory, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]
DAY = timedelta(days=1)
MOST_STATEMENTS = 25


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def on() -> Scene:
    return scene()


@pytest.fixture
def applicant(signed_in: SignedIn, on: Scene) -> APIClient:
    return signed_in(on.applicant)


def renewal(resource: Resource, months: int = 6) -> dict[str, object]:
    return {"action": "renew", "kind": resource.kind, "target": str(resource.uuid), "lease_months": months}


def servers(on: Scene, many: int, *, at: datetime) -> list[Resource]:
    return [ending(whole_server(system=on.system).resource, at=at + DAY) for _ in range(many)]


# -- renewals


def test_one_order_renews_many_things_in_few_statements(
    applicant: APIClient, on: Scene, at: datetime
) -> None:
    items = [renewal(each) for each in servers(on, 8, at=at)]
    drafted = applicant.post("/api/v1/orders", order_body(on.system.uuid, items=items))
    assert drafted.status_code == 201, drafted.json()
    assert drafted.json()["quote"] == {"lines": [], "monthly_total": "0.00"}
    assert drafted.json()["effect"] == []
    order = Order.objects.get()
    with CaptureQueriesContext(connection) as queries:
        services.submit(order=order, actor=on.applicant, at=at)
    assert sum("SAVEPOINT" not in query["sql"] for query in queries) <= MOST_STATEMENTS
    item = applicant.get(f"/api/v1/orders/{order.uuid}").json()["items"][0]
    assert (item["action"], item["lease_months"]) == ("renew", 6)
    assert item["target"]["uuid"] == items[0]["target"]


def test_a_lease_beyond_a_year_is_refused_with_the_latest_end(
    applicant: APIClient, on: Scene, at: datetime
) -> None:
    server = ending(whole_server(system=on.system).resource, at=at + 100 * DAY)
    answer = applicant.post("/api/v1/orders", order_body(on.system.uuid, items=[renewal(server, 12)]))
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["code"], error["pointer"]) == ("lease-too-long", "/items/0/lease_months")
    assert "the latest possible end is Nov. 18, 2027" in error["detail"]


def test_another_departments_thing_is_not_there(
    applicant: APIClient, signed_in: SignedIn, on: Scene, at: datetime
) -> None:
    foreign = ending(whole_server().resource, at=at + DAY)
    answer = applicant.post("/api/v1/orders", order_body(on.system.uuid, items=[renewal(foreign)]))
    assert answer.status_code in {404, 422}
    assert not Expiry.objects.exists()


def test_a_suspended_server_says_why_it_cannot_be_started(
    applicant: APIClient, on: Scene, at: datetime
) -> None:
    server = ending(whole_server(system=on.system, status="suspended").resource, at=at - DAY)
    answer = applicant.post(f"/api/v1/resources/{server.uuid}/actions", {"action": "start"})
    assert (answer.status_code, answer.json()["code"]) == (409, "action-not-allowed")
    assert "its lease ended on Nov. 17, 2026. Order its renewal, or its release" in answer.json()["detail"]


# -- notices and what has ended


def test_a_department_reads_what_it_was_told(
    applicant: APIClient, signed_in: SignedIn, on: Scene, at: datetime
) -> None:
    server = ending(whole_server(system=on.system).resource, at=at + 5 * DAY)
    swept(at=at)
    (notice,) = applicant.get("/api/v1/lease-notices").json()["results"]
    assert (notice["kind"], notice["days"], notice["resource"]["uuid"]) == ("ending", 7, str(server.uuid))
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    assert stranger.get("/api/v1/lease-notices").json()["results"] == []
    assert stranger.get(f"/api/v1/lease-notices/{notice['uuid']}").status_code == 404


def test_notices_are_filtered(applicant: APIClient, on: Scene, at: datetime) -> None:
    ending(whole_server(system=on.system).resource, at=at + DAY)
    found(VolumeFactory(resource__system=on.system).resource, at=at)
    swept(at=at)

    def listed(query: str) -> list[str]:
        return [row["kind"] for row in applicant.get(f"/api/v1/lease-notices?{query}").json()["results"]]

    assert sorted(listed("")) == ["ended", "ending"]
    assert listed("kind=ended") == ["ended"]
    assert listed("resource_kind=server") == ["ending"]
    assert listed("created_before=2026-01-01T00:00:00Z") == []


def test_what_has_ended_says_when_it_is_taken_back_and_what_it_waits_for(
    applicant: APIClient, on: Scene, at: datetime
) -> None:
    expiry = found(whole_server(system=on.system, changing=True).resource, at=at)
    swept(at=at)
    (row,) = applicant.get("/api/v1/expiries?in_force=true&waits=true").json()["results"]
    assert (row["uuid"], row["obstacle"], row["in_force"]) == (str(expiry.uuid), "in_hand", True)
    assert datetime.fromisoformat(row["reclaim_at"]) == at + settings.LEASE_GRACE
    ending(expiry.resource, at=at + 90 * DAY)
    assert applicant.get("/api/v1/expiries?in_force=true").json()["results"] == []
    assert len(applicant.get("/api/v1/expiries?in_force=false").json()["results"]) == 1


def test_taking_back_is_put_off_by_administrators_alone(
    applicant: APIClient, signed_in: SignedIn, on: Scene, at: datetime
) -> None:
    expiry = found(VolumeFactory(resource__system=on.system).resource, at=at)
    url = f"/api/v1/expiries/{expiry.uuid}/postponement"
    body = {"until": (at + 60 * DAY).isoformat(), "reason": "审计中"}
    assert applicant.post(url, body).status_code == 403
    admin = signed_in(member(Role.CLOUD_ADMIN))
    answer = admin.post(url, body)
    assert answer.status_code == 200
    assert (answer.json()["postponed_because"], answer.json()["reclaim_at"][:10]) == ("审计中", "2027-01-17")
    past = admin.post(url, {**body, "until": (at - DAY).isoformat()})
    assert (past.status_code, past.json()["errors"][0]["pointer"]) == (422, "/until")
    ending(expiry.resource, at=at + 90 * DAY)
    assert admin.post(url, {**body, "until": (at + 70 * DAY).isoformat()}).status_code == 409
