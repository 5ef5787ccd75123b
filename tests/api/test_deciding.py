"""A case over HTTP beyond the decision itself: delegated, reviewed, consulted about, reminded of, decided by a substitute."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from govcloud import clock
from govcloud.audit.models import Event, Outcome
from govcloud.inventory import services as inventory
from govcloud.inventory.lifecycle import Status
from govcloud.orders.drafts import ItemDraft, LimitDraft, ReleaseDraft
from govcloud.orders.models import Order
from govcloud.quotas.models import Dimension
from tenants.models import Role, User
from tests.api.house import AT
from tests.factories.inventory import AddressBlockFactory, NetworkFactory, VolumeFactory
from tests.factories.orders import BACKUP, SERVERS, STORY, Scene, decided, scene, submitted
from tests.factories.tenants import DepartmentFactory, grant, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


@pytest.fixture
def on() -> Scene:
    return scene()


@pytest.fixture
def order(on: Scene) -> Order:
    """With the unit."""
    return submitted(on, at=AT)


@pytest.fixture
def approver(on: Scene, signed_in: SignedIn) -> APIClient:
    return signed_in(on.chain[Role.UNIT_APPROVER])


@pytest.fixture
def other(on: Scene) -> User:
    """Who decides at a later step, where a colleague can stand in."""
    member(Role.AUTHORITY_APPROVER)
    return on.chain[Role.AUTHORITY_APPROVER]


def post(client: APIClient, order: Order, what: str, **body: object) -> object:
    if what in {"delegations", "reviewers", "consultations"}:
        body = {"stage": "unit_approval", **body}
    return client.post(f"/api/v1/cases/{order.case.uuid}/{what}", body)


def approve(client: APIClient, order: Order) -> object:
    decision = {"verb": "approve", "revision_hash": order.case.revision_hash, "stage": "unit_approval"}
    return client.post(f"/api/v1/orders/{order.uuid}/decisions", decision)


def decide(client: APIClient, order: Order, stage: str, verb: str) -> object:
    decision = {"verb": verb, "revision_hash": order.case.revision_hash, "stage": stage, "opinion": "as told"}
    return client.post(f"/api/v1/orders/{order.uuid}/decisions", decision)


def current(answer: object) -> dict:
    return next(stage for stage in answer.json()["stages"] if stage["status"] == "current")


def test_a_delegated_stage_says_who_since_when_and_by_whom(
    approver: APIClient, on: Scene, order: Order, other: User, signed_in: SignedIn
) -> None:
    answer = post(approver, order, "delegations", person=str(other.uuid), reason="away")
    assert answer.status_code == 200, answer.content
    (seat,) = current(answer)["seats"]
    assert (seat["origin"], seat["person"]["uuid"], seat["reason"]) == ("delegated", str(other.uuid), "away")
    assert current(answer)["deciders"] == [seat["person"]]
    seen = signed_in(on.applicant).get(f"/api/v1/cases/{order.case.uuid}")
    assert current(seen)["seats"] == [seat]
    assert signed_in(other).get("/api/v1/cases", {"todo": "true"}).json()["count"] == 1
    assert approve(signed_in(other), order).json()["case"]["stages"][0]["status"] == "approved"


def test_a_seat_is_never_given_to_the_applicant(approver: APIClient, on: Scene, order: Order) -> None:
    for what in ("delegations", "reviewers"):
        answer = post(approver, order, what, person=str(on.applicant.uuid), reason="away")
        assert (answer.status_code, answer.json()["code"]) == (403, "self-approval")
    refused = Event.objects.filter(outcome=Outcome.REFUSED, reason="self-approval")
    assert set(refused.values_list("verb", flat=True)) == {"case.delegated", "case.reviewer_added"}


def test_people_of_other_departments_are_not_told_from_nobody(approver: APIClient, order: Order) -> None:
    stranger = member(Role.UNIT_APPROVER, DepartmentFactory())
    for uuid in (str(stranger.uuid), "00000000-0000-0000-0000-000000000000"):
        answer = post(approver, order, "delegations", person=uuid, reason="away")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_an_added_reviewer_keeps_the_stage_open(
    approver: APIClient, order: Order, other: User, signed_in: SignedIn
) -> None:
    post(approver, order, "reviewers", person=str(other.uuid), reason="capacity")
    case = approve(approver, order).json()["case"]
    stage = case["stages"][0]
    assert (stage["status"], len(stage["decisions"]), stage["deciders"][0]["uuid"]) == (
        "current",
        1,
        str(other.uuid),
    )
    assert approve(signed_in(other), order).json()["case"]["stages"][0]["status"] == "approved"


def test_an_awaited_opinion_is_given_before_the_approval(
    approver: APIClient, on: Scene, order: Order, other: User, signed_in: SignedIn
) -> None:
    answer = post(
        approver, order, "consultations", person=str(other.uuid), question="enough?", manner="awaited"
    )
    (asked,) = answer.json()["consultations"]
    assert approve(approver, order).json()["code"] == "opinion-awaited"
    asks = signed_in(other)
    assert [one["uuid"] for one in asks.get("/api/v1/consultations?todo=true").json()["results"]] == [
        asked["uuid"]
    ]
    answered = asks.post(f"/api/v1/consultations/{asked['uuid']}/answer", {"answer": "enough"})
    assert (answered.status_code, answered.json()["status"]) == (200, "answered")
    read = signed_in(on.applicant).get(f"/api/v1/cases/{order.case.uuid}").json()["consultations"]
    assert read[0]["answer"] == "enough"
    assert approve(approver, order).status_code == 200


def test_an_opinion_is_waived(approver: APIClient, order: Order, other: User) -> None:
    answer = post(approver, order, "consultations", person=str(other.uuid), question="enough?")
    uuid = answer.json()["consultations"][0]["uuid"]
    assert approver.post(f"/api/v1/consultations/{uuid}/waiver").json()["status"] == "waived"


def test_a_reminder_is_listed_and_not_repeated_at_once(on: Scene, order: Order, signed_in: SignedIn) -> None:
    applicant = signed_in(on.applicant)
    answer = post(applicant, order, "reminders", text="Friday")
    assert [one["text"] for one in answer.json()["reminders"]] == ["Friday"]
    assert post(applicant, order, "reminders").json()["code"] == "reminded-already"


def test_a_substitute_decides_and_both_names_are_answered(
    approver: APIClient, on: Scene, order: Order, other: User, signed_in: SignedIn
) -> None:
    offered = approver.get("/api/v1/absences/substitutes").json()
    assert str(other.uuid) in {person["uuid"] for person in offered}
    away = {"substitute": str(other.uuid), "starts_at": "2020-01-01T00:00:00Z", "ends_at": in_a_week()}
    named = approver.post("/api/v1/absences", away)
    assert named.status_code == 201, named.content
    decision = approve(signed_in(other), order).json()["case"]["stages"][0]["decision"]
    assert decision["decider"]["uuid"] == str(other.uuid)
    assert decision["on_behalf_of"]["uuid"] == str(on.chain[Role.UNIT_APPROVER].uuid)
    ended = approver.post(f"/api/v1/absences/{named.json()['uuid']}/end")
    assert (ended.status_code, ended.json()["ends_at"] < away["ends_at"]) == (200, True)


def test_for_whom_a_substitute_gives_a_part_is_answered(
    approver: APIClient, on: Scene, order: Order, other: User, signed_in: SignedIn
) -> None:
    away = {"substitute": str(other.uuid), "starts_at": "2020-01-01T00:00:00Z", "ends_at": in_a_week()}
    assert approver.post("/api/v1/absences", away).status_code == 201
    third = member(Role.CLOUD_ADMIN)
    answer = post(signed_in(other), order, "delegations", person=str(third.uuid), reason="出差")
    seat = answer.json()["stages"][0]["seats"][0]
    named = {name: seat[name]["uuid"] for name in ("person", "given_by", "given_for")}
    whose = on.chain[Role.UNIT_APPROVER]
    assert named == {"person": str(third.uuid), "given_by": str(other.uuid), "given_for": str(whose.uuid)}


def test_no_absence_lasts_to_the_end_of_all_dates(approver: APIClient, other: User) -> None:
    away = {
        "substitute": str(other.uuid),
        "starts_at": "9999-12-01T00:00:00Z",
        "ends_at": "9999-12-30T00:00:00Z",
    }
    refused = approver.post("/api/v1/absences", away)
    assert (refused.status_code, refused.json()["code"]) == (422, "absence-unfit")


def test_nobody_stands_in_from_before_they_were_named(approver: APIClient, other: User) -> None:
    away = {"substitute": str(other.uuid), "starts_at": "2020-01-01T00:00:00Z", "ends_at": in_a_week()}
    named = approver.post("/api/v1/absences", away).json()
    assert named["starts_at"] == named["named_at"]


def test_who_can_take_it_is_told_to_who_decides(
    approver: APIClient, on: Scene, order: Order, other: User, signed_in: SignedIn
) -> None:
    url = f"/api/v1/cases/{order.case.uuid}/people"
    people = approver.get(url).json()
    assert str(other.uuid) in {person["uuid"] for person in people["candidates"]}
    assert str(on.applicant.uuid) not in {person["uuid"] for which in people.values() for person in which}
    assert signed_in(on.applicant).get(url).status_code == 403


def test_who_gave_their_seat_is_told_who_can_have_it_instead(
    approver: APIClient, on: Scene, order: Order, other: User
) -> None:
    post(approver, order, "delegations", person=str(other.uuid), reason="away")
    people = approver.get(f"/api/v1/cases/{order.case.uuid}/people").json()
    (given,) = people["given"]
    assert (given["seat"], people["candidates"]) == (
        str(order.case.stages.get(code="unit_approval").seats.get().uuid),
        [],
    )
    assert str(on.chain[Role.UNIT_APPROVER].uuid) in {person["uuid"] for person in given["candidates"]}


def test_who_is_needed_at_a_later_step_is_told_and_then_refused(
    approver: APIClient, on: Scene, order: Order, signed_in: SignedIn
) -> None:
    url = f"/api/v1/cases/{order.case.uuid}"
    grant(on.chain[Role.SERVICE_DESK], Role.UNIT_APPROVER, on.department)
    desk = signed_in(on.chain[Role.SERVICE_DESK])
    told = desk.get(url).json()["leaves_to_nobody"]
    assert (told["stage"], told["refused"]) == ("intake", True)
    refused = approve(desk, order)
    assert (refused.status_code, refused.json()["code"]) == (409, "needed-elsewhere")
    assert refused.json()["detail"] == told["text"]
    assert approver.get(url).json()["leaves_to_nobody"] is None
    assert approve(approver, order).json()["case"]["leaves_to_nobody"] is None
    assert signed_in(on.applicant).get(url).json()["leaves_to_nobody"] is None


def in_a_week() -> str:
    return (clock.now() + timedelta(days=7)).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("verb", ["approve", "approve_with_conditions", "return", "reject"])
def test_a_decision_is_answered_with_the_order_as_it_is_then(
    approver: APIClient, order: Order, other: User, verb: str
) -> None:
    post(approver, order, "consultations", person=str(other.uuid), question="enough?", manner="advisory")
    answer = decide(approver, order, "unit_approval", verb)
    assert answer.status_code == 200, answer.content
    assert answer.json() == approver.get(f"/api/v1/orders/{order.uuid}").json()


@pytest.mark.parametrize("items", [STORY, (LimitDraft(dimension=Dimension.VCPUS, limit=1_000),)])
def test_so_is_the_last_approval(on: Scene, signed_in: SignedIn, items: tuple[ItemDraft, ...]) -> None:
    order = submitted(on, at=AT, items=items)
    while (stage := order.case.stages.filter(status="current").first()) is not None:
        decider = signed_in(on.chain[Role(stage.role)])
        answer = decide(decider, order, stage.code, "approve")
    read = decider.get(f"/api/v1/orders/{order.uuid}").json()
    assert answer.json() == read
    assert read["status"] == ("fulfilling" if items is STORY else "fulfilled")


def reviewed(client: APIClient, order: Order) -> list[tuple[str, list[str]]]:
    told = client.get(f"/api/v1/orders/{order.uuid}/review").json()["objections"]
    return [(each["code"], each["pointers"]) for each in told]


def test_an_order_names_the_stage_that_its_decision_is_bound_to(
    on: Scene, order: Order, approver: APIClient, signed_in: SignedIn
) -> None:
    seen = signed_in(on.applicant).get(f"/api/v1/cases/{order.case.uuid}").json()
    within = approver.get(f"/api/v1/orders/{order.uuid}").json()["case"]
    assert (within["stage"], within["stage_due_at"]) == ("unit_approval", seen["stages"][0]["due_at"])
    assert (seen["stage"], seen["stage_due_at"]) == (within["stage"], within["stage_due_at"])
    assert approve(approver, order).json()["case"]["stage"] == "intake"


def test_a_decider_sees_what_has_come_up_since_the_submission(
    on: Scene, order: Order, approver: APIClient
) -> None:
    assert reviewed(approver, order) == []
    flavor = on.catalogue.flavors["g.4c16g"]
    flavor.retired_at = AT
    flavor.save()
    assert reviewed(approver, order) == [("retired", ["/items/1/flavor"])]
    assert approve(approver, order).status_code == 200, "an objection is no bar"


def test_a_decider_is_told_that_others_have_filled_the_network_before_the_last_approval_is_refused(
    on: Scene, signed_in: SignedIn
) -> None:
    network = NetworkFactory(resource__system=on.system, resource__name="old-net").resource
    block = AddressBlockFactory(unit=network.unit, cloud=network.cloud)
    order = submitted(on, at=AT, items=(replace(SERVERS, network=str(network.uuid)), BACKUP))
    while order.case.stages.get(status="current").role != Role.AUTHORITY_APPROVER:
        decided(on, order, at=AT)
    decider = signed_in(on.chain[Role.AUTHORITY_APPROVER])
    assert reviewed(decider, order) == []
    inventory.reserve_addresses(block=block, units=[uuid4() for _ in range(52)])
    assert reviewed(decider, order) == [("network-full", ["/items/0/quantity"])]
    refused = decide(decider, order, "authority_approval", "approve")
    assert (refused.status_code, refused.json()["code"]) == (409, "no-address-left")
    inventory.mark(resource=network, to=Status.CHANGING, actor=on.applicant, thread=None, at=AT)
    assert ("network-not-in-use", ["/items/0/network"]) in reviewed(decider, order)


def test_what_is_in_hand_when_the_last_approval_comes_is_told_by_name(on: Scene, signed_in: SignedIn) -> None:
    volume = VolumeFactory(resource__system=on.system, resource__name="old-1", role="data").resource
    order = submitted(on, at=AT, items=(ReleaseDraft(kind="volume", target=volume.uuid),))
    decided(on, order, at=AT)
    last = order.case.stages.get(status="current")
    decider = signed_in(on.chain[last.role])
    inventory.mark(resource=volume, to=Status.CHANGING, actor=on.applicant, thread=None, at=AT)
    assert reviewed(decider, order) == [("resource-not-in-use", ["/items/0/target"])]
    refused = decide(decider, order, last.code, "approve").json()
    assert (refused["code"], "“old-1”" in refused["detail"]) == ("resource-not-in-use", True)
    inventory.mark(resource=volume, to=Status.ACTIVE, actor=on.applicant, thread=None, at=AT)
    assert reviewed(decider, order) == []
    assert decide(decider, order, last.code, "approve").json()["status"] == "fulfilling"
