"""The items of a draft: changed, copied, taken out; and what happens when somebody was quicker."""

from datetime import datetime
from uuid import uuid4

import pytest
from django.test import Client

from govcloud.audit.models import Event
from govcloud.catalog.models import Flavor
from govcloud.catalog.services import retire_flavor
from govcloud.inventory.models import Server
from govcloud.orders import services
from govcloud.orders.drafts import NetworkDraft
from govcloud.orders.models import Order
from govcloud.orders.redrafting import drafts_of
from govcloud.portal.writing.choices import CHOICES
from tenants.models import Role
from tests.factories.inventory import whole_server
from tests.factories.orders import NETWORK, Scene, drafted, returned, submitted
from tests.factories.tenants import DepartmentFactory, member
from tests.portal.conftest import Signed
from tests.portal.reading import text
from tests.portal.writing.forms import Form, press


def address(order: Order, rest: str = "") -> str:
    return f"/orders/{order.number}/{rest}"


def test_an_item_is_changed_and_the_others_stay(browser: Client, order: Order) -> None:
    network, servers, backup = drafts_of(order)
    page = browser.get(address(order, "items/2/"))
    assert Form(page).values["0-data_volumes-0-size_gb"] == ["500"]
    answer = press(browser, page, typed={"0-flavor": "g.2c4g"})
    assert answer.status_code == 302
    order.refresh_from_db()
    assert order.version == 2
    assert (drafts_of(order)[0], drafts_of(order)[2]) == (network, backup)
    assert drafts_of(order)[1].flavor == "g.2c4g"
    assert drafts_of(order)[1].data_volumes == servers.data_volumes


def test_a_network_takes_its_servers_along_when_it_is_renamed(browser: Client, order: Order) -> None:
    assert (
        press(browser, browser.get(address(order, "items/1/")), typed={"0-name": "core"}).status_code == 302
    )
    assert drafts_of(order)[1].network == "core"


def test_a_problem_of_another_item_is_told_with_a_way_to_put_it_right_on_the_same_page(
    browser: Client, order: Order
) -> None:
    page = press(browser, browser.get(address(order, "items/2/")), typed={"0-quantity": "3"})
    assert page.status_code == 422
    assert "cannot hold one full backup" in text(page)
    assert address(order, "items/3/") in page.content.decode()
    page = press(browser, page, "fix-2")
    form = Form(page)
    assert (form.values["slot"], form.values["0-quantity"]) == (["server", "backup"], ["3"])
    assert press(browser, page, typed={"1-capacity_gb": "1800"}).status_code == 302
    assert [draft.quantity for draft in drafts_of(order)[1:2]] == [3]
    assert drafts_of(order)[2].capacity_gb == 1800


def test_a_copy_begins_with_what_the_item_has(browser: Client, order: Order) -> None:
    page = browser.get(address(order, "items/new/network/?from=1"))
    assert Form(page).values["0-name"] == ["app-net"]
    page = press(browser, page)
    assert "give each a name of its own" in text(page)
    assert press(browser, page, typed={"0-name": "db-net"}).status_code == 302
    assert [draft.name for draft in drafts_of(order)] == ["app-net", "app", "dr", "db-net"]


def test_an_item_is_taken_out(browser: Client, order: Order) -> None:
    page = browser.get(address(order))
    assert address(order, "items/1/removal/") in page.content.decode()
    refused = browser.post(address(order, "items/1/removal/"), {"version": "1"})
    assert "“app” is on the network “app-net”, which is neither one of this order" in text(refused)
    assert browser.post(address(order, "items/2/removal/"), {"version": "1"}).status_code == 302
    assert [draft.name for draft in drafts_of(order)] == ["app-net", "dr"]
    assert browser.post(address(order, "items/2/removal/"), {"version": "1"}).status_code == 409
    for position in (0, 3, 999):
        gone = browser.post(address(order, f"items/{position}/removal/"), {"version": "2"})
        assert gone.status_code == 404
    order.refresh_from_db()
    assert order.version == 2


def test_two_clicks_take_the_last_item_out_once(browser: Client, on: Scene, at: datetime) -> None:
    order = drafted(on, at=at, items=(NETWORK, NetworkDraft(name="db-net", zone="private")))
    path = address(order, "items/2/removal/")
    assert [browser.post(path, {"version": "1"}).status_code for _ in range(2)] == [302, 409]


def test_title_and_reason_are_changed_and_classified_work_is_asked_for_again(
    browser: Client, order: Order
) -> None:
    page = browser.get(address(order, "heading/"))
    assert Form(page).values["title"] == ["示例系统上云"]
    assert "declares_classified" not in Form(page).values
    assert "Answer this." in text(press(browser, page, typed={"title": "B"}))
    refused = press(browser, page, typed={"title": "Secret", "declares_classified": "yes"})
    assert (refused.status_code, "Secret" in refused.content.decode()) == (422, False)
    typed = {"title": "B", "justification": "line\nline", "declares_classified": "no"}
    assert press(browser, page, typed=typed).status_code == 302
    order.refresh_from_db()
    assert (order.title, order.justification, len(drafts_of(order))) == ("B", "line\nline", 3)


def revised(order: Order, on: Scene, items: list, at: datetime) -> None:
    services.revise(
        order=order,
        title=order.title,
        justification="",
        declares_classified=False,
        items=items,
        expected_version=order.version,
        actor=on.applicant,
        at=at,
    )


def test_who_was_slower_keeps_what_they_typed_and_puts_it_into_the_order_as_it_is_now(
    browser: Client, on: Scene, order: Order, at: datetime
) -> None:
    page = browser.get(address(order, "items/2/"))
    network, servers, backup = drafts_of(order)
    revised(order, on, [backup, network, servers], at)  # now it stands elsewhere
    page = press(browser, page, typed={"0-lease_months": "6"})
    assert page.status_code == 422
    assert "changed since you read it" in text(page)
    assert Form(page).values["0-lease_months"] == ["6"]
    assert press(browser, page).status_code == 302
    assert [getattr(draft, "lease_months", 0) for draft in drafts_of(order)] == [0, 0, 6]


def test_what_somebody_has_taken_out_meanwhile_is_told_and_comes_back_as_a_further_item(
    browser: Client, on: Scene, order: Order, at: datetime
) -> None:
    page = browser.get(address(order, "items/3/"))
    network, _servers, _backup = drafts_of(order)
    revised(order, on, [network], at)
    page = press(browser, page, typed={"0-capacity_gb": "1300"})
    assert "“dr” has been taken out meanwhile: kept again, yours is a further item." in text(page)
    assert press(browser, page).status_code == 302
    assert [draft.name for draft in drafts_of(order)] == ["app-net", "dr"]


def test_of_two_who_change_the_same_item_the_slower_replaces_it_after_being_told(
    browser: Client, order: Order
) -> None:
    slower = browser.get(address(order, "items/3/"))
    faster = press(browser, slower, typed={"0-capacity_gb": "1400"})
    assert faster.status_code == 302
    page = press(browser, slower, typed={"0-capacity_gb": "1300"})
    assert "“dr” has been changed meanwhile: kept again, yours replaces it." in text(page)
    assert press(browser, page).status_code == 302
    assert [getattr(draft, "capacity_gb", 0) for draft in drafts_of(order)] == [0, 0, 1300]


def test_no_item_of_the_page_is_put_in_the_place_of_another(browser: Client, on: Scene, at: datetime) -> None:
    first, second = NetworkDraft(name="one", zone="private"), NetworkDraft(name="two", zone="private")
    order = drafted(on, at=at, items=(first, second))
    page = press(browser, browser.get(address(order, "items/1/")), "fix-1")
    revised(order, on, [NetworkDraft(name="other", zone="private"), second], at)
    page = press(browser, page, typed={"0-name": "two", "1-name": "three"})
    assert "“two” has been taken out meanwhile" in text(page)
    assert press(browser, page).status_code == 302
    assert [draft.name for draft in drafts_of(order)] == ["other", "three", "two"]


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        ("items/3/", {"0-capacity_gb": "1400"}),
        ("items/new/network/", {"0-name": "further"}),
        ("heading/", {"title": "B", "declares_classified": "no"}),
    ],
)
def test_what_is_kept_twice_is_kept_once(
    browser: Client, order: Order, path: str, typed: dict[str, str | None]
) -> None:
    page = browser.get(address(order, path))
    answers = [press(browser, page, typed=typed).status_code for _ in range(2)]
    order.refresh_from_db()
    assert (answers, order.version) == ([302, 302], 2)


def test_of_what_is_said_of_the_order_the_slower_is_told_and_keeps_it_again(
    browser: Client, order: Order
) -> None:
    page = browser.get(address(order, "heading/"))
    press(browser, page, typed={"title": "B", "declares_classified": "no"})
    late = press(browser, page, typed={"title": "C", "declares_classified": "no"})
    assert "changed since you read it" in text(late)
    assert press(browser, late, typed={"declares_classified": "no"}).status_code == 302
    order.refresh_from_db()
    assert (order.title, order.version) == ("C", 3)


def test_more_items_than_are_begun_on_one_page_are_put_right_on_it(
    browser: Client, on: Scene, at: datetime
) -> None:
    networks = tuple(NetworkDraft(name=f"net-{n}", zone="private") for n in range(12))
    order = drafted(on, at=at, items=networks)
    page = browser.get(address(order, "items/1/"))
    for position in range(1, 12):
        page = press(browser, page, f"fix-{position}")
    assert press(browser, page, typed={"10-name": "last", "11-name": "very-last"}).status_code == 302
    assert [draft.name for draft in drafts_of(order)][9:] == ["net-9", "last", "very-last"]


def test_the_heading_leads_to_an_item_that_is_wrong_and_has_no_button_that_does_nothing(
    browser: Client, on: Scene, order: Order, at: datetime
) -> None:
    retire_flavor(flavor=Flavor.objects.get(code="g.4c16g"), actor=on.applicant, at=at)
    page = press(browser, browser.get(address(order, "heading/")), typed={"declares_classified": "no"})
    assert page.status_code == 422
    assert f'href="{address(order, "items/2/")}"' in page.content.decode()
    assert 'value="fix-1"' not in page.content.decode()


PAGES = (
    "heading/",
    "items/1/",
    "items/new/server/",
    "submission/",
)


@pytest.mark.parametrize("page", PAGES)
def test_foreign_orders_answer_404_and_are_audited(order: Order, signed_in: Signed, page: str) -> None:
    browser = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    assert browser.get(address(order, page)).status_code == 404
    assert browser.post(address(order, page), {"version": "1", "do": "keep"}).status_code == 404
    assert Event.objects.filter(verb="access.refused", subject_id=order.uuid).count() == 2


@pytest.mark.parametrize("page", [*PAGES, "items/1/removal/", "withdrawal/"])
def test_who_is_no_applicant_reads_and_does_not_write(
    on: Scene, order: Order, signed_in: Signed, page: str
) -> None:
    browser = signed_in(on.chain[Role.UNIT_APPROVER])
    shown = browser.get(address(order)).content.decode()
    assert address(order, "items/") not in shown
    assert address(order, "withdrawal/") not in shown
    assert browser.post(address(order, page), {"version": "1"}).status_code == 403
    order.refresh_from_db()
    assert (order.version, order.status) == (1, "draft")


@pytest.mark.parametrize("page", PAGES)
def test_what_is_in_approval_cannot_be_written(browser: Client, on: Scene, at: datetime, page: str) -> None:
    order = submitted(on, at=at)
    answer = browser.get(address(order, page))
    assert answer.status_code == 409
    assert "only a draft, or an order returned for correction" in text(answer)


def test_a_returned_order_is_corrected(browser: Client, on: Scene, at: datetime) -> None:
    order = returned(on, at=at)
    assert "Correct it and submit it again" in text(browser.get(address(order)))
    assert (
        press(browser, browser.get(address(order, "items/2/")), typed={"0-lease_months": "6"}).status_code
        == 302
    )
    assert drafts_of(order)[1].lease_months == 6


@pytest.mark.parametrize("path", ["items/9/", "items/0/", "items/new/nothing/"])
def test_items_that_there_are_not_answer_404(browser: Client, order: Order, path: str) -> None:
    assert browser.get(address(order, path)).status_code == 404


def test_what_another_department_has_answers_as_if_there_were_no_such_thing(
    browser: Client, order: Order
) -> None:
    foreign = whole_server().resource
    for item in ("release", "resize"):
        for target in (foreign.uuid, uuid4()):
            page = browser.get(address(order, f"items/new/{item}/?target={target}"))
            assert press(browser, page).status_code == 404
    assert Event.objects.filter(verb="access.refused").count() == 2
    assert Event.objects.filter(verb="access.refused", subject_id=foreign.uuid).count() == 2


def test_every_change_of_what_stands_is_written(
    browser: Client, on: Scene, server: Server, at: datetime
) -> None:
    data = server.volumes.get(role="data").resource
    order = drafted_for(on, at)
    for item, typed in {
        "extend": {"0-target": str(data.uuid), "0-size_gb": "800"},
        "resize": {"0-target": str(server.resource.uuid), "0-flavor": "g.8c32g"},
    }.items():
        page = browser.get(address(order, f"items/new/{item}/"))
        assert press(browser, page, typed=typed).status_code == 302, item
    page = text(browser.get(address(order)))
    assert "to 800 GB" in page
    assert "to 8 vCPU, 32 GB memory" in page
    again = press(browser, browser.get(address(order, "items/2/")), typed={"0-size_gb": "100"})
    assert "a volume can only grow" in Form(again).errors["0-size_gb"]


def drafted_for(on: Scene, at: datetime) -> Order:
    return drafted(on, at=at, items=(NETWORK,))


@pytest.mark.parametrize("deed", ["row-99", "rowless-0-99", "fix-99", "with-nothing", "drop-x", "\0", "row-"])
def test_buttons_that_there_are_not_do_nothing(browser: Client, order: Order, deed: str) -> None:
    page = browser.get(address(order, "items/1/"))
    assert press(browser, page, deed).status_code in {200, 302}
    assert drafts_of(order)[0].name == "app-net"


def test_odd_fields_are_answered_and_never_an_error_of_ours(browser: Client, order: Order) -> None:
    sent = {
        "version": "x",
        "slot": ["server", "nothing", "quota"],
        "0-rows": "999",
        "0-name": "a\0" * 500,
        "0-was": "\0",
    }
    for position in ("", "7", "-1", "999999999999"):
        answer = browser.post(address(order, "items/1/"), {**sent, "0-position": position, "do": "keep"})
        assert answer.status_code == 422


@pytest.mark.parametrize("slug", CHOICES)
@pytest.mark.usefixtures("server")
def test_what_no_list_offers_is_refused(browser: Client, order: Order, slug: str) -> None:
    path = address(order, f"items/new/{slug}/")
    page = browser.get(path)
    form = Form(page if CHOICES[slug].rows is None else press(browser, page, "row-0"))
    empty = {name: "1" for name in form.values if name[0] == "0" and form.values[name] == [""]}
    filled = {**empty, **{name: options[-1] for name, options in form.options.items()}}
    assert form.options
    for name in form.options:
        answer = browser.post(path, {**form.sent(**{**filled, name: "nothing"}), "do": "keep"})
        assert answer.status_code == 422, name
    order.refresh_from_db()
    assert order.version == 1
