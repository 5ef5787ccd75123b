import io
from datetime import datetime, timedelta

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from govcloud.calendars.models import SpecialDay
from govcloud.orders import services as orders
from govcloud.supervision import services
from govcloud.supervision.models import Cause, Colour, SupervisionCard
from tenants.models import Role
from tests.factories.approvals import case_of, chain
from tests.factories.supervision import decided_by_chain, overdue
from tests.factories.tenants import member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


def csv_of(*lines: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("2027.csv", "\n".join(["日期,类型,名称", *lines]).encode())


# -- supervision


def test_supervisors_see_rates_steps_and_cards(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    them = chain()
    decided_by_chain(case_of(them, at=at), them, at=at, verb="reject", opinion="不符")
    overdue(them, at=at, label="GC-2026-000009 门户")
    decided_by_chain(case_of(them, at=at - 60 * DAY), them, at=at - 59 * DAY)
    services.sweep(at=at)
    page = text(signed_in(member(Role.SUPERVISOR)).get("/supervision/"))
    for words in (
        "2026-11: 0 yellow cards, 4 red cards",
        "1 (100.0%)",
        "Unit approval v1 2 1",
        "Intake v1 1 0 – – 0 0 1",
        "GC-2026-000009",
    ):
        assert words in page


def test_the_order_of_a_card_is_one_click_away(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    order = scenes.submitted(people, at=at - 60 * DAY)
    services.sweep(at=at)
    leader = signed_in(member(Role.LEADER))
    assert f'href="/orders/{order.number}/"' in leader.get("/supervision/").content.decode()


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            ("red card limit near or passed, 18 Nov 2026", "red card the whole matter, limit near or passed"),
        ),
        ("zh-hans", ("红牌 期限将至或已过",)),
    ],
)
def test_who_has_applied_sees_the_cards_at_the_steps_of_the_order(
    people: scenes.Cast,
    signed_in: Signed,
    at: datetime,
    django_assert_max_num_queries,
    *,
    language: str,
    words: tuple[str, ...],
) -> None:
    order = scenes.submitted(people, at=at - 60 * DAY)
    services.sweep(at=at)
    browser = signed_in(people.applicant, language=language)
    with django_assert_max_num_queries(18):  # as for one without cards, in test_order_page.py
        page = text(browser.get(f"/orders/{order.number}/"))
    for told in words:
        assert told in page
    deciding = text(signed_in(people.approver, language=language).get(f"/orders/{order.number}/decision/"))
    assert words[0] in deciding


@pytest.mark.parametrize(
    ("language", "card", "late", "part"),
    [
        ("en", "red card limit near or passed", "overdue by 5 working days", "Fulfilment"),
        ("zh-hans", "红牌 期限将至或已过", "已超期 5 个工作日", "实施"),
    ],
)
def test_what_is_built_too_late_has_its_card_at_the_delivery(
    people: scenes.Cast, signed_in: Signed, at: datetime, *, language: str, card: str, late: str, part: str
) -> None:
    order = scenes.building(people, at=at - 10 * DAY)
    services.sweep(at=at)
    page = text(signed_in(people.applicant, language=language).get(f"/orders/{order.number}/"))
    assert page.index(late) < page.index(card)
    assert part in text(signed_in(member(Role.SUPERVISOR), language=language).get("/supervision/"))


def test_a_card_for_a_missing_reason_names_who_gave_none(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.submitted(people, at=at - 60 * DAY)
    stage = order.case.stages.earliest("position")
    SupervisionCard.objects.create(
        colour=Colour.YELLOW, cause=Cause.REASON, case=order.case, stage=stage, department=people.department,
        role=Role.UNIT_APPROVER, decider=people.approver, due_at=at, raised_at=at,
    )  # fmt: skip
    page = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    assert "yellow card decided late without a reason (黄岚), 18 Nov 2026" in page
    other = scenes.draft(people, number=2, at=at)
    assert "yellow card" not in text(signed_in(people.applicant).get(f"/orders/{other.number}/"))


@pytest.mark.parametrize(("view", "listed"), [("", 2), ("red", 2), ("yellow", 0), ("reason", 0), ("blue", 2)])
def test_cards_are_narrowed(
    people: scenes.Cast, signed_in: Signed, at: datetime, view: str, listed: int
) -> None:
    overdue(at=at, label="GC-2026-000009 门户")
    page = text(signed_in(member(Role.SUPERVISOR)).get(f"/supervision/?view={view}"))
    assert page.count("GC-2026-000009") == listed


def test_another_month_is_chosen_and_nonsense_is_this_one(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    overdue(at=at)
    supervisor = signed_in(member(Role.SUPERVISOR))
    assert "No step was decided in this month, and none has a card." in text(
        supervisor.get("/supervision/?month=2026-10")
    )
    assert "2026-10: 0 yellow cards, 0 red cards" in text(supervisor.get("/supervision/?month=2026-10"))
    assert "2026-11: 0 yellow cards, 2 red cards" in text(supervisor.get("/supervision/?month=soon"))


def test_the_appraisal_is_downloaded(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    overdue(at=at)
    supervisor = signed_in(member(Role.SUPERVISOR), language="zh-hans")
    answer = supervisor.get("/supervision/appraisal-2026-11.xlsx")
    assert openpyxl.load_workbook(io.BytesIO(answer.content)).sheetnames == ["分单位", "分城市", "红黄牌"]
    assert supervisor.get("/supervision/appraisal-2026-13.xlsx").status_code == 404


def test_others_neither_see_the_link_nor_may_open_the_page(people: scenes.Cast, signed_in: Signed) -> None:
    applicant = signed_in(people.applicant)
    assert 'href="/supervision/"' not in applicant.get("/orders/").content.decode()
    for url in ("/supervision/", "/supervision/appraisal-2026-11.xlsx"):
        assert applicant.get(url).status_code == 403


def test_the_way_of_an_order_shows_that_the_clock_stands_still(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.returned(people, at=at)
    page = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    assert "The clock stands still until it comes back." in page


def test_but_not_once_it_is_withdrawn(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    order = scenes.returned(people, at=at)
    orders.withdraw(order=order, reason="不办了", actor=people.applicant, at=at + timedelta(hours=2))
    page = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    assert "The clock stands still" not in page
    assert "The clock stood still until 18 Nov 2026, 12:00" in page


# -- the calendar


def test_everybody_sees_the_calendar_and_the_administrator_alone_the_forms(
    people: scenes.Cast, signed_in: Signed
) -> None:
    SpecialDay.objects.create(day="2026-10-01", kind="rest", name="国庆节")
    page = text(signed_in(people.applicant).get("/calendar/"))
    assert "1 Oct 2026" in page
    assert "Take out" not in page
    assert "Take out 2026-10-01" in text(signed_in(member(Role.SYSTEM_ADMIN)).get("/calendar/"))


def test_a_day_is_entered_and_taken_out_by_the_administrator(people: scenes.Cast, signed_in: Signed) -> None:
    admin = signed_in(member(Role.SYSTEM_ADMIN))
    form = {"day": "2027-02-06", "kind": "work", "name": "春节"}
    assert "2027-02-06 is in the calendar." in text(admin.post("/calendar/entry/", form, follow=True))
    assert SpecialDay.objects.get().name == "春节"
    page = text(admin.post("/calendar/2027-02-06/removal/", follow=True))
    assert "2027-02-06 is out of the calendar." in page
    assert not SpecialDay.objects.exists()
    assert admin.post("/calendar/2027-02-30/removal/").status_code == 404


@pytest.mark.parametrize(
    ("day", "kind", "said"),
    [
        ("2027-02-08", "work", "is a weekday and worked anyway"),
        ("soon", "rest", "is no date"),
        ("", "rest", "A date is needed"),
    ],
)
def test_what_is_wrong_with_a_day_is_told_with_what_was_typed(
    people: scenes.Cast, signed_in: Signed, day: str, kind: str, said: str
) -> None:
    admin = signed_in(member(Role.SYSTEM_ADMIN))
    answer = admin.post("/calendar/entry/", {"day": day, "kind": kind, "name": "春节"})
    assert (answer.status_code, said in text(answer)) == (422, True)
    assert 'value="春节"' in answer.content.decode()


def test_a_file_is_checked_then_taken_in(people: scenes.Cast, signed_in: Signed) -> None:
    admin, url = signed_in(member(Role.SYSTEM_ADMIN)), "/calendar/sheet/?year=2027"
    checked = text(admin.post(url, {"file": csv_of("2027-02-06,班,春节"), "do": "look"}))
    assert "1 days would be added" in checked
    assert not SpecialDay.objects.exists()
    done = admin.post(url, {"file": csv_of("2027-02-06,班,春节"), "do": "take-in"}, follow=True)
    assert "Taken in: 1 days added, 0 changed." in text(done)
    assert "6 Feb 2027" in text(done)


def test_a_file_with_wrong_lines_is_told_line_by_line(people: scenes.Cast, signed_in: Signed) -> None:
    admin = signed_in(member(Role.SYSTEM_ADMIN))
    answer = admin.post("/calendar/sheet/", {"file": csv_of("soon,班,春节"), "do": "take-in"})
    assert (answer.status_code, "Line 2: “soon” is no date" in text(answer)) == (422, True)
    answer = admin.post("/calendar/sheet/", {"file": csv_of(",班,春节"), "do": "look"})
    assert (answer.status_code, "Line 2: A date is needed" in text(answer)) == (422, True)


@pytest.mark.parametrize("do", ["look", "take-in"])
def test_without_a_file_or_without_lines_nothing_is_in_order(
    people: scenes.Cast, signed_in: Signed, do: str
) -> None:
    admin = signed_in(member(Role.SYSTEM_ADMIN))
    for sent, said in (
        ({}, "Choose a file first."),
        ({"file": csv_of()}, "There is no line below the heading"),
    ):
        answer = admin.post("/calendar/sheet/", {**sent, "do": do})
        page = text(answer)
        assert (answer.status_code, said in page, "is in order" in page) == (422, True, False)


def test_who_does_not_keep_it_may_not_change_it(people: scenes.Cast, signed_in: Signed) -> None:
    browser = signed_in(people.admin)
    for url in ("/calendar/entry/", "/calendar/2027-02-06/removal/", "/calendar/sheet/"):
        assert browser.post(url, {"day": "2027-02-06", "kind": "work", "name": "x"}).status_code == 403


@pytest.mark.parametrize(("language", "words"), [("en", "Only check it"), ("zh-hans", "仅检查")])
def test_in_both_languages(people: scenes.Cast, signed_in: Signed, language: str, words: str) -> None:
    assert words in text(signed_in(member(Role.SYSTEM_ADMIN), language=language).get("/calendar/"))
