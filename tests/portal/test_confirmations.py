"""A second factor that waits to be confirmed: what the person sees, what security administrators do, and whom it keeps out."""

import re
from datetime import datetime

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from govcloud.audit.models import Event, Outcome
from govcloud.notifications import dispatch
from govcloud.notifications.models import Message
from govcloud.organisation import identity
from tenants.access import accounts, confirmations, passwords, second_factor
from tenants.access.models import Enrolment
from tenants.access.second_factor import Standing
from tenants.models import Role, User
from tests.factories.second_factors import code_of, confirmed, enrolled
from tests.factories.tenants import DepartmentFactory, UserFactory, grant, member, token_of
from tests.portal.conftest import Signed
from tests.portal.reading import text

pytestmark = pytest.mark.django_db
PAGE = "/security/second-factors/"


@pytest.fixture(autouse=True)
def _required(settings: LazySettings) -> None:
    settings.SECOND_FACTOR = "required"


@pytest.fixture
def officer(at: datetime) -> User:
    user = member(Role.SECURITY_ADMIN)
    confirmed(user, at=at)
    return user


@pytest.fixture
def waiting(at: datetime) -> User:
    user = member(Role.CLOUD_ADMIN, display_name="李娜")
    enrolled(user, at=at)
    return user


# -- whose it is


def test_until_it_is_confirmed_there_is_one_page_which_shows_the_code(
    waiting: User, signed_in: Signed
) -> None:
    browser = signed_in(waiting)
    for path in ("/orders/", "/account/", "/account/tokens/", PAGE):
        assert browser.get(path).url == "/account/second-factor/", path
    for path in ("/account/second-factor/codes/", "/account/tokens/"):
        assert browser.post(path, {"code": "000000"}).url == "/account/second-factor/", path
    page = text(browser.get("/account/second-factor/"))
    assert confirmations.code_of(waiting) in page
    assert "tell them this code face to face" in page
    assert "Make new recovery codes" not in page


def test_the_page_is_in_chinese_as_well(waiting: User, signed_in: Signed) -> None:
    page = text(signed_in(waiting, language="zh-hans").get("/account/second-factor/"))
    assert "当面告知下面的确认码" in page


def test_once_it_is_confirmed_the_rest_opens_and_the_code_is_gone(
    waiting: User, officer: User, signed_in: Signed, at: datetime
) -> None:
    code = confirmations.code_of(waiting)
    browser = signed_in(waiting)
    confirmations.confirm(user=waiting, code=code, actor=officer, at=at)
    assert browser.get("/orders/").status_code == 200
    page = text(browser.get("/account/second-factor/"))
    assert code not in page
    assert "Make new recovery codes" in page


def test_who_is_not_obliged_is_shown_no_code(signed_in: Signed, at: datetime) -> None:
    user = member(Role.LEADER)
    enrolled(user, at=at)
    browser = signed_in(user)
    assert browser.get("/orders/").status_code == 200
    page = text(browser.get("/account/second-factor/"))
    assert confirmations.code_of(user) not in page
    grant(user, Role.SERVICE_DESK)
    assert browser.get("/orders/").url == "/account/second-factor/"
    assert confirmations.code_of(user) in text(browser.get("/account/second-factor/"))


# -- who confirms it


def test_a_security_administrator_confirms_with_the_code_that_is_told(
    waiting: User, officer: User, signed_in: Signed
) -> None:
    browser = signed_in(officer)
    page = browser.get(PAGE)
    assert "1 waits to be confirmed" in text(page)
    assert "李娜" in text(page)
    assert confirmations.code_of(waiting) not in page.content.decode()
    typed = {"user": str(waiting.uuid), "code": confirmations.code_of(waiting).lower()}
    assert browser.post(PAGE, typed).url == PAGE
    assert Enrolment.objects.get(user=waiting).confirmed_by == officer
    assert "Nobody waits." in text(browser.get(PAGE))


def test_a_wrong_code_stays_in_the_field_of_whose_it_was_typed_for(
    waiting: User, officer: User, signed_in: Signed, at: datetime
) -> None:
    other = member(Role.SERVICE_DESK)
    enrolled(other, at=at)
    answer = signed_in(officer).post(PAGE, {"user": str(waiting.uuid), "code": "ABCD-2345"})
    assert answer.status_code == 422
    assert "Have it told once more." in text(answer)
    fields = re.findall(
        r'<input class="form-control"\s+id="code-(\d+)".*?>', answer.content.decode(), re.DOTALL
    )
    assert len(fields) == 2
    assert answer.content.decode().count("autofocus") == 1
    (kept,) = re.findall(r'id="code-(\d+)"[^>]*value="ABCD-2345"', answer.content.decode())
    assert int(kept) == waiting.enrolment.pk
    assert Event.objects.get(verb="second_factor.confirmed").outcome == Outcome.REFUSED


def test_on_a_later_page_a_wrong_code_stays_too(
    officer: User, signed_in: Signed, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("govcloud.portal.security.factors.PAGE_SIZE", 1)
    for _person in range(2):
        enrolled(member(Role.SERVICE_DESK), at=at)
    last = Enrolment.objects.filter(confirmed_at=None).order_by("pk").last()
    browser = signed_in(officer)
    action = re.search(r'action="(\?[^"]*)"', browser.get(f"{PAGE}?page=2").content.decode()).group(1)
    answer = browser.post(f"{PAGE}{action}", {"user": str(last.user.uuid), "code": "ABCD-2345"})
    assert 'value="ABCD-2345"' in answer.content.decode()


def test_ones_own_is_for_somebody_else(officer: User, signed_in: Signed, at: datetime) -> None:
    Enrolment.objects.filter(user=officer).update(confirmed_at=None)
    typed = {"user": str(officer.uuid), "code": confirmations.code_of(officer)}
    assert signed_in(officer).post(PAGE, typed).url == "/account/second-factor/"
    assert second_factor.standing(officer) is Standing.UNCONFIRMED


def test_people_are_found_by_name(waiting: User, officer: User, signed_in: Signed, at: datetime) -> None:
    enrolled(member(Role.SERVICE_DESK, display_name="王芳"), at=at)
    page = text(signed_in(officer).get(f"{PAGE}?q={waiting.username}"))
    assert "李娜" in page
    assert "王芳" not in page


def test_the_notice_leads_to_where_it_is_confirmed(officer: User, signed_in: Signed, at: datetime) -> None:
    enrolled(member(Role.SERVICE_DESK), at=at)
    identity.tell_waiting(at=at)
    dispatch.dispatch(at=at)
    message = Message.objects.visible_to(officer).get()
    assert signed_in(officer).post(f"/inbox/{message.uuid}/opening/").url == PAGE


@pytest.mark.parametrize("user", ["00000000-0000-4000-8000-000000000000", "x", ""])
def test_who_is_not_there_is_not_found(user: str, officer: User, signed_in: Signed) -> None:
    assert signed_in(officer).post(PAGE, {"user": user, "code": "ABCD-2345"}).status_code == 404


@pytest.mark.parametrize("role", sorted(set(Role.values) - {Role.SECURITY_ADMIN}))
def test_it_is_for_nobody_else(role: str, waiting: User, signed_in: Signed, at: datetime) -> None:
    user = member(Role(role), DepartmentFactory())
    confirmed(user, at=at)
    browser = signed_in(user)
    assert browser.get(PAGE).status_code == 403
    typed = {"user": str(waiting.uuid), "code": confirmations.code_of(waiting)}
    assert browser.post(PAGE, typed).status_code == 403
    assert second_factor.standing(waiting) is Standing.UNCONFIRMED


# -- the hole that it closes


def impostor(*, at: datetime) -> tuple[User, str, str, str]:
    """A system administrator opens an account, is the first to sign in, and sets all up that they could come back with.

    Then the person gets a role. Returns the account, the impostor's password and secret, and the text of a named token.
    """
    opened = accounts.open_account(
        username="li.na", display_name="李娜", actor=member(Role.SYSTEM_ADMIN), at=at
    )
    user, password = opened.user, "Impostors-1234"
    passwords.change(user=user, password=password, at=at)
    _label, token = token_of(user, name="the impostor's")
    secret, _codes = enrolled(user, at=at)
    grant(user, Role.AUTHORITY_APPROVER)
    return user, password, secret, token


def test_who_knew_the_first_password_and_enrolled_first_gets_nowhere_in_the_portal(client: Client) -> None:
    user, password, secret, _token = impostor(at=timezone.now())
    client.post("/sign-in/", {"username": user.username, "password": password})
    client.post("/sign-in/code/", {"code": code_of(secret, later=1)})
    for path in ("/orders/", "/account/tokens/", "/units/"):
        assert client.get(path).url == "/account/second-factor/", path
    assert client.get("/api/v1/orders").json()["code"] == "second-factor-unconfirmed"


def test_nor_with_the_api() -> None:
    user, password, secret, token = impostor(at=timezone.now())
    body = {"username": user.username, "password": password, "name": "laptop"}
    body |= {"code": code_of(secret, later=1)}
    answer = APIClient().post("/api/v1/tokens", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (403, "second-factor-unconfirmed")
    bearer = APIClient(headers={"Authorization": f"Bearer {token}"})
    answer = bearer.get("/api/v1/orders")
    assert (answer.status_code, answer.json()["code"]) == (403, "second-factor-unconfirmed")


def test_nor_once_the_person_has_come_in(officer: User) -> None:
    """The security administrator takes the impostor's away, the person gets a password and sets up their own."""
    at = timezone.now()
    user, _password, secret, token = impostor(at=at)
    accounts.reset_second_factor(user=user, actor=officer, at=at, reason="not hers")
    accounts.reset_password(user=user, actor=member(Role.SYSTEM_ADMIN), at=at)
    passwords.change(user=user, password="Hers-alone-1234", at=at)
    enrolled(user, at=at)
    confirmations.confirm(user=user, code=confirmations.code_of(user), actor=officer, at=at)
    bearer = APIClient(headers={"Authorization": f"Bearer {token}"})
    assert bearer.get("/api/v1/orders").status_code == 401
    assert not second_factor.accepts(user, code_of(secret, later=1))


def test_an_impostors_code_is_not_the_persons(officer: User) -> None:
    """The code that somebody else's app gives does not confirm the impostor's: it is of another secret."""
    at = timezone.now()
    user, _password, _secret, _token = impostor(at=at)
    other = UserFactory()
    enrolled(other, at=at)
    with pytest.raises(confirmations.WrongConfirmationCode):
        confirmations.confirm(user=user, code=confirmations.code_of(other), actor=officer, at=at)
