"""Numbers and days as nobody should type them: each is refused or left out, none is an error of ours."""

from datetime import date, datetime

import pytest
from django.test import Client

from govcloud.approvals.models import Absence, FlowVersion
from govcloud.portal.reading import day_in, midnight_after, moment_in, number_in
from govcloud.portal.writing.fields import Unreadable, whole
from tenants.models import Role
from tests.factories.approvals import default_flow
from tests.factories.tenants import member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text

NO_NUMBERS = ("", " ", "x", "-1", "+1", "1.5", "1e3", "²", "٣", "9" * 5_000, "\0")
NO_DAYS = ("", "x", "9999-12-31", "0001-01-01", "2026-02-30", "9" * 5_000)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.mark.parametrize("typed", NO_NUMBERS)
def test_what_is_no_number(typed: str) -> None:
    assert number_in(typed) is None


def test_numbers_and_their_limit() -> None:
    assert (number_in("0"), number_in("007"), number_in("0" * 5_000 + "7")) == (0, 7, 7)
    assert (number_in("１２"), number_in("１2")) == (12, 12)
    assert (number_in("24", most=24), number_in("25", most=24)) == (24, None)


@pytest.mark.parametrize("typed", NO_DAYS)
def test_what_is_no_day(typed: str) -> None:
    assert day_in(typed) is None
    assert moment_in(f"{typed}T00:00") is None


def test_the_last_of_all_days_has_a_next_one() -> None:
    last = day_in("9998-12-31")
    assert last == date(9998, 12, 31)
    assert midnight_after(last).isoformat() == "9999-01-01T00:00:00+08:00"
    assert moment_in("2027-01-01T00:00+00:00") is None


@pytest.mark.parametrize(
    ("typed", "number"), [("12", 12), ("1,200", 1_200), ("1,234,567", 1_234_567), ("007", 7), ("５００", 500)]
)
def test_numbers_of_an_item_may_be_grouped_in_threes(typed: str, number: int) -> None:
    assert whole(typed) == number


@pytest.mark.parametrize(
    "typed", ["1,2", "1,20", "12,", ",120", "1,,200", "1234,567", "1，200", *NO_NUMBERS[:-2]]
)
def test_nothing_else_is_a_number_of_an_item(typed: str) -> None:
    with pytest.raises(Unreadable, match="digits"):
        whole(typed)


def test_what_is_too_large_for_an_item_is_told_as_such() -> None:
    for typed in ("9" * 200, "2,147,483,648"):
        with pytest.raises(Unreadable, match="the most that is possible"):
            whole(typed)


@pytest.fixture
def unit_desk(people: scenes.Cast, signed_in: Signed) -> Client:
    return signed_in(people.desk)


@pytest.mark.parametrize("version", ["²", "9" * 5_000])
def test_a_version_that_is_none_is_an_older_one(people: scenes.Cast, unit_desk: Client, version: str) -> None:
    unit = people.department
    form = {
        "name": "新名称", "name_en": "", "credit_code": unit.credit_code, "division": unit.division.code,
        "version": version,
    }  # fmt: skip
    answer = unit_desk.post(f"/units/{unit.uuid}/change/", form)
    assert (answer.status_code, "新名称" in answer.content.decode()) == (409, True)


@pytest.mark.parametrize("last", ["9999-12-31", "0001-01-01"])
@pytest.mark.django_db
def test_an_absence_to_the_end_of_time_is_refused(
    people: scenes.Cast, signed_in: Signed, at: datetime, last: str
) -> None:
    form = {"substitute": str(people.desk.uuid), "first": "2026-11-20", "last": last, "reason": "会议"}
    answer = signed_in(people.approver).post("/absences/", form)
    assert (answer.status_code, "Give both days" in text(answer)) == (422, True)
    assert not Absence.objects.exists()


@pytest.mark.parametrize("hour", ["9" * 5_000, "²", "99"])
def test_an_hour_that_is_none_is_no_error_of_ours(people: scenes.Cast, signed_in: Signed, hour: str) -> None:
    answer = signed_in(people.applicant).post("/inbox/preferences/", {"digest_hour": hour})
    assert answer.status_code in {302, 422}


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_roles_reviews_and_the_calendar_take_no_day_at_the_end_of_time(
    people: scenes.Cast, signed_in: Signed, day: str
) -> None:
    officer = signed_in(member(Role.SECURITY_ADMIN))
    role = {"username": "applicant", "role": "leader", "valid_until": day}
    assert officer.post("/security/roles/", role).status_code == 422
    assert officer.post("/access-reviews/", {"title": "2026", "due": day}).status_code == 422
    keeper = signed_in(member(Role.SYSTEM_ADMIN))
    entry = {"day": day, "kind": "holiday", "name": "x"}
    assert keeper.post("/calendar/entry/", entry).status_code == 422
    assert keeper.post(f"/calendar/{day}/removal/").status_code == 404
    assert keeper.get(f"/calendar/?year={'9' * 5_000}").status_code == 200


def test_a_system_takes_no_day_and_no_level_out_of_this_world(people: scenes.Cast, signed_in: Signed) -> None:
    form = {"code": "new", "name": "新系统", "zone": "public", "mlps_level": "2", "dr_level": "1"}
    browser = signed_in(people.applicant)
    for wrong in ({"cryptography_assessed_on": "9999-12-31"}, {"mlps_level": "9" * 300}, {"dr_level": "²"}):
        answer = browser.post(f"/units/{people.department.uuid}/new-system/", {**form, **wrong})
        assert (answer.status_code, "新系统" in answer.content.decode()) == (422, True)


@pytest.mark.parametrize("item", ["9" * 5_000, "²", "0"])
def test_an_item_that_is_none_is_not_copied(
    people: scenes.Cast, signed_in: Signed, at: datetime, item: str
) -> None:
    order = scenes.draft(people, at=at)
    page = signed_in(people.applicant).get(f"/orders/{order.number}/items/new/network/?from={item}")
    assert page.status_code == 200
    assert 'value="app-net"' not in page.content.decode()


@pytest.mark.parametrize("typed", ["1e999999", "9" * 5_000, "NaN"])
@pytest.mark.django_db
def test_a_condition_of_a_flow_that_is_no_number_is_told(signed_in: Signed, typed: str) -> None:
    default_flow()
    browser = signed_in(member(Role.SYSTEM_ADMIN))
    browser.post(f"/flows/{FlowVersion.objects.get().uuid}/draft/")
    draft = FlowVersion.objects.drafts().get()
    stage = {"code": "more", "name": "三级评审", "role": "leader", "working_days": "2", "quorum": "one"}
    for name in ("min_amount", "min_quantity"):
        form = {**stage, name: typed, "version": draft.version}
        answer = browser.post(f"/flows/{draft.uuid}/new-stage/", form)
        assert (answer.status_code, 'value="三级评审"' in answer.content.decode()) == (422, True), name
    begins = {"begins": "9999-12-31T00:00", "version": draft.version}
    other = signed_in(member(Role.SYSTEM_ADMIN))
    assert other.post(f"/flows/{draft.uuid}/publication/", begins).status_code == 422
