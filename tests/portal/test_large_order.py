"""An order of a hundred servers: what its page weighs, and how one finds the few that matter."""

import re
from collections import Counter
from datetime import datetime

import pytest

from govcloud import clock
from govcloud.orders.models import Order
from govcloud.portal.order.parts import SIZES
from tenants.models import User
from tests.portal import large_orders, scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text

MOST_BYTES = 120_000
ROW = {
    "progress": 'class="group group-',
    "built": 'data-label="Lease ends"',
    "items": 'class="fact-list"',
    "quote": 'data-label="Price of one"',
    "trail": 'class="trail-entry',
}
"""What each row of a part has once."""


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def building(people: scenes.Cast, at: datetime) -> Order:
    """Fifty servers stand, two are under way, one needs a person, 47 wait."""
    return large_orders.many_building(people, at=at)


@pytest.fixture
def page(people: scenes.Cast, signed_in: Signed, building: Order) -> "Page":
    return Page(signed_in, people.applicant, building)


class Page:
    def __init__(self, signed_in: Signed, person: User, order: Order) -> None:
        self.url = f"/orders/{order.number}/"
        self.browser = signed_in(person)

    def content(self, query: str = "", **headers: str) -> str:
        answer = self.browser.get(self.url + query, headers=headers)
        assert answer.status_code == 200
        return str(answer.content.decode())

    def names(self, query: str = "") -> list[str]:
        """Of the groups of the delivery that are shown."""
        return re.findall(r'<progress[^>]*aria-label="([^"]+)"', self.content(query))


@pytest.mark.parametrize(
    "reader", [(who, language) for who in ("applicant", "admin") for language in ("en", "zh-hans")]
)
def test_the_page_stays_light_and_asks_no_more_of_the_database(
    people: scenes.Cast,
    signed_in: Signed,
    building: Order,
    django_assert_max_num_queries,
    reader: tuple[str, str],
) -> None:
    who, language = reader
    browser, url = signed_in(getattr(people, who), language=language), f"/orders/{building.number}/"
    for finished in (False, True):
        if finished:
            scenes.finish(building, people, at=clock.now())
        with django_assert_max_num_queries(18):  # as for an order of two servers, in test_order_page.py
            whole = browser.get(url)
        assert len(whole.content) < MOST_BYTES, finished
    assert len(browser.get(f"{url}?progress=3", headers={"HX-Request": "true"}).content) < len(whole.content)


def test_each_part_is_shown_by_the_page_and_all_pages_together_are_all_of_it(
    people: scenes.Cast, signed_in: Signed, building: Order, at: datetime
) -> None:
    scenes.finish(building, people, at=at)
    page = Page(signed_in, people.applicant, building)
    whole = {"progress": 100, "built": 301, "items": 50, "quote": 201}
    for part, rows in whole.items():
        last = -(-rows // SIZES[part])
        assert page.content().count(ROW[part]) == SIZES[part]
        assert page.content(f"?{part}={last}").count(ROW[part]) == rows - (last - 1) * SIZES[part]
    assert page.content("?trail=2").count(ROW["trail"]) == SIZES["trail"]


def test_a_later_page_of_one_part_leaves_the_others_and_links_to_its_own_heading(page: Page) -> None:
    content = page.content("?items=2&trail=3")
    assert f'href="{page.url}?items=3&amp;trail=3#items-heading"' in content
    assert f'href="{page.url}?items=2&amp;trail=4#trail-heading"' in content
    for part in ("items", "trail", "progress"):
        assert f'id="{part}-heading"' in content
    assert page.content("?items=none&trail=0&state=no&group=%00").count(ROW["items"]) == SIZES["items"]
    assert 'aria-current="page"><span class="visually-hidden">Page </span>5' in page.content("?items=99")


def test_a_page_of_the_quote_begins_with_the_name_of_its_item(page: Page) -> None:
    quote = page.content("?quote=2").split('id="quote-heading"')[1]
    assert re.findall(r'data-label="Item">([^<]*)<', quote)[0] == "part-3"


def test_those_that_somebody_may_have_to_look_at_come_first(page: Page) -> None:
    assert page.names()[:4] == ["app-53", "app-51", "app-52", "app-54"]


def test_the_delivery_is_counted_by_state_at_the_top_and_narrowed_to_one(page: Page) -> None:
    head = page.content().split('id="flow-heading"')[0]
    counted = Counter({label: int(count) for count, label in re.findall(r">(\d+) ([a-z ]+)</a>", head)})
    assert counted == {"held up": 1, "in progress": 2, "about to start": 47, "done": 50}
    assert f'href="{page.url}?state=parked#progress-heading"' in head
    assert page.names("?state=parked") == ["app-53"]
    assert page.names("?state=settling") == ["app-51", "app-52"]
    assert page.names("?state=waiting&progress=3") == [f"app-{number}" for number in range(94, 101)]
    assert "Nothing is in this state at present." in page.content("?state=gone")


def test_the_steps_of_one_are_shown_on_request_and_the_others_lead_to_theirs(page: Page) -> None:
    assert 'class="step-row"' not in page.content()
    href = re.search(r'href="([^"]*group=[^"]*)">All steps \(3 of 8 done\)', page.content("?state=parked"))
    assert href is not None
    shown = page.content(href[1].removeprefix(page.url).replace("&amp;", "&").split("#")[0])
    assert shown.count('class="step-row"') == 8
    assert re.search(r'<details class="group-steps"[^>]* open>', shown)


def test_it_asks_itself_for_what_it_shows(page: Page) -> None:
    query = "?state=settling&amp;trail=2"
    content = page.content("?trail=2&state=settling&progress=no")
    assert f'hx-get="{page.url}{query}"' in content
    fragment = page.content(query.replace("&amp;", "&"), **{"HX-Request": "true"})
    assert f'hx-get="{page.url}{query}"' in fragment
    assert "<html" not in fragment


def test_a_small_order_is_shown_whole(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    page = Page(signed_in, people.applicant, scenes.finish(scenes.building(people, at=at), people, at=at))
    content = page.content()
    assert 'class="pages"' not in content
    assert "?state=" not in content
    assert content.count('class="step-row"') == 18


def test_things_beyond_ten_on_a_line_of_the_history_are_counted(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.submitted(people, at=at)
    large_orders.happened(order, "resource.built", [f"disk-{number}" for number in range(13)], at=at)
    told = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    assert "disk-8 · disk-9 and 3 more" in told
    assert "disk-10" not in told
