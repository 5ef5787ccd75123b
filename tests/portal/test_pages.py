"""What every page promises: nothing from elsewhere, nothing inline, both languages, landmarks and labels."""

import re
from datetime import date, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.db import OperationalError, transaction
from django.http import HttpResponse
from django.test import Client, override_settings

from govcloud import clock
from govcloud.audit import services as audit
from govcloud.calendars.models import DayKind, SpecialDay
from govcloud.inventory.models import Resource
from govcloud.notifications import dispatch
from govcloud.notifications.models import Message
from govcloud.portal import states
from govcloud.portal.middleware import CONTENT_SECURITY_POLICY
from tenants.models import Role, System
from tests.factories import orders as made
from tests.factories.approvals import case_of, chain, default_flow, drafted
from tests.factories.inventory import CredentialFactory, SecurityRuleFactory, whole_server
from tests.factories.leases import found
from tests.factories.notifications import delivered, posted, webhook
from tests.factories.organisation import review_of
from tests.factories.quotas import opened
from tests.factories.second_factors import confirmed, enrolled
from tests.factories.supervision import overdue
from tests.factories.tenants import DepartmentFactory, asked_for, grant, member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text


class Elements(HTMLParser):
    """The elements of a page with their attributes, and which of them were left open."""

    VOID = frozenset({"meta", "link", "input", "br", "hr", "img"})

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(response.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag in tags]

    @property
    def ids(self) -> list[str | None]:
        return [attributes["id"] for _tag, attributes in self.found if "id" in attributes]


OF_SECURITY = {"roles": "/security/roles/", "everybody's tokens": "/security/tokens/"}


@pytest.fixture(
    params=[
        "sign-in",
        "list",
        "empty list",
        "draft",
        "in approval",
        "returned",
        "building",
        "fulfilled",
        "leases",
        "no leases",
        "engine",
        "troubled engine",
        "account",
        "mail address",
        "password",
        "second factor",
        "tokens",
        "permissions",
        "webhooks",
        "webhook",
        "roles",
        "everybody's tokens",
        "accounts",
        "an account",
        "first password",
        "quota",
        "quota of a unit",
        "limit of a quota",
        "granted and available",
        "units",
        "unit",
        "system",
        "new unit",
        "new system",
        "import",
        "people",
        "person",
        "reviews",
        "review",
        "new order",
        "new order with a server",
        "written order",
        "item",
        "item with mistakes",
        "title and reason",
        "submission",
        "what a system has",
        "change of what stands",
        "resource",
        "network",
        "network with mistakes",
        "container",
        "decision",
        "substitutes",
        "flows",
        "draft of a flow",
        "stage of a flow",
        "inbox",
        "notice",
        "what comes by mail",
        "audit",
        "event",
        "proof of the trail",
        "supervision",
        "calendar",
        "calendar with mistakes",
        "second factors",
        "404",
    ]
)
def shown(
    request: pytest.FixtureRequest, people: scenes.Cast, client: Client, signed_in: Signed, at: datetime
) -> HttpResponse:
    """Every page there is, one after the other, as whoever works with it sees it."""
    make = {
        "draft": lambda: scenes.draft(people, at=at),
        "in approval": lambda: scenes.submitted(people, decided=1, at=at),
        "returned": lambda: scenes.returned(people, decided=1, at=at),
        "building": lambda: scenes.building(people, at=at),
        "fulfilled": lambda: scenes.finish(scenes.building(people, at=at), people, at=at),
    }
    if request.param == "sign-in":
        return client.get("/sign-in/")
    if request.param in OF_SECURITY:
        officer = member(Role.SECURITY_ADMIN)
        asked_for(people.applicant, by=member(Role.SECURITY_ADMIN), at=clock.now())
        return signed_in(officer).get(OF_SECURITY[request.param])
    if request.param in {"decision", "substitutes"}:
        order, browser = scenes.submitted(people, at=at), signed_in(people.approver)
        return browser.get(
            f"/orders/{order.number}/decision/" if request.param == "decision" else "/absences/"
        )
    if request.param in ELSEWHERE:
        return ELSEWHERE[request.param](request.param, signed_in, at=at)
    browser = signed_in(people.admin)
    if request.param in make:
        return browser.get(f"/orders/{make[request.param]().number}/")
    if request.param == "troubled engine":
        scenes.troubled_engine(people, at=clock.now())
    scenes.submitted(people, at=at)
    if request.param == "leases":
        found(whole_server(system=people.system).resource, at=clock.now())
    opened(people.department, vcpus=100)
    grant(people.admin, Role.SECURITY_ADMIN)
    review = review_of(people.department, at=clock.now())
    paths = {
        "quota": "/quota/",
        "quota of a unit": f"/quota/{people.department.uuid}/?vcpus=5&servers=many",
        "limit of a quota": f"/quota/{people.department.uuid}/limits/vcpus/",
        "granted and available": "/quota/capacity/",
        "units": "/units/",
        "unit": f"/units/{people.department.uuid}/",
        "new unit": "/units/new/",
        "new system": f"/units/{people.department.uuid}/new-system/",
        "system": f"/systems/{people.system.uuid}/",
        "import": "/units/import/",
        "people": "/people/",
        "person": f"/people/{people.applicant.uuid}/",
        "reviews": "/access-reviews/",
        "review": f"/access-reviews/{review.uuid}/",
        "leases": "/leases/",
        "no leases": "/leases/?q=none",
        "list": "/orders/",
        "empty list": "/orders/?q=none",
        "404": "/orders/none/",
        "account": "/account/",
        "mail address": "/account/mail/",
        "password": "/account/password/",
        "second factor": "/account/second-factor/",
        "tokens": "/account/tokens/",
        "permissions": "/security/permissions/",
    }
    return browser.get(paths.get(request.param, "/engine/"))


def account_page(which: str, signed_in: Signed, *, at: datetime) -> HttpResponse:
    """The list with the form to open one, one with a second factor to be reset, or one with its first password."""
    person = member(Role.FINANCE)
    one = f"/security/accounts/{person.uuid}/"
    if which == "an account":
        confirmed(person, at=at)
        return signed_in(member(Role.SECURITY_ADMIN)).get(one)
    browser = signed_in(member(Role.SYSTEM_ADMIN))
    return (
        browser.get("/security/accounts/") if which == "accounts" else browser.post(f"{one}password-reset/")
    )


def webhook_page(which: str, signed_in: Signed, *, at: datetime) -> HttpResponse:
    """The list of webhooks, or one to which something was sent."""
    row, _secret = webhook("https://localhost:1/", at=at)
    posted(at=at)
    delivered(at=at)
    path = f"/webhooks/{row.uuid}/" if which == "webhook" else "/webhooks/"
    return signed_in(member(Role.SYSTEM_ADMIN)).get(path)


def flow_page(which: str, signed_in: Signed, *, at: datetime) -> HttpResponse:
    """A page of the approval flow, as a system administrator sees it."""
    default_flow()
    draft, browser = drafted(), signed_in(member(Role.SYSTEM_ADMIN))
    case_of(chain(), at=at)
    paths = {"flows": "", "draft of a flow": f"{draft.uuid}/?tried"}
    return browser.get(f"/flows/{paths.get(which, f'{draft.uuid}/stages/intake/')}")


def page_of_duty(which: str, signed_in: Signed, *, at: datetime) -> HttpResponse:
    """What some do beside orders: watch over limits and the trail, keep the calendar, confirm second factors."""
    if which == "second factors":
        enrolled(member(Role.LEADER), at=at)
        return signed_in(member(Role.SECURITY_ADMIN)).get("/security/second-factors/")
    if which == "calendar with mistakes":
        typed = {"day": "2026-02-31", "kind": "rest", "name": "春节"}
        return signed_in(member(Role.SYSTEM_ADMIN)).post("/calendar/entry/", typed)
    if which == "calendar":
        SpecialDay.objects.create(day=date(2026, 10, 1), kind=DayKind.REST, name="国庆节")
        return signed_in(member(Role.SYSTEM_ADMIN)).get("/calendar/?year=2026")
    if which == "supervision":
        overdue(at=clock.now())
        return signed_in(member(Role.SUPERVISOR)).get("/supervision/")
    with transaction.atomic():
        event = audit.record(
            actor=audit.SystemActor("tests"), verb="quota.limit_set", subject=DepartmentFactory(), at=at,
            before={"limit": 10}, after={"limit": 20},
        )  # fmt: skip
    paths = {"audit": "/audit/", "proof of the trail": "/audit/proof/"}
    path = paths.get(which, f"/audit/{event.uuid}/")
    return signed_in(member(Role.AUDIT_ADMIN)).get(path)


def inbox_page(which: str, signed_in: Signed, *, at: datetime) -> HttpResponse:
    person = member(Role.FINANCE)
    posted(person, at=at)
    dispatch.dispatch(at=at)
    paths = {"inbox": "", "what comes by mail": "preferences/"}
    return signed_in(person).get(f"/inbox/{paths.get(which, f'{Message.objects.get().uuid}/')}")


def in_use(kind: str, system: System) -> Resource:
    """A network with a rule, or a container with a credential."""
    if kind == "network":
        return SecurityRuleFactory(network__resource__system=system).network.resource
    return CredentialFactory(container__resource__system=system).container.resource


def page_of_writing(which: str, signed_in: Signed, *, at: datetime) -> HttpResponse:
    """A page on which an applicant writes an order."""
    on = made.scene()
    browser, order = signed_in(on.applicant), made.drafted(on, at=at)
    server = whole_server(system=on.system, cloud=on.catalogue.cloud, name="old-1")
    page, standing = f"/orders/{order.number}/", f"/systems/{on.system.uuid}/standing/"
    if which in {"network", "container"}:
        return browser.get(f"/resources/{in_use(which, on.system).uuid}/")
    if which == "network with mistakes":
        return browser.post(
            f"/resources/{in_use('network', on.system).uuid}/deeds/add-rule/", {"add-rule-port_min": "x"}
        )
    if which == "item with mistakes":
        return browser.post(
            f"{page}items/2/", {"slot": "server", "0-rows": "2", "version": "1", "do": "keep"}
        )
    paths = {
        "new order": "/orders/new/",
        "new order with a server": f"/orders/new/?system={on.system.code}&item=server",
        "written order": page,
        "item": f"{page}items/2/",
        "title and reason": f"{page}heading/",
        "submission": f"{page}submission/",
        "what a system has": standing,
        "change of what stands": f"{standing}{server.resource.uuid}/",
        "resource": f"/resources/{server.resource.uuid}/",
    }
    return browser.get(paths[which])


ELSEWHERE = {
    **dict.fromkeys(
        (
            "new order",
            "new order with a server",
            "written order",
            "item",
            "item with mistakes",
            "title and reason",
            "submission",
            "what a system has",
            "change of what stands",
            "resource",
            "network",
            "network with mistakes",
            "container",
        ),
        page_of_writing,
    ),
    **dict.fromkeys(("accounts", "an account", "first password"), account_page),
    **dict.fromkeys(("webhooks", "webhook"), webhook_page),
    **dict.fromkeys(("flows", "draft of a flow", "stage of a flow"), flow_page),
    **dict.fromkeys(("inbox", "notice", "what comes by mail"), inbox_page),
    **dict.fromkeys(
        (
            "audit",
            "event",
            "proof of the trail",
            "supervision",
            "calendar",
            "calendar with mistakes",
            "second factors",
        ),
        page_of_duty,
    ),
}


def test_nothing_is_loaded_or_linked_from_elsewhere(shown: HttpResponse) -> None:
    for _tag, attributes in Elements(shown).found:
        for name in ("href", "src", "action", "hx-get"):
            address = attributes.get(name) or ""
            assert address.startswith(("/", "?", "#", "data:image/svg+xml;base64,")) or not address
            assert not address.startswith("//")


def test_nothing_is_inline(shown: HttpResponse) -> None:
    page = Elements(shown)
    assert all(script.get("src") for script in page.all("script"))
    assert not page.all("style")
    for _tag, attributes in page.found:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_policy_allows_only_our_own(shown: HttpResponse) -> None:
    assert shown.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_elements_are_closed_in_order_and_ids_are_unique(shown: HttpResponse) -> None:
    page = Elements(shown)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))


def test_landmarks_headings_and_labels(shown: HttpResponse) -> None:
    page = Elements(shown)
    assert len(page.all("main")) == len(page.all("h1")) == len(page.all("header")) == 1
    assert page.all("html")[0]["lang"] in {"zh-Hans", "en"}
    assert page.all("a")[0]["href"] == "#main"
    labelled, there = {label["for"] for label in page.all("label")}, page.ids
    for field in page.all("input", "select", "textarea"):
        if field.get("type") != "hidden":
            assert field.get("id") in labelled or field["aria-labelledby"] in there
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(heading.get("scope") in {"row", "col"} for heading in page.all("th"))


def test_foreign_words_are_marked_as_such(shown: HttpResponse) -> None:
    switch = [button for button in Elements(shown).all("button") if button.get("name") == "language"]
    assert [button["lang"] for button in switch] in ([["zh-Hans"], ["en"]])


@pytest.mark.parametrize(
    ("language", "words"), [("en", "There is no such page"), ("zh-hans", "没有这个页面")]
)
def test_unknown_addresses_answer_404_in_both_languages(
    client: Client, db: None, language: str, words: str
) -> None:
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    response = client.get("/nowhere")
    assert response.status_code == 404
    assert words in text(response)


@pytest.mark.parametrize(
    ("language", "words"), [("en", "could not be trusted"), ("zh-hans", "无法确认表单来源")]
)
def test_forms_without_their_token_answer_403(db: None, language: str, words: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    response = client.post("/sign-in/", {})
    assert response.status_code == 403
    assert words in text(response)


@pytest.mark.parametrize(
    ("language", "words"), [("en", "could not be understood"), ("zh-hans", "无法理解该请求")]
)
def test_malformed_requests_answer_400(client: Client, db: None, language: str, words: str) -> None:
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    with override_settings(DATA_UPLOAD_MAX_NUMBER_FIELDS=1):
        response = client.post("/sign-in/", {"username": "a", "password": "b"})
    assert response.status_code == 400
    assert words in text(response)


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Something went wrong here"), ("zh-hans", "系统出现错误")]
)
@pytest.mark.parametrize("fault", [(RuntimeError, 500), (OperationalError, 503)])
@pytest.mark.django_db
def test_faults_answer_500_and_503_where_it_helps_to_try_again(
    client: Client, monkeypatch: pytest.MonkeyPatch, language: str, words: str, fault: tuple[Any, int]
) -> None:
    error, status = fault

    def broken() -> datetime:
        raise error("the clock has stopped")

    monkeypatch.setattr("govcloud.clock.now", broken)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    client.raise_request_exception = False
    response = client.post("/sign-in/", {"username": "a", "password": "b"})
    assert response.status_code == status
    page = text(response)
    assert words in page
    assert str(status) in page
    assert "clock has stopped" not in response.content.decode()


def test_every_icon_is_in_the_sprite(shown: HttpResponse) -> None:
    sprite = sprite_symbols()
    used = {str(use["href"]).split("#")[1] for use in Elements(shown).all("use")}
    assert used <= sprite


def test_every_state_has_an_icon_of_the_sprite() -> None:
    assert {look.icon for look in states.LOOKS.values()} <= sprite_symbols()


def sprite_symbols() -> set[str]:
    with open(str(finders.find("portal/vendor/tabler-icons/icons.svg")), encoding="utf-8") as file:  # noqa: PTH123
        return set(re.findall(r'<symbol id="([^"]+)"', file.read()))


@pytest.mark.parametrize("name", ["portal/vendor/tabler/tabler.min.css", "portal/portal.css"])
def test_style_sheets_load_nothing_from_elsewhere(name: str) -> None:
    with open(str(finders.find(name)), encoding="utf-8") as file:  # noqa: PTH123
        sheet = file.read()
    assert "@import" not in sheet
    assert "sourceMappingURL" not in sheet
    assert [
        url for url in re.findall(r"url\(([^)]*)", sheet) if not url.strip("\"'").startswith(("data:", "#"))
    ] == []
