"""What was delivered is confirmed under its order, or reported and mended."""

from collections.abc import Callable
from datetime import datetime

import pytest
from rest_framework.test import APIClient

from govcloud.approvals.models import Confirmation
from govcloud.orders.models import Order
from tenants.models import Role
from tests.factories.orders import Scene, approved, scene
from tests.factories.tenants import DepartmentFactory, member

SignedIn = Callable[..., APIClient]
pytestmark = pytest.mark.django_db
AT = datetime.fromisoformat("2026-11-18T02:00Z")


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: AT)


@pytest.fixture
def on() -> Scene:
    return scene()


@pytest.fixture
def order(on: Scene) -> Order:
    """As if all of it had been delivered."""
    order = approved(on, at=AT)
    Order.objects.filter(pk=order.pk).update(status="fulfilled", finished_at=AT)
    assert order.case is not None
    Confirmation.objects.create(case=order.case, position=0, asked_at=AT, due_at=AT)
    return order


@pytest.fixture
def applicant(signed_in: SignedIn, on: Scene) -> APIClient:
    return signed_in(on.applicant)


def waiting(client: APIClient) -> int:
    found: int = client.get("/api/v1/cases?to_confirm=true").json()["count"]
    return found


def test_defects_are_reported_mended_and_confirmed(
    signed_in: SignedIn, applicant: APIClient, order: Order
) -> None:
    admin, url = signed_in(member(Role.CLOUD_ADMIN)), f"/api/v1/orders/{order.uuid}"
    assert (waiting(applicant), waiting(admin)) == (1, 0)
    refused = applicant.post(f"{url}/confirmation", {"answer": "defects", "remark": " "})
    assert (refused.status_code, refused.json()["code"]) == (422, "remark-missing")
    assert refused.json()["errors"][0]["pointer"] == "/remark"
    reported = applicant.post(f"{url}/confirmation", {"answer": "defects", "remark": "50 GB"}).json()
    (asked,) = reported["case"]["confirmations"]
    assert (asked["answer"], asked["remark"], asked["remedy"]) == ("defects", "50 GB", "")
    assert asked["remedy_due_at"] == "2026-11-23T18:00:00+08:00"
    assert (waiting(applicant), waiting(admin)) == (0, 1)
    refused = applicant.post(f"{url}/confirmation", {"answer": "confirmed"})
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing-to-confirm")
    mended = admin.post(f"{url}/remedy", {"remedy": "100 GB"}).json()
    assert [each["answer"] for each in mended["case"]["confirmations"]] == ["defects", ""]
    again = admin.post(f"{url}/remedy", {"remedy": "100 GB"})
    assert (again.status_code, again.json()["code"]) == (409, "nothing-to-remedy")
    done = applicant.post(f"{url}/confirmation", {"answer": "confirmed"}).json()
    assert [each["answer"] for each in done["case"]["confirmations"]] == ["defects", "confirmed"]
    assert (waiting(applicant), waiting(admin)) == (0, 0)


@pytest.mark.parametrize(
    "body", [{}, {"answer": ""}, {"answer": "yes"}, {"answer": "defects", "remark": "x" * 2001}]
)
def test_what_is_no_answer_is_refused(applicant: APIClient, order: Order, body: dict[str, str]) -> None:
    assert applicant.post(f"/api/v1/orders/{order.uuid}/confirmation", body).status_code == 422
    assert Confirmation.objects.get().owed


def test_others_cannot_answer_and_strangers_see_nothing(signed_in: SignedIn, on: Scene, order: Order) -> None:
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    approver = signed_in(member(Role.UNIT_APPROVER, on.system.department))
    for name, body in (("confirmation", {"answer": "confirmed"}), ("remedy", {"remedy": "x"})):
        url = f"/api/v1/orders/{order.uuid}/{name}"
        assert (stranger.post(url, body).status_code, approver.post(url, body).status_code) == (404, 403)
    assert (waiting(stranger), waiting(approver)) == (0, 0)
