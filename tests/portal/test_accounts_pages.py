"""Accounts on their pages: opened, found, and given a first password or a second factor anew; first passwords are shown once."""

import io
import json
import logging
import re
import sys
from datetime import datetime, timedelta

import pytest
from django.conf import LazySettings
from django.core import serializers
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.views.debug import ExceptionReporter
from openpyxl import load_workbook

from govcloud.audit.models import Event
from govcloud.notifications.models import Notice
from tenants.access import second_factor
from tenants.access.models import Enrolment
from tenants.models import Role, User
from tests.factories.second_factors import confirmed, enrolled
from tests.factories.tenants import PASSWORD, DepartmentFactory, UserFactory, grant, member
from tests.portal.conftest import Signed
from tests.portal.reading import text

pytestmark = pytest.mark.django_db

URL = "/security/accounts/"
NOBODY = "00000000-0000-4000-8000-000000000000"
READERS = {Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN}
DAY = timedelta(days=1)
TYPED = {"username": "li.na", "name": "李娜", "language": "en"}


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def system_admin() -> User:
    return member(Role.SYSTEM_ADMIN, display_name="系统员")


@pytest.fixture
def officer() -> User:
    return member(Role.SECURITY_ADMIN, display_name="安全员")


@pytest.fixture
def somebody() -> User:
    return member(Role.APPLICANT, DepartmentFactory(name_en="Example Water"), display_name="李娜")


def first_password(answer: HttpResponse) -> str:
    (password,) = re.findall(r'id="first-password">([^<]+)</code>', answer.content.decode())
    return str(password)


def rows(answer: HttpResponse) -> list[str]:
    """The names that the list shows."""
    return re.findall(
        r'<a class="main-text" href="/security/accounts/[^"]+">([^<]+)</a>', answer.content.decode()
    )


# -- who may


@pytest.mark.parametrize("role", sorted(set(Role.values) - READERS))
def test_they_are_for_nobody_else(role: str, somebody: User, signed_in: Signed) -> None:
    browser = signed_in(member(Role(role), DepartmentFactory()))
    one = f"{URL}{somebody.uuid}/"
    answers = [browser.get(path) for path in (URL, one, f"{URL}export.csv")]
    answers += [browser.post(path, TYPED) for path in (URL, f"{one}password-reset/")]
    answers += [browser.post(f"{one}second-factor-reset/", {"reason": "lost"})]
    assert {answer.status_code for answer in answers} == {403}
    assert f'href="{URL}"' not in browser.get("/orders/").content.decode()
    assert User.objects.get(pk=somebody.pk).check_password(PASSWORD)


def test_who_has_not_signed_in_is_led_to_where_one_does(client: Client, somebody: User) -> None:
    for path in (URL, f"{URL}{somebody.uuid}/"):
        assert client.get(path).url.startswith("/sign-in/")


@pytest.mark.parametrize("role", sorted(READERS))
def test_nobody_is_found_by_an_id_that_there_is_not(role: Role, signed_in: Signed) -> None:
    browser = signed_in(member(role))
    deed = "password-reset" if role == Role.SYSTEM_ADMIN else "second-factor-reset"
    assert browser.get(f"{URL}{NOBODY}/").status_code == 404
    assert browser.post(f"{URL}{NOBODY}/{deed}/", {"reason": "lost"}).status_code == 404


def test_system_administrators_are_led_to_no_page_that_refuses_them(
    system_admin: User, somebody: User, signed_in: Signed
) -> None:
    browser = signed_in(system_admin)
    assert f'href="{URL}"' in browser.get("/orders/").content.decode()
    for path in (URL, f"{URL}{somebody.uuid}/"):
        page = browser.get(path).content.decode()
        links = {link for link in re.findall(r'href="(/[^"#?]*)', page) if not link.startswith("/static/")}
        assert {link: browser.get(link).status_code for link in links} == dict.fromkeys(links, 200)


def test_security_administrators_find_them_in_the_menu_of_their_pages(
    officer: User, signed_in: Signed
) -> None:
    browser = signed_in(officer)
    assert f'href="{URL}"' in browser.get("/security/roles/").content.decode()
    assert 'href="/security/roles/"' in browser.get(URL).content.decode()


@pytest.mark.parametrize("role", sorted(READERS))
def test_each_is_offered_the_deeds_of_the_own_role(
    role: Role, somebody: User, signed_in: Signed, at: datetime
) -> None:
    enrolled(somebody, at=at)
    browser = signed_in(member(role))
    page = text(browser.get(f"{URL}{somebody.uuid}/"))
    opens = "Open an account" in text(browser.get(URL))
    deeds = ("Reset the password" in page, "Reset the second factor" in page)
    of_the_system = role == Role.SYSTEM_ADMIN
    assert (opens, deeds) == (of_the_system, (of_the_system, not of_the_system))


def test_neither_does_the_others_deeds(
    system_admin: User, officer: User, somebody: User, signed_in: Signed, at: datetime
) -> None:
    enrolled(somebody, at=at)
    one = f"{URL}{somebody.uuid}/"
    assert signed_in(officer).post(f"{one}password-reset/").status_code == 403
    assert signed_in(officer).post(URL, TYPED).status_code == 403
    answer = signed_in(system_admin).post(f"{one}second-factor-reset/", {"reason": "lost"})
    assert answer.status_code == 403
    assert second_factor.enrolled(somebody)
    assert User.objects.get(pk=somebody.pk).check_password(PASSWORD)


def test_without_an_identity_provider_every_account_has_a_password(
    system_admin: User, signed_in: Signed
) -> None:
    browser = signed_in(system_admin)
    assert "identity provider" not in text(browser.get(URL))
    answer = browser.post(URL, {**TYPED, "without_password": "on"})
    assert "No identity provider is configured here" in text(answer)
    assert not User.objects.filter(username=TYPED["username"]).exists()


# -- the list


def test_the_list_tells_how_somebody_signs_in(system_admin: User, signed_in: Signed, at: datetime) -> None:
    user = UserFactory(username="wang", display_name="王芳", password_changed_at=None)
    assert "王芳 wang · active None To be changed".lower() in text(signed_in(system_admin).get(URL)).lower()
    user.password_changed_at, user.last_login = at - 3 * DAY, at
    user.save()
    page = text(signed_in(system_admin).get(f"{URL}?q=wang"))
    assert "to be changed" not in page
    assert re.search(r"wang · active none \S+ \w+ \d+ .*\d\d:\d\d", page)


def test_a_password_that_has_grown_too_old_is_to_be_changed(
    system_admin: User, signed_in: Signed, at: datetime, settings: LazySettings
) -> None:
    settings.PASSWORD_MAX_AGE_DAYS = 30
    User.objects.filter(pk=system_admin.pk).update(password_changed_at=at)
    UserFactory(username="old", password_changed_at=at - 31 * DAY)
    UserFactory(username="young", password_changed_at=at - 29 * DAY)
    browser = signed_in(system_admin)
    assert "to be changed at the next sign-in" in text(browser.get(f"{URL}?q=old"))
    assert "to be changed at the next sign-in" not in text(browser.get(f"{URL}?q=young"))


def test_a_second_factor_waits_only_if_a_role_asks_for_one(
    officer: User, signed_in: Signed, at: datetime, settings: LazySettings
) -> None:
    settings.SECOND_FACTOR = "required"
    confirmed(officer, at=at)
    waits, needless = member(Role.SERVICE_DESK, username="waits"), member(Role.LEADER, username="needless")
    for person in (waits, needless):
        enrolled(person, at=at)
    browser = signed_in(officer)
    assert "waits · active waits to be confirmed" in text(browser.get(f"{URL}?q=waits"))
    assert "needless · active set up, needs no confirmation" in text(browser.get(f"{URL}?q=needless"))
    page = text(browser.get(f"{URL}?q={officer.username}"))
    assert f"{officer.username} · active confirmed" in page
    where = 'href="/security/second-factors/?q={}"'
    for person, leads_on in ((waits, True), (needless, False)):
        page = browser.get(f"{URL}{person.uuid}/").content.decode()
        assert (where.format(person.username) in page) == leads_on


def test_views_and_words_narrow_the_list(system_admin: User, signed_in: Signed, at: datetime) -> None:
    UserFactory(username="used", display_name="用过", last_login=at)
    UserFactory(username="gone", display_name="离开", is_active=False)
    confirmed(UserFactory(username="safe", display_name="双重"), at=at)
    browser = signed_in(system_admin)
    User.objects.filter(pk=system_admin.pk).update(last_login=at)
    found = {view: set(rows(browser.get(f"{URL}?view={view}"))) for view in ("", "unused", "single", "left")}
    assert found == {
        "": {"系统员", "用过", "双重"},
        "unused": {"双重"},
        "single": {"系统员", "用过"},
        "left": {"离开"},
    }
    assert rows(browser.get(f"{URL}?q=SAF")) == ["双重"]
    assert rows(browser.get(f"{URL}?q=双 safe")) == ["双重"]
    assert rows(browser.get(f"{URL}?q=gone")) == []
    assert len(rows(browser.get(f"{URL}?view=nonsense&q=%00"))) == 3


def test_it_comes_by_the_page_with_few_queries(
    officer: User, signed_in: Signed, at: datetime, django_assert_max_num_queries
) -> None:
    for number in range(35):
        person = UserFactory(username=f"somebody{number:02}")
        if number % 3 == 0:
            enrolled(person, at=at)
    browser = signed_in(officer)
    with django_assert_max_num_queries(10):
        first = browser.get(URL)
    with django_assert_max_num_queries(10):
        last = browser.get(f"{URL}?page=2")
    assert (len(rows(first)), len(rows(last))) == (30, 6)
    assert "36 accounts" in text(first)


def test_it_is_taken_out_as_a_file(system_admin: User, signed_in: Signed) -> None:
    UserFactory(username="=1+1", display_name="王芳", password_changed_at=None)
    UserFactory(username="gone", is_active=False)
    browser = signed_in(system_admin)
    lines = browser.get(f"{URL}export.csv?q=王").content.decode("utf-8-sig").splitlines()
    assert (
        lines[0]
        == "Name,User name,Account,Second factor,Password set,Password to be changed,Last sign-in,Opened on"
    )
    assert lines[1].startswith("王芳,'=1+1,active,none,,yes,,")
    assert len(lines) == 2
    event = Event.objects.get(verb="list.exported")
    assert (event.subject_label, event.after["rows"], event.actor_name) == ("accounts", 1, "系统员")
    book = load_workbook(io.BytesIO(browser.get(f"{URL}export.xlsx?view=left").content))
    assert [cell.value for cell in book.active[2]][1:4] == ["gone", "left", "none"]
    assert browser.get(f"{URL}export.pdf").status_code == 404


@pytest.mark.parametrize("role", sorted(READERS))
def test_it_is_in_chinese_as_well(role: Role, somebody: User, signed_in: Signed) -> None:
    browser = signed_in(member(role), language="zh-hans")
    page = text(browser.get(URL))
    assert ("从未登录" in page, "开立账号" in page) == (True, role == Role.SYSTEM_ADMIN)
    assert "有效角色" in text(browser.get(f"{URL}{somebody.uuid}/"))


# -- one of them


def test_one_is_shown_with_the_roles_in_force(
    system_admin: User, officer: User, somebody: User, signed_in: Signed, at: datetime
) -> None:
    grant(somebody, Role.FINANCE, valid_until=at - DAY)
    person = f'href="/people/{somebody.uuid}/"'
    for reader, leads_on in ((system_admin, False), (officer, True)):
        answer = signed_in(reader).get(f"{URL}{somebody.uuid}/")
        assert "applicant Example Water" in text(answer)
        assert "finance" not in text(answer)
        assert (person in answer.content.decode()) == leads_on


def test_one_who_has_left_gets_no_password(system_admin: User, signed_in: Signed) -> None:
    gone = UserFactory(is_active=False)
    page = text(signed_in(system_admin).get(f"{URL}{gone.uuid}/"))
    assert "has left" in page
    assert "Reset the password" not in page


def test_who_confirmed_a_second_factor_is_told(
    officer: User, somebody: User, signed_in: Signed, at: datetime
) -> None:
    confirmed(somebody, by=member(Role.SECURITY_ADMIN, display_name="第二人"), at=at)
    assert re.search(r"confirmed .* · 第二人", text(signed_in(officer).get(f"{URL}{somebody.uuid}/")))


# -- opening one


def test_one_is_opened_and_its_first_password_signs_in(
    system_admin: User, signed_in: Signed, client: Client
) -> None:
    answer = signed_in(system_admin).post(URL, TYPED)
    user = User.objects.get(username="li.na")
    assert (answer.status_code, user.display_name, user.language) == (200, "李娜", "en")
    assert "no-store" in answer.headers["Cache-Control"]
    password = first_password(answer)
    client.logout()
    signed = client.post("/sign-in/", {"username": "li.na", "password": password}, follow=True)
    assert signed.redirect_chain[-1][0] == "/account/password/"


def kept_anywhere(secret: str) -> list[str]:
    """Where of what this service keeps the secret stands: in no row of any of these."""
    tables = (Event, Notice, User, Enrolment)
    return [each.__name__ for each in tables if secret in serializers.serialize("json", each.objects.all())]


@pytest.mark.parametrize("deed", ["open", "reset"])
def test_a_first_password_is_shown_once_and_nowhere_else(
    deed: str, system_admin: User, somebody: User, signed_in: Signed, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    browser = signed_in(system_admin)
    path = URL if deed == "open" else f"{URL}{somebody.uuid}/password-reset/"
    answer = browser.post(path, TYPED)
    password = first_password(answer)
    assert answer.content.decode().count(password) == 1
    user = User.objects.get(username="li.na" if deed == "open" else somebody.username)
    assert user.check_password(password)
    for page in (URL, f"{URL}{user.uuid}/", f"{URL}export.csv"):
        assert password not in browser.get(page).content.decode()
    assert kept_anywhere(password) == []
    assert password not in caplog.text
    assert password not in json.dumps(dict(browser.session), default=str)
    verb = "user.opened" if deed == "open" else "user.password_reset"
    assert Event.objects.get(verb=verb).actor_name == "系统员"


def test_a_first_password_is_in_no_report_of_a_fault(
    system_admin: User, signed_in: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_told: object) -> None:
        raise RuntimeError("the trail is full")

    monkeypatch.setattr("tenants.access.accounts.audit.record", broken)
    browser, passwords, report = signed_in(system_admin), [], ""
    try:
        browser.post(URL, TYPED)
    except RuntimeError:
        kind, fault, trace = sys.exc_info()
        report = ExceptionReporter(RequestFactory().post(URL), kind, fault, trace).get_traceback_html()
        while trace:
            passwords += [told for name, told in trace.tb_frame.f_locals.items() if name == "password"]
            trace = trace.tb_next
    (password,) = passwords
    assert "the trail is full" in report
    assert password not in report
    assert not User.objects.filter(username="li.na").exists()


def test_a_form_that_is_sent_again_is_told_that_the_name_is_taken(
    system_admin: User, signed_in: Signed
) -> None:
    browser = signed_in(system_admin)
    password = first_password(browser.post(URL, TYPED))
    again = browser.post(URL, {**TYPED, "name": "李 “娜”"})
    assert (again.status_code, "There is an account of this name already." in text(again)) == (409, True)
    assert "first-password" not in again.content.decode()
    assert User.objects.get(username="li.na").check_password(password)
    page = again.content.decode()
    assert 'value="li.na"' in page
    assert 'value="李 “娜”"' in page
    assert re.search(r'value="en"\s+selected', page)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"username": " "}, "Give a user name of at most 150 characters."),
        ({"username": "x" * 151}, "Give a user name of at most 150 characters."),
        ({"name": "\0"}, "Give a name of at most 80 characters."),
        ({"name": "李" * 81}, "Give a name of at most 80 characters."),
        ({"username": "li na"}, "A user name has letters, digits and @ . + - _ only."),
    ],
)
def test_what_cannot_be_opened_is_told_with_what_was_typed(
    changes: dict[str, str], words: str, system_admin: User, signed_in: Signed
) -> None:
    typed = {**TYPED, **changes}
    answer = signed_in(system_admin).post(URL, typed)
    assert (answer.status_code, words in text(answer)) == (422, True)
    for name in ("username", "name"):
        kept = typed[name].replace("\0", "").strip()
        assert f'value="{kept}"' in answer.content.decode()
    assert User.objects.get() == system_admin


def test_a_language_that_there_is_not_is_that_of_the_installation(
    system_admin: User, signed_in: Signed
) -> None:
    signed_in(system_admin).post(URL, {**TYPED, "language": "xx"})
    assert User.objects.get(username="li.na").language == "zh-hans"


# -- resetting


def test_a_password_is_reset_and_all_sessions_end(
    system_admin: User, somebody: User, signed_in: Signed
) -> None:
    theirs = Client()
    theirs.force_login(somebody)
    assert theirs.get("/account/").status_code == 200
    browser = signed_in(system_admin)
    to = re.search(
        r'action="([^"]*/password-reset/)"', browser.get(f"{URL}{somebody.uuid}/").content.decode()
    )
    answer = browser.post(to[1])  # type: ignore[index]
    assert "no-store" in answer.headers["Cache-Control"]
    user = User.objects.get(pk=somebody.pk)
    assert user.check_password(first_password(answer))
    assert "to be changed at the next sign-in" in text(answer)
    assert theirs.get("/account/").url.startswith("/sign-in/")
    page = f"{URL}{somebody.uuid}/"
    assert browser.get(f"{page}password-reset/").headers["Location"] == page  # a form's address alone


def test_ones_own_password_is_shown_although_the_session_ends(system_admin: User, signed_in: Signed) -> None:
    browser = signed_in(system_admin)
    answer = browser.post(f"{URL}{system_admin.uuid}/password-reset/")
    assert User.objects.get(pk=system_admin.pk).check_password(first_password(answer))
    assert browser.get(URL).url.startswith("/sign-in/")


def test_a_second_factor_is_reset_for_a_reason(
    officer: User, somebody: User, signed_in: Signed, at: datetime
) -> None:
    enrolled(somebody, at=at)
    one = f"{URL}{somebody.uuid}/"
    answer = signed_in(officer).post(f"{one}second-factor-reset/", {"reason": "the telephone is lost"})
    assert answer.url == one
    assert not second_factor.enrolled(somebody)
    assert Event.objects.get(verb="second_factor.reset").reason == "the telephone is lost"
    assert "Reset the second factor" not in text(signed_in(officer).get(one))


@pytest.mark.parametrize("reason", [" ", "x" * 501])
def test_without_a_good_reason_it_stays(
    reason: str, officer: User, somebody: User, signed_in: Signed, at: datetime
) -> None:
    enrolled(somebody, at=at)
    answer = signed_in(officer).post(f"{URL}{somebody.uuid}/second-factor-reset/", {"reason": reason})
    assert (answer.status_code, "Give a reason of at most 500 characters." in text(answer)) == (422, True)
    assert f'value="{reason.strip()}"' in answer.content.decode()
    assert second_factor.enrolled(somebody)


def test_one_that_is_gone_by_now_is_told(officer: User, somebody: User, signed_in: Signed) -> None:
    answer = signed_in(officer).post(f"{URL}{somebody.uuid}/second-factor-reset/", {"reason": "lost"})
    assert (answer.status_code, "There is no second factor." in text(answer)) == (409, True)
