"""Ordering quota, handing it on, and what becomes of it, as clients of the API see it."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils.translation import override
from rest_framework.test import APIClient

from govcloud import clock
from govcloud.clouds.models import CloudCapacity, StoragePool
from govcloud.orders.drafts import LimitDraft
from govcloud.portal.order.items import lines
from govcloud.quotas import services as quotas
from govcloud.quotas import temporary, thresholds
from govcloud.quotas.ledger import Hold
from govcloud.quotas.models import Dimension, QuotaAccount, TemporaryRaise
from tenants.models import Department, Role, User
from tests.api.story import NETWORK, order_body
from tests.factories.orders import Scene, approved, drafted, scene, submitted
from tests.factories.quotas import opened
from tests.factories.tenants import DepartmentFactory, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


@pytest.fixture
def at() -> datetime:
    """Now, as the API's clock reads it."""
    return clock.now()


@pytest.fixture
def above() -> Department:
    department = DepartmentFactory()
    opened(department, vcpus=400)
    return department


@pytest.fixture
def on(above: Department) -> Scene:
    return scene(limits={"vcpus": 100}, above=above)


@pytest.fixture
def applicant(signed_in: SignedIn, on: Scene) -> APIClient:
    return signed_in(on.applicant)


def account(department: Department) -> QuotaAccount:
    return QuotaAccount.objects.get(department=department, dimension="vcpus")


def item(limit: Any = 150, **changes: Any) -> dict[str, Any]:
    return {"action": "change", "kind": "quota", "dimension": "vcpus", "limit": limit, **changes}


def vcpus(limit: int, *, at: datetime | None = None, days: int = 30) -> tuple[LimitDraft]:
    until = None if at is None else (at + timedelta(days=days)).date()
    return (LimitDraft(dimension=Dimension.VCPUS, limit=limit, until=until),)


def hold(department: Department, amount: int, *, at: datetime) -> None:
    quotas.hold(department=department, holds=[Hold(uuid4(), {"vcpus": amount})], at=at)


def ordered(applicant: APIClient, on: Scene, *items: dict[str, Any]) -> Any:
    return applicant.post("/api/v1/orders", order_body(on.system.uuid, items=list(items)))


# orders


def test_a_draft_for_quota_comes_back_with_what_the_tree_leaves(
    applicant: APIClient, on: Scene, above: Department
) -> None:
    answer = ordered(applicant, on, item(150, until=None))
    assert answer.status_code == 201, answer.json()
    body = answer.json()
    (sent,) = body["items"]
    assert (sent["action"], sent["kind"], sent["target"]) == ("change", "quota", None)
    before = {"limit_before": 100, "lasting_before": 100}
    assert sent["quota"] == {"dimension": "vcpus", "limit": 150, **before, "until": None}
    assert (body["effect"], body["quote"]["monthly_total"]) == ([], "0.00")
    (limit,) = body["limits"]
    assert (limit["limit"], limit["asked"], limit["least"], limit["most"], limit["fits"]) == (
        100,
        150,
        0,
        400,
        True,
    )
    assert limit["above"]["uuid"] == str(above.uuid)


def test_a_raise_beyond_what_the_unit_above_leaves_is_refused_with_figures(
    applicant: APIClient, on: Scene
) -> None:
    answer = ordered(applicant, on, item(401))
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["code"], error["pointer"]) == ("quota-limit-beyond-unit-above", "/items/0/limit")
    assert "At most 400 is possible" in error["detail"]


def test_a_lowering_under_what_is_in_use_is_refused_with_figures(
    applicant: APIClient, on: Scene, at: datetime
) -> None:
    hold(on.department, 30, at=at)
    answer = ordered(applicant, on, item(29))
    (error,) = answer.json()["errors"]
    assert error["code"] == "quota-limit-below-use"
    assert "holds 30 and uses 0" in error["detail"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"dimension": "gpus"}, "/items/0/dimension"),
        ({"limit": None}, "/items/0/limit"),
        ({"limit": "many"}, "/items/0/limit"),
        ({"limit": -1}, "/items/0/limit"),
        ({"limit": 10**30}, "/items/0/limit"),
        ({"until": "soon"}, "/items/0/until"),
        ({"until": "2020-01-01"}, "/items/0/until"),
        ({"name": "x"}, "/items/0/name"),
    ],
)
def test_an_impossible_limit_is_refused_where_it_stands(
    applicant: APIClient, on: Scene, changes: dict[str, Any], pointer: str
) -> None:
    answer = ordered(applicant, on, {**item(), **changes})
    assert answer.status_code == 422, answer.json()
    assert pointer in {error["pointer"] for error in answer.json()["errors"]}


def test_quota_and_servers_are_two_orders(applicant: APIClient, on: Scene) -> None:
    codes = {error["code"] for error in ordered(applicant, on, NETWORK, item()).json()["errors"]}
    assert codes == {"quota-not-alone"}


def test_a_decider_sees_what_the_tree_leaves_and_what_the_clouds_have(
    signed_in: SignedIn, on: Scene, at: datetime
) -> None:
    order = submitted(on, at=at, items=vcpus(150))
    review = signed_in(on.chain[Role.UNIT_APPROVER]).get(f"/api/v1/orders/{order.uuid}/review").json()
    (limit,) = review["limits"]
    assert (limit["dimension"], limit["asked"], limit["most"]) == ("vcpus", 150, 400)
    assert [cloud["cloud"] for cloud in review["capacity"]] == ["sandbox"]


def test_a_decider_sees_that_a_raise_whose_time_is_over_cannot_be_approved_any_more(
    signed_in: SignedIn, on: Scene, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = submitted(on, at=at, items=vcpus(200, at=at, days=3))
    path, decider = f"/api/v1/orders/{order.uuid}", on.chain[Role.UNIT_APPROVER]
    assert signed_in(decider).get(f"{path}/review").json()["bar"] is None
    monkeypatch.setattr("govcloud.clock.now", lambda: at + timedelta(days=5))
    review = signed_in(decider).get(f"{path}/review").json()
    assert review["bar"]["code"] == "quota-time-is-over"
    stage = order.case.stages.get(status="current").code
    body = {"verb": "approve", "opinion": "", "revision_hash": review["revision_hash"], "stage": stage}
    refused = signed_in(decider).post(f"{path}/decisions", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "quota-time-is-over")
    assert refused.json()["detail"] == review["bar"]["detail"]


def test_a_raise_that_was_granted_and_is_over_is_barred_from_nothing(
    signed_in: SignedIn, on: Scene, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = approved(on, at=at, items=vcpus(200, at=at, days=3))
    monkeypatch.setattr("govcloud.clock.now", lambda: at + timedelta(days=5))
    decider = signed_in(on.chain[Role.UNIT_APPROVER])
    assert decider.get(f"/api/v1/orders/{order.uuid}/review").json()["bar"] is None


def test_a_granted_order_is_fulfilled_and_asks_for_nothing_more(
    applicant: APIClient, on: Scene, at: datetime
) -> None:
    order = approved(on, at=at, items=vcpus(150))
    body = applicant.get(f"/api/v1/orders/{order.uuid}").json()
    assert (body["status"], body["units"], body["operations"], body["limits"]) == ("fulfilled", [], [], [])
    verbs = {event["verb"] for event in applicant.get(f"/api/v1/orders/{order.uuid}/trail").json()["results"]}
    assert "quota.granted" in verbs


@pytest.mark.parametrize(
    ("language", "name", "told"),
    [
        ("en", "vCPU", ["limit from 100 to 1,200", "until 31 Dec 2027, then it falls back by itself"]),
        ("zh-hans", "vCPU（核）", ["上限由 100 变更为 1,200", "至 2027年12月31日，到期自动回落"]),
    ],
)
def test_the_portal_tells_it_in_plain_words(language: str, name: str, told: list[str]) -> None:
    on = scene(limits={"vcpus": 100})
    asked = LimitDraft(dimension=Dimension.VCPUS, limit=1_200, until=date(2027, 12, 31))
    order = drafted(on, at=datetime(2027, 2, 1, tzinfo=UTC), items=(asked,))
    with override(language):
        (shown,) = lines(order)
    assert (shown.name, shown.facts) == (name, told)


# accounts


def test_an_account_tells_of_the_raise_that_falls_back(applicant: APIClient, on: Scene, at: datetime) -> None:
    url = f"/api/v1/quota-accounts/{account(on.department).uuid}"
    assert applicant.get(url).json()["temporary"] is None
    order = approved(on, at=at, items=vcpus(200, at=at))
    now = applicant.get(url).json()
    assert (now["limit"], now["temporary"]["falls_back_to"]) == (200, 100)
    assert now["temporary"]["order_number"] == order.number
    (running,) = TemporaryRaise.objects.all()
    temporary.fall_back(running.pk, at=running.next_run_at)
    now = applicant.get(url).json()
    assert (now["limit"], now["temporary"]) == (100, None)


def test_quota_is_handed_on_by_the_unit_above_on_the_version_that_was_read(
    signed_in: SignedIn, on: Scene, above: Department
) -> None:
    approver = signed_in(member(Role.UNIT_APPROVER, above))
    url = f"/api/v1/quota-accounts/{account(on.department).uuid}"
    etag = approver.get(url)["ETag"]
    body = {"limit": 120, "reason": "迁移"}
    answer = approver.put(f"{url}/allotment", body, headers={"If-Match": etag})
    assert (answer.status_code, answer.json()["limit"]) == (200, 120)
    assert answer["ETag"] != etag
    stale = approver.put(f"{url}/allotment", body, headers={"If-Match": etag})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition-failed")
    assert approver.put(f"{url}/allotment", body).status_code == 428


def test_more_than_the_unit_above_has_is_not_handed_on(
    signed_in: SignedIn, on: Scene, above: Department
) -> None:
    approver = signed_in(member(Role.UNIT_APPROVER, above))
    url = f"/api/v1/quota-accounts/{account(on.department).uuid}/allotment"
    answer = approver.put(url, {"limit": 401, "reason": "r"}, headers={"If-Match": "*"})
    assert (answer.status_code, answer.json()["code"]) == (409, "quota-limit-beyond-unit-above")
    assert answer.json()["params"]["most"] == 400
    assert account(on.department).limit == 100


def test_no_unit_hands_on_to_itself_and_no_stranger_sees_the_account(
    signed_in: SignedIn, on: Scene, above: Department
) -> None:
    body, headers = {"limit": 120, "reason": "r"}, {"If-Match": "*"}
    url = f"/api/v1/quota-accounts/{account(on.department).uuid}/allotment"
    assert signed_in(on.chain[Role.UNIT_APPROVER]).put(url, body, headers=headers).status_code == 403
    stranger = signed_in(member(Role.UNIT_APPROVER, DepartmentFactory()))
    assert stranger.put(url, body, headers=headers).status_code == 404
    top = f"/api/v1/quota-accounts/{account(above).uuid}/allotment"
    answer = signed_in(member(Role.UNIT_APPROVER, above)).put(top, body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (409, "quota-nothing-above")


# 0 and unlimited


def test_no_limit_and_a_limit_of_0_differ_in_answers_and_in_files(
    signed_in: SignedIn, on: Scene, at: datetime
) -> None:
    department = DepartmentFactory()
    opened(department, vcpus=0, servers=None)
    reader = signed_in(member(Role.CLOUD_ADMIN))
    query = {"department": str(department.uuid)}
    rows = {row["dimension"]: row for row in reader.get("/api/v1/quota-accounts", query).json()["results"]}
    assert (rows["vcpus"]["limit"], rows["vcpus"]["free"]) == (0, 0)
    assert (rows["servers"]["limit"], rows["servers"]["free"]) == (None, None)
    file = b"".join(reader.get("/api/v1/quota-accounts", {**query, "format": "csv"}))
    cells = {row["dimension"]: row for row in csv.DictReader(io.StringIO(file.decode("utf-8-sig")))}
    assert (cells["vcpus"]["limit"], cells["servers"]["limit"]) == ("0", "")


def test_effects_tell_no_limit_from_a_limit_of_0(signed_in: SignedIn) -> None:
    department = DepartmentFactory()
    opened(department, vcpus=0, servers=None)
    query = {"department": str(department.uuid), "vcpus": 1, "servers": 1}
    body = signed_in(member(Role.CLOUD_ADMIN)).get("/api/v1/quota-effects", query).json()
    rows = {row["dimension"]: (row["limit"], row["fits"]) for row in body["effects"]}
    assert rows == {"vcpus": (0, False), "servers": (None, True)}


# history


def test_the_history_tells_who_when_why_and_by_which_order(
    applicant: APIClient, on: Scene, at: datetime
) -> None:
    order = approved(on, at=at, items=vcpus(200, at=at))
    rows = applicant.get("/api/v1/quota-changes", {"dimension": "vcpus"}).json()["results"]
    granted, first = rows
    assert (first["origin"], first["before"], first["after"]) == ("opened", 0, 100)
    assert (granted["origin"], granted["before"], granted["after"]) == ("temporary", 100, 200)
    assert (granted["order"], granted["order_number"]) == (str(order.uuid), order.number)
    assert granted["actor"]["name"] == on.chain[Role.AUTHORITY_APPROVER].audit_name
    assert granted["until"] == (at + timedelta(days=30)).date().isoformat()


def test_the_reason_of_a_limit_set_by_its_keeper_is_kept(signed_in: SignedIn, on: Scene) -> None:
    keeper = signed_in(member(Role.CLOUD_ADMIN))
    found = account(on.department)
    body = {"limit": 5, "reason": "腾退"}
    assert (
        keeper.patch(f"/api/v1/quota-accounts/{found.uuid}", body, headers={"If-Match": "*"}).status_code
        == 200
    )
    (row,) = keeper.get("/api/v1/quota-changes", {"account": str(found.uuid), "origin": "set"}).json()[
        "results"
    ]
    assert (row["after"], row["reason"]) == (5, "腾退")


def test_the_history_comes_as_a_file(applicant: APIClient, on: Scene, at: datetime) -> None:
    approved(on, at=at, items=vcpus(150))
    file = b"".join(applicant.get("/api/v1/quota-changes", {"format": "csv", "origin": "ordered"}))
    (row,) = csv.DictReader(io.StringIO(file.decode("utf-8-sig")))
    assert (row["before"], row["after"], row["dimension"]) == ("100", "150", "vcpus")


def test_raises_and_crossings_are_listed_while_they_are_in_force(
    applicant: APIClient, on: Scene, at: datetime
) -> None:
    approved(on, at=at, items=vcpus(200, at=at))
    hold(on.department, 190, at=at)
    thresholds.watch(at=at)
    (raised,) = applicant.get("/api/v1/quota-raises", {"status": "running"}).json()["results"]
    assert (raised["limit"], raised["falls_back_to"], raised["beyond"]) == (200, 100, 0)
    assert applicant.get("/api/v1/quota-raises", {"status": "ended"}).json()["results"] == []
    crossings = applicant.get("/api/v1/quota-crossings", {"in_force": "true"}).json()["results"]
    assert sorted((row["percent"], row["taken"]) for row in crossings) == [(80, 190), (95, 190)]


def test_what_became_of_limits_is_for_the_department_and_the_centre(
    signed_in: SignedIn, on: Scene, at: datetime
) -> None:
    approved(on, at=at, items=vcpus(200, at=at))
    hold(on.department, 190, at=at)
    thresholds.watch(at=at)
    stranger, leader = signed_in(member(Role.APPLICANT, DepartmentFactory())), signed_in(member(Role.LEADER))
    for path in ("quota-changes", "quota-raises", "quota-crossings"):
        assert stranger.get(f"/api/v1/{path}").json()["results"] == []
        (*_, row) = leader.get(f"/api/v1/{path}").json()["results"]
        assert stranger.get(f"/api/v1/{path}/{row['uuid']}").status_code == 404
        assert leader.get(f"/api/v1/{path}/{row['uuid']}").status_code == 200


# what if


def test_amounts_are_weighed_up_the_tree(
    applicant: APIClient, on: Scene, above: Department, at: datetime
) -> None:
    hold(above, 350, at=at)
    query = {"department": str(on.department.uuid), "vcpus": 60}
    body = applicant.get("/api/v1/quota-effects", query).json()
    figures = [
        (row["limit"], row["held"], row["takes"], row["after"], row["fits"]) for row in body["effects"]
    ]
    assert figures == [(400, 350, 60, 410, False), (100, 0, 60, 60, True)]
    assert body["fits"] is False
    assert account(on.department).held == 0


def test_a_draft_is_weighed_up_the_tree(applicant: APIClient, on: Scene, at: datetime) -> None:
    servers, quota = drafted(on, at=at), drafted(on, at=at, items=vcpus(150))
    body = applicant.get("/api/v1/quota-effects", {"order": str(servers.uuid)}).json()
    assert {row["dimension"]: row["after"] for row in body["effects"]}["vcpus"] == 8
    assert (body["fits"], body["limits"]) == (True, [])
    body = applicant.get("/api/v1/quota-effects", {"order": str(quota.uuid)}).json()
    assert [row["asked"] for row in body["limits"]] == [150]
    assert (body["fits"], body["effects"]) == (True, [])


def test_the_effect_of_another_department_is_not_told(signed_in: SignedIn, on: Scene, at: datetime) -> None:
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    order = drafted(on, at=at)
    for query in ({"department": str(on.department.uuid), "vcpus": 1}, {"order": str(order.uuid)}):
        assert stranger.get("/api/v1/quota-effects", query).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"vcpus": 1},
        {"department": "x"},
        {"order": str(uuid4()), "department": str(uuid4())},
        {"order": str(uuid4()), "vcpus": 1},
        {"department": str(uuid4()), "gpus": 1},
        {"department": str(uuid4()), "vcpus": "many"},
        {"department": str(uuid4()), "vcpus": 10**30},
    ],
)
def test_what_cannot_be_asked_is_a_bad_parameter(applicant: APIClient, query: dict[str, Any]) -> None:
    answer = applicant.get("/api/v1/quota-effects", query)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-parameter")


# what there is


def test_what_is_granted_is_told_against_what_the_clouds_have(
    signed_in: SignedIn, on: Scene, above: Department, at: datetime
) -> None:
    cloud = on.catalogue.cloud
    CloudCapacity.objects.create(
        cloud=cloud, vcpus_total=160, vcpus_used=20, memory_gb_total=512, memory_gb_used=64, read_at=at
    )
    StoragePool.objects.create(cloud=cloud, name="ssd", total_gb=1000, free_gb=250)
    StoragePool.objects.create(cloud=cloud, name="odd")  # its back end does not say
    hold(on.department, 30, at=at)
    body = signed_in(member(Role.LEADER)).get("/api/v1/quota-capacity").json()
    rows = {row["dimension"]: row for row in body["dimensions"]}
    vcpu = rows["vcpus"]
    assert (vcpu["granted"], vcpu["held"], vcpu["physical"], vcpu["ratio"]) == (400, 30, 160, "2.50")
    assert [(one["cloud"], one["total"], one["used"]) for one in vcpu["backing"]] == [("sandbox", 160, 20)]
    memory = rows["memory_gb"]
    assert (memory["unlimited"], memory["physical"], memory["ratio"]) == (1, 512, None)
    assert (rows["storage_gb"]["physical"], rows["storage_gb"]["backing"][0]["used"]) == (1000, 750)
    assert (rows["addresses"]["physical"], rows["addresses"]["backing"]) == (None, [])


def test_a_cloud_that_has_not_said_lately_what_it_has_is_told_as_unknown(
    signed_in: SignedIn, on: Scene, at: datetime
) -> None:
    CloudCapacity.objects.create(
        cloud=on.catalogue.cloud, vcpus_total=160, vcpus_used=20, memory_gb_total=512, memory_gb_used=64,
        read_at=at - timedelta(hours=1),
    )  # fmt: skip
    body = signed_in(member(Role.CLOUD_ADMIN)).get("/api/v1/quota-capacity").json()
    vcpu = next(row for row in body["dimensions"] if row["dimension"] == "vcpus")
    assert (vcpu["physical"], vcpu["ratio"], vcpu["backing"][0]["total"]) == (None, None, None)


def test_what_there_is_is_not_for_departments(applicant: APIClient) -> None:
    assert applicant.get("/api/v1/quota-capacity").status_code == 403
