"""Second factors confirmed over the API, and the list of those that wait."""

import csv
import io
from collections.abc import Callable
from datetime import datetime

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from govcloud.audit.models import Event, Outcome
from tenants.access import confirmations, second_factor
from tenants.access.models import Enrolment
from tenants.access.second_factor import Standing
from tenants.models import Role, User
from tests.factories.second_factors import confirmed, enrolled
from tests.factories.tenants import DepartmentFactory, UserFactory, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


@pytest.fixture(autouse=True)
def _required(settings: LazySettings) -> None:
    settings.SECOND_FACTOR = "required"


@pytest.fixture
def officer(signed_in: SignedIn, at: datetime) -> APIClient:
    user = member(Role.SECURITY_ADMIN, display_name="赵敏")
    confirmed(user, at=at)
    return signed_in(user)


@pytest.fixture
def waiting(at: datetime) -> User:
    user = member(Role.CLOUD_ADMIN, display_name="李娜")
    enrolled(user, at=at)
    return user


def path(user: User) -> str:
    return f"/api/v1/accounts/{user.uuid}/second-factor-confirmation"


def test_who_waits_is_let_in_once_it_is_confirmed(
    officer: APIClient, waiting: User, signed_in: SignedIn
) -> None:
    client = signed_in(waiting)
    refused = client.get("/api/v1/me")
    assert (refused.status_code, refused.json()["code"]) == (403, "second-factor-unconfirmed")
    assert officer.post(path(waiting), {"code": confirmations.code_of(waiting)}).status_code == 204
    assert client.get("/api/v1/me").status_code == 200


def test_a_wrong_code_is_refused_at_its_place_and_audited(officer: APIClient, waiting: User) -> None:
    answer = officer.post(path(waiting), {"code": "AAAA-AAAA"})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "wrong-confirmation-code")
    assert [error["pointer"] for error in problem["errors"]] == ["/code"]
    assert "AAAA" not in answer.content.decode()
    assert Event.objects.get(verb="second_factor.confirmed").outcome == Outcome.REFUSED
    assert second_factor.standing(waiting) is Standing.UNCONFIRMED


def test_guessing_locks_the_administrator(officer: APIClient, waiting: User) -> None:
    for _attempt in range(5):
        officer.post(path(waiting), {"code": "AAAA-AAAA"})
    answer = officer.post(path(waiting), {"code": confirmations.code_of(waiting)})
    assert (answer.status_code, answer.json()["code"]) == (409, "too-many-codes")
    assert second_factor.standing(waiting) is Standing.UNCONFIRMED


def test_what_cannot_be_confirmed(officer: APIClient, waiting: User) -> None:
    code = confirmations.code_of(waiting)
    own = User.objects.get(display_name="赵敏")
    nobody = "/api/v1/accounts/00000000-0000-4000-8000-000000000000/second-factor-confirmation"
    assert officer.post(nobody, {"code": code}).status_code == 404
    assert officer.post(path(UserFactory()), {"code": code}).json()["code"] == "second-factor-not-enrolled"
    assert officer.post(path(own), {"code": code}).json()["code"] == "own-second-factor"
    assert officer.post(path(waiting), {}).status_code == 422
    officer.post(path(waiting), {"code": code})
    again = officer.post(path(waiting), {"code": code})
    assert (again.status_code, again.json()["code"]) == (409, "second-factor-confirmed-already")


@pytest.mark.parametrize("role", sorted(set(Role.values) - {Role.SECURITY_ADMIN}))
def test_nobody_else_confirms_or_reads_who_waits(
    role: str, waiting: User, signed_in: SignedIn, at: datetime
) -> None:
    user = member(Role(role), DepartmentFactory())
    confirmed(user, at=at)
    client = signed_in(user)
    answer = client.post(path(waiting), {"code": confirmations.code_of(waiting)})
    assert (answer.status_code, answer.json()["code"]) == (403, "role-missing")
    assert client.get("/api/v1/second-factors").status_code == 403


def test_who_waits_is_listed_and_had_as_a_file(officer: APIClient, waiting: User, at: datetime) -> None:
    enrolled(member(Role.LEADER, display_name="王芳"), at=at)  # needs none
    (row,) = officer.get("/api/v1/second-factors?waiting=true").json()["results"]
    assert row == {
        "user": {"uuid": str(waiting.uuid), "name": "李娜"},
        "enrolled_at": "2026-11-18T10:00:00+08:00",
        "confirmed_at": None,
        "confirmed_by": None,
    }
    others = officer.get("/api/v1/second-factors?waiting=false").json()["results"]
    assert {each["user"]["name"] for each in others} == {"赵敏", "王芳"}
    (own,) = officer.get("/api/v1/second-factors?confirmed=true").json()["results"]
    assert own["user"]["name"] == "赵敏"
    file = b"".join(officer.get("/api/v1/second-factors?waiting=true&format=csv").streaming_content)
    assert confirmations.code_of(waiting) not in file.decode()
    headings, line = csv.reader(io.StringIO(file.decode("utf-8-sig")))
    assert "李娜" in line
    assert len(headings) == len(line)


def test_who_confirmed_is_told(officer: APIClient, waiting: User) -> None:
    officer.post(path(waiting), {"code": confirmations.code_of(waiting)})
    listed = officer.get("/api/v1/second-factors?confirmed=true&search=李娜").json()["results"]
    assert [row["confirmed_by"]["name"] for row in listed] == ["赵敏"]


def test_it_takes_one_statement_more_than_where_second_factors_are_only_offered(
    waiting: User, signed_in: SignedIn, at: datetime, settings: LazySettings
) -> None:
    Enrolment.objects.filter(user=waiting).update(confirmed_at=at)
    client = signed_in(waiting)

    def counted() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/api/v1/orders").status_code == 200
        return len(queries)

    required = counted()
    settings.SECOND_FACTOR = "offered"
    assert required == counted() + 1
