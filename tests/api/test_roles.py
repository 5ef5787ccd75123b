"""Roles, requests for them and accounts, over the API."""

from collections.abc import Callable
from datetime import datetime

import pytest
from rest_framework.test import APIClient

from govcloud import clock
from govcloud.audit.models import Event
from tenants.access import second_factor
from tenants.models import Membership, Role, User
from tests.factories.second_factors import enrolled
from tests.factories.tenants import DepartmentFactory, UserFactory, asked_for, grant, member

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], APIClient]


@pytest.fixture
def officer(signed_in: SignedIn) -> APIClient:
    return signed_in(member(Role.SECURITY_ADMIN))


def test_a_role_is_granted_from_a_day_to_another(officer: APIClient) -> None:
    user, department = UserFactory(), DepartmentFactory()
    body = {
        "user": str(user.uuid),
        "role": "unit_approver",
        "department": str(department.uuid),
        "valid_from": "2098-01-01T00:00:00+08:00",
        "valid_until": "2099-01-01T00:00:00+08:00",
    }
    answer = officer.post("/api/v1/memberships", body)
    assert answer.status_code == 201
    held = Membership.objects.get(uuid=answer.json()["uuid"])
    assert (held.user, held.role, held.department) == (user, "unit_approver", department)
    assert officer.get(answer.headers["Location"]).json()["valid_until"] == body["valid_until"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"role": "applicant"}, 422, "role-needs-department"),
        ({"role": "security_admin"}, 409, "role-takes-two"),
        ({"valid_until": "2020-01-01T00:00:00Z"}, 422, "role-ends-too-early"),
        ({"user": "00000000-0000-4000-8000-000000000000"}, 404, "not-found"),
    ],
)
def test_what_cannot_be_granted(changes: dict[str, str], status: int, code: str, officer: APIClient) -> None:
    answer = officer.post(
        "/api/v1/memberships", {"user": str(UserFactory().uuid), "role": "leader", **changes}
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_no_role_is_granted_in_a_unit_that_is_closed(officer: APIClient, at: datetime) -> None:
    user, unit = UserFactory(), DepartmentFactory(closed_at=at)
    body = {"user": str(user.uuid), "role": "applicant", "department": str(unit.uuid)}
    answer = officer.post("/api/v1/memberships", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "unit-closed")


def test_a_revoked_role_is_not_listed_any_more(officer: APIClient) -> None:
    held = member(Role.FINANCE).memberships.get()
    path = f"/api/v1/memberships/{held.uuid}"
    assert officer.post(f"{path}/revocation", {"reason": "moved"}).status_code == 200
    assert officer.get(path).status_code == 404


def test_everybody_sees_their_own_roles_only(signed_in: SignedIn) -> None:
    user, other = member(Role.FINANCE), member(Role.LEADER)
    client = signed_in(user)
    listed = client.get("/api/v1/memberships").json()["results"]
    assert [row["user"]["uuid"] for row in listed] == [str(user.uuid)]
    assert client.get(f"/api/v1/memberships/{other.memberships.get().uuid}").status_code == 404


def test_an_administrators_role_takes_two_requests(officer: APIClient, signed_in: SignedIn) -> None:
    user = UserFactory()
    body = {"user": str(user.uuid), "role": "audit_admin", "reason": "vacant"}
    asked = officer.post("/api/v1/role-requests", body).json()
    path = f"/api/v1/role-requests/{asked['uuid']}/confirmation"
    assert officer.post(path).json()["code"] == "own-request"
    confirmed = signed_in(member(Role.SECURITY_ADMIN)).post(path)
    assert confirmed.json()["status"] == "confirmed"
    assert signed_in(user).get("/api/v1/audit-events").status_code == 200


def test_of_two_who_confirm_one_does(officer: APIClient, signed_in: SignedIn) -> None:
    asked = asked_for(UserFactory(), by=member(Role.SECURITY_ADMIN), at=clock.now())
    path = f"/api/v1/role-requests/{asked.uuid}/confirmation"
    other = signed_in(member(Role.SECURITY_ADMIN))
    assert [client.post(path).status_code for client in (officer, other)] == [200, 409]
    assert Membership.objects.filter(user=asked.user).count() == 1


def test_a_request_is_declined_with_a_reason(officer: APIClient, at: datetime) -> None:
    asked = asked_for(UserFactory(), by=member(Role.SECURITY_ADMIN), at=at)
    answer = officer.post(f"/api/v1/role-requests/{asked.uuid}/refusal", {"reason": "not needed"})
    assert answer.json()["status"] == "declined"
    assert Event.objects.get(verb="rolerequest.declined").reason == "not needed"


def test_the_table_of_permissions_is_open_to_everybody(signed_in: SignedIn) -> None:
    rows = signed_in(UserFactory()).get("/api/v1/role-permissions?role=finance").json()["results"]
    assert {row["permission"] for row in rows} == {"months.close", "months.read", "departments.see-all"}


def test_an_account_is_opened_with_a_password_that_is_changed_first(signed_in: SignedIn) -> None:
    admin = signed_in(member(Role.SYSTEM_ADMIN))
    opened = admin.post("/api/v1/accounts", {"username": "li.na", "name": "李娜"}).json()
    body = {"username": "li.na", "password": opened["password"], "name": "laptop"}
    assert APIClient().post("/api/v1/tokens", body).json()["code"] == "password-change-needed"
    seen = admin.get(f"/api/v1/accounts/{opened['uuid']}").json()
    assert (seen["name"], seen["password_changed_at"]) == ("李娜", None)
    assert opened["password"] not in str([vars(event) for event in Event.objects.all()])


@pytest.mark.parametrize(("username", "code"), [("li.na", "username-taken"), ("li na", "bad-username")])
def test_a_user_name_is_taken_once_and_reads_like_one(username: str, code: str, signed_in: SignedIn) -> None:
    UserFactory(username="li.na")
    answer = signed_in(member(Role.SYSTEM_ADMIN)).post(
        "/api/v1/accounts", {"username": username, "name": "n"}
    )
    assert answer.json()["code"] == code


def test_a_password_reset_ends_all_sessions(signed_in: SignedIn) -> None:
    user = UserFactory()
    browser = APIClient()
    browser.force_login(user)
    assert browser.get("/api/v1/me").status_code == 200
    signed_in(member(Role.SYSTEM_ADMIN)).post(f"/api/v1/accounts/{user.uuid}/password-reset")
    assert browser.get("/api/v1/me").status_code == 401


def test_a_lost_second_factor_is_reset_by_the_security_administrator_alone(
    officer: APIClient, signed_in: SignedIn, at: datetime
) -> None:
    user = UserFactory()
    enrolled(user, at=at)
    path = f"/api/v1/accounts/{user.uuid}/second-factor-reset"
    assert signed_in(member(Role.SYSTEM_ADMIN)).post(path, {"reason": "lost"}).status_code == 403
    assert officer.post(path, {"reason": "lost"}).status_code == 204
    assert not second_factor.enrolled(user)
    assert officer.post(path, {"reason": "lost"}).json()["code"] == "second-factor-not-enrolled"


def test_a_second_role_in_another_unit_is_another_membership(officer: APIClient) -> None:
    user, first, second = UserFactory(), DepartmentFactory(), DepartmentFactory()
    grant(user, Role.APPLICANT, first)
    body = {"user": str(user.uuid), "role": "applicant", "department": str(second.uuid)}
    assert officer.post("/api/v1/memberships", body).status_code == 201
    assert officer.post("/api/v1/memberships", body).json()["code"] == "role-held-already"
