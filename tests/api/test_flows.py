"""Flow versions over HTTP: drafted, changed under If-Match, tried, published; and orders that rules and fast lanes route."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from rest_framework.test import APIClient

from govcloud.approvals.models import FlowVersion
from govcloud.approvals.routing import DEFAULT_FLOW, StageRule
from tenants.models import Role, User
from tests.api.house import AT
from tests.api.story import order_body
from tests.factories.approvals import INTAKE, flow
from tests.factories.orders import Scene, scene, submitted
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]
STAGE = {"code": "intake", "name": "受理", "name_en": "Intake", "role": "service_desk", "working_days": 1}


@pytest.fixture
def on() -> Scene:
    return scene()


@pytest.fixture
def admin(signed_in: SignedIn) -> APIClient:
    return signed_in(member(Role.SYSTEM_ADMIN))


@pytest.fixture
def publisher(signed_in: SignedIn) -> APIClient:
    """Another one than who drafts."""
    return signed_in(member(Role.SYSTEM_ADMIN))


@pytest.fixture
def draft(admin: APIClient, on: Scene) -> dict:
    based_on = FlowVersion.objects.get()
    answer = admin.post("/api/v1/flow-versions", {"name": "2027", "based_on": str(based_on.uuid)})
    assert answer.status_code == 201, answer.content
    return answer.json()


def put(admin: APIClient, draft: dict, *stages: dict, etag: str = '"1"') -> object:
    body = {"name": draft["name"], "stages": list(stages)}
    return admin.put(f"/api/v1/flow-versions/{draft['uuid']}", body, headers={"If-Match": etag})


def test_a_draft_has_the_stages_of_the_version_it_begins_with(draft: dict) -> None:
    assert (draft["number"], draft["published_at"]) == (None, None)
    assert [stage["code"] for stage in draft["stages"]] == [stage.code for stage in DEFAULT_FLOW]


def test_a_change_needs_the_version_it_was_made_from(admin: APIClient, draft: dict) -> None:
    url = f"/api/v1/flow-versions/{draft['uuid']}"
    assert admin.put(url, {"name": "x", "stages": []}).json()["code"] == "precondition-required"
    assert put(admin, draft, STAGE, etag='"7"').status_code == 412
    changed = put(admin, draft, {**STAGE, "auto_below_amount": "500"})
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert changed.json()["stages"][0]["auto_below_amount"] == "500.00"


def test_everything_wrong_with_stages_is_told_at_once(admin: APIClient, draft: dict) -> None:
    answer = put(admin, draft, {**STAGE, "code": "A"}, {**STAGE, "role": "leader", "quorum": "some"})
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {
        "/stages/0/code",
        "/stages/1/role",
        "/stages/1/quorum_count",
    }


def test_a_draft_is_tried_then_published_and_never_changes_again(
    admin: APIClient, publisher: APIClient, draft: dict, on: Scene
) -> None:
    order = submitted(on, at=AT)
    put(admin, draft, STAGE)
    url = f"/api/v1/flow-versions/{draft['uuid']}"
    tried = admin.post(f"{url}/dry-run", {}).json()
    assert (tried["compared"], tried["unknown"]) == (1, 0)
    (one,) = tried["rerouted"]
    assert (one["case"], one["label"], one["amount"]) == (str(order.case.uuid), "", "1812.00")
    assert [station["code"] for station in one["after"]] == ["intake"]
    begins = {"in_force_from": "2999-01-01T00:00:00Z"}
    refused = admin.post(f"{url}/publication", begins, headers={"If-Match": '"2"'})
    assert (refused.status_code, refused.json()["code"]) == (403, "own-flow")
    published = publisher.post(f"{url}/publication", begins, headers={"If-Match": '"2"'})
    assert (published.status_code, published.json()["number"]) == (200, 2)
    (editor,) = published.json()["editors"]
    assert editor == draft["drafted_by"] != published.json()["published_by"]
    assert put(admin, draft, STAGE, etag='"2"').json()["code"] == "flow-published"
    assert admin.delete(url, headers={"If-Match": '"2"'}).json()["code"] == "flow-published"


def test_a_draft_with_problems_is_not_published(admin: APIClient, publisher: APIClient, draft: dict) -> None:
    problems = put(admin, draft, {**STAGE, "min_mlps_level": 3}).json()["problems"]
    assert [(one["code"], one["pointer"]) for one in problems] == [("flow-skips-matters", "/stages")]
    url = f"/api/v1/flow-versions/{draft['uuid']}/publication"
    refused = publisher.post(url, {"in_force_from": "2999-01-01T00:00:00Z"}, headers={"If-Match": '"2"'})
    assert refused.status_code == 422
    assert [error["code"] for error in refused.json()["errors"]] == ["flow-skips-matters"]


def test_an_order_that_rules_decide_is_built_as_soon_as_it_is_submitted(
    on: Scene, signed_in: SignedIn
) -> None:
    flow(replace(INTAKE, auto_quota="within", auto_max_quantity=9), at=AT)
    applicant = signed_in(on.applicant)
    draft = applicant.post("/api/v1/orders", order_body(on.system.uuid)).json()
    assert draft["route"][0]["auto_reason_en"] == "within quota, 9 resources at most"
    order = applicant.post(f"/api/v1/orders/{draft['uuid']}/submission").json()
    assert (order["status"], order["case"]["status"]) == ("fulfilling", "approved")
    (stage,) = order["case"]["stages"]
    assert (stage["decision"]["decider"], stage["decision"]["opinion"]) == (
        None,
        "配额之内、不超过 9 项资源",
    )
    assert order["operations"]


def test_an_urgent_order_takes_the_fast_lane_and_says_why(on: Scene, signed_in: SignedIn) -> None:
    fast = StageRule("fast", "快速审批", "Fast lane", Role.AUTHORITY_APPROVER, 1, only_priority="urgent")
    slow = StageRule("slow", "审批", "Approval", Role.AUTHORITY_APPROVER, 5, only_priority="normal")
    flow(INTAKE, fast, slow, at=AT)
    applicant = signed_in(on.applicant)
    body = order_body(on.system.uuid, urgency="汛期值守")
    draft = applicant.post("/api/v1/orders", body).json()
    assert (draft["urgency"], [stage["code"] for stage in draft["route"]]) == ("汛期值守", ["intake", "fast"])
    order = applicant.post(f"/api/v1/orders/{draft['uuid']}/submission").json()
    assert [stage["code"] for stage in order["case"]["stages"]] == ["intake", "fast"]
