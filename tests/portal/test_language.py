"""Switching the language while a form is being written: what was typed comes along, and nothing is done."""

import re
from collections.abc import Callable
from datetime import datetime
from html import unescape
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from govcloud.portal.resuming import AGAIN, KEPT
from tenants.models import Department
from tests.factories.catalog import CloudFactory
from tests.factories.inventory import VolumeFactory
from tests.factories.leases import found
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text
from tests.portal.test_resuming import Case, of_an_order, of_the_clouds, of_the_organisation, of_the_rest

SWITCHED = "已切换语言，尚未执行任何操作。"
OPINION = "请在周五之前 & 按“三级”处理"
BY_THE_PAGE = {"version", "stage", "slot", "dimension", "seen", "code"}
BUTTONS = {"do", "leave"}
"""Which a browser sends only when they are pressed."""
Cases = Callable[[scenes.Cast, datetime], dict[str, Case]]


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


def carried(typed: dict[str, str], *, form: str) -> dict[str, str]:
    """What the switch sends from a page on which that was typed into the form with that address."""
    return {"language": "zh-hans", "next": "/orders/", "form": form, "typed": urlencode(typed)}


def on_the_switch(page: HttpResponse) -> dict[str, str]:
    """What the switch of a page sends without scripts."""
    html = page.content.decode().split('<form id="language"')[1].split("</form>")[0]
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html))
    return {name: unescape(value) for name, value in found.items()} | {"language": "zh-hans"}


def test_what_was_typed_is_there_in_the_other_language_and_is_sent_from_there(
    people: scenes.Cast, signed_in: Signed
) -> None:
    browser, unit = signed_in(people.desk), people.department
    path = f"/units/{unit.uuid}/change/"
    typed = {
        "name": "更名后的单位", "credit_code": unit.credit_code, "division": unit.division.code, "version": "1",
        "csrfmiddlewaretoken": "x",
    }  # fmt: skip
    answer = browser.post("/language/", carried(typed, form=path))
    assert answer.cookies[settings.LANGUAGE_COOKIE_NAME].value == "zh-hans"
    assert answer.headers["Location"].startswith(f"{path}?{AGAIN}=")
    page = browser.get(answer.headers["Location"])
    assert (page.status_code, SWITCHED in text(page)) == (422, True)
    assert 'value="更名后的单位"' in page.content.decode()
    assert Department.objects.get(pk=unit.pk).name != "更名后的单位"
    key = answer.headers["Location"].partition("=")[2]
    assert browser.post(path, {**typed, AGAIN: key}).status_code == 302
    assert Department.objects.get(pk=unit.pk).name == "更名后的单位"
    assert browser.session[KEPT] == {}


def test_switched_back_and_forth_it_is_kept_once(people: scenes.Cast, signed_in: Signed) -> None:
    browser = signed_in(people.desk)
    answer = browser.post("/language/", carried({"name": OPINION}, form="/units/new/"))
    for _again in range(3):
        page = browser.get(answer.headers["Location"])
        assert OPINION in unescape(page.content.decode())
        answer = browser.post("/language/", on_the_switch(page))
    assert len(browser.session[KEPT]) == 1


def test_a_refused_form_comes_along_without_scripts_and_a_page_alone_has_nothing_to_take(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.submitted(people, at=at)
    browser, path = signed_in(people.approver), f"/orders/{order.number}/decision/"
    asked = browser.get(path)
    assert "typed" not in on_the_switch(asked)
    refused = browser.post(f"{path}reviewer/", {"stage": "unit", "person": "x", "reason": OPINION})
    assert 400 <= refused.status_code < 500
    answer = browser.post("/language/", on_the_switch(refused))
    page = browser.get(answer.headers["Location"])
    assert (SWITCHED in text(page), OPINION in text(page)) == (True, True)


def test_what_is_still_missing_from_a_form_that_was_not_sent_is_not_told(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    let = found(VolumeFactory(resource__system=people.system).resource, at=at).resource
    cloud = CloudFactory()
    for person, path, typed in (
        (people.desk, f"/units/{people.department.uuid}/closing/", {"reason": ""}),
        (people.admin, f"/resources/{let.uuid}/postponement/", {"until": "", "reason": OPINION}),
        (people.admin, f"/resources/{let.uuid}/postponement/", {"until": "2027-01-05T12:00", "reason": ""}),
        (people.admin, f"/clouds/{cloud.uuid}/maintenance/", {"ends_at": "", "reason": OPINION}),
    ):
        browser = signed_in(person)
        answer = browser.post("/language/", carried(typed, form=path))
        page = browser.get(answer.headers["Location"])
        assert (page.status_code, path, SWITCHED in text(page)) == (422, path, True)
        assert all(each in unescape(page.content.decode()) for each in typed.values())


@pytest.mark.parametrize("cases", [of_an_order, of_the_organisation, of_the_clouds, of_the_rest])
@pytest.mark.parametrize("written", ["filled in", "empty"])
def test_no_form_that_was_not_sent_is_told_that_anything_is_wrong_with_it(
    people: scenes.Cast, at: datetime, cases: Cases, written: str
) -> None:
    """Whether it was filled in or left empty but for what the page itself puts into it."""
    for name, (person, path, filled, _words) in cases(people, at).items():
        sent = {each: value for each, value in filled.items() if each not in BUTTONS}
        typed = (
            sent
            if written == "filled in"
            else {each: sent[each] if each in BY_THE_PAGE else "" for each in sent}
        )
        browser = Client()
        browser.force_login(person)
        answer = browser.post("/language/", carried(typed, form=path))
        page = browser.get(answer.headers["Location"])
        assert (page.status_code, SWITCHED in text(page)) == (422, True), name
        assert not re.search(
            "is-invalid|aria-invalid|invalid-feedback|alert-danger", page.content.decode()
        ), name


def test_it_is_for_the_person_alone_and_sealed(
    people: scenes.Cast, signed_in: Signed, client: Client
) -> None:
    browser = signed_in(people.desk)
    answer = browser.post("/language/", carried({"name": OPINION}, form="/units/new/"))
    assert OPINION not in repr(browser.session[KEPT])
    assert "name" not in repr(browser.session[KEPT])
    other = Client()
    other.force_login(people.admin)
    assert OPINION not in other.get(answer.headers["Location"]).content.decode()


@pytest.mark.parametrize(
    "form",
    [
        "", "/account/password/", "/clouds/00000000-0000-0000-0000-000000000001/credentials/", "/nowhere/", "nowhere",
        "https://elsewhere.example/units/new/", "//elsewhere.example/units/new/", "//[", "/api/v1/orders", "/units/new\0/",
    ],
)  # fmt: skip
def test_nothing_is_kept_of_forms_with_secrets_or_of_what_is_no_form_of_ours(
    people: scenes.Cast, signed_in: Signed, form: str
) -> None:
    browser = signed_in(people.desk)
    answer = browser.post("/language/", carried({"name": "x", "password": "y"}, form=form))
    assert answer.headers["Location"] == "/orders/"
    assert KEPT not in browser.session


def test_nothing_is_kept_of_classified_work_or_for_who_has_not_signed_in(
    people: scenes.Cast, signed_in: Signed
) -> None:
    browser = signed_in(people.applicant)
    typed = {"title": "涉密", "declares_classified": "yes"}
    answer = browser.post("/language/", carried(typed, form="/orders/new/"))
    assert (answer.headers["Location"], KEPT in browser.session) == ("/orders/", False)
    nobody = Client()
    answer = nobody.post("/language/", carried({"title": "x"}, form="/orders/new/"))
    assert (answer.headers["Location"], KEPT in nobody.session) == ("/orders/", False)
