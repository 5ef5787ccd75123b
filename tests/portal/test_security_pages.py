"""The pages of the security administrator, and one's own tokens."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from govcloud.audit.models import Event
from tenants.access.models import ApiToken, RequestStatus, RoleRequest
from tenants.models import Membership, Role, User
from tests.factories.tenants import BEGINNING, DepartmentFactory, UserFactory, asked_for, member, token_of
from tests.portal.conftest import Signed
from tests.portal.reading import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def officer() -> User:
    return member(Role.SECURITY_ADMIN)


@pytest.mark.parametrize("role", sorted(set(Role.values) - {Role.SECURITY_ADMIN}))
def test_they_are_for_nobody_else(role: str, signed_in: Signed) -> None:
    browser = signed_in(member(Role(role), DepartmentFactory()))
    assert browser.get("/security/roles/").status_code == 403
    assert browser.get("/security/tokens/").status_code == 403
    refused = browser.post("/security/roles/", {"username": "x", "role": "leader"})
    assert refused.status_code == 403
    assert "The security administrators of the cloud centre grant roles" in text(refused)


def test_everybody_may_read_what_each_role_may_do(signed_in: Signed) -> None:
    page = text(signed_in(UserFactory()).get("/security/permissions/"))
    assert "see every department's orders, resources and bills" in page


def test_a_role_is_granted_between_two_days(officer: User, signed_in: Signed) -> None:
    user, department = UserFactory(username="li.na"), DepartmentFactory()
    typed = {
        "username": "li.na",
        "role": "unit_approver",
        "credit_code": department.credit_code,
        "valid_until": "2099-12-31",
    }
    assert signed_in(officer).post("/security/roles/", typed).status_code == 302
    held = Membership.objects.get(user=user)
    assert (held.role, held.department) == ("unit_approver", department)
    assert (
        held.valid_until.isoformat() == "2099-12-31T16:00:00+00:00"
    )  # midnight in Beijing, after the last day


def test_no_role_is_granted_in_a_unit_that_is_closed(officer: User, signed_in: Signed, at: datetime) -> None:
    UserFactory(username="li.na")
    unit = DepartmentFactory(name_en="Example office", closed_at=at)
    typed = {"username": "li.na", "role": "applicant", "credit_code": unit.credit_code}
    for language, words in (("en", "Example office has been closed"), ("zh-hans", "已撤销")):
        refused = signed_in(officer, language=language).post("/security/roles/", typed)
        assert (refused.status_code, words in text(refused)) == (409, True)
    assert not Membership.objects.filter(department=unit).exists()


def test_a_role_lasts_to_the_end_of_its_last_day_and_pages_name_that_day(
    officer: User, signed_in: Signed
) -> None:
    user, department = UserFactory(username="li.na"), DepartmentFactory()
    typed = {"username": "li.na", "role": "applicant", "credit_code": department.credit_code}
    browser = signed_in(officer)
    browser.post("/security/roles/", {**typed, "valid_from": "2099-12-01", "valid_until": "2099-12-31"})
    last_day = datetime(2099, 12, 31, 12, tzinfo=UTC)
    assert Membership.objects.valid(at=last_day).filter(user=user).exists()
    assert not Membership.objects.valid(at=last_day + timedelta(days=1)).filter(user=user).exists()
    for path in ("/security/roles/?q=li.na", "/people/?q=li.na", f"/people/{user.uuid}/"):
        page = text(browser.get(path))
        assert "31 Dec 2099" in page, path
        assert "1 Jan 2100" not in page, path
    Membership.objects.filter(user=user).update(valid_from=BEGINNING)
    assert "31 Dec 2099" in text(browser.get(f"/security/accounts/{user.uuid}/"))
    assert "31 Dec 2099" in text(signed_in(user).get("/account/"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"username": "nobody"}, "There is no account of this user name."),
        ({"credit_code": "1"}, "There is no department with this credit code."),
        ({"valid_from": "tomorrow"}, "Write days like 2026-11-30."),
        ({"role": "audit_admin"}, "An administrator's role is asked for with a reason."),
        ({"role": "applicant"}, "is held in a department: name it."),
    ],
)
def test_what_cannot_be_granted_is_told_with_what_was_typed(
    changes: dict[str, str], words: str, officer: User, signed_in: Signed
) -> None:
    UserFactory(username="li.na")
    typed = {"username": "li.na", "role": "leader", "valid_until": "2099-12-31", **changes}
    answer = signed_in(officer).post("/security/roles/", typed)
    assert answer.status_code == 422
    assert words in text(answer)
    assert 'value="2099-12-31"' in answer.content.decode()


def test_a_reason_that_is_refused_is_shown_again(officer: User, signed_in: Signed) -> None:
    held = member(Role.LEADER).memberships.get()
    long = "因岗位调整" * 101
    answer = signed_in(officer).post(f"/security/roles/{held.uuid}/revocation/", {"reason": long})
    assert (answer.status_code, f"What you had written {long}" in text(answer)) == (422, True)


def test_an_administrators_role_waits_for_the_other_one(officer: User, signed_in: Signed) -> None:
    user = UserFactory(username="li.na")
    typed = {"username": "li.na", "role": "system_admin", "reason": "vacant"}
    browser = signed_in(officer)
    browser.post("/security/roles/", typed)
    asked = RoleRequest.objects.get(user=user)
    assert "Somebody else confirms this one." in text(browser.get("/security/roles/"))
    path = f"/security/roles/requests/{asked.uuid}/confirmation/"
    assert browser.post(path).status_code == 403
    signed_in(member(Role.SECURITY_ADMIN)).post(path)
    assert Membership.objects.get(user=user).role == "system_admin"


def test_a_request_is_declined_for_a_reason(officer: User, signed_in: Signed, at: datetime) -> None:
    asked = asked_for(UserFactory(), by=member(Role.SECURITY_ADMIN), at=at)
    path = f"/security/roles/requests/{asked.uuid}/refusal/"
    browser = signed_in(officer)
    assert browser.post(path, {"reason": ""}).status_code == 422
    browser.post(path, {"reason": "not needed"})
    asked.refresh_from_db()
    assert (asked.status, asked.decided_by) == (RequestStatus.DECLINED, officer)


def test_a_role_is_revoked_for_a_reason(officer: User, signed_in: Signed) -> None:
    held = member(Role.FINANCE).memberships.get()
    browser = signed_in(officer)
    assert browser.post(f"/security/roles/{held.uuid}/revocation/", {"reason": " "}).status_code == 422
    browser.post(f"/security/roles/{held.uuid}/revocation/", {"reason": "moved"})
    assert Event.objects.get(verb="role.revoked").reason == "moved"


def test_roles_are_found_by_person_and_department(officer: User, signed_in: Signed) -> None:
    member(Role.APPLICANT, DepartmentFactory(name="水利厅"), display_name="李娜")
    member(Role.APPLICANT, DepartmentFactory(name="交通厅"), display_name="王芳")
    page = text(signed_in(officer).get("/security/roles/?q=水利"))
    assert "李娜" in page
    assert "王芳" not in page


def test_everybodys_tokens_are_seen_and_revoked(officer: User, signed_in: Signed) -> None:
    label, _text = token_of(UserFactory(display_name="李娜"), name="nightly")
    browser = signed_in(officer)
    page = browser.get("/security/tokens/?q=nightly")
    assert "李娜" in text(page)
    asked_again = re.search(r'<details class="ask-again">(.*?)</details>', page.content.decode(), re.DOTALL)
    assert f"/security/tokens/{label.uuid}/revocation/" in asked_again[1]
    assert "It cannot be brought back." in asked_again[1]
    browser.post(f"/security/tokens/{label.uuid}/revocation/")
    assert not ApiToken.objects.exists()


def test_a_token_is_made_on_a_page_and_shown_once(signed_in: Signed) -> None:
    user = UserFactory()
    browser = signed_in(user)
    typed = {"name": "nightly", "scope": "read", "networks": "10.20.0.0/16\n10.30.0.0/16", "days": "7"}
    page = browser.post("/account/tokens/", typed).content.decode()
    secret = re.search(r'id="token">([0-9a-f]{64})</code>', page).group(1)
    label = ApiToken.objects.get(token__user=user)
    assert (label.name, label.scope, label.networks) == ("nightly", "read", ["10.20.0.0/16", "10.30.0.0/16"])
    assert secret not in browser.get("/account/tokens/").content.decode()
    browser.post(f"/account/tokens/{label.uuid}/revocation/")
    assert not ApiToken.objects.filter(token__user=user).exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": " "}, "Give the token a name"),
        ({"networks": "everywhere"}, "is not a network"),
        ({"scope": "chosen"}, "at least one"),
    ],
)
def test_a_token_that_makes_no_sense_is_not_made(
    changes: dict[str, str], words: str, signed_in: Signed
) -> None:
    typed = {"name": "n", "scope": "read", "days": "7", **changes}
    answer = signed_in(UserFactory()).post("/account/tokens/", typed)
    assert answer.status_code == 422
    assert words in text(answer)
    assert not ApiToken.objects.exists()


def test_nobody_revokes_a_foreign_token_from_their_account(signed_in: Signed) -> None:
    label, _text = token_of(UserFactory())
    assert signed_in(UserFactory()).post(f"/account/tokens/{label.uuid}/revocation/").status_code == 404
    assert ApiToken.objects.filter(pk=label.pk).exists()


def test_ones_account_tells_roles_and_second_factor(signed_in: Signed) -> None:
    page = text(signed_in(member(Role.FINANCE)).get("/account/"))
    assert "finance" in page
    assert "not set up" in page
