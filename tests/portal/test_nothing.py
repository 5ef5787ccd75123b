"""Lists that have nothing: what would be there, or the way back to all of it."""

import re
from datetime import datetime
from pathlib import Path

import pytest

from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text

NARROWED = "?q=there-is-no-such-thing"


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.mark.parametrize(
    ("path", "told", "leads_to"),
    [
        ("/orders/", ("No orders yet", "No order matches"), "/orders/"),
        ("/findings/", ("Nothing here", "No finding matches"), "/findings/"),
        ("/leases/", ("No lease ends soon", "No lease matches"), "/leases/"),
        ("/wipe-records/", ("Nothing here", "No wipe record matches"), "/wipe-records/"),
        ("/legal-holds/", ("Nothing here", "No legal hold matches"), "/legal-holds/"),
        ("/operations/", ("No operation matches", "No operation matches"), "/operations/?view=all"),
    ],
)
def test_a_list_without_anything_says_so_and_one_that_was_narrowed_leads_to_all(
    people: scenes.Cast, signed_in: Signed, path: str, told: tuple[str, str], leads_to: str
) -> None:
    nothing, narrowed = told
    browser = signed_in(people.authority if path == "/legal-holds/" else people.admin)
    assert f"{nothing} " in text(browser.get(path))
    page = browser.get(path + NARROWED)
    (shown,) = re.findall(r'<div class="empty-list">.*?</div>', page.content.decode(), re.DOTALL)
    assert f"<h2>{narrowed}</h2>" in shown
    assert f'<a href="{leads_to}">Show all' in shown


def test_what_is_shown_in_the_place_of_a_list_is_written_once() -> None:
    templates = Path("govcloud/portal/templates").rglob("*.html")
    assert [each.name for each in templates if "empty-list" in each.read_text()] == ["nothing.html"]
