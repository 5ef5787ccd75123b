import csv
import io
from datetime import datetime, timedelta

import pytest

from govcloud.audit.models import Event
from govcloud.inventory.models import Resource
from tenants.models import Role
from tests.factories.inventory import VolumeFactory, whole_server
from tests.factories.leases import ending, found, swept
from tests.factories.tenants import member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text

URL = "/leases/"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def shelf(people: scenes.Cast, at: datetime) -> scenes.Cast:
    """A server that ends in five days, a volume that ended, a server that waits to be stopped, and one far from its end."""
    ending(whole_server(system=people.system, name="soon-1").resource, at=at + 5 * DAY)
    found(VolumeFactory(resource__system=people.system, resource__name="spare").resource, at=at - 3 * DAY)
    found(whole_server(system=people.system, name="busy-1", changing=True).resource, at=at - DAY)
    swept(at=at - DAY)
    whole_server(system=people.system, name="later-1")
    return people


def names(page: str) -> list[str]:
    """Each once: the link to its renewal names it as well."""
    named = [word for word in page.split() if word in {"soon-1", "spare", "busy-1", "later-1"}]
    return list(dict.fromkeys(named))


def test_what_ends_soon_or_has_ended_is_listed_with_the_days(shelf: scenes.Cast, signed_in: Signed) -> None:
    page = text(signed_in(shelf.applicant).get(URL))
    assert names(page) == ["spare", "busy-1", "soon-1"]
    for words in ("5 days left", "ended 3 days ago", "15 Dec 2026", "waits: something is being done with it"):
        assert words in page


@pytest.mark.parametrize(
    ("query", "listed"),
    [
        ("view=ending", ["soon-1"]),
        ("view=ended", ["spare", "busy-1"]),
        ("q=soon", ["soon-1"]),
        ("q=Medical+spare", ["spare"]),
        ("q=nothing", []),
        ("view=nonsense&page=nonsense", ["spare", "busy-1", "soon-1"]),
    ],
)
def test_it_is_narrowed(shelf: scenes.Cast, signed_in: Signed, query: str, listed: list[str]) -> None:
    assert names(text(signed_in(shelf.applicant).get(f"{URL}?{query}"))) == listed


def test_the_last_day_is_told_as_such(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    ending(whole_server(system=people.system).resource, at=at + timedelta(hours=3))
    found(VolumeFactory(resource__system=people.system).resource, at=at)
    page = text(signed_in(people.applicant).get(URL))
    assert "ends today" in page
    assert "ended today" in page


def test_another_department_sees_none_of_it(shelf: scenes.Cast, signed_in: Signed) -> None:
    page = text(signed_in(shelf.foreigner).get(URL))
    assert names(page) == []
    assert "No lease ends soon" in page


def test_the_page_is_in_both_languages(shelf: scenes.Cast, signed_in: Signed) -> None:
    page = text(signed_in(shelf.applicant, language="zh-hans").get(URL))
    for words in ("即将到期", "剩余 5 天", "3 天前届满", "等待： 正在对其进行其他操作"):
        assert words in page


def test_who_has_not_signed_in_is_led_to_it(client: object, people: scenes.Cast, signed_in: Signed) -> None:
    browser = signed_in(people.admin)
    browser.logout()
    assert browser.get(URL).headers["Location"].startswith("/sign-in/")


def test_the_list_is_taken_out_as_a_file_and_that_is_told(shelf: scenes.Cast, signed_in: Signed) -> None:
    response = signed_in(shelf.applicant).get(f"{URL}export.csv?view=ended")
    rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert [(row["Name"], row["Days left"]) for row in rows] == [("spare", "-3"), ("busy-1", "-1")]
    assert rows[1]["Waits, because"] == "something is being done with it"
    event = Event.objects.get(verb="list.exported")
    assert (event.subject_label, event.after["rows"]) == ("leases", 2)
    assert signed_in(shelf.applicant).get(f"{URL}export.doc").status_code == 404


def test_long_lists_come_in_pages(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    for _volume in range(25):
        ending(VolumeFactory(resource__system=people.system).resource, at=at + DAY)
    browser = signed_in(member(Role.APPLICANT, people.department))
    assert "1 to 20 of 25" in text(browser.get(URL))
    assert "21 to 25 of 25" in text(browser.get(f"{URL}?page=2"))
    assert Resource.objects.count() == 25
