"""People and their roles, what becomes of them when they leave, and the review of their access."""

from collections.abc import Callable
from datetime import datetime, timedelta
from io import BytesIO

import pytest
from openpyxl import load_workbook
from rest_framework.test import APIClient

from govcloud.audit.models import Event
from govcloud.notifications import webhooks
from govcloud.notifications.models import Webhook
from govcloud.notifications.webhooks import WebhookDraft
from tenants.models import Department, Role, User
from tests.factories.tenants import BEGINNING, DepartmentFactory, grant, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]
LATER = "2999-01-01T00:00:00Z"


@pytest.fixture
def unit(db: None) -> Department:
    return DepartmentFactory()


@pytest.fixture
def keeper(signed_in: SignedIn) -> APIClient:
    return signed_in(member(Role.SECURITY_ADMIN))


def test_the_security_administrator_sees_everybody_with_every_role(
    keeper: APIClient, unit: Department
) -> None:
    person = member(Role.APPLICANT, unit)
    grant(person, Role.FINANCE)
    row = keeper.get(f"/api/v1/people/{person.uuid}").json()
    assert [(held["role"], held["department"] and held["department"]["uuid"]) for held in row["roles"]] == [
        ("applicant", str(unit.uuid)),
        ("finance", None),
    ]
    assert "email" not in row


def test_a_unit_approver_sees_the_people_of_the_unit_with_their_roles_there(
    unit: Department, signed_in: SignedIn
) -> None:
    person, other = member(Role.APPLICANT, DepartmentFactory(parent=unit)), DepartmentFactory()
    grant(person, Role.APPLICANT, other)
    stranger = member(Role.APPLICANT, other)
    approver = signed_in(member(Role.UNIT_APPROVER, unit))
    rows = {row["uuid"]: row for row in approver.get("/api/v1/people").json()["results"]}
    assert str(stranger.uuid) not in rows
    assert [held["department"]["uuid"] for held in rows[str(person.uuid)]["roles"]] != [str(other.uuid)]
    assert len(rows[str(person.uuid)]["roles"]) == 1
    assert approver.get(f"/api/v1/people/{stranger.uuid}").status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [("role=applicant", {"a"}), ("active=false", {"gone"}), ("search=app", {"app"}), ("role=finance", set())],
)
def test_people_are_found_by_role_state_and_name(
    keeper: APIClient, unit: Department, query: str, found: set[str]
) -> None:
    member(Role.APPLICANT, unit, username="a", display_name="甲")
    member(Role.UNIT_APPROVER, unit, username="app", display_name="乙")
    grant(
        member(Role.LEADER, username="gone", display_name="丙", is_active=False),
        Role.APPLICANT,
        unit,
        valid_until=BEGINNING + timedelta(days=1),
    )
    rows = keeper.get(f"/api/v1/people?{query}").json()["results"]
    assert {row["username"] for row in rows} == found


def test_a_dry_run_shows_what_moves_and_a_departure_moves_it(keeper: APIClient, unit: Department) -> None:
    leaver, successor = member(Role.APPLICANT, unit), member(Role.APPLICANT, unit)
    url, body = (
        f"/api/v1/people/{leaver.uuid}/departure",
        {"successors": [str(successor.uuid)], "reason": "retired"},
    )
    foreseen = keeper.post(url, {**body, "dry_run": True}).json()
    assert ([held["role"] for held in foreseen["roles"]], foreseen["without_holder"]) == (["applicant"], [])
    assert User.objects.get(pk=leaver.pk).is_active
    assert keeper.post(url, body).json() == foreseen
    assert not User.objects.get(pk=leaver.pk).is_active
    assert keeper.post(url, body).json()["code"] == "gone-already"


def test_a_dry_run_names_the_webhooks_that_get_nothing_any_more(
    keeper: APIClient, unit: Department, at: datetime
) -> None:
    leaver = member(Role.UNIT_APPROVER, unit)
    draft = WebhookDraft(name="总线", url="https://bus.example/")
    row, _secret = webhooks.register(draft=draft, department=unit, actor=leaver, at=at)
    url, body = f"/api/v1/people/{leaver.uuid}/departure", {"reason": "retired", "force": True}
    assert keeper.post(url, {**body, "dry_run": True}).json()["webhooks"] == [
        {"uuid": str(row.uuid), "name": "总线"}
    ]
    assert Webhook.objects.get().status == "active"
    keeper.post(url, body)
    assert Webhook.objects.get().status == "disabled"


def test_a_unit_approver_lets_those_go_who_are_of_the_unit_alone(
    unit: Department, signed_in: SignedIn
) -> None:
    approver = signed_in(member(Role.UNIT_APPROVER, unit))
    own, shared = member(Role.APPLICANT, unit), member(Role.APPLICANT, unit)
    grant(shared, Role.APPLICANT, DepartmentFactory())
    body = {"reason": "moved"}
    assert approver.post(f"/api/v1/people/{shared.uuid}/departure", body).status_code == 403
    assert approver.post(f"/api/v1/people/{own.uuid}/departure", body).status_code == 200
    stranger = member(Role.APPLICANT, DepartmentFactory())
    assert approver.post(f"/api/v1/people/{stranger.uuid}/departure", body).status_code == 404


def test_a_review_is_opened_decided_exported_and_closed(
    keeper: APIClient, unit: Department, signed_in: SignedIn
) -> None:
    approver = signed_in(member(Role.UNIT_APPROVER, unit, display_name="审批人"))
    applicant = member(Role.APPLICANT, unit, display_name="申请人甲")
    body = {"title": "年度复核", "departments": [str(unit.uuid)], "due_at": LATER}
    review = keeper.post("/api/v1/access-reviews", body).json()
    assert (review["total"], review["pending"]) == (2, 2)
    lines = approver.get("/api/v1/access-review-lines", {"review": review["uuid"]}).json()["results"]
    urls = {line["person"]["name"]: f"/api/v1/access-review-lines/{line['uuid']}/decision" for line in lines}
    refused = approver.post(urls["审批人"], {"verdict": "confirmed"})
    assert (refused.status_code, refused.json()["code"]) == (403, "own-access")
    assert (
        approver.post(urls["申请人甲"], {"verdict": "ended", "reason": "调离"}).json()["verdict"] == "ended"
    )
    assert keeper.post(urls["审批人"], {"verdict": "confirmed"}).status_code == 200
    answer = keeper.get("/api/v1/access-review-lines", {"review": review["uuid"], "format": "xlsx"})
    sheet = load_workbook(BytesIO(b"".join(answer.streaming_content))).active
    header = [cell.value for cell in sheet[1]]
    rows = [
        dict(zip(header, [cell.value for cell in row], strict=True)) for row in sheet.iter_rows(min_row=2)
    ]
    told = {row["person.name"]: (row["verdict"], row["decided_by.name"], row["reason"]) for row in rows}
    assert told[applicant.display_name] == ("ended", "审批人", "调离")
    closed = keeper.post(f"/api/v1/access-reviews/{review['uuid']}/closing", {"reason": "done"}).json()
    assert closed["status"] == "closed"
    assert Event.objects.filter(verb="accessreview.closed").exists()


def test_a_unit_approver_sees_of_a_review_what_is_of_the_unit(
    keeper: APIClient, unit: Department, signed_in: SignedIn
) -> None:
    approver = signed_in(member(Role.UNIT_APPROVER, unit))
    member(Role.APPLICANT, DepartmentFactory())
    keeper.post("/api/v1/access-reviews", {"title": "all", "due_at": LATER})
    (review,) = approver.get("/api/v1/access-reviews").json()["results"]
    assert (review["total"], review["pending"]) == (1, 1)
    assert approver.get("/api/v1/access-review-lines", {"overdue": "true"}).json()["count"] == 0
    assert approver.get("/api/v1/access-review-lines", {"overdue": "false"}).json()["count"] == 1
    assert approver.post("/api/v1/access-reviews", {"title": "x", "due_at": LATER}).status_code == 403
