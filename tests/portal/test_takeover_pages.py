"""The pages of projects that were built outside: who may do what there, and what is refused with what was typed."""

import re
from datetime import datetime
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from govcloud.takeover import remarks
from govcloud.takeover.models import Takeover
from tenants.models import Role, System
from tests.factories.catalog import CloudFactory
from tests.factories.takeovers import CandidateFactory, TakeoverFactory
from tests.factories.tenants import member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text

DEEDS = ("survey", "assignment", "names", "taking", "giving-up")


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def takeover(people: scenes.Cast) -> Takeover:
    row = TakeoverFactory(project_name="oa-生产")
    CandidateFactory(takeover=row, found_name="内网", name="inner-net")
    CandidateFactory(takeover=row, found_name="外网", obstacles=["subnets"])
    return row


@pytest.fixture
def acting(signed_in: Signed, people: scenes.Cast) -> Client:
    return signed_in(people.admin)


def test_readers_see_what_is_there_and_do_nothing(
    people: scenes.Cast, takeover: Takeover, signed_in: Signed
) -> None:
    browser, page = signed_in(member(Role.SUPERVISOR)), f"/takeovers/{takeover.uuid}/"
    assert "oa-生产" in text(browser.get("/takeovers/"))
    assert "Survey it" not in text(browser.get("/takeovers/"))
    seen = text(browser.get(page))
    assert ("内网" in seen, "外网" in seen, "Take over" in seen) == (True, False, False)
    obstructed = text(browser.get(f"{page}?view=obstructed"))
    assert "it has not exactly one IPv4 subnet with a gateway" in obstructed
    assert [browser.post(f"{page}{deed}/").status_code for deed in DEEDS] == [403] * len(DEEDS)
    assert browser.post("/takeovers/survey/").status_code == 403


def test_departments_may_not_open_it(people: scenes.Cast, takeover: Takeover, signed_in: Signed) -> None:
    for person in (people.applicant, people.approver):
        browser = signed_in(person)
        assert 'href="/takeovers/"' not in browser.get("/orders/").content.decode()
        assert browser.get("/takeovers/").status_code == 403
        assert browser.get(f"/takeovers/{takeover.uuid}/").status_code == 403


def test_administrators_find_it_in_the_navigation(acting: Client) -> None:
    assert 'href="/takeovers/"' in acting.get("/orders/").content.decode()


@pytest.mark.parametrize(
    ("path", "typed", "told"),
    [
        ("survey", {"cloud": "none", "project": "x"}, "Choose the cloud"),
        ("survey", {"cloud": "sandbox", "project": ""}, "Choose the cloud"),
        ("{uuid}/assignment", {"system": "none", "zone": "private"}, "Give the code of a system"),
        ("{uuid}/assignment", {"system": "{system}", "zone": "moon"}, "Give the code of a system"),
        (
            "{uuid}/assignment",
            {"system": "{system}", "zone": "private", "lease_end": "soon"},
            "Give the end of the lease as a day",
        ),
        ("{uuid}/names", {"kind": "colour", "cloud_name": "m1", "code": "x"}, "Choose what the name"),
        ("{uuid}/names", {"kind": "flavor", "cloud_name": "m1", "code": "none"}, "The catalogue has nothing"),
        ("{uuid}/taking", {}, "Tick what shall be taken over."),
        ("{uuid}/giving-up", {"reason": ""}, "Give a reason"),
        ("{uuid}/giving-up", {"reason": "划错"}, "There is nothing here that could be given up."),
    ],
)
def test_what_is_wrong_is_told_on_the_page(
    takeover: Takeover, acting: Client, path: str, typed: dict[str, str], told: str
) -> None:
    CloudFactory()
    names = {"uuid": str(takeover.uuid), "system": System.objects.get().code}
    answer = acting.post(
        f"/takeovers/{path.format(**names)}/", {k: v.format(**names) for k, v in typed.items()}
    )
    assert (answer.status_code in {409, 422}, told in text(answer)) == (True, True), text(answer)
    takeover.refresh_from_db()
    assert takeover.system is None


def test_a_bad_name_comes_back_where_it_was_typed(takeover: Takeover, acting: Client) -> None:
    row = takeover.candidates.get(found_name="内网")
    answer = acting.post(f"/takeovers/{takeover.uuid}/things/{row.uuid}/name/", {"name": "Bad Name!"})
    assert (answer.status_code, 'value="Bad Name!"' in answer.content.decode()) == (422, True)
    other = TakeoverFactory()
    path = f"/takeovers/{other.uuid}/things/{row.uuid}/name/"
    assert acting.post(path, {"name": "good"}).status_code == 404


def test_a_form_of_a_row_comes_back_to_where_the_row_is(takeover: Takeover, acting: Client) -> None:
    """What cannot be taken over is in another view than the first, and a hundred things fill a page."""
    page, row = f"/takeovers/{takeover.uuid}/", takeover.candidates.get(found_name="外网")
    (action,) = re.findall(
        rf'action="({page}things/{row.uuid}/name/[^"]*)"',
        acting.get(f"{page}?view=obstructed").content.decode(),
    )
    answer = acting.post(unescape(action), {"name": "Bad Name!"})
    assert (answer.status_code, 'value="Bad Name!"' in answer.content.decode()) == (422, True)
    answer = acting.post(unescape(action), {"name": "outer-net"})
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{page}?view=obstructed")
    for number in range(120):
        CandidateFactory(takeover=takeover, found_name=f"net-{number:03}", name=f"net-{number:03}")
    assert "name/?page=2" in acting.get(f"{page}?page=2").content.decode()


def test_a_cloud_that_nobody_can_sign_in_to_is_said_to_be_one(acting: Client) -> None:
    """It does not fail to answer: nobody has asked it."""
    CloudFactory(code="east", profile="")
    answer = acting.post("/takeovers/survey/", {"cloud": "east", "project": "oa-生产"})
    assert answer.status_code == 409
    assert "neither a profile in clouds.yaml nor stored credentials" in text(answer)
    assert 'value="oa-生产"' in answer.content.decode()


def test_that_limits_are_to_be_lifted_stays_ticked(takeover: Takeover, acting: Client) -> None:
    answer = acting.post(f"/takeovers/{takeover.uuid}/taking/", {"raise_limits": "yes"})
    assert answer.status_code == 422
    assert re.findall(r'name="raise_limits"\s+value="yes" checked', answer.content.decode())


@pytest.mark.parametrize(
    ("remark", "told"),
    [
        (remarks.VANISHED, "云平台中已不存在"),
        ("it is sas, 6 GiB by now", "现为 sas，6 GiB"),
        ("it is m1.large (4 vCPU, 8192 MiB) by now", "现为 m1.large（4 vCPU，8192 MiB）"),
        ("it is SHELVED", "SHELVED"),
        ("与原厂商约定", "与原厂商约定"),
    ],
)
def test_why_something_was_not_taken_over_is_told_in_the_readers_language(
    takeover: Takeover, people: scenes.Cast, signed_in: Signed, remark: str, told: str
) -> None:
    takeover.candidates.filter(found_name="内网").update(remark=remark)
    page, chinese = f"/takeovers/{takeover.uuid}/", signed_in(people.admin, language="zh-hans")
    shown = text(chinese.get(page))
    exported = chinese.get(f"{page}export.csv").content.decode("utf-8-sig")
    for words in (shown, exported):
        assert (told in words, "it is" in words) == (True, False)
    assert remark in text(signed_in(people.admin).get(page))


def test_lists_are_exported(takeover: Takeover, acting: Client) -> None:
    projects = acting.get("/takeovers/export.csv").content.decode("utf-8-sig")
    assert "oa-生产" in projects
    things = acting.get(f"/takeovers/{takeover.uuid}/export.csv?view=all").content.decode("utf-8-sig")
    assert ("内网" in things, "外网" in things) == (True, True)


def test_the_page_takes_as_many_statements_for_many_things(takeover: Takeover, acting: Client) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert acting.get(f"/takeovers/{takeover.uuid}/?view=all").status_code == 200
        return len(captured)

    asked()
    few = asked()
    for _each in range(20):
        CandidateFactory(takeover=takeover)
    assert asked() == few
