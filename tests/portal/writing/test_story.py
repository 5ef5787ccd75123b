"""The order of the README's first calls, written and submitted in a real browser by keyboard alone."""

from datetime import datetime

import pytest
from playwright.sync_api import Page, expect

from govcloud.orders.models import Order
from tests.factories.orders import scene
from tests.factories.tenants import PASSWORD
from tests.portal.browser import PHONE

pytestmark = pytest.mark.django_db(transaction=True)


def sign_in(page: Page, name: str) -> None:
    page.goto("/sign-in/")
    page.locator("#id_username").fill(name)
    page.locator("#id_password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url.endswith("/orders/"))


def go(page: Page, role: str, name: str) -> None:
    """To a link or a button by the keyboard, and follow it."""
    page.get_by_role(role, name=name, exact=True).first.focus()  # type: ignore[arg-type]
    page.keyboard.press("Enter")


def choose(page: Page, label: str, typed: str) -> None:
    """An option of a list, by its first letters, as keyboards do."""
    page.get_by_label(label, exact=True).focus()
    page.keyboard.type(typed)


def test_an_order_is_written_and_submitted_by_keyboard_alone(page: Page, at: datetime) -> None:
    on = scene(level_3=False, mlps_level=1, zone="public", filing_number="")
    sign_in(page, on.applicant.username)
    go(page, "link", "New order")
    expect(page.get_by_label("System", exact=True)).to_be_focused()
    choose(page, "System", on.system.name_en[:20])
    page.keyboard.press("Tab")
    page.keyboard.type("A first server")
    page.get_by_label("No, it is not classified.").focus()
    page.keyboard.press("Space")
    go(page, "button", "Servers")

    expect(page.locator("#\\30-name")).to_be_focused()  # the network's
    page.keyboard.type("net")
    page.locator("#\\31-name").focus()
    page.keyboard.type("web")
    choose(page, "Flavor", "g.2c4g")
    choose(page, "System volume: storage class", "ssd")
    page.locator("#\\31-system_volume-size_gb").fill("1")
    page.keyboard.press("Enter")  # keeps, although buttons for rows come first on the page

    problems = page.get_by_role("alert")
    expect(problems).to_be_focused()
    expect(problems).to_contain_text("1 GB is not possible")
    expect(page.locator("#\\31-name")).to_have_value("web")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the first problem leads to its field
    expect(page.locator("#\\31-system_volume-size_gb")).to_be_focused()
    page.locator("#\\31-system_volume-size_gb").fill("40")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="A first server")).to_be_visible()
    expect(page.get_by_role("heading", name="What it takes of the quota")).to_be_visible()
    go(page, "link", "Submit…")
    expect(page.get_by_role("heading", name="Who has to approve it")).to_be_visible()
    go(page, "button", "Submit")
    expect(page.get_by_text("in approval").first).to_be_visible()
    order = Order.objects.get()
    assert (order.status, str(order.monthly_total)) == ("in_approval", "188.00")


def test_the_form_of_a_server_fits_a_telephone(page: Page, at: datetime) -> None:
    on = scene()
    sign_in(page, on.applicant.username)
    page.set_viewport_size(PHONE)
    page.goto(f"/orders/new/?system={on.system.code}&item=server")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
