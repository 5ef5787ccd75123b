"""Operations as a list, and what administrators see of the cloud's answers to one."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from govcloud.orders.models import Order, Unit
from govcloud.provisioning.models import CloudCall, Operation
from tenants.models import Role
from tests.factories.catalog import CloudFactory
from tests.factories.tenants import DepartmentFactory, member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text
from tests.unit.provisioning.scripted import operation

URL = "/operations/"


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def order(people: scenes.Cast, at: datetime) -> Order:
    """Its operation waits for an administrator; a backup of the same system is under way."""
    return scenes.troubled_engine(people, at=at)


@pytest.fixture
def parked(order: Order) -> Operation:
    return Operation.objects.get(thread=order.uuid, kind="deliver")


# -- one of them


def test_administrators_see_every_call_with_the_clouds_own_id(
    people: scenes.Cast, parked: Operation, signed_in: Signed, at: datetime
) -> None:
    step = parked.steps.get(state="parked")
    CloudCall.objects.create(
        step=step, at=at, service="volume", method="POST", path="/volumes", status=None, request_id="req-lost",
        milliseconds=30_020,
    )  # fmt: skip
    page = text(signed_in(people.admin).get(f"{URL}{parked.uuid}/"))
    for words in (
        "Calls to the cloud",
        "POST /volumes",
        "no answer",
        "req-lost",
        "30.020",
        "POST /servers",
        "202",
    ):
        assert words in page
    assert f"req-{step.uuid}" in page
    done = parked.steps.filter(state="done").first()
    assert done is not None
    for words in ("Build", done.external_id):
        assert words in page
    assert "Attempts" not in page, (
        "a count of failures since the last retry is nothing that a person can read"
    )


def test_the_page_asks_itself_for_what_changes_until_all_is_finished(
    people: scenes.Cast, parked: Operation, signed_in: Signed, at: datetime
) -> None:
    browser, asked = signed_in(people.admin), f'hx-get="{URL}{parked.uuid}/"'
    assert asked in browser.get(f"{URL}{parked.uuid}/").content.decode()
    part = browser.get(f"{URL}{parked.uuid}/", headers={"HX-Request": "true"})
    assert part.content.decode().strip().startswith('<div id="operation"')
    assert "HX-Request" in part.headers["Vary"]
    refused = browser.post(f"{URL}{parked.uuid}/abandonment/", {"reason": ""})
    assert refused.status_code == 422
    assert "hx-get" not in refused.content.decode(), "what was refused stays to be read"
    Operation.objects.filter(pk=parked.pk).update(status="done", finished_at=at)
    assert "hx-get" not in browser.get(f"{URL}{parked.uuid}/").content.decode()


@pytest.mark.parametrize(
    ("state", "called_off", "told"),
    [
        ("gone", True, "taken back"),
        ("removing", True, "being taken back"),
        ("gone", False, "removed"),
        ("removing", False, "being removed"),
    ],
)
def test_what_was_called_off_is_told_as_taken_back(
    people: scenes.Cast,
    parked: Operation,
    signed_in: Signed,
    at: datetime,
    state: str,
    *,
    called_off: bool,
    told: str,
) -> None:
    parked.steps.exclude(state="done").update(state=state, called_off_at=at if called_off else None)
    assert f"<span>{told}</span>" in signed_in(people.admin).get(f"{URL}{parked.uuid}/").content.decode()


def test_nobody_else_sees_them(people: scenes.Cast, parked: Operation, signed_in: Signed) -> None:
    done = parked.steps.filter(state="done").first()
    assert done is not None
    for person in (people.applicant, member(Role.SUPERVISOR)):
        page = text(signed_in(person).get(f"{URL}{parked.uuid}/"))
        assert "Steps" in page
        for theirs in ("Calls to the cloud", "req-", done.external_id):
            assert theirs not in page


def test_steps_about_the_system_as_a_whole_name_it(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    found = operation(at, "compute_quota")
    found.steps.update(unit=found.system.uuid)
    page = text(signed_in(people.admin, language="zh-hans").get(f"{URL}{found.uuid}/"))
    steps = page[page.index("步骤") :]
    assert (found.system.name in steps, "compute_quota" in steps) == (True, False)


FORM = 'id="reason"'
TAKES_DOWN = "It cannot be abandoned: This operation takes something down, which cannot be taken back."
CALLED_OFF = "It cannot be abandoned: This has been called off already."


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ({"kind": "release"}, ""),
        ({"kind": "release", "desired": "absent"}, TAKES_DOWN),
        ({"kind": "release", "desired": "absent", "state": "parked"}, TAKES_DOWN),
        ({"kind": "release", "desired": "absent", "called": True}, CALLED_OFF),
        ({"kind": "release", "desired": "absent", "called": True, "state": "parked"}, ""),
        ({"kind": "backup"}, ""),
        ({"kind": "backup", "desired": "absent"}, TAKES_DOWN),
        ({"kind": "backup", "desired": "absent", "called": True}, CALLED_OFF),
        ({"kind": "backup", "desired": "absent", "called": True, "state": "parked"}, ""),
    ],
)
def test_abandoning_is_offered_where_it_would_be_done(
    people: scenes.Cast, signed_in: Signed, at: datetime, steps: dict[str, Any], told: str
) -> None:
    found = operation(at, "thing-of-it")
    Operation.objects.filter(pk=found.pk).update(kind=steps["kind"], status="undoing")
    found.steps.update(
        desired=steps.get("desired", "present"),
        state=steps.get("state", "due"),
        called_off_at=at if steps.get("called") else None,
    )
    admin, url = signed_in(people.admin), f"{URL}{found.uuid}/"
    page = admin.get(url)
    assert (FORM in page.content.decode(), told in text(page)) == (not told, True)
    answer = admin.post(f"{url}abandonment/", {"reason": "it hangs"})
    assert answer.status_code == (409 if told else 302), text(answer)
    if told:
        assert told.partition(": ")[2] in text(answer)


def test_abandoning_is_not_offered_where_all_that_is_left_is_of_the_system(
    people: scenes.Cast, parked: Operation, signed_in: Signed
) -> None:
    """The server stands and is given back by a release; the limits of its project wait for the administrator."""
    Unit.objects.filter(item__order__uuid=parked.thread).update(operation=parked)
    parked.steps.update(state="done")
    parked.steps.filter(position=0).update(unit=parked.system.uuid, state="parked")
    admin, url = signed_in(people.admin), f"{URL}{parked.uuid}/"
    page = admin.get(url)
    stands = "It cannot be abandoned: This is finished already."
    assert (FORM in page.content.decode(), stands in text(page)) == (False, True)
    assert admin.post(f"{url}abandonment/", {"reason": "it hangs"}).status_code == 409


def test_many_calls_come_in_pages_at_the_same_cost(
    people: scenes.Cast, parked: Operation, signed_in: Signed, at: datetime
) -> None:
    step, admin, url = parked.steps.get(state="parked"), signed_in(people.admin), f"{URL}{parked.uuid}/"

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(url).status_code == 200
        return len(queries)

    cost()  # the first visit of a session asks for more
    before = cost()
    CloudCall.objects.bulk_create(
        CloudCall(
            step=step, at=at, service="compute", method="GET", path=f"/servers/{number}", status=404,
            request_id=f"req-{number}-", milliseconds=5,
        )
        for number in range(120)
    )  # fmt: skip
    assert cost() == before
    first, last = text(admin.get(url)), text(admin.get(f"{url}?page=3"))
    assert ("req-119-" in first, "req-0-" in first) == (True, False)
    assert ("req-119-" in last, "req-0-" in last) == (False, True)


# -- all of them


def test_the_engines_page_leads_to_the_list(people: scenes.Cast, signed_in: Signed) -> None:
    link = f'href="{URL}"'
    assert link in signed_in(people.admin).get("/engine/").content.decode()
    assert link not in signed_in(member(Role.SYSTEM_ADMIN)).get("/engine/").content.decode()


def test_it_is_narrowed_by_state_cloud_and_words(
    people: scenes.Cast, order: Order, parked: Operation, signed_in: Signed, at: datetime
) -> None:
    elsewhere = operation(at, "far-away")
    Operation.objects.filter(pk=elsewhere.pk).update(cloud=CloudFactory(code="east"))
    old = operation(at, "long-ago")
    Operation.objects.filter(pk=old.pk).update(status="done", finished_at=at - timedelta(days=30))
    admin = signed_in(people.admin)

    def listed(query: str) -> set[str]:
        page = admin.get(f"{URL}?{query}").content.decode()
        return {each.kind for each in Operation.objects.all() if f"/operations/{each.uuid}/" in page} | {
            each.reason for each in (elsewhere, old) if f"/operations/{each.uuid}/" in page
        }

    mine, label = f"/operations/{parked.uuid}/", parked.steps.filter(kind="server").first()
    assert label is not None
    assert mine not in admin.get(URL).content.decode()
    for query in ("view=parked", "view=all", f"view=all&q={order.number}", f"view=all&q={label.label}"):
        assert mine in admin.get(f"{URL}?{query}").content.decode()
    assert mine not in admin.get(f"{URL}?view=all&cloud=east").content.decode()
    assert elsewhere.reason in listed("cloud=east")
    assert old.reason not in listed("view=ended")
    assert old.reason in listed("view=all")
    assert "No operation matches" in text(admin.get(f"{URL}?q=nothing-of-that-name"))


def test_departments_see_their_own_alone(
    people: scenes.Cast, parked: Operation, signed_in: Signed, at: datetime
) -> None:
    mine = f"/operations/{parked.uuid}/"
    assert mine in signed_in(people.applicant).get(f"{URL}?view=parked").content.decode()
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    assert mine not in stranger.get(f"{URL}?view=parked").content.decode()
    assert parked.reason not in stranger.get(f"{URL}export.csv?view=all").content.decode("utf-8-sig")


def test_it_is_had_as_a_file(people: scenes.Cast, parked: Operation, signed_in: Signed) -> None:
    answer = signed_in(people.admin).get(f"{URL}export.csv?view=parked")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert parked.reason in answer.content.decode("utf-8-sig")


def test_it_costs_the_same_however_many_there_are(
    people: scenes.Cast, parked: Operation, signed_in: Signed, at: datetime
) -> None:
    admin = signed_in(people.admin)

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(f"{URL}?view=all").status_code == 200
        return len(queries)

    cost()  # the first visit of a session asks for more
    before = cost()
    for number in range(6):
        operation(at, f"more-{number}")
    assert cost() == before


def test_in_chinese(people: scenes.Cast, parked: Operation, signed_in: Signed) -> None:
    admin = signed_in(people.admin, language="zh-hans")
    for words in ("操作", "进行中", "等待管理员处理", "近七日结束"):
        assert words in text(admin.get(URL))
    for words in ("云调用记录", "云中编号"):
        assert words in text(admin.get(f"{URL}{parked.uuid}/"))
