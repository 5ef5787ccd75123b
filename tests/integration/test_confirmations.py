"""What was delivered is confirmed by its department, or mended and asked about again. ``at`` is Wednesday, 18 November 2026, 10:00 in
Beijing; the delivery is on Thursday, the 19th, 09:00, and its confirmation due on Tuesday, the 24th, 18:00.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from govcloud.approvals import flows
from govcloud.approvals.confirmation import NothingToConfirm, NothingToRemedy, RemarkMissing, RemarkTooLong
from govcloud.approvals.models import Answer, Case, Confirmation, FlowVersion
from govcloud.approvals.routing import Limits
from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.notifications import dispatch
from govcloud.notifications.models import Message
from govcloud.orders import confirming
from govcloud.orders.drafts import LimitDraft
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order
from govcloud.periods import Month
from govcloud.portal.worktop.filters import todo
from govcloud.provisioning.lifecycle import StepState
from govcloud.quotas.models import Dimension
from govcloud.supervision import appraisal, services
from govcloud.supervision.models import Escalation, SupervisionCard
from govcloud.supervision.statistics import Period, figures
from tenants.models import Role, User
from tenants.policies import RoleMissing
from tests.factories.approvals import default_flow
from tests.factories.orders import Scene, approved, ended, scene
from tests.factories.tenants import DepartmentFactory, member

pytestmark = pytest.mark.django_db
CENTRE = SystemActor("test")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}+08:00")


@pytest.fixture
def on() -> Scene:
    return scene()


@pytest.fixture
def order(on: Scene, at: datetime) -> Order:
    return delivered(approved(on, at=at))


@pytest.fixture
def keeper() -> User:
    return member(Role.CLOUD_ADMIN)


def delivered(order: Order, **how: Any) -> Order:
    return ended(order, at=moment("19T09:00"), **how)


def answer(order: Order, verdict: Answer, remark: str = "", *, by: User, at: datetime) -> Order:
    return confirming.answer(order=order, verdict=verdict, remark=remark, actor=by, at=at)


def told(person: User, *, at: datetime) -> list[str]:
    dispatch.dispatch(at=at)
    rows = Message.objects.visible_to(person)
    return list(rows.order_by("pk").values_list("notice__kind", flat=True))


def cards() -> list[tuple[str, str, bool]]:
    found = SupervisionCard.objects.filter(confirmation__isnull=False).order_by("pk")
    return list(found.values_list("colour", "role", "fulfilment"))


def test_the_department_is_asked_when_all_is_delivered(on: Scene, order: Order) -> None:
    (asked,) = order.case.confirmations.all()  # type: ignore[union-attr]
    assert (order.status, asked.due_at, asked.owed) == (Status.FULFILLED, moment("24T18:00"), True)
    event = Event.objects.get(verb="case.confirmation_asked")
    assert (event.thread, event.after["working_days"]) == (order.uuid, 3)
    dispatch.dispatch(at=moment("19T09:01"))
    notice = Message.objects.visible_to(on.applicant).get(notice__kind="order.fulfilled").notice
    assert notice.facts["action"] == "to-confirm"


def test_confirmed_it_is_over(on: Scene, order: Order) -> None:
    answer(order, Answer.CONFIRMED, " 已核对 ", by=on.applicant, at=moment("20T09:00"))
    asked = Confirmation.objects.get()
    assert (asked.answer, asked.remark, asked.answered_by) == (Answer.CONFIRMED, "已核对", on.applicant)
    assert Event.objects.get(verb="case.confirmed").actor == f"user:{on.applicant.uuid}"
    with pytest.raises(NothingToConfirm, match="has been confirmed"):
        answer(order, Answer.DEFECTS, "磁盘不对", by=on.applicant, at=moment("20T09:01"))
    with pytest.raises(NothingToRemedy):
        confirming.remedy(order=order, remedy="已扩容", actor=member(Role.CLOUD_ADMIN), at=moment("20T09:02"))
    services.sweep(at=moment("30T18:00"))
    assert cards() == []


def test_defects_are_mended_and_asked_about_again(on: Scene, order: Order, keeper: User) -> None:
    answer(order, Answer.DEFECTS, "数据盘只有 50 GB", by=on.applicant, at=moment("20T09:00"))
    first = Confirmation.objects.get()
    assert (first.disputed, first.remedy_due_at) == (True, moment("25T18:00"))
    assert told(keeper, at=moment("20T09:01"))[-1] == "order.disputed"
    with pytest.raises(NothingToConfirm, match="being mended"):
        answer(order, Answer.CONFIRMED, by=on.applicant, at=moment("20T09:02"))
    confirming.remedy(order=order, remedy="已扩至 100 GB", actor=keeper, at=moment("23T09:00"))
    assert told(on.applicant, at=moment("23T09:01"))[-1] == "order.remedied"
    first, second = Confirmation.objects.order_by("position")
    assert (first.remedied_by, first.disputed, second.due_at) == (keeper, False, moment("26T18:00"))
    answer(order, Answer.CONFIRMED, by=on.applicant, at=moment("24T09:00"))
    assert not Confirmation.objects.get(pk=second.pk).owed


@pytest.mark.parametrize(
    ("remark", "refusal"), [("", RemarkMissing), (" \0\n", RemarkMissing), ("x" * 2001, RemarkTooLong)]
)
def test_defects_need_words(on: Scene, order: Order, remark: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        answer(order, Answer.DEFECTS, remark, by=on.applicant, at=moment("20T09:00"))
    assert Confirmation.objects.get().owed


def test_nobody_answers_for_the_department_or_mends_for_the_centre(
    on: Scene, order: Order, keeper: User
) -> None:
    at = moment("20T09:00")
    for other in (
        keeper,
        member(Role.UNIT_APPROVER, on.system.department),
        member(Role.APPLICANT, DepartmentFactory()),
    ):
        with pytest.raises(RoleMissing):
            answer(order, Answer.CONFIRMED, by=other, at=at)
    answer(order, Answer.DEFECTS, "无法登录", by=on.applicant, at=at)
    with pytest.raises(RoleMissing):
        confirming.remedy(order=order, remedy="好了", actor=on.applicant, at=at)
    assert Confirmation.objects.get().disputed


def test_it_waits_for_who_can_answer(on: Scene, order: Order, keeper: User) -> None:
    at = moment("20T09:00")
    colleague = member(Role.APPLICANT, on.system.department)
    others = [member(Role.APPLICANT, DepartmentFactory()), member(Role.UNIT_APPROVER, on.system.department)]

    def waits_for(person: User) -> bool:
        return Order.objects.filter(todo(User.objects.get(pk=person.pk), at=at)).exists()

    assert [waits_for(each) for each in (on.applicant, colleague, keeper, *others)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    answer(order, Answer.DEFECTS, "无法登录", by=colleague, at=at)
    assert [waits_for(each) for each in (on.applicant, colleague, keeper, *others)] == [
        False,
        False,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("now", "raised"),
    [
        ("23T17:59", []),
        ("23T18:00", ["yellow"]),
        ("24T17:59", ["yellow"]),
        ("24T18:00", ["yellow", "red"]),
        ("25T10:00", ["yellow", "red"]),
    ],
)
def test_silence_gets_cards_for_the_department(order: Order, now: str, raised: list[str]) -> None:
    for text in ("23T17:59", "23T18:00", "24T17:59", "24T18:00", now):
        if moment(text) <= moment(now):
            services.sweep(at=moment(text))
    assert cards() == [(colour, "applicant", False) for colour in raised]


def test_who_is_waited_for_hears_of_it_and_in_the_end_leaders(on: Scene, order: Order) -> None:
    supervisor, leader = member(Role.SUPERVISOR), member(Role.LEADER)
    services.sweep(at=moment("23T18:00"))
    services.sweep(at=moment("24T18:00"))
    assert told(on.applicant, at=moment("24T18:01"))[-2:] == ["card.yellow", "card.red"]
    assert told(supervisor, at=moment("24T18:01")) == ["card.red"]
    services.sweep(at=datetime.fromisoformat("2026-12-01T18:00+08:00"))
    assert Escalation.objects.get().card.confirmation is not None
    assert "card.escalated" in told(leader, at=datetime.fromisoformat("2026-12-01T18:01+08:00"))


def test_an_answer_after_the_limit_is_taken_and_its_card_stays(on: Scene, order: Order) -> None:
    answer(order, Answer.CONFIRMED, by=on.applicant, at=moment("24T18:01"))
    for _each in range(2):
        services.sweep(at=moment("24T18:30"))
    assert cards() == [("red", "applicant", False)]
    services.sweep(at=datetime.fromisoformat("2026-12-02T18:00+08:00"))
    assert not Escalation.objects.exists()


def test_defects_that_are_not_mended_get_cards_for_the_centre(on: Scene, order: Order, keeper: User) -> None:
    answer(order, Answer.DEFECTS, "无法登录", by=on.applicant, at=moment("20T09:00"))
    services.sweep(at=moment("24T18:00"))
    services.sweep(at=moment("25T18:00"))
    assert cards() == [("yellow", "cloud_admin", True), ("red", "cloud_admin", True)]
    confirming.remedy(order=order, remedy="已修复", actor=keeper, at=moment("26T09:00"))
    services.sweep(at=moment("26T10:00"))
    assert len(cards()) == 2


def test_each_round_has_cards_of_its_own(on: Scene, order: Order, keeper: User) -> None:
    services.sweep(at=moment("24T18:00"))
    answer(order, Answer.DEFECTS, "无法登录", by=on.applicant, at=moment("25T09:00"))
    confirming.remedy(order=order, remedy="已修复", actor=keeper, at=moment("25T10:00"))
    services.sweep(at=moment("30T18:00"))
    assert cards() == [("red", "applicant", False)] * 2


def test_it_is_a_line_of_the_statistics_and_counts_for_the_unit(on: Scene, order: Order) -> None:
    services.sweep(at=moment("24T18:00"))
    answer(order, Answer.CONFIRMED, by=on.applicant, at=moment("25T09:00"))
    start, end = Month.parse("2026-11").bounds(timezone.get_default_timezone())
    row = next(each for each in figures(period=Period(start, end)).stages if each.code == "confirmation")
    assert (row.limit, row.decided, row.late, row.median_days, row.red) == (3, 1, 1, 4, 1)
    (line,) = appraisal.lines(month=Month.parse("2026-11"))
    assert (line.cards_of_centre, line.red) == (0, 1)


def test_quota_asks_for_no_confirmation(on: Scene, at: datetime) -> None:
    order = approved(on, at=at, items=(LimitDraft(dimension=Dimension.VCPUS, limit=500),))
    assert (order.status, Confirmation.objects.exists()) == (Status.FULFILLED, False)
    with pytest.raises(NothingToConfirm, match="nothing was delivered"):
        answer(order, Answer.CONFIRMED, by=on.applicant, at=at)


def test_what_is_called_off_asks_for_none(on: Scene, at: datetime) -> None:
    order = delivered(approved(on, at=at), state=StepState.GONE, called_off_at=at)
    assert (order.status, Confirmation.objects.exists()) == (Status.CANCELLED, False)


def test_a_flow_that_does_not_ask_leaves_it_as_it_was(on: Scene, at: datetime) -> None:
    published = FlowVersion.objects.get(pk=default_flow().pk)
    rules, limits = flows.rules_of(published.stages.all()), Limits(fulfilment_days=3)
    flows.publish(name="不反馈", stages=rules, limits=limits, in_force_from=at, actor=CENTRE, at=at)
    order = delivered(approved(on, at=at))
    assert (order.status, Confirmation.objects.exists()) == (Status.FULFILLED, False)
    dispatch.dispatch(at=moment("19T09:01"))
    notice = Message.objects.visible_to(on.applicant).get(notice__kind="order.fulfilled").notice
    assert notice.facts["action"] == "create"


def test_a_remedy_has_no_limit_where_building_has_none(on: Scene, at: datetime) -> None:
    published = FlowVersion.objects.get(pk=default_flow().pk)
    rules, limits = flows.rules_of(published.stages.all()), Limits(confirmation_days=0)
    flows.publish(name="当日反馈", stages=rules, limits=limits, in_force_from=at, actor=CENTRE, at=at)
    order = delivered(approved(on, at=at))
    assert Confirmation.objects.get().due_at == moment("19T18:00")
    answer(order, Answer.DEFECTS, "无法登录", by=on.applicant, at=moment("19T10:00"))
    assert Confirmation.objects.get().remedy_due_at is None
    services.sweep(at=moment("30T18:00"))
    assert cards() == []


@pytest.mark.django_db(transaction=True)
def test_of_two_answers_at_once_one_counts(on: Scene, at: datetime) -> None:
    order = delivered(approved(on, at=at))

    def one(verdict: Answer) -> str:
        try:
            answer(order, verdict, "无法登录", by=User.objects.get(pk=on.applicant.pk), at=moment("20T09:00"))
        except NothingToConfirm as refusal:
            return refusal.code
        finally:
            connection.close()
        return "answered"

    with ThreadPoolExecutor(2) as both:
        outcomes = sorted(both.map(one, (Answer.CONFIRMED, Answer.DEFECTS)))
    assert outcomes == ["answered", "nothing-to-confirm"]
    assert Case.objects.get(pk=order.case_id).confirmations.count() == 1
