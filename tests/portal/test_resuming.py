"""What was typed into a form of a session that had ended: there again after signing in, for that person, and nothing done unasked."""

import re
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import resolve, reverse

from govcloud.approvals.models import Absence, Decision
from govcloud.audit.models import Event
from govcloud.orders.models import Order
from govcloud.orders.redrafting import drafts_of
from govcloud.organisation import tasks
from govcloud.portal.middleware import LAST_ACTION
from govcloud.portal.resuming import AGAIN, HOUR, KEPT, LARGEST, MARK, MARK_LASTS, MOST, mark_for
from govcloud.portal.urls import urlpatterns
from tenants.access.models import ApiToken
from tenants.models import Department, Membership, Role, System, User
from tests.api.house import recovery_point
from tests.factories.approvals import default_flow, drafted
from tests.factories.catalog import FlavorFactory
from tests.factories.inventory import CredentialFactory, NetworkFactory, VolumeFactory, whole_server
from tests.factories.leases import found as run_out
from tests.factories.notifications import webhook
from tests.factories.organisation import review_of
from tests.factories.quotas import opened
from tests.factories.second_factors import code_of, enrolled
from tests.factories.takeovers import CandidateFactory, TakeoverFactory
from tests.factories.tenants import PASSWORD, DepartmentFactory, member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text
from tests.portal.test_addresses import FILLED

HERE_AGAIN = "Nothing has been done yet: your session was over when you sent this."
OPINION = "同意扩容，请按三级等保要求配置，三个月后复核。"


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def order(people: scenes.Cast, at: datetime) -> Order:
    """With the unit."""
    return scenes.submitted(people, at=at)


@pytest.fixture
def decision(order: Order) -> dict[str, str]:
    """What its approver sends, but for the mark of the page."""
    return {"verb": "approve", "opinion": OPINION, "revision_hash": scenes.DIGEST, "stage": "unit"}


def mark_on(page: HttpResponse) -> str:
    (mark,) = set(re.findall(rf'name="{MARK}" value="([^"]+)"', page.content.decode()))
    return mark


def hidden_on(page: HttpResponse) -> dict[str, str]:
    """The mark, and the key of what is shown again."""
    (key,) = set(re.findall(rf'name="{AGAIN}" value="([^"]+)"', page.content.decode()))
    return {MARK: mark_on(page), AGAIN: key}


def signing_in(browser: Client, answer: HttpResponse, name: str) -> HttpResponse:
    """From the answer that leads to the sign-in page to what comes after it, in English."""
    browser.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    (way,) = parse_qs(urlsplit(answer.headers["Location"]).query)["next"]
    typed = {"username": name, "password": PASSWORD, "next": way}
    answer = browser.post("/sign-in/", typed)
    assert answer.status_code == 302
    return browser.get(answer.headers["Location"])


def sent_too_late(browser: Client, person: User, path: str, typed: dict[str, Any]) -> HttpResponse:
    """From a page that was made for the person, in a browser without a session."""
    browser.logout()
    return browser.post(path, {**typed, MARK: mark_for(person)})


def resumed(browser: Client, person: User, path: str, typed: dict[str, Any]) -> HttpResponse:
    return signing_in(browser, sent_too_late(browser, person, path, typed), person.username)


def kept_in(browser: Client) -> dict[str, Any]:
    return browser.session.get(KEPT, {})


def test_an_opinion_is_there_again_after_signing_in_and_signed_when_it_is_sent_once_more(
    people: scenes.Cast, order: Order, decision: dict[str, str], signed_in: Signed
) -> None:
    browser, path = signed_in(people.approver), f"/orders/{order.number}/decision/"
    typed = {**decision, MARK: mark_on(browser.get(path))}
    Session.objects.all().delete()
    refused = browser.post(path, typed)
    assert refused.status_code == 302
    assert "What you typed is kept: sign in" in text(browser.get(refused.headers["Location"]))
    page = signing_in(browser, refused, "approver")
    assert (page.status_code, HERE_AGAIN in text(page)) == (422, True)
    html = page.content.decode()
    assert OPINION in html.split("<textarea")[1].split("</textarea>")[0]
    assert 'value="approve"' in html.split("checked")[0].rsplit("<input", 1)[1]
    assert not Decision.objects.exists()
    assert (
        OPINION
        in browser.get(page.request["PATH_INFO"] + f"?{page.request['QUERY_STRING']}").content.decode()
    )
    assert browser.post(path, {**decision, **hidden_on(page)}).status_code == 302
    assert Decision.objects.get().opinion == OPINION
    assert kept_in(browser) == {}


def test_a_session_that_idled_too_long_is_one_that_has_ended(
    people: scenes.Cast, order: Order, decision: dict[str, str], signed_in: Signed
) -> None:
    browser, path = signed_in(people.approver), f"/orders/{order.number}/decision/"
    mark = mark_on(browser.get(path))
    session = browser.session
    session[LAST_ACTION] = time.time() - settings.SESSION_COOKIE_AGE - 1
    session.save()
    page = signing_in(browser, browser.post(path, {**decision, MARK: mark}), "approver")
    assert OPINION in page.content.decode()


def test_it_comes_through_a_second_factor(
    people: scenes.Cast, order: Order, decision: dict[str, str], client: Client, at: datetime
) -> None:
    secret, _codes = enrolled(people.approver, at=at)
    asked = sent_too_late(client, people.approver, f"/orders/{order.number}/decision/", decision)
    (way,) = parse_qs(urlsplit(asked.headers["Location"]).query)["next"]
    client.post("/sign-in/", {"username": "approver", "password": PASSWORD, "next": way})
    answer = client.post("/sign-in/code/", {"code": code_of(secret, later=1)})
    assert answer.headers["Location"] == way
    assert OPINION in client.get(way).content.decode()


def test_nobody_else_gets_it_and_it_is_gone(
    people: scenes.Cast, order: Order, decision: dict[str, str], client: Client
) -> None:
    other = member(Role.UNIT_APPROVER, people.department, username="other")
    path = f"/orders/{order.number}/decision/"
    asked = sent_too_late(client, people.approver, path, decision)
    page = signing_in(client, asked, other.username)
    assert (page.status_code, OPINION in page.content.decode()) == (200, False)
    assert kept_in(client) == {}
    client.logout()
    assert OPINION not in signing_in(client, asked, "approver").content.decode()


def test_what_is_kept_cannot_be_read_where_it_is_kept(
    people: scenes.Cast, order: Order, decision: dict[str, str], client: Client
) -> None:
    sent_too_late(client, people.approver, f"/orders/{order.number}/decision/", decision)
    (kept,) = kept_in(client).values()
    assert kept["by"] == str(people.approver.uuid)
    assert OPINION not in repr(kept)
    assert "opinion" not in repr(kept)


def test_after_a_quarter_of_an_hour_it_is_gone(
    people: scenes.Cast,
    order: Order,
    decision: dict[str, str],
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = sent_too_late(client, people.approver, f"/orders/{order.number}/decision/", decision)
    later = time.time() + settings.SESSION_COOKIE_AGE + 1
    monkeypatch.setattr("govcloud.portal.resuming.time.time", lambda: later)
    page = signing_in(client, asked, "approver")
    assert (page.status_code, OPINION in page.content.decode(), kept_in(client)) == (200, False, {})


def test_the_last_few_of_a_browser_are_kept(people: scenes.Cast, order: Order, client: Client) -> None:
    client.logout()
    for number in range(MOST + 2):
        client.post(
            f"/orders/{order.number}/reminder/", {"text": str(number), MARK: mark_for(people.applicant)}
        )
    assert len(kept_in(client)) == MOST


@pytest.mark.parametrize(
    "wrong",
    [
        {MARK: ""},
        {MARK: "nobody"},
        {MARK: "00000000-0000-0000-0000-000000000001:x"},
        {"opinion": "x" * (LARGEST + 1)},
    ],
)
def test_what_has_no_mark_of_ours_or_is_too_long_is_not_kept(
    people: scenes.Cast, order: Order, decision: dict[str, str], client: Client, wrong: dict[str, str]
) -> None:
    path = f"/orders/{order.number}/decision/"
    answer = sent_too_late(client, people.approver, path, decision)
    client.logout()
    answer = client.post(path, {**decision, MARK: mark_for(people.approver), **wrong})
    assert answer.headers["Location"] == f"/sign-in/?next={path}"
    assert kept_in(client) == {}


def test_work_that_is_declared_classified_is_never_kept(people: scenes.Cast, client: Client) -> None:
    typed = {"title": "涉密", "declares_classified": "yes", "do": "with-network"}
    answer = sent_too_late(client, people.applicant, "/orders/new/", typed)
    assert answer.headers["Location"] == "/sign-in/?next=/orders/new/"
    assert kept_in(client) == {}


# somebody has signed in anew in another window: the form has an old token


def test_a_form_from_before_signing_in_anew_comes_back_filled_in(
    people: scenes.Cast, order: Order, decision: dict[str, str]
) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(people.approver)
    browser.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    path = f"/orders/{order.number}/decision/"
    page = browser.post(path, {**decision, "csrfmiddlewaretoken": "x" * 64, MARK: mark_for(people.approver)})
    assert (page.status_code, HERE_AGAIN in text(page)) == (422, True)
    assert OPINION in page.content.decode()
    assert not Decision.objects.exists()
    (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page.content.decode()))
    again = {**decision, "csrfmiddlewaretoken": token, MARK: mark_on(page)}
    assert browser.post(path, again).status_code == 302
    assert Decision.objects.get().opinion == OPINION


def test_a_form_of_somebody_else_is_refused_with_a_way_that_loses_nothing(
    people: scenes.Cast, order: Order, decision: dict[str, str]
) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(people.approver)
    browser.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    for mark in (mark_for(people.desk), "", "forged"):
        page = browser.post(f"/orders/{order.number}/decision/", {**decision, MARK: mark})
        assert page.status_code == 403
        assert "Go back with the browser: what you typed is still there" in text(page)
        assert OPINION not in page.content.decode()
    assert not Decision.objects.exists()


def test_without_a_session_and_without_its_cookies_it_is_kept_as_well(
    people: scenes.Cast, order: Order, decision: dict[str, str]
) -> None:
    browser = Client(enforce_csrf_checks=True)
    path = f"/orders/{order.number}/decision/"
    answer = browser.post(path, {**decision, MARK: mark_for(people.approver)})
    assert answer.headers["Location"].startswith("/sign-in/")
    assert len(kept_in(browser)) == 1


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
def test_what_another_sites_page_sends_replaces_no_session(
    people: scenes.Cast, order: Order, decision: dict[str, str], headers: dict[str, str]
) -> None:
    """A browser that is signed in leaves its cookies out (``SameSite``), and would take the new one."""
    browser = Client(enforce_csrf_checks=True)
    typed = {**decision, MARK: mark_for(people.approver)}
    answer = browser.post(f"/orders/{order.number}/decision/", typed, headers=headers)
    assert (answer.status_code, settings.SESSION_COOKIE_NAME in answer.cookies) == (403, False)
    assert not Session.objects.exists()


def test_what_our_own_page_sends_is_kept(people: scenes.Cast, order: Order, decision: dict[str, str]) -> None:
    browser = Client(enforce_csrf_checks=True)
    headers = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}
    typed = {**decision, MARK: mark_for(people.approver)}
    assert browser.post(f"/orders/{order.number}/decision/", typed, headers=headers).status_code == 302
    assert len(kept_in(browser)) == 1


@pytest.mark.parametrize("why", ["too old", "has left"])
def test_nothing_is_kept_for_a_page_of_days_ago_or_for_who_has_left(
    people: scenes.Cast, client: Client, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    typed = {"address": "wei@example.org", MARK: mark_for(people.approver)}
    if why == "has left":
        User.objects.filter(pk=people.approver.pk).update(is_active=False)
    else:
        later = time.time() + (MARK_LASTS + 2) * HOUR
        monkeypatch.setattr("govcloud.portal.resuming.time.time", lambda: later)
    client.logout()
    assert client.post("/account/mail/", typed).headers["Location"] == "/sign-in/?next=/account/mail/"
    assert kept_in(client) == {}


def test_of_two_that_are_kept_the_one_that_is_not_sent_yet_stays_and_every_page_leads_to_it(
    people: scenes.Cast, order: Order, client: Client
) -> None:
    path = f"/orders/{order.number}/reminder/"
    client.logout()
    first, second = (
        client.post(path, {"text": words, MARK: mark_for(people.applicant)}) for words in ("第一份", "第二份")
    )
    page = signing_in(client, first, people.applicant.username)
    (other,) = (key for key in kept_in(client) if key != hidden_on(page)[AGAIN])
    assert "第一份" in page.content.decode()
    assert f"{path}?{AGAIN}={other}" in page.content.decode()
    client.post(path, {"text": "", **hidden_on(page)})
    assert set(kept_in(client)) == {other}
    (way,) = parse_qs(urlsplit(second.headers["Location"]).query)["next"]
    account = client.get("/account/")
    assert f'href="{way}"' in account.content.decode()
    assert "第二份" in client.get(way).content.decode()


def test_what_nobody_signs_in_for_is_gone_with_its_session(
    people: scenes.Cast, order: Order, decision: dict[str, str], client: Client
) -> None:
    sent_too_late(client, people.approver, f"/orders/{order.number}/decision/", decision)
    tasks.sweep()
    assert Session.objects.exists()
    Session.objects.update(expire_date="2026-01-01T00:00:00Z")
    tasks.sweep()
    assert not Session.objects.exists()


# every form


def test_the_items_of_a_new_order_are_there_again(people: scenes.Cast, client: Client) -> None:
    typed = {
        "system": people.system.code, "title": "新系统上线", "justification": "业务高峰" * 2_500, "urgency": "",
        "declares_classified": "no", "do": "keep", "slot": ["network", "volume"],
        "0-name": "net", "0-zone": "private", "0-site": "main",
        "1-name": "ledger", "1-zone": "private", "1-storage_class": "ssd", "1-size_gb": "1,200", "1-lease_months": "12",
    }  # fmt: skip
    page = resumed(client, people.applicant, "/orders/new/", typed)
    html = page.content.decode()
    assert (page.status_code, HERE_AGAIN in text(page)) == (422, True)
    for value in ("新系统上线", "net", "ledger", "1,200"):
        assert f'value="{value}"' in html
    assert "业务高峰" * 2_500 in html  # as long as a reason may be
    assert not Order.objects.exists()


Case = tuple[User, str, dict[str, Any], tuple[str, ...]]


def of_an_order(people: scenes.Cast, at: datetime) -> dict[str, Case]:
    draft = scenes.draft(people, number=7, at=at)
    waiting = scenes.submitted(people, number=8, at=at)
    building = scenes.building(people, number=9, at=at)
    operation = building.case.thread and _operation_of(building)
    page, person = f"/orders/{waiting.number}/", str(people.admin.uuid)
    return {
        "heading": (
            people.applicant, f"/orders/{draft.number}/heading/",
            {"title": "改过的标题", "justification": "改过的理由", "declares_classified": "no", "version": "1"},
            ("改过的标题", "改过的理由"),
        ),
        "item": (
            people.applicant, f"/orders/{draft.number}/items/1/",
            {"slot": "network", "0-position": "0", "0-name": "core-net", "0-zone": "private", "0-site": "main",
             "version": "1", "do": "keep"},
            ("core-net",),
        ),
        "withdrawal": (people.applicant, f"{page}withdrawal/", {"reason": "预算调整"}, ("预算调整",)),
        "cancellation": (
            people.applicant, f"/orders/{building.number}/cancellation/", {"reason": "项目终止", "part": "all"}, ("项目终止",),
        ),
        "delegation": (
            people.approver, f"{page}decision/delegation/", {"stage": "unit", "person": person, "reason": "出差"}, ("出差",),
        ),
        "reviewer": (
            people.approver, f"{page}decision/reviewer/", {"stage": "unit", "person": person, "reason": "加签"}, ("加签",),
        ),
        "consultation": (
            people.approver, f"{page}decision/consultation/",
            {"stage": "unit", "person": person, "question": "够吗", "manner": "awaited"}, ("够吗",),
        ),
        "reminder": (people.applicant, f"{page}reminder/", {"text": "周五上线"}, ("周五上线",)),
        "abandonment": (people.admin, f"/operations/{operation}/abandonment/", {"reason": "云故障"}, ("云故障",)),
        "calling off an action": (
            people.applicant, f"/operations/{_stopping(people, at=at)}/cancellation/", {"reason": "点错了"}, ("点错了",),
        ),
    }  # fmt: skip


def _stopping(people: scenes.Cast, *, at: datetime) -> str:
    from govcloud.provisioning.actions.base import Nothing, actions  # noqa: PLC0415
    from govcloud.provisioning.actions.requests import request  # noqa: PLC0415

    server = whole_server(system=people.system, cloud=people.catalogue.cloud).resource
    asked = request(
        resource=server, action=actions()["stop"], parameters=Nothing(), actor=people.applicant, at=at
    )
    return str(asked.uuid)


def _operation_of(order: Order) -> str:
    from govcloud.provisioning.models import Operation  # noqa: PLC0415

    return str(Operation.objects.get(thread=order.uuid).uuid)


def of_the_organisation(people: scenes.Cast, at: datetime) -> dict[str, Case]:
    unit, system = people.department, people.system
    officer = member(Role.SECURITY_ADMIN, username="officer")
    keeper = member(Role.SYSTEM_ADMIN, username="keeper")
    held = people.desk.memberships.get()
    review = review_of(unit, at=at)
    line = review.lines.first()
    registering = {
        "code": "tax", "name": "税务系统", "zone": "public", "mlps_level": "2", "dr_level": "1", "owner_name": "李四",
        "owner_phone": "13900000000",
    }  # fmt: skip
    child = DepartmentFactory(parent=unit)
    opened(unit, vcpus=100)
    opened(child, vcpus=10)
    return {
        "unit": (
            people.desk, "/units/new/", {"name": "新单位", "credit_code": "x", "division": unit.division.code}, ("新单位",),
        ),
        "system": (people.applicant, f"/units/{unit.uuid}/new-system/", registering, ("税务系统", "李四", "13900000000")),
        "connection": (people.desk, f"/units/{unit.uuid}/connection/", {"to": "not_connected", "reason": "专线停用"}, ("专线停用",)),
        "change of a unit": (
            people.desk, f"/units/{unit.uuid}/change/",
            {"name": "更名后的单位", "credit_code": unit.credit_code, "division": unit.division.code, "version": "1"},
            ("更名后的单位",),
        ),
        "move": (people.desk, f"/units/{unit.uuid}/move/", {"parent": "", "reason": "机构改革"}, ("机构改革",)),
        "closing": (people.desk, f"/units/{unit.uuid}/closing/", {"reason": "撤销"}, ("撤销",)),
        "change of a system": (
            people.desk, f"/systems/{system.uuid}/change/", {**registering, "name": "改名系统", "version": "1"}, ("改名系统", "李四"),
        ),
        "retirement": (people.desk, f"/systems/{system.uuid}/retirement/", {"reason": "已被替代"}, ("已被替代",)),
        "role": (
            officer, "/security/roles/",
            {"username": "applicant", "role": "leader", "valid_until": "2099-12-31"}, ("applicant", "2099-12-31"),
        ),
        "revocation": (officer, f"/security/roles/{held.uuid}/revocation/", {"reason": "调离岗位"}, ("调离岗位",)),
        "account": (keeper, "/security/accounts/", {"username": "wang.wu", "name": "王五"}, ("wang.wu", "王五")),
        "departure": (
            officer, f"/people/{people.desk.uuid}/departure/", {"reason": "退休", "leave": "1", "seen": "x"}, ("退休",),
        ),
        "review": (
            officer, "/access-reviews/", {"title": "年度复核", "due": "2026-12-31", "unit": unit.credit_code}, ("年度复核",),
        ),
        "closing of a review": (officer, f"/access-reviews/{review.uuid}/closing/", {"reason": "提前结束"}, ("提前结束",)),
        "verdict": (
            officer, f"/access-reviews/{review.uuid}/lines/{line.uuid}/decision/",
            {"verdict": "ended", "reason": "不再需要"}, ("不再需要",),
        ),
        "allotment": (
            people.approver, f"/quota/{child.uuid}/allotment/",
            {"dimension": "vcpus", "limit": "37", "version": "1", "reason": "迁移高峰"}, ("37", "迁移高峰"),
        ),
        "limit": (
            people.admin, f"/quota/{child.uuid}/limits/vcpus/",
            {"kind": "limited", "limit": "37", "seen": "37", "version": "1", "reason": "核定"}, ("37", "核定"),
        ),
    }  # fmt: skip


def of_the_rest(people: scenes.Cast, at: datetime) -> dict[str, Case]:
    keeper = member(Role.SYSTEM_ADMIN, username="keeper")
    default_flow()
    draft = drafted()
    hook, _secret = webhook("https://localhost:1/", at=at)
    network = NetworkFactory(resource__system=people.system).resource
    taken = TakeoverFactory(cloud=network.cloud, project_name="oa-test")
    thing = CandidateFactory(takeover=taken)
    point = recovery_point(whole_server(system=people.system).volumes.first())
    on_volume = f"/resources/{point.volume.resource.uuid}/points/{point.uuid}"
    on_container = (
        f"/resources/{CredentialFactory(container__resource__system=people.system).container.resource.uuid}"
    )
    stage = {
        "code": "more", "name": "三级评审", "role": "technical_reviewer", "working_days": "2", "quorum": "one",
        "version": str(draft.version),
    }  # fmt: skip
    return {
        "absence": (
            people.approver, "/absences/",
            {"substitute": str(people.admin.uuid), "first": "2026-11-20", "last": "2026-11-24", "reason": "休假"},
            ("2026-11-20", "休假"),
        ),
        "name of a flow": (
            keeper, f"/flows/{draft.uuid}/name/", {"name": "新流程", "version": str(draft.version)}, ("新流程",),
        ),
        "stage": (keeper, f"/flows/{draft.uuid}/new-stage/", stage, ("三级评审",)),
        "changed stage": (keeper, f"/flows/{draft.uuid}/stages/intake/", {**stage, "code": "intake"}, ("三级评审",)),
        "webhook": (keeper, "/webhooks/", {"name": "监控平台", "url": "https://example.org/hook"}, ("监控平台",)),
        "changed webhook": (
            keeper, f"/webhooks/{hook.uuid}/", {"name": "监控平台", "url": "https://example.org/", "version": "1"}, ("监控平台",),
        ),
        "webhook switched off": (keeper, f"/webhooks/{hook.uuid}/switching-off/", {"reason": "对方停机"}, ("对方停机",)),
        "day": (
            keeper, "/calendar/entry/", {"day": "2027-02-06", "kind": "holiday", "name": "春节"}, ("2027-02-06", "春节"),
        ),
        "survey": (
            people.admin, "/takeovers/survey/", {"cloud": network.cloud.code, "project": "oa-生产"}, ("oa-生产",),
        ),
        "terms of a takeover": (
            people.admin, f"/takeovers/{taken.uuid}/assignment/", {"system": people.system.code, "zone": "public", "lease_end": "2031-03-09"}, ("2031-03-09",),
        ),
        "name of what is taken over": (
            people.admin, f"/takeovers/{taken.uuid}/things/{thing.uuid}/name/", {"name": "inner-net"}, ("inner-net",),
        ),
        "name that is taken for something": (
            people.admin, f"/takeovers/{taken.uuid}/names/",
            {"kind": "flavor", "cloud_name": "m1", "code": "x"}, ("oa-test",),
        ),
        "taking over": (
            people.admin, f"/takeovers/{taken.uuid}/taking/", {"candidate": str(thing.uuid)}, (str(thing.uuid),),
        ),
        "giving up": (
            people.admin, f"/takeovers/{taken.uuid}/giving-up/?view=ours",
            {"candidate": str(thing.uuid), "reason": "划错系统"}, ("oa-test",),
        ),
        "token": (people.applicant, "/account/tokens/", {"name": "夜间报表", "scope": "read", "days": "7"}, ("夜间报表",)),
        "mail address": (people.applicant, "/account/mail/", {"address": "wei@example.org"}, ("wei@example.org",)),
        "choices of notices": (
            people.applicant, "/inbox/preferences/", {"digest_hour": "9"}, ('<option value="9" selected>',),
        ),
        **{
            path: (people.authority, f"{path}/", {"reason": "涉诉证据"}, ("涉诉证据",))
            for each in (on_volume, on_container)
            for path in (f"{each}/hold", f"{each}/hold-lifting")
        },
        "name of a resource": (
            people.applicant, f"/resources/{network.uuid}/deeds/rename/", {"given": "core-net-2"}, ("core-net-2",),
        ),
        "rule": (
            people.applicant, f"/resources/{network.uuid}/deeds/add-rule/",
            {"add-rule-protocol": "tcp", "add-rule-port_min": "5432", "add-rule-description": "数据库"}, ("5432", "数据库"),
        ),
    }  # fmt: skip


def of_the_clouds(people: scenes.Cast, at: datetime) -> dict[str, Case]:
    cloud = people.catalogue.cloud
    expired = run_out(VolumeFactory(resource__system=people.system).resource, at=at)
    return {
        "new cloud": (
            people.admin, "/clouds/new/", {"code": "west", "name": "西区云", "parts": "1", "availability_zones-0-code": "part-a"},
            ("西区云", "part-a"),
        ),
        "change of a cloud": (
            people.admin, f"/clouds/{cloud.uuid}/change/", {"name": "东区新云", "parts": "0", "version": "1"}, ("东区新云",),
        ),
        "names on a cloud": (
            people.admin, f"/clouds/{cloud.uuid}/names/",
            {f"flavors-{FlavorFactory().code}": "m1.small", "version": "1"}, ("m1.small",),
        ),
        "maintenance": (
            people.admin, f"/clouds/{cloud.uuid}/maintenance/",
            {"ends_at": "2030-02-06T08:00", "running": "pause", "reason": "更换交换机"}, ("2030-02-06T08:00", "更换交换机"),
        ),
        "closing of a cloud": (
            people.admin, f"/clouds/{cloud.uuid}/deactivation/", {"reason": "设备搬迁"}, ("设备搬迁",),
        ),
        "postponement": (
            people.admin, f"/resources/{expired.resource.uuid}/postponement/",
            {"until": "2027-01-05T12:00", "reason": "审计尚未结束"}, ("2027-01-05T12:00", "审计尚未结束"),
        ),
        "end of a cloud": (
            people.admin, f"/clouds/{cloud.uuid}/retirement/", {"reason": "租期已满"}, ("租期已满",),
        ),
    }  # fmt: skip


@pytest.mark.parametrize("cases", [of_an_order, of_the_organisation, of_the_clouds, of_the_rest])
def test_what_was_typed_into_any_form_is_there_again_and_nothing_is_done(
    people: scenes.Cast,
    client: Client,
    at: datetime,
    cases: Callable[[scenes.Cast, datetime], dict[str, Case]],
) -> None:
    told = cases(people, at)
    before = _everything()
    for name, (person, path, typed, words) in told.items():
        page = resumed(client, person, path, typed)
        assert (page.status_code, HERE_AGAIN in text(page)) == (422, True), (name, page.status_code)
        for word in words:
            assert word in page.content.decode(), (name, word)
    assert _everything() == before


def _everything() -> list[object]:
    """What the forms would have changed."""
    return [
        list(Order.objects.order_by("pk").values_list("status", "version", "title")),
        [drafts_of(order) for order in Order.objects.order_by("pk")],
        list(Department.objects.order_by("pk").values_list("name", "closed_at", "parent", "connection")),
        list(System.objects.order_by("pk").values_list("name", "retired_at")),
        Membership.objects.count(),
        User.objects.count(),
        Absence.objects.count(),
        ApiToken.objects.count(),
        Event.objects.exclude(verb="session.opened").count(),
    ]


WITHOUT_WRITING = {
    "sign-out", "session", "set-language",  # what people sign in with is never kept, nor what follows
    "password", "second-factor", "recovery-codes", "second-factor-removal", "second-factors",
    "cloud-credentials",  # with the password of a cloud
    "resource-login-keys",  # a private key may have been pasted there
    "order-files", "units-import", "calendar-sheet",  # files
    "mail-removal", "mail-confirmation", "token-revocation", "anybodys-token-revocation", "account-password-reset",
    "role-confirmation", "inbox-reading", "inbox-opening", "calendar-removal", "finding-application",
    "audit-verification", "audit-export-now", "operation-retry", "resource-console", "resource-login-key-removal",
    "resource-secret", "system-owner", "order-item-removal", "order-submission", "order-file-removal",
    "cloud-activation", "cloud-maintenance-end", "takeover-survey-again", "consultation-waiver", "webhook-on",
    "webhook-secret", "webhook-redelivery", "absence-end", "flow-draft", "flow-stage-place", "flow-discarding", "passes",
}  # fmt: skip
"""Addresses of forms into which nothing is written that would be lost, or that must not be kept."""


def forms() -> dict[str, Callable[..., HttpResponse]]:
    """The views that take forms, by the names of their addresses."""
    found = {}
    for pattern in urlpatterns:
        if pattern.name in {"home", "sign-in"}:
            continue
        path = "/" + re.sub(r"<(\w+):\w+>", lambda kind: FILLED[kind[1]], str(pattern.pattern))
        request = RequestFactory().put(path)
        match = resolve(path)
        answer = match.func(request, *match.args, **match.kwargs)
        if "POST" in answer.headers.get("Allow", ""):
            found[str(pattern.name)] = match.func
    return found


def test_every_form_is_resumed_unless_nothing_is_written_into_it() -> None:
    resuming = {name for name, view in forms().items() if getattr(view, "resumes", False)}
    assert forms().keys() - resuming == WITHOUT_WRITING
    assert len(resuming) > 40


def test_no_password_code_or_file_is_in_a_form_that_is_kept() -> None:
    resuming = {name for name, view in forms().items() if getattr(view, "resumes", False)}
    secret = re.compile(r'type="(password|file)"|one-time-code|name="keys"')
    told = set()
    for template in Path("govcloud/portal/templates").rglob("*.html"):
        for form in re.findall(r"<form.*?</form>", template.read_text(), re.DOTALL):
            names = set(re.findall(r"{% url 'portal:([\w-]+)'", form.split(">")[0] + form))
            told |= names
            assert not (secret.search(form) and names & resuming), (template, names)
    assert told > {"password", "decision", "order-files"}


# the warning


def test_a_page_asks_how_long_the_session_lasts_without_using_it(
    people: scenes.Cast, signed_in: Signed
) -> None:
    browser = signed_in(people.applicant)
    browser.get("/orders/")
    session = browser.session
    session[LAST_ACTION] = before = time.time() - 800
    session.save()
    asked = {"HX-Request": "true"}
    left = browser.get(reverse("portal:session"), headers=asked).json()["left"]
    assert 95 <= left <= 100
    assert browser.session[LAST_ACTION] == before
    assert 'data-left="9' in browser.get("/absences/", headers=asked).content.decode()
    stayed = browser.post(reverse("portal:session")).json()["left"]
    assert stayed >= settings.SESSION_COOKIE_AGE - 2
    assert browser.session[LAST_ACTION] > before


def test_who_has_no_session_is_told_so(client: Client, db: None) -> None:
    assert client.post(reverse("portal:session")).json() == {"left": 0}
    assert client.get(reverse("portal:session"), headers={"HX-Request": "true"}).status_code == 204


def test_pages_of_who_has_not_signed_in_warn_of_nothing(
    people: scenes.Cast, signed_in: Signed, client: Client
) -> None:
    assert "session-ending" not in Client().get("/sign-in/").content.decode()
    page = signed_in(people.applicant, language="zh-hans").get("/orders/").content.decode()
    for words in ("会话即将结束", "继续保持登录"):
        assert words in page
