"""An order is submitted, or taken back, as it was read, for who says what that was."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from govcloud.orders import services
from govcloud.orders.models import Order
from tenants.models import User
from tests.api.house import AT
from tests.api.story import content, order_body
from tests.factories.orders import Scene, drafted, paper_of, returned, scene

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]

STALE = (412, "precondition-failed")


@pytest.fixture
def on() -> Scene:
    return scene()


@pytest.fixture
def applicant(signed_in: SignedIn, on: Scene) -> APIClient:
    return signed_in(on.applicant)


@pytest.fixture
def draft(applicant: APIClient, on: Scene) -> dict:
    return applicant.post("/api/v1/orders", order_body(on.system.uuid)).json()


@pytest.fixture
def url(draft: dict) -> str:
    return f"/api/v1/orders/{draft['uuid']}"


@pytest.fixture
def changed(applicant: APIClient, url: str) -> str:
    """Its ETag once a colleague has changed what was read."""
    return applicant.put(url, content(title="another"), headers={"If-Match": '"1"'})["ETag"]


def problem(answer: object) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(("below", "body"), [("submission", {}), ("withdrawal", {"reason": "not needed"})])
def test_who_names_the_version_that_was_read_acts_on_no_other(
    applicant: APIClient, url: str, changed: str, below: str, body: dict
) -> None:
    assert problem(applicant.post(f"{url}/{below}", body, headers={"If-Match": '"1"'})) == STALE
    assert Order.objects.get().status == "draft"
    answer = applicant.post(f"{url}/{below}", body, headers={"If-Match": f'"7", {changed}'})
    assert answer.status_code == 200
    assert answer.json()["status"] in {"in_approval", "withdrawn"}


@pytest.mark.parametrize("below", ["submission", "withdrawal"])
@pytest.mark.parametrize("headers", [{}, {"If-Match": "*"}])
def test_who_names_none_acts_on_the_present_one(
    applicant: APIClient, url: str, changed: str, below: str, headers: dict
) -> None:
    assert applicant.post(f"{url}/{below}", headers=headers).status_code == 200


def test_the_version_is_looked_at_again_under_the_lock(on: Scene, url: str, changed: str) -> None:
    order = Order.objects.get()
    with pytest.raises(services.StaleVersion):
        services.withdraw(order=order, reason="", expected_version=1, actor=on.applicant, at=AT)
    assert Order.objects.get().status == "draft"


def test_who_names_the_files_that_were_read_submits_no_others(
    applicant: APIClient, draft: dict, url: str
) -> None:
    assert draft["files_hash"] == ""
    paper_of(Order.objects.get(), at=AT)
    answer = applicant.post(f"{url}/submission", {"files_hash": draft["files_hash"]})
    assert problem(answer) == (409, "files-changed")
    assert Order.objects.get().status == "draft"
    read = applicant.get(url).json()["files_hash"]
    assert len(read) == 64
    submitted = applicant.post(f"{url}/submission", {"files_hash": read}, headers={"If-Match": '"1"'})
    assert (submitted.status_code, submitted.json()["files_hash"]) == (200, read)


def test_a_mistyped_name_does_not_let_other_files_through(applicant: APIClient, url: str) -> None:
    answer = applicant.post(f"{url}/submission", {"file_hash": ""})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/file_hash")
    assert Order.objects.get().status == "draft"


@pytest.mark.parametrize("make", [drafted, returned])
def test_a_submission_is_answered_with_the_order_as_it_is_then(
    applicant: APIClient, on: Scene, make: Callable[..., Order]
) -> None:
    order = make(on, at=AT)
    paper_of(order, at=AT)
    answer = applicant.post(f"/api/v1/orders/{order.uuid}/submission")
    assert answer.status_code == 200, answer.content
    assert answer.json() == applicant.get(f"/api/v1/orders/{order.uuid}").json()
