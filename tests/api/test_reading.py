"""Lists and single things: pages, filters, sparse fields, and who sees what."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from govcloud.audit.models import Event, Outcome
from tenants.models import Department, Role, User
from tests.factories.tenants import DepartmentFactory, SystemFactory, UserFactory, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


@pytest.fixture
def department() -> Department:
    return DepartmentFactory()


@pytest.fixture
def applicant(department: Department) -> User:
    return member(Role.APPLICANT, department)


def test_a_list_comes_in_pages_with_its_count(
    signed_in: SignedIn, department: Department, applicant: User
) -> None:
    SystemFactory.create_batch(3, department=department)
    answer = signed_in(applicant).get("/api/v1/systems", {"page_size": 2, "ordering": "code"})
    assert answer.status_code == 200
    assert answer.json()["count"] == 3
    assert len(answer.json()["results"]) == 2
    following = signed_in(applicant).get(answer.json()["next"])
    assert len(following.json()["results"]) == 1


@pytest.mark.parametrize("size", ["0", "201", "many", "-1", "²"])
def test_an_impossible_page_size_is_refused(signed_in: SignedIn, applicant: User, size: str) -> None:
    answer = signed_in(applicant).get("/api/v1/systems", {"page_size": size})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-parameter")


def test_only_the_fields_asked_for_are_answered(
    signed_in: SignedIn, department: Department, applicant: User
) -> None:
    SystemFactory(department=department, code="tax")
    answer = signed_in(applicant).get("/api/v1/systems?fields=code,zone")
    assert answer.json()["results"] == [{"code": "tax", "zone": "public"}]


def test_a_field_that_does_not_exist_is_named(signed_in: SignedIn, applicant: User) -> None:
    answer = signed_in(applicant).get("/api/v1/systems?fields=code,colour")
    assert answer.status_code == 400
    assert "colour" in answer.json()["detail"]


def test_a_mistyped_filter_is_refused_instead_of_listing_everything(
    signed_in: SignedIn, applicant: User
) -> None:
    answer = signed_in(applicant).get("/api/v1/systems?zoen=public")
    assert answer.status_code == 400
    assert "zoen" in answer.json()["detail"]


@pytest.mark.parametrize(
    "query", ["zone=moon", "department=1", "mlps_level=high", "ordering=owner_name", "search=%00"]
)
def test_a_filter_with_an_impossible_value_is_refused(
    signed_in: SignedIn, applicant: User, query: str
) -> None:
    answer = signed_in(applicant).get(f"/api/v1/systems?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-parameter")


def test_lists_filter_search_and_order(signed_in: SignedIn, department: Department, applicant: User) -> None:
    SystemFactory(department=department, code="b-tax", name_en="Taxes")
    SystemFactory(department=department, code="a-land", name_en="Land", level_3=True)
    client = signed_in(applicant)
    assert [s["code"] for s in client.get("/api/v1/systems?mlps_level=3").json()["results"]] == ["a-land"]
    assert [s["code"] for s in client.get("/api/v1/systems?search=tax").json()["results"]] == ["b-tax"]
    assert [s["code"] for s in client.get("/api/v1/systems?ordering=-code").json()["results"]] == [
        "b-tax",
        "a-land",
    ]


def test_a_department_sees_its_own_and_what_is_below_it(
    signed_in: SignedIn, department: Department, applicant: User
) -> None:
    below = SystemFactory(department=DepartmentFactory(parent=department))
    SystemFactory()
    codes = [s["code"] for s in signed_in(applicant).get("/api/v1/systems").json()["results"]]
    assert codes == [below.code]


def test_a_foreign_id_answers_as_one_that_never_was_and_is_audited(
    signed_in: SignedIn, applicant: User
) -> None:
    foreign = SystemFactory()
    client = signed_in(applicant)
    refused, absent = (client.get(f"/api/v1/systems/{uuid}") for uuid in (foreign.uuid, uuid4()))
    assert refused.status_code == absent.status_code == 404
    assert {k: v for k, v in refused.json().items() if k != "request_id"} == {
        k: v for k, v in absent.json().items() if k != "request_id"
    }
    event = Event.objects.get(verb="access.refused")
    assert (event.subject_id, event.actor, event.outcome) == (
        foreign.uuid,
        applicant.audit_ref,
        Outcome.REFUSED,
    )
    assert event.request_id == refused["X-Request-Id"]


def test_somebody_without_a_role_sees_nothing(signed_in: SignedIn) -> None:
    SystemFactory()
    assert signed_in(UserFactory()).get("/api/v1/systems").json()["count"] == 0


def test_nobody_reads_without_signing_in(anonymous: APIClient) -> None:
    answer = anonymous.get("/api/v1/systems")
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_me_tells_my_roles(signed_in: SignedIn, department: Department, applicant: User) -> None:
    me = signed_in(applicant).get("/api/v1/me").json()
    assert me["username"] == applicant.username
    assert [(r["role"], r["department"]) for r in me["roles"]] == [("applicant", str(department.uuid))]


def test_audit_events_are_for_auditors(signed_in: SignedIn, applicant: User) -> None:
    refused = signed_in(applicant).get("/api/v1/audit-events")
    assert (refused.status_code, refused.json()["code"]) == (403, "role-missing")
    assert signed_in(member(Role.AUDIT_ADMIN)).get("/api/v1/audit-events").status_code == 200
