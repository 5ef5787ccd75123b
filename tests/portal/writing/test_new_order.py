"""A new order, from what it is for to its first items."""

import re
from datetime import datetime

import pytest
from django.http import HttpResponse
from django.test import Client

from govcloud.audit.models import Event, Outcome
from govcloud.inventory.models import Resource, Server
from govcloud.orders.models import Order
from tenants.models import Role
from tests.factories.inventory import BackupAllowanceFactory
from tests.factories.orders import Scene
from tests.factories.tenants import DepartmentFactory, SystemFactory, member
from tests.portal.conftest import Signed
from tests.portal.reading import text
from tests.portal.writing.forms import Form, press

BACKED_UP = {"2-name": "dr", "2-dr_level": "3", "2-capacity_gb": "40"}
FILLED = {
    "0-name": "net",
    "1-name": "web",
    "1-flavor": "g.2c4g",
    "1-system_volume-storage_class": "ssd",
    **BACKED_UP,
}


def begun(browser: Client, on: Scene, item: str = "server", **heading: str) -> HttpResponse:
    page = browser.get("/orders/new/")
    typed = {"system": on.system.code, "title": "A first server", "declares_classified": "no", **heading}
    return press(browser, page, f"with-{item}", typed)


def test_a_server_brings_the_network_and_the_backup_that_it_needs(browser: Client, on: Scene) -> None:
    page = begun(browser, on)
    assert Form(page).values["slot"] == ["network", "server", "backup"]
    assert Form(page).values["1-network"] == ["@"]
    answer = press(browser, page, typed=FILLED)
    order = Order.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/orders/{order.number}/")
    assert [item.name for item in order.items.order_by("position")] == ["net", "web", "dr"]
    assert order.items.get(name="web").server.network_item == order.items.get(name="net")


def test_what_the_system_has_elsewhere_or_not_any_more_is_not_what_a_server_needs(
    browser: Client, on: Scene, server: Server
) -> None:
    backup = BackupAllowanceFactory(resource__system=on.system, resource__cloud=on.catalogue.cloud)
    assert Form(begun(browser, on)).values["slot"] == ["server"]
    Resource.objects.filter(system=on.system, kind="network").update(zone="public")
    Resource.objects.filter(pk=backup.pk).update(status="releasing")
    assert Form(begun(browser, on)).values["slot"] == ["network", "server", "backup"]
    Resource.objects.filter(system=on.system, kind="network").update(zone="private", status="releasing")
    assert Form(begun(browser, on)).values["slot"] == ["network", "server", "backup"]


def test_the_draft_shows_its_price_its_effect_and_its_route(browser: Client, on: Scene) -> None:
    draft = press(browser, begun(browser, on), typed=FILLED)
    page = text(browser.get(draft.headers["Location"]))
    for words in ("¥200.00", "What it takes of the quota", "Technical review", "if submitted now"):
        assert words in page  # 2 x 46 + 4 x 17 + 40 x 0.7 + 40 x 0.3


def test_a_form_that_is_sent_twice_makes_one_order(browser: Client, on: Scene) -> None:
    page = begun(browser, on)
    first, second = press(browser, page, typed=FILLED), press(browser, page, typed=FILLED)
    assert first.headers["Location"] == second.headers["Location"]
    assert Order.objects.count() == 1
    assert press(browser, begun(browser, on), typed=FILLED).headers["Location"] != first.headers["Location"]


def test_a_form_that_has_made_an_order_and_was_changed_makes_a_further_one_when_that_is_wanted(
    browser: Client, on: Scene
) -> None:
    page = begun(browser, on)
    press(browser, page, typed=FILLED)
    order = Order.objects.get()
    back = press(browser, page, typed={**FILLED, "title": "A second server"})
    assert back.status_code == 422
    assert f"This form has made the order {order.number} already" in text(back)
    assert Order.objects.count() == 1
    assert press(browser, back).status_code == 302
    assert list(Order.objects.order_by("pk").values_list("title", flat=True)) == [
        "A first server",
        "A second server",
    ]


@pytest.mark.parametrize(("field", "most"), [("justification", 10_000), ("urgency", 500), ("title", 120)])
def test_what_is_too_long_is_told_and_not_cut(browser: Client, on: Scene, field: str, most: int) -> None:
    page = press(browser, begun(browser, on), typed={**FILLED, field: "x" * (most + 1)})
    assert page.status_code == 422
    assert Form(page).errors[field] == f"Write at most {most} characters."
    assert Form(page).values[field] == ["x" * (most + 1)]


def test_lists_tell_prices_and_only_zones_that_the_system_may_use(browser: Client, on: Scene) -> None:
    page = begun(browser, on)
    assert Form(page).options["0-zone"] == ["", "private", "public"]
    for words in ("2 vCPU, 4 GB memory · ¥160.00 a month", "¥0.70 per GB and month"):
        assert words in text(page)


def test_everything_that_is_wrong_is_told_at_its_field_and_what_was_typed_stays(
    browser: Client, on: Scene
) -> None:
    wrong = {**FILLED, "1-name": "Web!", "1-quantity": "many", "2-capacity_gb": "10", "title": ""}
    page = press(browser, begun(browser, on), typed=wrong)
    form = Form(page)
    assert page.status_code == 422
    assert form.errors == {"1-quantity": "Write a whole number, in digits only."}  # read before it is judged
    page = press(browser, page, typed={"1-quantity": "1"})
    form = Form(page)
    assert form.errors.keys() == {"1-name", "2-capacity_gb", "title"}
    assert "lower-case letters" in form.errors["1-name"]
    assert (form.values["1-name"], form.values["2-capacity_gb"]) == (["Web!"], ["10"])
    assert 'href="#1-name"' in page.content.decode()
    assert not Order.objects.exists()


def test_data_volumes_come_and_go_by_buttons_and_keep_what_was_typed(browser: Client, on: Scene) -> None:
    page = press(browser, begun(browser, on), "row-1", FILLED)
    first = {"1-data_volumes-0-storage_class": "sas", "1-data_volumes-0-size_gb": "100"}
    page = press(browser, page, "row-1", first)
    second = {"1-data_volumes-1-storage_class": "capacity", "1-data_volumes-1-size_gb": "7"}
    page = press(browser, page, "rowless-1-0", second)
    form = Form(page)
    assert form.values["1-data_volumes-0-size_gb"] == ["7"]
    assert form.values["1-data_volumes-0-storage_class"] == ["capacity"]
    assert form.values["1-name"] == ["web"]
    press(browser, page, typed={"2-capacity_gb": "47"})
    volumes = Order.objects.get().items.get(name="web").volumes.order_by("position")
    assert [(volume.storage_class.code, volume.size_gb) for volume in volumes] == [
        ("ssd", 40),
        ("capacity", 7),
    ]


def test_a_wrong_data_volume_is_told_at_its_row(browser: Client, on: Scene) -> None:
    page = press(browser, begun(browser, on), "row-1", FILLED)
    volume = {"1-data_volumes-0-storage_class": "sas", "1-data_volumes-0-size_gb": "9,999,999"}
    page = press(browser, page, typed=volume)
    assert "is not possible" in Form(page).errors["1-data_volumes-0-size_gb"]


def test_limits_are_taken_as_large_as_the_api_takes_them(browser: Client, on: Scene) -> None:
    page = begun(browser, on, "quota")
    typed = {"0-dimension": "storage_gb", "0-limit": "1,000,000,000,001"}
    page = press(browser, page, typed=typed)
    assert Form(page).errors == {"0-limit": "1,000,000,000,000 is the most that is possible."}
    page = press(browser, page, typed={"0-limit": "3,000,000,000"})
    assert "is the most that is possible" not in text(page)


def test_an_item_can_be_left_out_again(browser: Client, on: Scene) -> None:
    page = press(browser, begun(browser, on, "volume"), "with-container")
    page = press(browser, page, "drop-0", {"1-name": "docs"})
    assert Form(page).values["slot"] == ["container"]
    assert Form(page).values["0-name"] == ["docs"]


def test_classified_work_is_refused_audited_and_shown_no_more(browser: Client, on: Scene) -> None:
    page = begun(browser, on, title="Secret plan", declares_classified="yes")
    assert page.status_code == 422
    assert "must not be entered here" in text(page)
    assert "Secret plan" not in page.content.decode()
    event = Event.objects.get(verb="order.classified")
    assert (event.outcome, event.reason) == (Outcome.REFUSED, "classified-work")


def test_nothing_goes_on_before_it_is_said_that_the_work_is_not_classified(
    browser: Client, on: Scene
) -> None:
    page = press(browser, browser.get("/orders/new/"), "with-server", {"system": on.system.code})
    assert page.status_code == 422
    assert Form(page).errors == {"declares_classified": "Answer this."}
    assert "slot" not in Form(page).values


@pytest.mark.parametrize("whose", ["foreign", "retired", "unknown"])
def test_only_systems_of_the_own_department_in_service_can_be_ordered_for(
    browser: Client, on: Scene, whose: str
) -> None:
    system = {
        "foreign": lambda: SystemFactory(department=DepartmentFactory()).code,
        "retired": lambda: SystemFactory(department=on.department, retired_at="2026-01-01T00:00Z").code,
        "unknown": lambda: "nothing\0",
    }[whose]()
    page = begun(browser, on, system=system)
    assert page.status_code == 422
    assert Form(page).errors["system"] == "Choose one of your systems."
    assert system not in Form(browser.get("/orders/new/")).options["system"]


def test_items_written_for_a_system_that_has_gone_are_not_shown_with_another(
    browser: Client, on: Scene, at: datetime
) -> None:
    page = begun(browser, on)
    on.system.retired_at = at
    on.system.save()
    page = press(browser, page, typed=FILLED)
    assert page.status_code == 422
    assert "slot" not in Form(page).values
    assert Form(page).values["title"] == ["A first server"]


@pytest.mark.parametrize("role", [Role.UNIT_APPROVER, Role.CLOUD_ADMIN])
def test_who_is_no_applicant_cannot_begin_one(on: Scene, signed_in: Signed, role: Role) -> None:
    person = member(role, on.department) if role == Role.UNIT_APPROVER else member(role)
    browser = signed_in(person)
    assert browser.get("/orders/new/").status_code == 403
    assert browser.post("/orders/new/", {"do": "keep"}).status_code == 403
    assert 'href="/orders/new/"' not in browser.get("/orders/").content.decode()


def test_the_applicant_finds_it_on_every_page(browser: Client) -> None:
    assert 'href="/orders/new/"' in browser.get("/orders/").content.decode()


def test_with_many_systems_the_field_offers_names_while_one_types(browser: Client, on: Scene) -> None:
    SystemFactory.create_batch(51, department=on.department)
    assert 'hx-get="/orders/new/systems"' in browser.get("/orders/new/").content.decode()
    other = SystemFactory(name=on.system.name, department=DepartmentFactory())
    offered = browser.get("/orders/new/systems", {"system": on.system.code}).content.decode()
    assert on.system.code in offered
    assert f'"{other.code}"' not in offered


def test_a_system_is_found_by_its_name_where_people_type_it(browser: Client, on: Scene) -> None:
    SystemFactory.create_batch(51, department=on.department)
    on.system.name, on.system.name_en = "医保结算平台", "Settlement"
    on.system.save()
    for typed in ("医保结算平台", "Settlement", "结算平台", on.system.code):
        assert Form(begun(browser, on, system=typed)).values["system"] == [on.system.code], typed


def test_a_name_that_several_systems_have_is_asked_about(browser: Client, on: Scene) -> None:
    SystemFactory.create_batch(51, department=on.department)
    for code in ("tax-1", "tax-2"):
        SystemFactory(department=on.department, code=code, name="税务系统", name_en="Tax")
    SystemFactory(department=DepartmentFactory(), code="tax-3", name="税务系统", name_en="Tax")
    page = begun(browser, on, system="税务")
    told = Form(page).errors["system"]
    assert told == "Several of your systems match: Tax (tax-1), Tax (tax-2). Choose one of them."
    assert (page.status_code, Form(page).values["system"]) == (422, ["税务"])
    assert Form(page).values["title"] == ["A first server"]


def test_items_of_a_system_that_has_gone_do_not_move_to_one_with_a_similar_code(
    browser: Client, on: Scene, at: datetime
) -> None:
    page = begun(browser, on)
    SystemFactory(department=on.department, code=f"{on.system.code}-2")
    on.system.retired_at = at
    on.system.save()
    page = press(browser, page, typed=FILLED)
    assert Form(page).errors["system"] == "Choose one of your systems."
    assert not Order.objects.exists()


def test_it_is_written_in_chinese(on: Scene, signed_in: Signed) -> None:
    browser = signed_in(on.applicant, language="zh-hans")
    page = begun(browser, on)
    for words in ("新建申请单", "每月 ¥160.00", "系统盘：容量 (GB)", "（可不填）", "该工作是否涉密？"):
        assert words in text(page)
    page = press(browser, page, typed={**FILLED, "1-name": "Web!"})
    assert "尚未保存" in text(page)
    problems = re.search(r'id="problems".*?</ul>', page.content.decode(), re.DOTALL)
    assert problems is not None
    assert re.search(r"，名称</a>：", problems[0])
    assert "(可不填)" not in text(page)
