"""The pages of quota: for units, for those who hand it on, and for those who compare it with what there is."""

import csv
import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.clouds.models import CloudCapacity
from govcloud.orders.drafts import LimitDraft
from govcloud.quotas import services as quotas
from govcloud.quotas import temporary, thresholds
from govcloud.quotas.ledger import Hold
from govcloud.quotas.models import Dimension, QuotaAccount, TemporaryRaise
from govcloud.quotas.services import Wanted
from tenants.models import Department, Role, User
from tests.factories.orders import approve_all, scene, submitted
from tests.factories.quotas import opened
from tests.factories.tenants import DepartmentFactory, member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text
from tests.portal.test_pages import Elements

pytestmark = pytest.mark.django_db
URL = "/quota/"


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@dataclass(frozen=True, slots=True)
class Estate:
    """A bureau with limits, and an office below it."""

    bureau: Department
    office: Department
    approver: User  # of the bureau

    @property
    def page(self) -> str:
        return f"{URL}{self.office.uuid}/"


@pytest.fixture
def estate(people: scenes.Cast) -> Estate:
    office = DepartmentFactory(parent=people.department, name="示例县医保办", name_en="Example County Office")
    opened(people.department, **dict.fromkeys(Dimension.values, 400))
    opened(office, **{**dict.fromkeys(Dimension.values, 100), "addresses": 0, "networks": None})
    return Estate(people.department, office, people.approver)


def account(department: Department, dimension: str = "vcpus") -> QuotaAccount:
    return QuotaAccount.objects.get(department=department, dimension=dimension)


def hold(department: Department, at: datetime, **amounts: int) -> None:
    quotas.hold(department=department, holds=[Hold(uuid4(), amounts)], at=at)


def raised(department: Department, limit: int, at: datetime) -> TemporaryRaise:
    before = account(department).limit
    wanted = Wanted(Dimension.VCPUS, limit, before, before, (at + timedelta(days=30)).date())
    quotas.grant(
        department=department, wanted=[wanted], order=uuid4(), number="GC-2026-000007",
        actor=SystemActor("tests"), at=at,
    )  # fmt: skip
    return TemporaryRaise.objects.running().get()


def row(page: str, label: str) -> str:
    """The words of a table's row that begins with the label, to the next kind of quota."""
    start = page.index(label)
    return page[start : start + 160]


# the list


def test_units_are_listed_down_the_tree_with_their_fullest_quota(
    estate: Estate, signed_in: Signed, at: datetime
) -> None:
    hold(estate.office, at, vcpus=90, servers=10)
    page = text(signed_in(estate.approver).get(URL))
    assert page.index("Example Healthcare Security Bureau") < page.index("Example County Office")
    assert "90% 90 of 100 nearly full" in page
    assert "22% 90 of 400 room left" in page


def test_units_near_a_limit_and_those_raised_for_a_time_can_be_picked_out(
    estate: Estate, signed_in: Signed, at: datetime
) -> None:
    hold(estate.office, at, servers=90)
    thresholds.watch(at=at)
    raised(estate.bureau, 500, at)
    browser = signed_in(estate.approver)
    near, temporarily = (text(browser.get(f"{URL}?view={view}")) for view in ("near", "temporary"))
    assert ("Example County Office" in near, "Example Healthcare" in near) == (True, False)
    assert ("Example County Office" in temporarily, "Example Healthcare" in temporarily) == (False, True)
    assert "1 limit falls back by itself" in temporarily


def test_the_list_takes_as_many_statements_for_many_units_as_for_few(
    estate: Estate, signed_in: Signed
) -> None:
    browser = signed_in(estate.approver)
    browser.get(URL)  # the first use of a session is noted in it
    with CaptureQueriesContext(connection) as few:
        browser.get(URL)
    for _unit in range(12):
        opened(DepartmentFactory(parent=estate.bureau))
    with CaptureQueriesContext(connection) as many:
        browser.get(URL)
    assert len(many) == len(few)


# a unit


def test_a_units_page_tells_how_full_each_quota_is_in_words(
    estate: Estate, signed_in: Signed, at: datetime
) -> None:
    hold(estate.office, at, vcpus=40, servers=100, memory_gb=85)
    page = text(signed_in(estate.approver).get(estate.page))
    assert "40% 40 of 100 100 at most 400 40 0 0 room left" in row(page, "vCPU 40%")
    assert "full" in row(page, "servers 100%")
    assert "nearly full" in row(page, "memory, GB 85%")


def test_no_limit_and_a_limit_of_0_read_differently(estate: Estate, signed_in: Signed) -> None:
    page = text(signed_in(estate.approver).get(estate.page))
    assert "0 of 0 0 at most 400 0 0 0 nothing granted" in row(page, "floating addresses 0%")
    assert "networks 0 unlimited at most 400 0 0 0 no limit" in row(page, "networks 0")


def test_what_is_beyond_a_limit_that_fell_back_is_told(
    estate: Estate, signed_in: Signed, at: datetime
) -> None:
    running = raised(estate.office, 200, at)
    hold(estate.office, at, vcpus=130)
    browser = signed_in(estate.approver)
    assert "until 18 Dec 2026 , then back to 100 (GC-2026-000007)" in text(browser.get(estate.page))
    temporary.fall_back(running.pk, at=running.next_run_at)
    page = text(browser.get(estate.page))
    assert "130% 130 of 100" in page
    assert "over the limit 30 more than the limit: nothing more can be ordered" in page
    assert "fell back at the end of its time" in page


def test_the_page_leads_up_and_down_the_tree_as_far_as_the_reader_may(
    estate: Estate, signed_in: Signed
) -> None:
    up, down = f'href="{URL}{estate.bureau.uuid}/"', f'href="{URL}{estate.office.uuid}/"'
    browser = signed_in(estate.approver)
    assert up in browser.get(estate.page).content.decode()
    assert down in browser.get(f"{URL}{estate.bureau.uuid}/").content.decode()
    of_the_office = signed_in(member(Role.APPLICANT, estate.office))
    assert up not in of_the_office.get(estate.page).content.decode()
    assert of_the_office.get(f"{URL}{estate.bureau.uuid}/").status_code == 404


def test_another_departments_quota_is_not_there_and_looking_is_audited(
    estate: Estate, people: scenes.Cast, signed_in: Signed
) -> None:
    assert signed_in(people.foreigner).get(estate.page).status_code == 404
    event = Event.objects.get(verb="access.refused")
    assert (event.subject_id, event.actor_name) == (estate.office.uuid, people.foreigner.audit_name)


def test_the_pages_are_in_both_languages(estate: Estate, signed_in: Signed, at: datetime) -> None:
    hold(estate.office, at, vcpus=90)
    browser = signed_in(estate.approver, language="zh-hans")
    page = text(browser.get(f"{estate.page}?vcpus=1"))
    for words in (
        "上限与占用",
        "接近上限",
        "不限",
        "未授予",
        "申请测算",
        "本单位及各级上级单位的配额均足够。",
        "开立",
    ):
        assert words in page
    assert "90% 90 / 100 接近上限" in text(browser.get(URL))


# what if


def test_what_if_tells_each_level_before_and_after(estate: Estate, signed_in: Signed, at: datetime) -> None:
    hold(estate.bureau, at, vcpus=350)
    page = text(signed_in(estate.approver).get(f"{estate.page}?vcpus=60"))
    assert "It does not fit." in page
    assert "Example Healthcare Security Bureau vCPU 350 410 400 −10 too much" in page
    assert "Example County Office vCPU 0 60 100 40 fits" in page
    assert account(estate.office).held == 0


def test_what_if_takes_no_words_for_numbers(estate: Estate, signed_in: Signed) -> None:
    browser = signed_in(estate.approver)
    for typed in ("many", "-5", "1.5", "9" * 19, "%00"):
        response = browser.get(f"{estate.page}?vcpus={typed}")
        assert response.status_code == 200
        assert "A whole number, please." in text(response)
        assert "Free then" not in text(response)


# handing on


def posted(browser: object, estate: Estate, **changes: str) -> object:
    body = {"dimension": "vcpus", "limit": "150", "version": "1", "reason": "迁移高峰"}
    return browser.post(f"{estate.page}allotment/", {**body, **changes})


def test_the_unit_above_hands_on_and_is_led_back_to_the_page(estate: Estate, signed_in: Signed) -> None:
    browser = signed_in(estate.approver)
    response = posted(browser, estate)
    assert (response.status_code, response.headers["Location"]) == (302, estate.page)
    page = text(browser.get(estate.page))
    assert account(estate.office).limit == 150
    assert "100 150 handed on by the unit above 黄岚 迁移高峰" in page


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"limit": "401"}, 409, "At most 400 is possible"),
        ({"limit": "many"}, 422, "A limit is a whole number from 0 to"),
        ({"limit": ""}, 422, "A limit is a whole number from 0 to"),
        ({"limit": "9" * 20}, 422, "A limit is a whole number from 0 to"),
        ({"reason": ""}, 422, "Give a reason"),
        ({"version": "7"}, 409, "Somebody else changed this"),
        ({"version": "x"}, 409, "Somebody else changed this"),
    ],
)
def test_what_cannot_be_handed_on_is_told_and_what_was_typed_stays(
    estate: Estate, signed_in: Signed, changes: dict[str, str], status: int, told: str
) -> None:
    response = posted(signed_in(estate.approver), estate, **changes)
    assert (response.status_code, account(estate.office).limit) == (status, 100)
    typed = {field.get("id"): field.get("value") for field in Elements(response).all("input")}
    assert typed["reason-vcpus"] == changes.get("reason", "迁移高峰")
    assert told in text(response)


def test_only_the_unit_above_sees_the_form_and_may_send_it(
    estate: Estate, people: scenes.Cast, signed_in: Signed
) -> None:
    others = (member(Role.UNIT_APPROVER, estate.office), people.applicant, people.authority, people.admin)
    for other in others:
        browser = signed_in(other)
        assert "allotment" not in browser.get(estate.page).content.decode()
        assert posted(browser, estate).status_code == 403
    assert account(estate.office).limit == 100
    assert posted(signed_in(people.foreigner), estate).status_code == 404


def test_an_unknown_kind_of_quota_is_not_there(estate: Estate, signed_in: Signed) -> None:
    assert posted(signed_in(estate.approver), estate, dimension="gpus").status_code == 404


def test_the_form_has_its_labels(estate: Estate, signed_in: Signed) -> None:
    page = Elements(signed_in(estate.approver).get(estate.page))
    labelled = {label["for"] for label in page.all("label")}
    fields = [field for field in page.all("input") if field.get("type") != "hidden"]
    assert {field["id"] for field in fields} <= labelled
    assert page.open == []


# the centre's keepers of limits


def limit_url(department: Department, dimension: str = "vcpus") -> str:
    return f"{URL}{department.uuid}/limits/{dimension}/"


def sent(browser: Client, department: Department, *, dimension: str = "vcpus", **fields: str) -> HttpResponse:
    body = {"kind": "limited", "limit": "150", "version": "1", "reason": "核定"}
    return browser.post(limit_url(department, dimension), {**body, **fields})


def test_a_limit_is_set_after_a_look_at_what_that_does(
    estate: Estate, people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    hold(estate.office, at, vcpus=40)
    browser = signed_in(people.admin)
    assert limit_url(estate.office) in browser.get(estate.page).content.decode()
    assert "What would become of the limit" not in text(browser.get(limit_url(estate.office)))
    looked = sent(browser, estate.office, limit="30", reason="", look="1")
    assert "The limit goes from 100 to 30. 40 is held and used, 10 beyond it" in text(looked)
    fields = {field["name"]: field.get("value") for field in Elements(looked).all("input") if "name" in field}
    assert (looked.status_code, fields["seen"], account(estate.office).limit) == (200, "30", 100)
    answer = sent(browser, estate.office, limit="30", seen=fields["seen"])
    assert (answer.status_code, answer.headers["Location"]) == (302, estate.page)
    assert account(estate.office).limit == 30
    told = Event.objects.get(verb="quota.limit_set")
    assert (told.before["limit"], told.after["limit"], told.reason) == (100, 30, "核定")


@pytest.mark.parametrize(
    ("fields", "limit", "words"),
    [
        ({"kind": "unlimited", "limit": ""}, None, "goes from 100 to unlimited"),
        ({"limit": "0"}, 0, "0 is nothing at all: nothing can be ordered."),
        ({"limit": "500"}, 500, "leaves at most 400"),
    ],
)
def test_no_limit_none_at_all_and_more_than_the_units_above_have_are_told_apart(
    estate: Estate,
    people: scenes.Cast,
    signed_in: Signed,
    *,
    fields: dict[str, str],
    limit: int | None,
    words: str,
) -> None:
    browser = signed_in(people.admin)
    assert words in text(sent(browser, estate.office, **fields, look="1"))
    seen = "unlimited" if limit is None else str(limit)
    assert sent(browser, estate.office, **fields, seen=seen).status_code == 302
    assert account(estate.office).limit == limit


def test_a_limit_in_place_of_a_raise_for_a_time_tells_that_nothing_falls_back(
    estate: Estate, people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    raised(estate.office, 200, at)
    browser = signed_in(people.admin)
    page = text(sent(browser, estate.office, limit="200", look="1"))
    assert "nothing falls back any more" in page
    assert sent(browser, estate.office, limit="200", seen="200", version="2").status_code == 302
    assert not TemporaryRaise.objects.running().exists()


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"kind": ""}, 422, "Choose whether there is a limit."),
        ({"limit": ""}, 422, "A limit is a whole number from 0 to"),
        ({"limit": "9" * 20}, 422, "A limit is a whole number from 0 to"),
        ({"limit": "many", "look": "1"}, 422, "A limit is a whole number from 0 to"),
        ({"reason": ""}, 422, "Give a reason"),
        ({"seen": ""}, 409, "This is not what you have looked at"),
        ({"seen": "151"}, 409, "This is not what you have looked at"),
        ({"kind": "unlimited"}, 409, "This is not what you have looked at"),
        ({"version": "7"}, 409, "Somebody else changed this"),
    ],
)
def test_a_limit_that_is_not_set_is_told_why_and_what_was_typed_stays(
    estate: Estate,
    people: scenes.Cast,
    signed_in: Signed,
    *,
    fields: dict[str, str],
    status: int,
    told: str,
) -> None:
    answer = sent(signed_in(people.admin), estate.office, **{"seen": "150", **fields})
    assert (answer.status_code, account(estate.office).limit) == (status, 100)
    assert told in text(answer)
    typed = {field.get("id"): field.get("value") for field in Elements(answer).all("input")}
    assert (typed["reason"], typed["limit"]) == (fields.get("reason", "核定"), fields.get("limit", "150"))


def test_only_the_keepers_of_limits_see_the_form_and_may_send_it(
    estate: Estate, people: scenes.Cast, signed_in: Signed
) -> None:
    for other in (estate.approver, member(Role.UNIT_APPROVER, estate.office), people.authority, people.desk):
        browser = signed_in(other)
        assert "/limits/" not in browser.get(estate.page).content.decode()
        assert browser.get(limit_url(estate.office)).status_code == 403
        assert sent(browser, estate.office, seen="150").status_code == 403
    assert sent(signed_in(people.foreigner), estate.office, seen="150").status_code == 404
    assert account(estate.office).limit == 100
    assert signed_in(people.admin).get(limit_url(estate.office, "gpus")).status_code == 404


# history and capacity


def test_the_history_is_taken_out_as_a_file_and_that_is_told(
    estate: Estate, signed_in: Signed, at: datetime
) -> None:
    raised(estate.office, 200, at)
    response = signed_in(estate.approver).get(f"{estate.page}history.csv")
    rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert (rows[0]["Limit before"], rows[0]["Limit after"], rows[0]["Last day"]) == (
        "100",
        "200",
        "2026-12-18",
    )
    assert {row["Of what"]: row["Limit after"] for row in rows[1:]}["networks"] == "unlimited"
    assert {row["Of what"]: row["Limit after"] for row in rows[1:]}["floating addresses"] == "0"
    assert Event.objects.get(verb="list.exported").subject_label == "quota-history"


def test_what_is_granted_is_shown_against_what_there_is(
    estate: Estate, people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    CloudCapacity.objects.create(
        cloud=people.catalogue.cloud, vcpus_total=160, vcpus_used=20, memory_gb_total=512, memory_gb_used=64,
        read_at=at,
    )  # fmt: skip
    browser = signed_in(people.admin)
    assert "/quota/capacity/" in browser.get(URL).content.decode()
    page = text(browser.get("/quota/capacity/"))
    assert "vCPU 400 0 0 160 2.50" in page
    assert "20 / 160" in page


def test_what_there_is_is_not_for_units(estate: Estate, signed_in: Signed) -> None:
    browser = signed_in(estate.approver)
    assert "/quota/capacity/" not in browser.get(URL).content.decode()
    assert browser.get("/quota/capacity/").status_code == 403


def test_who_has_not_signed_in_is_led_to_it(estate: Estate, signed_in: Signed) -> None:
    browser = signed_in(estate.approver)
    browser.logout()
    for path in (URL, estate.page, "/quota/capacity/", f"{estate.page}history.csv"):
        assert browser.get(path).headers["Location"].startswith("/sign-in/")


@pytest.mark.parametrize(
    ("language", "others", "words"),
    [
        ("en", 150, ("What the tree of units leaves", "200 until 18 Dec 2026", "250 Bureau: 400 − 150 fits")),
        ("en", 350, ("200 until 18 Dec 2026", "50 Bureau: 400 − 350 does not fit")),
        ("zh-hans", 350, ("上级单位留有的余量", "不符合")),
    ],
)
def test_who_decides_on_an_order_for_quota_sees_what_the_tree_leaves(
    signed_in: Signed, at: datetime, language: str, others: int, words: tuple[str, ...]
) -> None:
    bureau = DepartmentFactory(name="示例局", name_en="Bureau")
    opened(bureau, vcpus=400)
    sister = DepartmentFactory(parent=bureau)
    opened(sister, vcpus=150)
    on = scene(limits={"vcpus": 100}, above=bureau)
    asked = LimitDraft(dimension=Dimension.VCPUS, limit=200, until=(at + timedelta(days=30)).date())
    order = submitted(on, at=at, items=(asked,))
    QuotaAccount.objects.filter(department=sister, dimension=Dimension.VCPUS).update(limit=others)
    browser = signed_in(on.chain[Role.UNIT_APPROVER], language=language)
    page = text(browser.get(f"/orders/{order.number}/decision/"))
    for told in words:
        assert told in page


def test_the_page_of_an_order_for_quota_tells_what_was_asked_and_what_came_of_it(
    signed_in: Signed, at: datetime
) -> None:
    on = scene(limits={"vcpus": 100})
    asked = LimitDraft(dimension=Dimension.VCPUS, limit=200, until=(at + timedelta(days=30)).date())
    order = submitted(on, at=at, items=(asked,))
    browser = signed_in(on.applicant)
    page = text(browser.get(f"/orders/{order.number}/"))
    assert "vCPU quota change 1 limit from 100 to 200 until 18 Dec 2026, then it falls back by itself" in page
    approve_all(on, order, at=at)
    page = text(browser.get(f"/orders/{order.number}/"))
    assert "fulfilled" in page
    assert "Limit of the quota set" in page
