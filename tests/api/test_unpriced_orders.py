"""An order that nothing prices yet, or nobody decides, is written, read and taken back; only its submission is refused."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from govcloud.approvals.services import NoFlow
from govcloud.chargeback.models import Price
from govcloud.orders.models import Order
from tenants.models import Role, User
from tests.api.house import AT
from tests.api.story import content, order_body
from tests.factories.orders import Scene, returned, scene, submitted

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


@pytest.fixture
def on() -> Scene:
    return scene()


@pytest.fixture
def applicant(signed_in: SignedIn, on: Scene) -> APIClient:
    return signed_in(on.applicant)


def unprice(meter: str = "vcpu") -> None:
    assert Price.objects.filter(meter__code=meter).delete()[0]


def test_an_order_with_an_unpriced_meter_is_drafted_changed_read_and_withdrawn(
    applicant: APIClient, on: Scene
) -> None:
    unprice()
    answer = applicant.post("/api/v1/orders", order_body(on.system.uuid))
    assert answer.status_code == 201, answer.content
    draft = answer.json()
    assert (draft["quote"], draft["route"], draft["hindrance"]["code"]) == (None, [], "no-price")
    assert "No price is in force for vcpu" in draft["hindrance"]["detail"]
    assert {e["dimension"]: e["takes"] for e in draft["effect"]}["vcpus"] == 8
    url = f"/api/v1/orders/{draft['uuid']}"
    read = applicant.get(url, headers={"Accept-Language": "zh-hans"}).json()
    assert (read["quote"], read["hindrance"]["code"]) == (None, "no-price")
    assert "vcpu" in read["hindrance"]["detail"]
    assert "No price" not in read["hindrance"]["detail"]
    assert applicant.put(url, content(title="b"), headers={"If-Match": '"1"'}).status_code == 200
    refused = applicant.post(f"{url}/submission")
    assert (refused.status_code, refused.json()["code"]) == (409, "no-price")
    assert Order.objects.get().status == "draft"
    gone = applicant.post(f"{url}/withdrawal")
    assert (gone.status_code, gone.json()["status"], gone.json()["quote"]) == (200, "withdrawn", None)
    assert applicant.get(url).json()["hindrance"]["code"] == "no-price"


def test_an_order_that_was_returned_is_read_when_its_price_has_gone(applicant: APIClient, on: Scene) -> None:
    order = returned(on, at=AT)
    unprice()
    answer = applicant.get(f"/api/v1/orders/{order.uuid}")
    assert (answer.status_code, answer.json()["quote"]) == (200, None)


def test_what_was_frozen_stays_priced(signed_in: SignedIn, applicant: APIClient, on: Scene) -> None:
    order = submitted(on, at=AT)
    unprice()
    reviewer = signed_in(on.chain[Role.TECHNICAL_REVIEWER])
    for client, below in ((applicant, ""), (reviewer, "/review")):
        answer = client.get(f"/api/v1/orders/{order.uuid}{below}").json()
        assert (answer["quote"]["monthly_total"], answer["hindrance"]) == ("1812.00", None)


def test_a_draft_that_nothing_prices_can_be_looked_at_by_who_will_decide(
    signed_in: SignedIn, applicant: APIClient, on: Scene
) -> None:
    draft = applicant.post("/api/v1/orders", order_body(on.system.uuid)).json()
    unprice()
    reviewer = signed_in(on.chain[Role.TECHNICAL_REVIEWER])
    answer = reviewer.get(f"/api/v1/orders/{draft['uuid']}/review")
    assert (answer.status_code, answer.json()["hindrance"]["code"]) == (200, "no-price")


def test_an_order_that_no_flow_leads_anywhere_has_its_price(
    applicant: APIClient, on: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_of: object, **_at: object) -> None:
        raise NoFlow

    monkeypatch.setattr("govcloud.approvals.services._flow_of", none)
    draft = applicant.post("/api/v1/orders", order_body(on.system.uuid)).json()
    assert draft["quote"]["monthly_total"] == "1812.00"
    assert (draft["route"], draft["hindrance"]["code"]) == ([], "no-flow-in-force")
    assert applicant.get(f"/api/v1/orders/{draft['uuid']}?fields=hindrance").json() == {
        "hindrance": draft["hindrance"]
    }


def test_a_draft_with_price_and_route_has_nothing_in_its_way(applicant: APIClient, on: Scene) -> None:
    draft = applicant.post("/api/v1/orders", order_body(on.system.uuid)).json()
    assert (draft["hindrance"], len(draft["route"])) == (None, 4)
