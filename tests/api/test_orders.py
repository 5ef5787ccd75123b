"""An order over HTTP: drafted, revised, submitted, decided, followed."""

import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import transaction
from rest_framework.test import APIClient

from govcloud.audit.models import Event, Outcome
from govcloud.orders.models import Order
from govcloud.provisioning import completion
from govcloud.provisioning.models import Operation, Step
from tenants.models import Role, User
from tests.api.house import AT
from tests.api.story import BACKUP, NETWORK, SERVERS, content, order_body
from tests.factories.inventory import whole_server
from tests.factories.orders import Scene, approved, scene
from tests.factories.tenants import DepartmentFactory, SystemFactory, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


@pytest.fixture
def on() -> Scene:
    return scene()


@pytest.fixture
def applicant(signed_in: SignedIn, on: Scene) -> APIClient:
    return signed_in(on.applicant)


@pytest.fixture
def draft(applicant: APIClient, on: Scene) -> dict:
    answer = applicant.post("/api/v1/orders", order_body(on.system.uuid))
    assert answer.status_code == 201, answer.content
    return answer.json()


@pytest.fixture
def submitted(applicant: APIClient, draft: dict) -> dict:
    answer = applicant.post(f"/api/v1/orders/{draft['uuid']}/submission")
    assert answer.status_code == 200, answer.content
    return answer.json()


def decide(client: APIClient, order: dict, verb: str = "approve", **body: str) -> object:
    decision = {"verb": verb, "revision_hash": order["case"]["revision_hash"], **body}
    return client.post(f"/api/v1/orders/{order['uuid']}/decisions", decision)


def test_a_draft_tells_its_price_its_effect_and_who_will_decide(draft: dict) -> None:
    assert draft["status"] == "draft"
    assert draft["quote"]["monthly_total"] == "1812.00"
    assert sum(float(line["amount"]) for line in draft["quote"]["lines"]) == 1812
    assert {e["dimension"]: e["takes"] for e in draft["effect"]}["vcpus"] == 8
    assert [stage["role"] for stage in draft["route"]] == [
        "unit_approver", "service_desk", "technical_reviewer", "authority_approver",
    ]  # fmt: skip
    assert all(stage["deciders"] for stage in draft["route"])


def test_a_draft_is_found_where_the_answer_says(applicant: APIClient, on: Scene) -> None:
    answer = applicant.post("/api/v1/orders", order_body(on.system.uuid))
    found = applicant.get(answer["Location"])
    assert found.json()["number"] == answer.json()["number"]
    assert found["ETag"] == answer["ETag"] == '"1"'


def test_what_was_sent_comes_back(draft: dict) -> None:
    network, servers, backup = draft["items"]
    assert (network["name"], network["zone"]) == ("app-net", "private")
    assert servers["quantity"] == 2
    assert servers["server"]["flavor"]["code"] == "g.4c16g"
    assert servers["server"]["network"] == "app-net"
    assert [(v["storage_class"]["code"], v["size_gb"]) for v in servers["volumes"]] == [
        ("ssd", 100),
        ("sas", 500),
    ]
    assert (backup["backup"]["dr_level"], backup["backup"]["off_site"]) == (3, True)


def test_every_mistake_is_told_at_once_with_its_pointer(applicant: APIClient, on: Scene) -> None:
    items = [NETWORK, {**SERVERS, "quantity": 0, "flavor": "g.none"}, {**BACKUP, "dr_level": 6}]
    answer = applicant.post("/api/v1/orders", order_body(on.system.uuid, items=items))
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert "/items/1/flavor" in pointers
    assert "/items/2/dr_level" in pointers
    assert not Order.objects.exists()


@pytest.mark.parametrize(("language", "named"), [("en", "name_en"), ("zh-hans", "name")])
def test_every_shortage_of_quota_is_told_in_the_language_asked_for(
    signed_in: SignedIn, language: str, named: str
) -> None:
    on = scene(limits={"vcpus": 7, "memory_gb": 31})
    client = signed_in(on.applicant)
    order = client.post("/api/v1/orders", order_body(on.system.uuid)).json()
    answer = client.post(
        f"/api/v1/orders/{order['uuid']}/submission", headers={"Accept-Language": language}
    ).json()
    department = getattr(on.department, named)
    assert answer["code"] == "quota-exceeded"
    assert answer["detail"].count(department) == 2
    assert answer["params"]["department"] == department
    assert [(s["department"], s["free"], s["requested"]) for s in answer["params"]["shortages"]] == [
        (department, 7, 8),
        (department, 31, 32),
    ]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"items": [{**SERVERS, "quantity": "two"}]}, "/items/0/quantity"),
        ({"items": [{**SERVERS, "quantity": 2.5}]}, "/items/0/quantity"),
        ({"items": [{**SERVERS, "quantity": 10**30}]}, "/items/0/quantity"),
        ({"items": [{**SERVERS, "quantiy": 2}]}, "/items/0/quantiy"),
        ({"items": [{**SERVERS, "system_volume": {"size_gb": 100}}]}, "/items/0/system_volume/storage_class"),
        (
            {"items": [{**SERVERS, "data_volumes": [{"storage_class": "sas"}]}]},
            "/items/0/data_volumes/0/size_gb",
        ),
        ({"items": [{"action": "create", "kind": "moon"}]}, "/items/0"),
        ({"items": [{"action": ["create"], "kind": {}}]}, "/items/0"),
        ({"items": [7]}, "/items/0"),
        ({"items": {}}, "/items"),
        ({"title": "x" * 121}, "/title"),
        ({"title": "a\x00b"}, "/title"),
        ({"title": "\ud800"}, "/title"),
        ({"declares_classified": "perhaps"}, "/declares_classified"),
        ({"system": "not-a-uuid"}, "/system"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_what_cannot_be_read_names_the_field(
    applicant: APIClient, on: Scene, changes: dict, pointer: str
) -> None:
    body = json.dumps({**order_body(on.system.uuid), **changes})
    answer = applicant.post("/api/v1/orders", body, content_type="application/json")
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


def test_declared_classified_work_leaves_only_the_refusal(applicant: APIClient, on: Scene) -> None:
    answer = applicant.post(
        "/api/v1/orders", order_body(on.system.uuid, declares_classified=True, title="secret plan")
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "classified-work")
    assert not Order.objects.exists()
    event = Event.objects.get(outcome=Outcome.REFUSED)
    assert (event.actor, event.reason) == (on.applicant.audit_ref, "classified-work")
    assert "secret plan" not in str(event.__dict__)


@pytest.mark.parametrize("declared", [True, "true", 1])
@pytest.mark.parametrize(
    "wrong",
    [
        {"title": 7 * ["secret plan"]},
        {"items": "secret plan"},
        {"system": "secret plan"},
        {"secret plan": 1},
        {"justification": "secret plan\0"},
    ],
)
def test_declared_classified_work_is_refused_whatever_else_is_wrong(
    applicant: APIClient, on: Scene, wrong: dict, declared: object
) -> None:
    body = {**order_body(on.system.uuid, declares_classified=declared), **wrong}
    answer = applicant.post("/api/v1/orders", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (422, "classified-work")
    assert "secret plan" not in answer.content.decode()
    event = Event.objects.get(outcome=Outcome.REFUSED)
    assert (event.verb, event.reason) == ("order.classified", "classified-work")
    assert "secret plan" not in str(event.__dict__)


def test_declared_classified_work_is_refused_before_the_version_is_asked_for(
    applicant: APIClient, on: Scene
) -> None:
    order = applicant.post("/api/v1/orders", order_body(on.system.uuid)).json()
    body = {"declares_classified": True, "title": ["secret plan"]}
    answer = applicant.put(f"/api/v1/orders/{order['uuid']}", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (422, "classified-work")
    assert Event.objects.filter(verb="order.classified", reason="classified-work").count() == 1


def test_a_system_of_another_department_answers_as_one_that_never_was(applicant: APIClient) -> None:
    foreign = SystemFactory()
    refused = applicant.post("/api/v1/orders", order_body(foreign.uuid))
    absent = applicant.post("/api/v1/orders", order_body(uuid4()))
    assert refused.status_code == absent.status_code == 404
    assert (
        [e["pointer"] for e in refused.json()["errors"]]
        == [e["pointer"] for e in absent.json()["errors"]]
        == ["/system"]
    )
    assert Event.objects.get(verb="access.refused").subject_id == foreign.uuid


def test_a_resource_of_another_department_cannot_be_named_in_an_order(
    applicant: APIClient, on: Scene
) -> None:
    foreign = whole_server()
    resource = getattr(foreign, "resource", foreign)
    items = [{"action": "release", "kind": "server", "target": str(resource.uuid)}]
    answer = applicant.post("/api/v1/orders", order_body(on.system.uuid, items=items))
    assert answer.status_code == 404
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/items/0/target"]
    assert Event.objects.get(verb="access.refused").subject_id == resource.uuid


def test_only_applicants_draft(signed_in: SignedIn, on: Scene) -> None:
    answer = signed_in(on.chain[Role.UNIT_APPROVER]).post("/api/v1/orders", order_body(on.system.uuid))
    assert (answer.status_code, answer.json()["code"]) == (403, "role-missing")


def test_a_change_needs_the_version_it_is_made_on(applicant: APIClient, draft: dict) -> None:
    url = f"/api/v1/orders/{draft['uuid']}"
    assert applicant.put(url, content(title="second")).status_code == 428
    first = applicant.put(url, content(title="second"), headers={"If-Match": '"1"'})
    assert (first.status_code, first["ETag"], first.json()["title"]) == (200, '"2"', "second")
    stale = applicant.put(url, content(title="third"), headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition-failed")
    assert applicant.get(url).json()["title"] == "second"


def test_an_order_cannot_move_to_another_system(applicant: APIClient, draft: dict, on: Scene) -> None:
    answer = applicant.put(
        f"/api/v1/orders/{draft['uuid']}", order_body(on.system.uuid), headers={"If-Match": "*"}
    )
    assert answer.status_code == 422


def test_submitting_freezes_the_price_and_opens_the_case(submitted: dict) -> None:
    assert submitted["status"] == "in_approval"
    assert submitted["quote"]["monthly_total"] == "1812.00"
    stages = submitted["case"]["stages"]
    assert [s["status"] for s in stages] == ["current", "waiting", "waiting", "waiting"]
    assert stages[0]["since"]
    assert stages[0]["deciders"]
    assert len(submitted["units"]) == 8


def test_submitting_twice_is_a_conflict(applicant: APIClient, submitted: dict) -> None:
    answer = applicant.post(f"/api/v1/orders/{submitted['uuid']}/submission")
    assert (answer.status_code, answer.json()["code"]) == (409, "order-not-editable")


def test_the_whole_chain_approves_and_building_starts(
    signed_in: SignedIn, on: Scene, submitted: dict
) -> None:
    order = submitted
    for role in (Role.UNIT_APPROVER, Role.SERVICE_DESK, Role.TECHNICAL_REVIEWER, Role.AUTHORITY_APPROVER):
        client = signed_in(on.chain[role])
        todo = client.get("/api/v1/cases?todo=true").json()["results"]
        assert [case["subject"] for case in todo] == [order["uuid"]]
        answer = decide(client, order, opinion="ok")
        assert answer.status_code == 200, answer.content
        order = answer.json()
        assert client.get("/api/v1/cases?todo=true").json()["count"] == 0
    assert order["status"] == "fulfilling"
    assert [s["decision"]["verb"] for s in order["case"]["stages"]] == ["approve"] * 4
    assert [o["kind"] for o in order["operations"]] == ["deliver"]
    assert Operation.objects.get().thread == Order.objects.get().uuid


def test_nobody_decides_their_own_order_and_the_attempt_is_audited(
    signed_in: SignedIn, applicant: APIClient, submitted: dict
) -> None:
    answer = decide(applicant, submitted)
    assert answer.status_code == 403
    assert Event.objects.filter(
        outcome=Outcome.REFUSED, actor=Order.objects.get().applicant.audit_ref
    ).exists()
    assert Order.objects.get().status == "in_approval"


def test_a_decision_on_a_revision_nobody_has_read_is_refused(
    signed_in: SignedIn, on: Scene, submitted: dict
) -> None:
    answer = decide(signed_in(on.chain[Role.UNIT_APPROVER]), submitted, revision_hash="0" * 64)
    assert (answer.status_code, answer.json()["code"]) == (409, "revision-changed")


def test_out_of_turn_is_refused(signed_in: SignedIn, on: Scene, submitted: dict) -> None:
    answer = decide(signed_in(on.chain[Role.AUTHORITY_APPROVER]), submitted)
    assert answer.status_code in {403, 409}


def test_an_order_comes_back_is_corrected_and_goes_again(
    signed_in: SignedIn, applicant: APIClient, on: Scene, submitted: dict
) -> None:
    returned = decide(signed_in(on.chain[Role.UNIT_APPROVER]), submitted, "return", opinion="too big").json()
    assert returned["status"] == "returned"
    url = f"/api/v1/orders/{submitted['uuid']}"
    smaller = content(items=[NETWORK, {**SERVERS, "quantity": 1}, {**BACKUP, "capacity_gb": 600}])
    assert applicant.put(url, smaller, headers={"If-Match": f'"{returned["version"]}"'}).status_code == 200
    again = applicant.post(f"{url}/submission").json()
    assert again["status"] == "in_approval"
    assert again["case"]["revision"] == 2
    assert again["case"]["revision_hash"] != submitted["case"]["revision_hash"]


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}])
def test_an_order_in_approval_is_withdrawn_for_a_reason(
    applicant: APIClient, submitted: dict, body: dict
) -> None:
    answer = applicant.post(f"/api/v1/orders/{submitted['uuid']}/withdrawal", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "withdrawal-unexplained")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/reason"]
    assert applicant.get(f"/api/v1/orders/{submitted['uuid']}").json()["status"] == "in_approval"


def test_a_withdrawn_order_is_over(applicant: APIClient, submitted: dict) -> None:
    answer = applicant.post(f"/api/v1/orders/{submitted['uuid']}/withdrawal", {"reason": "not needed"})
    assert (answer.status_code, answer.json()["status"]) == (200, "withdrawn")


def test_who_decides_sees_price_effect_and_that_a_cloud_does_not_answer(
    signed_in: SignedIn, on: Scene, submitted: dict
) -> None:
    review = signed_in(on.chain[Role.UNIT_APPROVER]).get(f"/api/v1/orders/{submitted['uuid']}/review").json()
    assert review["quote"]["monthly_total"] == "1812.00"
    assert review["revision_hash"] == submitted["case"]["revision_hash"]
    assert {e["dimension"]: e["takes"] for e in review["effect"]}["storage_gb"] == 1200
    assert [(c["cloud"], c["answers"], c["vcpus_total"]) for c in review["capacity"]] == [
        ("sandbox", False, None)
    ]


def test_the_trail_tells_the_story_in_order(applicant: APIClient, submitted: dict) -> None:
    trail = applicant.get(f"/api/v1/orders/{submitted['uuid']}/trail").json()["results"]
    assert trail[0]["verb"] == "order.drafted"
    assert "order.submitted" in [event["verb"] for event in trail]


def test_a_foreign_department_sees_nothing_of_an_order(signed_in: SignedIn, submitted: dict) -> None:
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    assert stranger.get("/api/v1/orders").json()["count"] == 0
    url = f"/api/v1/orders/{submitted['uuid']}"
    reads = [stranger.get(f"{url}{below}") for below in ("", "/trail", "/operations", "/review")]
    writes = [stranger.post(f"{url}/{verb}", {}) for verb in ("submission", "withdrawal", "decisions")]
    changed = stranger.put(url, content(), headers={"If-Match": "*"})
    assert [answer.status_code for answer in [*reads, *writes, changed]] == [404] * 8
    assert Event.objects.filter(verb="access.refused").count() == 8


def test_the_list_shows_total_and_stage_and_filters(applicant: APIClient, submitted: dict) -> None:
    listed = applicant.get("/api/v1/orders?status=in_approval&search=Example").json()["results"]
    assert [(o["number"], o["monthly_total"], o["stage"]) for o in listed] == [
        (submitted["number"], "1812.00", "unit_approval")
    ]
    assert applicant.get("/api/v1/orders?status=draft").json()["count"] == 0


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("{end} {begin}", 1),
        ("{end},{begin}", 1),
        ('"{number} {title}"', 1),
        ("“{number} {title}”", 1),
        ('"{title} {number}"', 0),
        ('"{end},{begin}"', 0),
    ],
)
def test_what_is_quoted_is_found_as_it_stands(
    applicant: APIClient, submitted: dict, search: str, found: int
) -> None:
    title = submitted["title"]
    asked = search.format(number=submitted["number"], title=title, begin=title[:2], end=title[-2:])
    assert applicant.get("/api/v1/orders", {"search": asked}).json()["count"] == found


def test_an_order_being_built_is_called_off_in_part(applicant: APIClient, on: Scene) -> None:
    order = approved(on, at=AT)
    url = f"/api/v1/orders/{order.uuid}"
    units = {unit["name"]: unit for unit in applicant.get(url).json()["units"]}
    assert {unit["outcome"] for unit in units.values()} == {"under_way"}
    gone = {"reason": "one is enough", "units": [units["app-2"]["uuid"]]}
    assert applicant.post(f"{url}/cancellation", {"units": gone["units"]}).status_code == 422
    answer = applicant.post(f"{url}/cancellation", gone)
    after = {unit["name"]: unit["outcome"] for unit in answer.json()["units"]}
    assert (answer.status_code, answer.json()["status"]) == (200, "fulfilling")
    assert {name for name, outcome in after.items() if outcome == "being_removed"} == {
        "app-2", "app-2-system", "app-2-data-1",
    }  # fmt: skip


def test_the_clouds_own_words_are_for_its_administrators(
    signed_in: SignedIn, applicant: APIClient, on: Scene
) -> None:
    order = approved(on, at=AT)
    Step.objects.filter(kind="server", label="app-1").update(
        state="parked", last_error="No valid host was found", next_run_at=None
    )
    step = Step.objects.get(kind="server", label="app-1")
    with transaction.atomic():
        step.operation = completion.lock(step.operation)
        completion.parked(step, reason="No valid host was found", at=AT)
    for client, words in ((applicant, ""), (signed_in(member(Role.CLOUD_ADMIN)), "No valid host was found")):
        units = {u["name"]: u for u in client.get(f"/api/v1/orders/{order.uuid}").json()["units"]}
        assert (units["app-1"]["outcome"], units["app-1"]["trouble"]) == ("held_up", words)
        told = client.get(f"/api/v1/orders/{order.uuid}/trail?page_size=200").json()["results"]
        reasons = [event["reason"] for event in told if event["verb"] == "operation.parked"]
        assert reasons == [f"app-1: {words}" if words else ""]


def test_what_is_not_being_built_is_withdrawn_and_not_called_off(applicant: APIClient, draft: dict) -> None:
    answer = applicant.post(f"/api/v1/orders/{draft['uuid']}/cancellation", {"reason": "no"})
    assert (answer.status_code, answer.json()["code"]) == (409, "order-to-be-withdrawn")
