"""A delivered order is confirmed on its page, or its defects are reported, mended and asked about again."""

from datetime import datetime, timedelta

import pytest

from govcloud.approvals.models import Case, Confirmation, FlowVersion
from govcloud.approvals.routing import Limits
from govcloud.catalog.models import Kind
from govcloud.orders import services
from govcloud.orders.delivered import looked_at
from govcloud.orders.drafts import ReleaseDraft
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Action, Order
from govcloud.supervision.models import Cause, Colour, SupervisionCard
from tenants.models import Role
from tests.factories.approvals import one_stage_flow
from tests.factories.chargeback import tariff
from tests.factories.inventory import whole_server
from tests.factories.tenants import member
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text

DEFECT = "数据盘只有 50 GB，申请的是 500 GB。"


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def order(people: scenes.Cast, at: datetime) -> Order:
    order = scenes.finish(scenes.building(people, at=at), people, at=at)
    assert order.case is not None
    Confirmation.objects.create(case=order.case, position=0, asked_at=at, due_at=at + timedelta(days=5))
    return order


def test_an_applicant_confirms(people: scenes.Cast, signed_in: Signed, order: Order) -> None:
    browser, url = signed_in(people.applicant), f"/orders/{order.number}/"
    page = text(browser.get(url))
    assert "Is it as it was approved?" in page
    assert "to be confirmed by the department" in page
    assert "3 working days left" in page
    answer = browser.post(f"{url}confirmation/", {"answer": "confirmed", "remark": "已逐台核对"}, follow=True)
    page = text(answer)
    assert ("Is it as it was approved?" in page, "已逐台核对" in page, "confirmed" in page) == (
        False,
        True,
        True,
    )


def test_defects_go_to_the_centre_and_come_back(people: scenes.Cast, signed_in: Signed, order: Order) -> None:
    url = f"/orders/{order.number}/"
    signed_in(people.applicant).post(f"{url}confirmation/", {"answer": "defects", "remark": DEFECT})
    admin = signed_in(people.admin)
    page = text(admin.get(url))
    assert ("Defects reported by the department" in page, DEFECT in page) == (True, True)
    assert "defects to be mended" in text(admin.get("/orders/?view=todo"))
    admin.post(f"{url}remedy/", {"remedy": "已扩容至 500 GB。"})
    page = text(signed_in(people.applicant).get(url))
    for words in (DEFECT, "已扩容至 500 GB。", "Is it as it was approved?"):
        assert words in page
    assert "to be confirmed" in text(signed_in(people.applicant).get("/orders/?view=todo"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"answer": "defects", "remark": " "}, "Say what it is"),
        ({"answer": "defects", "remark": "x" * 2001}, "At most 2000 characters"),
        ({"answer": "perhaps", "remark": "大致可以"}, "Choose: confirm what was delivered"),
        ({"remark": "大致可以"}, "Choose: confirm what was delivered"),
    ],
)
def test_what_is_refused_is_still_in_the_form(
    people: scenes.Cast, signed_in: Signed, order: Order, given: dict[str, str], words: str
) -> None:
    answer = signed_in(people.applicant).post(f"/orders/{order.number}/confirmation/", given)
    assert (answer.status_code, words in text(answer)) == (422, True)
    assert f">{given['remark']}</textarea>" in answer.content.decode()
    assert Confirmation.objects.get().owed


def test_who_comes_second_is_told_and_keeps_what_they_wrote(
    people: scenes.Cast, signed_in: Signed, order: Order
) -> None:
    browser, url = signed_in(people.applicant), f"/orders/{order.number}/"
    browser.post(f"{url}confirmation/", {"answer": "confirmed"})
    answer = browser.post(f"{url}confirmation/", {"answer": "defects", "remark": DEFECT})
    page = text(answer)
    assert (answer.status_code, "it has been confirmed" in page, DEFECT in page) == (409, True, True)
    answer = signed_in(people.admin).post(f"{url}remedy/", {"remedy": "已修复"})
    assert (answer.status_code, "No defects wait" in text(answer)) == (409, True)


def test_only_who_can_answer_has_the_forms(people: scenes.Cast, signed_in: Signed, order: Order) -> None:
    url = f"/orders/{order.number}/"
    for person in (people.admin, member(Role.UNIT_APPROVER, order.system.department), member(Role.LEADER)):
        browser = signed_in(person)
        page = text(browser.get(url))
        assert ("Is it as it was approved?" in page, "to be confirmed by the department" in page) == (
            False,
            True,
        )
        assert browser.post(f"{url}confirmation/", {"answer": "confirmed"}).status_code == 403
    assert signed_in(people.applicant).post(f"{url}remedy/", {"remedy": "已修复"}).status_code == 403
    assert Confirmation.objects.get().owed


def test_its_cards_stand_at_its_step_and_on_the_page_of_supervision(
    people: scenes.Cast, signed_in: Signed, order: Order, at: datetime
) -> None:
    SupervisionCard.objects.create(
        colour=Colour.RED, cause=Cause.LIMIT, case=order.case, confirmation=Confirmation.objects.get(),
        department=order.system.department, role=Role.APPLICANT, due_at=at, raised_at=at,
    )  # fmt: skip
    page = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    assert "red card" in page
    assert "the whole matter" not in page
    page = text(signed_in(member(Role.SUPERVISOR)).get("/supervision/"))
    assert ("Confirmation" in page, "applicant" in page) == (True, True)


def test_it_is_announced_while_it_is_being_decided(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.submitted(people, at=at)
    assert order.case is not None
    url = f"/orders/{order.number}/"
    assert "after delivery" not in text(signed_in(people.applicant).get(url))
    asking = FlowVersion.objects.create(
        name="反馈确认", number=9, confirmation_days=3, in_force_from=at, published_at=at
    )
    Case.objects.filter(pk=order.case.pk).update(flow=asking)
    assert "after delivery" in text(signed_in(people.applicant).get(url))


def test_a_draft_announces_it_as_its_flow_will_ask(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    tariff()
    url = f"/orders/{scenes.draft(people, at=at).number}/"
    one_stage_flow(at - timedelta(days=1), limits=Limits(confirmation_days=None))
    page = text(signed_in(people.applicant).get(url))
    assert ("if submitted now" in page, "after delivery" in page) == (True, False)
    one_stage_flow(at, limits=Limits(confirmation_days=3))
    assert "after delivery" in text(signed_in(people.applicant).get(url))


@pytest.mark.parametrize(
    ("action", "kind", "expected"),
    [
        (Action.CHANGE, Kind.SERVER, True),
        (Action.RENEW, Kind.SERVER, False),
        (Action.RELEASE, Kind.SERVER, False),
        (Action.CHANGE, Kind.QUOTA, False),
    ],
)
def test_what_leaves_nothing_to_look_at_is_not_confirmed(
    action: Action, kind: Kind, *, expected: bool
) -> None:
    assert looked_at(action=action, kind=kind) is expected


@pytest.mark.parametrize("status", [Status.WITHDRAWN, Status.REJECTED, Status.CANCELLED])
def test_what_is_never_delivered_announces_none(
    people: scenes.Cast, signed_in: Signed, at: datetime, status: Status
) -> None:
    order = scenes.submitted(people, at=at)
    asking = one_stage_flow(at, limits=Limits(confirmation_days=3))
    Case.objects.filter(pk=order.case_id).update(flow=asking)
    url = f"/orders/{order.number}/"
    assert "after delivery" in text(signed_in(people.applicant).get(url))
    Order.objects.filter(pk=order.pk).update(status=status, finished_at=at)
    assert "after delivery" not in text(signed_in(people.applicant).get(url))


def test_a_release_announces_none(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    tariff()
    one_stage_flow(at, limits=Limits(confirmation_days=3))
    server = whole_server(system=people.system)
    order = services.draft(
        system=people.system, title="退订", justification="不再使用", declares_classified=False,
        items=[ReleaseDraft(target=server.resource.uuid, kind="server")], actor=people.applicant, at=at,
    )  # fmt: skip
    page = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    assert ("if submitted now" in page, "after delivery" in page) == (True, False)


def test_in_chinese(people: scenes.Cast, signed_in: Signed, order: Order) -> None:
    page = text(signed_in(people.applicant, language="zh-hans").get(f"/orders/{order.number}/"))
    for words in ("反馈确认", "待单位反馈确认", "确认无误", "反馈问题"):
        assert words in page
