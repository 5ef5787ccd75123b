"""The portal in a real browser: by keyboard alone, in both languages, while something is being built."""

from dataclasses import replace
from datetime import datetime
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from govcloud import clock
from govcloud.audit.services import SystemActor
from govcloud.orders.models import Unit
from govcloud.provisioning.lifecycle import StepState
from govcloud.provisioning.models import Operation, Step
from govcloud.quotas import services as quotas
from govcloud.quotas.ledger import Hold
from govcloud.quotas.models import QuotaAccount
from tenants.access import confirmations
from tenants.models import Role, User
from tests.factories.quotas import opened
from tests.factories.reconciliation import FindingFactory
from tests.factories.second_factors import code_of, confirmed, enrolled
from tests.factories.tenants import PASSWORD, DepartmentFactory, SystemFactory, member
from tests.portal import large_orders, scenes
from tests.portal.browser import PHONE

pytestmark = pytest.mark.django_db(transaction=True)


def sign_in(page: Page, name: str) -> None:
    page.goto("/sign-in/")
    page.locator("#id_username").fill(name)
    page.locator("#id_password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url.endswith("/orders/"))


def test_sign_in_by_keyboard_alone(page: Page) -> None:
    scenes.cast()
    page.goto("/")
    expect(page.get_by_label("用户名")).to_be_focused()
    page.keyboard.type("applicant")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(
        page.get_by_role("heading", name="Orders", exact=True)
    ).to_be_visible()  # the language of the person


def test_the_second_step_by_keyboard_alone(page: Page, at: datetime) -> None:
    secret, _codes = enrolled(scenes.cast().applicant, at=at)
    page.goto("/")
    page.keyboard.type("applicant")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_label("验证码")).to_be_focused()
    page.keyboard.type(code_of(secret, later=1))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Orders", exact=True)).to_be_visible()


def test_a_second_factor_is_confirmed_by_keyboard_alone(
    page: Page, at: datetime, settings: LazySettings
) -> None:
    settings.SECOND_FACTOR = "required"
    waiting, officer = member(Role.SERVICE_DESK), member(Role.SECURITY_ADMIN, username="officer")
    enrolled(waiting, at=at)
    secret, _codes = confirmed(officer, at=at)
    page.goto("/security/second-factors/")
    page.keyboard.type("officer")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_label("验证码")).to_be_focused()
    page.keyboard.type(code_of(secret, later=1))
    page.keyboard.press("Enter")
    page.get_by_label(f"Confirmation code of {waiting}").focus()
    page.keyboard.type(confirmations.code_of(waiting).lower())
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nobody waits.")).to_be_visible()


def test_a_password_is_reset_by_keyboard_alone(page: Page) -> None:
    somebody, admin = member(Role.FINANCE), member(Role.SYSTEM_ADMIN)
    sign_in(page, admin.username)
    page.set_viewport_size(PHONE)
    page.goto(f"/security/accounts/{somebody.uuid}/")
    page.get_by_text("Reset the password…").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Reset the password")).to_be_focused()
    page.keyboard.press("Enter")
    password = page.locator("#first-password")
    expect(password).to_be_visible()
    assert User.objects.get(pk=somebody.pk).check_password(password.inner_text())
    page.goto("/security/accounts/")
    expect(page.get_by_text("to be changed at the next sign-in")).to_be_visible()
    assert page.locator(".table-wrap").evaluate("e => e.scrollWidth <= e.clientWidth")


def test_first_tab_leads_past_the_navigation(page: Page) -> None:
    scenes.cast()
    sign_in(page, "applicant")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_focus_can_be_seen_on_everything_that_takes_it(page: Page) -> None:
    people = scenes.cast()
    scenes.submitted(people, at=clock.now())
    sign_in(page, "applicant")
    seen = set()
    for _key in range(20):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            "() => { const e = document.activeElement; return [e.outerHTML.slice(0, 90), getComputedStyle(e).outlineStyle] }"
        )
        if not name.startswith("<body"):
            seen.add(name)
            assert outline == "solid", name
    assert len(seen) > 12


def test_language_switch_keeps_the_page(page: Page) -> None:
    people = scenes.cast()
    order = scenes.submitted(people, decided=1, at=clock.now())
    sign_in(page, "applicant")
    page.goto(f"/orders/{order.number}/")
    page.get_by_role("button", name="简体中文").click()
    expect(page.get_by_role("heading", name="办理流程")).to_be_visible()
    assert page.url.endswith(f"/orders/{order.number}/")
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="The way of this order")).to_be_visible()


def test_language_switch_takes_along_what_is_typed_and_sends_nothing(page: Page) -> None:
    people = scenes.cast()
    sign_in(page, people.admin.username)
    page.goto("/clouds/new/")
    page.get_by_label("Name in Chinese").first.fill("西区云")
    page.locator("#mlps_level").select_option("2")
    page.get_by_label("A volume in use can grow").uncheck()
    page.locator("#zones-public-address_pool").fill("10.40.0.0/16")
    page.locator("#zones-public-address_pool").press("Tab")
    page.get_by_role("button", name="简体中文").click()
    expect(page.get_by_role("heading", name="登记云平台")).to_be_visible()
    for _switched in range(2):
        expect(page.locator("#name")).to_have_value("西区云")
        expect(page.locator("#mlps_level")).to_have_value("2")
        expect(page.locator("#online_extend")).not_to_be_checked()
        expect(page.locator("#sizes_must_match")).to_be_checked()
        expect(page.locator("#zones-public-address_pool")).to_have_value("10.40.0.0/16")
        page.locator("header").get_by_role("button", name="English").or_(
            page.locator("header").get_by_role("button", name="简体中文")
        ).click()
        page.wait_for_load_state()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    page.locator("#code").fill("west")
    page.get_by_role("button", name="登记").click()
    page.wait_for_url("**/credentials/")


def test_language_switch_takes_the_form_that_was_written_in_last(page: Page) -> None:
    people = scenes.cast()
    order = scenes.submitted(people, at=clock.now())
    sign_in(page, "approver")
    page.goto(f"/orders/{order.number}/decision/")
    page.locator("main textarea[name='opinion']").fill("同意")
    page.get_by_role("button", name="简体中文").click()
    expect(page.locator("main textarea[name='opinion']")).to_have_value("同意")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")


def test_with_many_systems_the_list_is_narrowed_by_what_is_offered_while_one_types(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("govcloud.portal.worktop.views.MOST_IN_A_MENU", 1)
    people = scenes.cast()
    scenes.submitted(people, number=1, at=clock.now(), title="门户网站扩容")
    other = SystemFactory(department=people.department, code="archive", name="档案系统", name_en="Archive")
    scenes.submitted(replace(people, system=other), number=2, at=clock.now(), title="档案系统备份")
    sign_in(page, "desk")
    field = page.get_by_label("System", exact=True)
    field.press_sequentially("rchi")
    option = page.locator("#filter-systems option")
    expect(option).to_have_count(1)
    expect(option).to_have_attribute("value", "archive")
    field.press("Enter")  # what was typed is no code and no name
    expect(page.get_by_role("row")).to_have_count(2)  # the heading and one order
    expect(page.get_by_text("档案系统备份")).to_be_visible()


def test_list_is_searched_and_an_order_opened(page: Page) -> None:
    people = scenes.cast()
    scenes.submitted(people, number=1, at=clock.now(), title="门户网站扩容")
    scenes.submitted(people, number=2, at=clock.now(), title="档案系统备份")
    sign_in(page, "desk")
    page.get_by_label("Search").fill("档案")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row")).to_have_count(2)  # the heading and one order
    page.get_by_role("link", name="GC-2026-000002").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("档案系统备份")


def test_order_page_follows_the_delivery_without_being_reloaded(page: Page) -> None:
    people = scenes.cast()
    order = scenes.building(people, done=2, at=clock.now())
    sign_in(page, "applicant")
    page.goto(f"/orders/{order.number}/")
    bar = page.get_by_role("progressbar", name="app-1")
    assert bar.get_attribute("value") == "31"
    page.evaluate("window.loaded = 'once'")
    page.get_by_text("All steps (2 of 8 done)").click()

    Step.objects.filter(label="app-1", state=StepState.SETTLING).update(state=StepState.DONE)
    expect(bar).to_have_attribute("value", "37")
    expect(page.get_by_text("All steps (3 of 8 done)")).to_be_visible()
    expect(
        page.get_by_text("waiting for earlier steps").first
    ).to_be_visible()  # what somebody opened stays open

    scenes.finish(order, people, at=clock.now())
    expect(page.get_by_role("status").first).to_have_text("fulfilled")
    expect(page.get_by_role("cell", name="10.20.0.11")).to_be_visible()
    assert page.locator("[hx-trigger]").count() == 0
    assert page.evaluate("window.loaded") == "once"


def test_a_large_order_is_narrowed_by_the_keyboard_and_follows_only_what_it_shows(page: Page) -> None:
    people = scenes.cast()
    order = large_orders.many_building(people, servers=20, at=clock.now())
    sign_in(page, "applicant")
    page.goto(f"/orders/{order.number}/")
    page.get_by_role("link", name="1 held up").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("progressbar")).to_have_count(1)
    expect(page.get_by_role("progressbar", name="app-13")).to_be_in_viewport()
    page.get_by_role("link", name="All steps (3 of 8 done) app-13").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".step-row")).to_have_count(8)
    page.evaluate("window.loaded = 'once'")

    Step.objects.filter(state=StepState.PARKED).update(state=StepState.SETTLING)
    expect(page.get_by_text("Nothing is in this state at present.")).to_be_visible()
    expect(page.get_by_role("link", name="3 in progress")).to_be_visible()
    assert page.evaluate("window.loaded") == "once"


def test_the_page_of_a_large_order_does_not_scroll_sideways_on_a_phone(page: Page) -> None:
    people = scenes.cast()
    order = large_orders.many_building(people, at=clock.now())
    scenes.finish(order, people, at=clock.now())
    sign_in(page, "admin")
    page.set_viewport_size(PHONE)
    for query in ("", "?trail=9&built=8&quote=6", "?state=done&progress=3"):
        page.goto(f"/orders/{order.number}/{query}")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], query


def test_polling_ends_with_the_delivery(page: Page) -> None:
    people = scenes.cast()
    order = scenes.building(people, at=clock.now())
    sign_in(page, "applicant")
    page.goto(f"/orders/{order.number}/")
    scenes.finish(order, people, at=clock.now())
    expect(page.get_by_role("status").first).to_have_text("fulfilled")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(5_000)
    assert asked == []


def test_what_is_chosen_to_be_called_off_stays_chosen_while_other_things_are_finished(page: Page) -> None:
    people = scenes.cast()
    order = scenes.building(people, at=clock.now())
    Unit.objects.filter(item__order=order).update(operation=Operation.objects.get(thread=order.uuid))
    sign_in(page, "applicant")
    page.goto(f"/orders/{order.number}/")
    page.get_by_text("Call off what does not stand yet…").click()
    chosen = page.get_by_label("What", exact=True)
    chosen.select_option(label="app-2 (server)")
    page.get_by_label("Reason", exact=True).fill("one is enough")
    picked = chosen.input_value()
    first = Unit.objects.get(item__order=order, name="app-1")
    Step.objects.filter(unit=first.uuid).update(state=StepState.DONE, next_run_at=None)
    with page.expect_response(lambda answer: answer.url.endswith(f"/orders/{order.number}/")) as polled:
        pass
    polled.value.finished()
    page.wait_for_timeout(500)
    assert (chosen.input_value(), picked) == (
        picked,
        str(Unit.objects.get(item__order=order, name="app-2").uuid),
    )
    expect(page.get_by_label("Reason", exact=True)).to_have_value("one is enough")
    page.get_by_role("button", name="Call off what does not stand yet").click()
    page.wait_for_load_state()
    called_off = Step.objects.filter(called_off_at__isnull=False)
    assert called_off.exists()
    assert not called_off.filter(unit=first.uuid).exists()
    assert "app-2" in set(called_off.values_list("label", flat=True))


def test_engine_page_follows_the_engine_without_being_reloaded(page: Page) -> None:
    people = scenes.cast()
    order = scenes.troubled_engine(people, at=clock.now())
    sign_in(page, "admin")
    page.locator("summary", has_text="More").focus()
    page.keyboard.press("Enter")
    for _key in range(3):  # substitutes, the clouds, the engine
        page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Engine")).to_be_focused()
    page.keyboard.press("Enter")
    told = page.get_by_role("status")
    expect(told).to_contain_text("1 operation waits for an administrator.")
    expect(told).to_contain_text("No worker has been seen")
    expect(page.get_by_role("cell", name="ran out: the next worker takes the step")).to_be_visible()
    page.evaluate("window.loaded = 'once'")

    scenes.recover(order, at=clock.now())
    expect(told).to_have_text("Nothing needs your attention.")
    expect(page.get_by_role("heading", name="Waiting for an administrator")).to_have_count(0)
    assert page.evaluate("window.loaded") == "once"
    page.get_by_role("button", name="简体中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("引擎")


def test_the_page_of_an_operation_follows_its_steps_and_leaves_a_reason_alone(page: Page) -> None:
    people = scenes.cast()
    order = scenes.building(people, done=2, at=clock.now())
    sign_in(page, "admin")
    page.goto(f"/operations/{Operation.objects.get(thread=order.uuid).uuid}/")
    expect(page.get_by_text("4 of 18 steps finished")).to_be_visible()
    page.evaluate("window.loaded = 'once'")
    reason = page.get_by_label("Abandon it")
    reason.fill("the image is")

    Step.objects.filter(label="app-1", state=StepState.SETTLING).update(state=StepState.DONE)
    expect(page.get_by_text("5 of 18 steps finished")).to_be_visible()
    expect(reason).to_be_focused()
    page.keyboard.type(" wrong")
    expect(reason).to_have_value("the image is wrong")

    scenes.finish(order, people, at=clock.now())
    expect(page.get_by_role("status").first).to_have_text("done")
    assert page.locator("[hx-trigger]").count() == 0
    assert page.evaluate("window.loaded") == "once"


def test_nothing_is_asked_of_another_host(page: Page) -> None:
    people = scenes.cast()
    order = scenes.building(people, at=clock.now())
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))
    sign_in(page, "admin")
    page.goto(f"/orders/{order.number}/")
    page.wait_for_load_state("networkidle")
    own = page.evaluate("location.origin")
    assert {url for url in asked if not url.startswith((own, "data:"))} == set()


@pytest.mark.parametrize(
    "path",
    [
        "/orders/",
        "/orders/GC-2026-000001/",
        "/sign-in/",
        "/engine/",
        "/quota/",
        "/quota/capacity/",
        "unit",
        "/clouds/new/",
        "/wipe-records/",
    ],
)
@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_no_page_scrolls_sideways_on_a_phone(page: Page, live_server, path: str, language: str) -> None:
    people = scenes.cast()
    scenes.finish(scenes.building(people, at=clock.now()), people, at=clock.now())
    scenes.troubled_engine(people, at=clock.now())
    opened(people.department, vcpus=100)
    path = path.replace("unit", f"/quota/{people.department.uuid}/?vcpus=5")
    if path != "/sign-in/":
        sign_in(page, "admin")
    page.context.add_cookies([{"name": "django_language", "value": language, "url": live_server.url}])
    page.set_viewport_size(PHONE)
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("width", [1366, 1024])
def test_the_bar_on_top_is_one_line_at_a_desk(page: Page, width: int) -> None:
    people = scenes.cast()
    people.admin.display_name = "A person with quite a long name indeed"
    people.admin.save()
    sign_in(page, "admin")
    page.set_viewport_size({"width": width, "height": 768})
    bar = page.locator(".topbar-row")
    assert bar.evaluate("e => e.offsetHeight") == page.locator(".topbar-nav").evaluate("e => e.offsetHeight")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_the_table_of_permissions_fits_a_small_desk(page: Page, live_server, language: str) -> None:
    scenes.cast()
    sign_in(page, "applicant")
    page.context.add_cookies([{"name": "django_language", "value": language, "url": live_server.url}])
    page.goto("/security/permissions/")
    table = page.locator(".matrix")
    assert table.evaluate("e => e.scrollWidth <= e.parentElement.clientWidth")
    heading = table.locator("tbody th").first
    page.set_viewport_size(PHONE)
    page.locator(".table-wrap").evaluate("e => e.scrollTo(200, 0)")
    expect(heading).to_be_in_viewport(ratio=0.9)  # what a row is called stays in sight


def test_the_history_of_an_order_is_shown_at_its_full_height(page: Page) -> None:
    people = scenes.cast()
    order = scenes.finish(scenes.building(people, at=clock.now()), people, at=clock.now())
    sign_in(page, "admin")
    page.goto(f"/orders/{order.number}/")
    height, shown, overflow = page.locator(".trail").evaluate(
        "e => [e.scrollHeight, e.clientHeight, getComputedStyle(e).overflowY]"
    )
    assert height <= shown
    assert overflow == "visible"


def test_without_scripts_everything_is_there(page: Page, live_server) -> None:
    people = scenes.cast()
    order = scenes.building(people, at=clock.now())
    plain = page.context.browser.new_context(java_script_enabled=False, base_url=live_server.url)
    window = plain.new_page()
    sign_in(window, "applicant")
    window.goto(f"/orders/{order.number}/")
    expect(window.get_by_text("Reload the page to see news.")).to_be_visible()
    expect(window.get_by_role("progressbar", name="app-1")).to_be_visible()
    plain.close()


def contrast_of_texts(page: Page) -> list[tuple[str, float]]:
    """Every visible text whose contrast to its ground is below what level AA of WCAG asks for."""
    return page.evaluate(
        """() => {
        const channels = c => { const x = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
            x.fillStyle = c; x.fillRect(0, 0, 1, 1); return [...x.getImageData(0, 0, 1, 1).data] };
        const over = (top, below) => { const a = top[3] / 255; return [0, 1, 2].map(i => top[i] * a + below[i] * (1 - a)) };
        const light = rgb => { const [r, g, b] = rgb.map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b };
        const ground = e => { const own = channels(getComputedStyle(e).backgroundColor);
            if (own[3] === 255) return own.slice(0, 3);
            return over(own, e.parentElement ? ground(e.parentElement) : [255, 255, 255]) };
        const low = [];
        for (const e of document.querySelectorAll('body *')) {
            const text = [...e.childNodes].filter(n => n.nodeType === 3 && n.textContent.trim()).map(n => n.textContent.trim()).join(' ');
            if (!text || e.closest('noscript') || !e.checkVisibility()) continue;
            const style = getComputedStyle(e), below = ground(e);
            const a = light(over(channels(style.color), below)), b = light(below);
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
            if (ratio < (large ? 3 : 4.5)) low.push([text.slice(0, 40), Math.round(ratio * 100) / 100]);
        }
        return low }"""
    )


def test_every_text_has_the_contrast_that_aa_asks_for(page: Page) -> None:
    people, at = scenes.cast(), clock.now()
    orders = [
        scenes.building(people, number=1, at=at),
        scenes.returned(people, number=2, decided=1, at=at),
        scenes.rejected(people, number=3, at=at),
        scenes.finish(scenes.building(people, number=4, at=at), people, at=at),
    ]
    scenes.park(orders[0], error="No valid host was found")
    scenes.troubled_engine(people, at=at)
    limits = opened(people.department, vcpus=100, servers=0, memory_gb=10, networks=1)
    hold = Hold(uuid4(), {"vcpus": 90, "memory_gb": 10, "networks": 1})
    quotas.hold(department=people.department, holds=[hold], at=at)
    quotas.set_limit(
        account=limits["networks"], limit=0, expected_version=1, actor=SystemActor("tests"), at=at
    )
    page.goto("/sign-in/")
    assert contrast_of_texts(page) == []
    sign_in(page, "admin")
    for path in (
        "/orders/",
        "/orders/?q=none",
        "/engine/",
        "/quota/",
        f"/quota/{people.department.uuid}/?vcpus=50&servers=many",
        f"/quota/{people.department.uuid}/?vcpus=50",
        "/quota/capacity/",
        *(f"/orders/{order.number}/" for order in orders),
    ):
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert contrast_of_texts(page) == [], path


def test_a_finding_is_dismissed_by_keyboard_alone(page: Page) -> None:
    people = scenes.cast()
    found = FindingFactory(renamed=True, status="open")
    sign_in(page, people.admin.username)
    page.goto(f"/findings/{found.uuid}/")
    reason = page.get_by_label("Dismiss it: it is known and shall stay so, because")
    reason.focus()
    page.keyboard.type("known since May")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Dismiss")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").get_by_text("dismissed")).to_be_visible()
    expect(page.get_by_text("known since May").first).to_be_visible()


def test_what_cannot_be_taken_back_is_asked_once_more(page: Page) -> None:
    people = scenes.cast()
    found = FindingFactory(renamed=True, kind="missing", remedy="mark_lost", status="open")
    sign_in(page, people.admin.username)
    page.goto(f"/findings/{found.uuid}/")
    lost = page.get_by_role("button", name="Record it as lost and give its quota back")
    expect(lost).not_to_be_visible()
    page.locator("main summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("This cannot be taken back.")).to_be_visible()
    expect(lost).to_be_visible()


def test_quota_is_handed_on_by_keyboard_alone(page: Page) -> None:
    people = scenes.cast()
    office = DepartmentFactory(parent=people.department, name_en="Example County Office")
    opened(people.department, vcpus=400)
    opened(office, vcpus=100)
    sign_in(page, people.approver.username)
    page.goto(f"/quota/{office.uuid}/")
    page.get_by_label("New limit: vCPU").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("150")
    page.keyboard.press("Tab")
    page.keyboard.type("migration")
    page.keyboard.press("Enter")
    expect(page.get_by_role("cell", name="handed on by the unit above")).to_be_visible()
    expect(page.get_by_role("progressbar", name="vCPU").first).to_be_visible()
    assert QuotaAccount.objects.get(department=office, dimension="vcpus").limit == 150


def test_what_was_typed_survives_the_end_of_the_session(page: Page) -> None:
    people = scenes.cast()
    order = scenes.submitted(people, at=clock.now())
    sign_in(page, "approver")
    page.goto(f"/orders/{order.number}/decision/")
    page.locator("#verb-approve").check()
    page.get_by_label("Opinion", exact=True).fill("同意扩容，三个月后复核。")
    Session.objects.all().delete()
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_text("What you typed is kept: sign in")).to_be_visible()
    page.locator("#id_username").fill("approver")
    page.locator("#id_password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing has been done yet")).to_be_visible()
    expect(page.get_by_label("Opinion", exact=True)).to_have_value("同意扩容，三个月后复核。")
    expect(page.locator("#verb-approve")).to_be_checked()
    page.reload()
    expect(page.get_by_label("Opinion", exact=True)).to_have_value("同意扩容，三个月后复核。")
    page.get_by_role("button", name="Sign", exact=True).click()
    page.wait_for_url(lambda url: url.endswith(f"/orders/{order.number}/"))
    expect(page.get_by_text("同意扩容，三个月后复核。").first).to_be_visible()


def test_who_signed_in_in_another_window_keeps_what_they_typed_in_the_first(page: Page) -> None:
    people = scenes.cast()
    order = scenes.submitted(people, at=clock.now())
    sign_in(page, "approver")
    page.goto(f"/orders/{order.number}/decision/")
    page.locator("#verb-return").check()
    page.get_by_label("Opinion", exact=True).fill("请补充容量依据。")
    Session.objects.all().delete()
    other = page.context.new_page()
    sign_in(other, "approver")
    other.close()
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_text("Nothing has been done yet")).to_be_visible()
    expect(page.get_by_label("Opinion", exact=True)).to_have_value("请补充容量依据。")
    page.get_by_role("button", name="Sign", exact=True).click()
    page.wait_for_url(lambda url: url.endswith(f"/orders/{order.number}/"))


@pytest.mark.parametrize(
    ("language", "stay", "back"),
    [("en", "Stay signed in", "Back to the page"), ("zh-hans", "继续保持登录", "返回页面")],
)
def test_a_page_with_a_form_warns_before_the_session_ends(
    page: Page, settings: LazySettings, language: str, stay: str, back: str
) -> None:
    people = scenes.cast()
    order = scenes.submitted(people, at=clock.now())
    settings.SESSION_COOKIE_AGE = 122  # seconds: the page warns two minutes before
    User.objects.update(language=language)
    sign_in(page, "approver")
    page.goto(f"/orders/{order.number}/decision/")
    opinion = page.locator("#opinion")
    opinion.fill("同意")
    warning = page.get_by_role("alertdialog")
    expect(warning).to_be_visible()
    expect(page.get_by_role("button", name=stay)).to_be_focused()
    settings.SESSION_COOKIE_AGE = 900
    page.keyboard.press("Enter")
    expect(warning).to_be_hidden()
    expect(opinion).to_be_focused()
    expect(opinion).to_have_value("同意")
    settings.SESSION_COOKIE_AGE = 122
    page.reload()
    expect(warning).to_be_visible()
    page.keyboard.press("Escape")
    expect(warning).to_be_hidden()
    Session.objects.all().delete()
    ended = page.get_by_role("button", name=back)
    expect(ended).to_be_focused(timeout=15_000)  # it asks every ten seconds
    page.keyboard.press("Enter")
    expect(ended).to_be_hidden()


def test_to_be_warned_is_no_use_of_the_session(page: Page, settings: LazySettings) -> None:
    scenes.submitted(scenes.cast(), at=clock.now())
    settings.SESSION_COOKIE_AGE = 125
    sign_in(page, "applicant")
    page.goto("/account/tokens/")
    before = Session.objects.get().expire_date
    with page.expect_response(lambda answer: answer.url.endswith("/session/")) as asked:
        expect(page.get_by_role("alertdialog")).to_be_visible(timeout=15_000)
    assert asked.value.json()["left"] <= 120
    assert Session.objects.get().expire_date == before


def test_a_page_without_a_form_warns_of_nothing(page: Page, settings: LazySettings) -> None:
    scenes.submitted(scenes.cast(), at=clock.now())
    settings.SESSION_COOKIE_AGE = 122
    sign_in(page, "applicant")
    with page.expect_response(lambda answer: answer.url.endswith("/session/")):
        page.goto("/orders/")
    expect(page.get_by_role("alertdialog")).to_be_hidden()
