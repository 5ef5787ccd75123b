import csv
import io
import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from govcloud.audit.models import Event
from tenants.models import Role
from tests.factories.tenants import DepartmentFactory, SystemFactory, member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def shelf(people: scenes.Cast, at: datetime) -> scenes.Cast:
    """A returned order, a draft, and two in approval: the first at unit approval, the other at intake."""
    scenes.submitted(people, number=1, at=at, title="门户网站扩容")
    scenes.submitted(people, number=2, decided=1, at=at, title="档案系统备份")
    scenes.draft(people, number=3, at=at, title="草拟中的申请")
    scenes.returned(people, number=4, at=at - timedelta(days=9), title="退回的申请")
    return people


def numbers(page: str) -> list[str]:
    return [word for word in page.split() if word.startswith("GC-2026-")]


def test_newest_orders_come_first(shelf: scenes.Cast, signed_in: Signed) -> None:
    page = text(signed_in(shelf.applicant).get("/orders/"))
    assert numbers(page) == [f"GC-2026-00000{n}" for n in (4, 3, 2, 1)]
    assert "4 orders" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=draft", [3]),
        ("q=档案", [2]),
        ("q=GC-2026-000004", [4]),
        ("q=medical+草拟", [3]),
        ("q=草拟中+000003", [3]),
        ("q=%22000003+草拟中%22", [3]),
        ("q=“000003+草拟中”", [3]),
        ("q=%22草拟中+000003%22", []),
        ("sort=number", [1, 2, 3, 4]),
        ("sort=-submitted", [2, 1, 4, 3]),
        ("sort=submitted", [4, 1, 2, 3]),  # drafts have not been submitted: last either way
        ("sort=amount", [1, 2, 4, 3]),
        ("sort=-amount", [4, 2, 1, 3]),
        ("sort=-system&status=draft", [3]),
        ("sort=nonsense&status=nonsense&page=nonsense", [4, 3, 2, 1]),
        ("system=settlement&status=in_approval", [2, 1]),
        ("system=another", []),
        ("system=医保结算平台&status=in_approval", [2, 1]),
        ("system=结算&status=in_approval", [2, 1]),
        ("system=MEDICAL&status=in_approval", [2, 1]),
        ("system=settle&status=in_approval", [2, 1]),
        ("page=99", [4, 3, 2, 1]),
    ],
)
def test_filters_and_sorting(shelf: scenes.Cast, signed_in: Signed, query: str, found: list[int]) -> None:
    page = text(signed_in(shelf.applicant).get(f"/orders/?{query}"))
    assert numbers(page) == [f"GC-2026-00000{n}" for n in found]


def test_the_other_way_round_is_the_reverse(shelf: scenes.Cast, signed_in: Signed) -> None:
    for name in ("number", "title", "status", "system"):
        one = numbers(text(signed_in(shelf.applicant).get(f"/orders/?sort={name}")))
        assert one == numbers(text(signed_in(shelf.applicant).get(f"/orders/?sort=-{name}")))[::-1]


def test_waiting_for_me_is_what_my_role_decides_now(shelf: scenes.Cast, signed_in: Signed) -> None:
    assert numbers(text(signed_in(shelf.approver).get("/orders/?view=todo"))) == ["GC-2026-000001"]
    assert numbers(text(signed_in(shelf.desk).get("/orders/?view=todo"))) == ["GC-2026-000002"]
    assert numbers(text(signed_in(shelf.reviewer).get("/orders/?view=todo"))) == []


def test_my_applications_are_mine_alone(shelf: scenes.Cast, signed_in: Signed) -> None:
    colleague = member(Role.APPLICANT, shelf.department)
    assert numbers(text(signed_in(colleague).get("/orders/?view=mine"))) == []
    assert len(numbers(text(signed_in(colleague).get("/orders/")))) == 4


@pytest.mark.parametrize(
    ("query", "counted"),
    [
        ("", {"All orders": 4, "Waiting for me": 1, "My applications": 0}),
        ("q=扩容", {"All orders": 1, "Waiting for me": 1, "My applications": 0}),
        ("q=备份&view=todo", {"All orders": 1, "Waiting for me": 0, "My applications": 0}),
        ("view=todo&status=in_approval", {"All orders": 4, "Waiting for me": 1, "My applications": 0}),
        ("system=another", {"All orders": 0, "Waiting for me": 0, "My applications": 0}),
    ],
)
def test_a_view_is_counted_as_its_list_will_be(
    shelf: scenes.Cast, signed_in: Signed, query: str, counted: dict[str, int]
) -> None:
    page = signed_in(shelf.approver).get(f"/orders/?{query}")
    views = {str(choice.label): choice for choice in page.context["views"]}
    assert {label: choice.count for label, choice in views.items()} == counted
    for label, choice in views.items():
        there = text(signed_in(shelf.approver).get(f"/orders/{choice.query}"))
        assert len(numbers(there)) == counted[label]


def test_another_department_sees_none_of_them(shelf: scenes.Cast, signed_in: Signed) -> None:
    page = text(signed_in(shelf.foreigner).get("/orders/"))
    assert "No orders yet" in page
    assert shelf.system.name_en not in page


def test_nothing_found_offers_the_way_back(shelf: scenes.Cast, signed_in: Signed) -> None:
    page = text(signed_in(shelf.applicant).get("/orders/?q=nothing"))
    assert "No order matches" in page
    assert "Show all orders" in page


def test_long_lists_come_in_pages_that_keep_the_filter(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    for number in range(1, 26):
        scenes.draft(people, number=number, at=at)
    response = signed_in(people.applicant).get("/orders/?status=draft")
    assert len(numbers(text(response))) == 20
    assert "1 to 20 of 25" in text(response)
    assert 'href="?status=draft&amp;page=2"' in response.content.decode()
    assert len(numbers(text(signed_in(people.applicant).get("/orders/?status=draft&page=2")))) == 5


def test_list_in_chinese(shelf: scenes.Cast, signed_in: Signed) -> None:
    page = text(signed_in(shelf.desk, language="zh-hans").get("/orders/"))
    for words in ("共 4 张申请单", "待我办理", "退回补正", "医保结算平台", "示例自治区医疗保障局"):
        assert words in page


def test_few_systems_are_a_menu(shelf: scenes.Cast, signed_in: Signed) -> None:
    page = signed_in(shelf.applicant).get("/orders/").content.decode()
    assert '<option value="settlement">' in page


def test_many_systems_are_looked_for_while_typing(
    shelf: scenes.Cast, signed_in: Signed, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("govcloud.portal.worktop.views.MOST_IN_A_MENU", 1)
    other = SystemFactory(department=shelf.department, name="另一系统", name_en="Another", code="other-1")
    scenes.draft(replace(shelf, system=other), number=9, at=at)
    page = signed_in(shelf.desk).get("/orders/?system=settlement").content.decode()
    assert '<option value="settlement">' not in page
    assert 'list="filter-systems"' in page
    assert 'value="settlement"' in page

    def offered(person: object, typed: str) -> list[str]:
        answer = signed_in(person).get(f"/orders/systems?system={typed}").content.decode()
        return re.findall(r'<option value="([^"]*)">', answer)

    assert offered(shelf.desk, "other") == ["other-1"]
    assert offered(shelf.desk, "anoth") == ["other-1"]
    assert len(offered(shelf.desk, "")) == 1  # the first of them
    assert offered(shelf.foreigner, "other") == []


def test_a_system_that_is_called_so_is_meant_before_those_that_have_it_in_their_names(
    shelf: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    for number, (code, name) in enumerate((("oa", "办公"), ("oa-2", "办公二期")), start=8):
        system = SystemFactory(department=shelf.department, code=code, name=name, name_en="")
        scenes.draft(replace(shelf, system=system), number=number, at=at)
    elsewhere = SystemFactory(department=DepartmentFactory(), name="办")
    scenes.draft(replace(shelf, system=elsewhere), number=10, at=at)
    for typed in ("oa", "办公"):
        assert numbers(text(signed_in(shelf.applicant).get(f"/orders/?system={typed}"))) == ["GC-2026-000008"]
    both = ["GC-2026-000009", "GC-2026-000008"]
    assert (
        numbers(text(signed_in(shelf.applicant).get("/orders/?system=办"))) == both
    )  # of those that one sees


def test_csv_holds_the_filtered_list_and_no_formulas(
    shelf: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    scenes.draft(shelf, number=5, at=at, title="=HYPERLINK(1)")
    response = signed_in(shelf.applicant).get("/orders/export.csv?status=draft")
    content = response.content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(content)))
    assert [(row["Number"], row["Title"]) for row in rows] == [
        ("GC-2026-000005", "'=HYPERLINK(1)"),
        ("GC-2026-000003", "草拟中的申请"),
    ]
    assert response.content.startswith(b"\xef\xbb\xbf")


def test_xlsx_holds_numbers_and_dates_as_such(shelf: scenes.Cast, signed_in: Signed) -> None:
    response = signed_in(shelf.applicant, language="zh-hans").get("/orders/export.xlsx?q=GC-2026-000002")
    sheet = load_workbook(io.BytesIO(response.content)).active
    heading, row = list(sheet.iter_rows(values_only=True))
    assert heading[:2] == ("单号", "标题")
    assert row[0] == "GC-2026-000002"
    assert (row[6], row[7]) == (1812, datetime(2026, 11, 17, 10, 0))  # noqa: DTZ001  a spreadsheet's dates have no zone


def test_export_is_audited_with_its_filter(shelf: scenes.Cast, signed_in: Signed) -> None:
    signed_in(shelf.applicant).get("/orders/export.csv?status=draft")
    event = Event.objects.get(verb="list.exported")
    assert event.actor_name == shelf.applicant.display_name
    assert event.after == {"format": "csv", "query": "status=draft", "rows": 1}


def test_unknown_export_is_not_found(shelf: scenes.Cast, signed_in: Signed) -> None:
    assert signed_in(shelf.applicant).get("/orders/export.pdf").status_code == 404


def test_list_takes_at_most_9_queries_however_long(
    people: scenes.Cast, signed_in: Signed, at: datetime, django_assert_max_num_queries
) -> None:
    for number in range(1, 31):
        scenes.submitted(people, number=number, decided=number % 4, at=at)
        SystemFactory(department=people.department)
    browser = signed_in(people.desk)
    browser.get("/orders/")  # the first use of a session is noted in it
    with django_assert_max_num_queries(9):
        browser.get("/orders/")


def test_search_takes_at_most_10_queries_however_many_it_finds(
    people: scenes.Cast, signed_in: Signed, at: datetime, django_assert_max_num_queries
) -> None:
    for number in range(1, 31):
        scenes.submitted(people, number=number, decided=number % 4, at=at)
    browser = signed_in(people.desk)
    browser.get("/orders/")
    with django_assert_max_num_queries(10):
        browser.get("/orders/?q=GC-2026+医保")


@pytest.mark.parametrize(
    "query", ["q=medical", "q=medical&status=in_approval", "q=GC+医保&view=mine&sort=title"]
)
def test_few_are_looked_for_once_and_many_twice_with_one_answer(
    shelf: scenes.Cast, signed_in: Signed, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """The words are in the statement that counts, and in that of the page's rows only where many are found."""
    pages, searches = [], []
    for few in (1_000, 0):
        monkeypatch.setattr("govcloud.portal.worktop.views.FEW", few)
        browser = signed_in(shelf.applicant)
        browser.get("/orders/")
        with CaptureQueriesContext(connection) as captured:
            pages.append(text(browser.get(f"/orders/?{query}")))
        searches.append(sum("govcloud_grams" in each["sql"] for each in captured))
    assert pages[0] == pages[1]
    assert numbers(pages[0])
    assert searches == [1, 2]
