"""What was approved is built within its limit, or cards say so. ``at`` is Wednesday, 18 November 2026, 10:00 in Beijing."""

from datetime import datetime

import pytest
from django.utils import timezone

from govcloud.approvals import flows
from govcloud.approvals.models import Case, FlowVersion
from govcloud.approvals.routing import Limits
from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.errors import Invalids
from govcloud.notifications import dispatch
from govcloud.notifications.models import Message
from govcloud.orders.drafts import LimitDraft
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order
from govcloud.periods import Month
from govcloud.provisioning.lifecycle import StepState
from govcloud.quotas.models import Dimension
from govcloud.supervision import appraisal, services
from govcloud.supervision.models import Escalation, SupervisionCard
from govcloud.supervision.statistics import Period, figures
from tenants.models import Role, User
from tests.factories.approvals import default_flow, drafted
from tests.factories.orders import Scene, approved, ended, scene
from tests.factories.tenants import member

pytestmark = pytest.mark.django_db
CENTRE = SystemActor("test")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}+08:00")


@pytest.fixture
def on() -> Scene:
    return scene()


@pytest.fixture
def order(on: Scene, at: datetime) -> Order:
    """Approved, and being built from Wednesday on: due on Monday, the 23rd, 18:00."""
    return approved(on, at=at)


def cards() -> list[tuple[str, str]]:
    return list(SupervisionCard.objects.filter(fulfilment=True).order_by("pk").values_list("colour", "role"))


def told(person: User, *, at: datetime) -> list[str]:
    dispatch.dispatch(at=at)
    rows = Message.objects.visible_to(person).filter(notice__kind__startswith="card.")
    return list(rows.order_by("pk").values_list("notice__kind", flat=True))


def test_building_is_due_three_working_days_after_approval(order: Order, at: datetime) -> None:
    case = Case.objects.get(pk=order.case_id)
    assert (case.fulfilment_due_at, case.fulfilled_at) == (moment("23T18:00"), None)
    begun = Event.objects.get(verb="case.fulfilment_begun")
    assert (begun.thread, begun.after["working_days"]) == (order.uuid, 3)
    order = ended(order, at=moment("19T09:00"))
    case.refresh_from_db()
    assert (order.status, case.fulfilled_at) == (Status.FULFILLED, moment("19T09:00"))


@pytest.mark.parametrize(
    ("now", "raised"),
    [
        ("20T17:59", []),
        ("20T18:00", ["yellow"]),
        ("23T17:59", ["yellow"]),
        ("23T18:00", ["yellow", "red"]),
        ("24T10:00", ["yellow", "red"]),
    ],
)
def test_yellow_one_working_day_before_the_limit_and_red_at_it(
    order: Order, now: str, raised: list[str]
) -> None:
    for text in ("20T17:59", "20T18:00", "23T17:59", "23T18:00", now):
        if moment(text) <= moment(now):
            services.sweep(at=moment(text))
    assert cards() == [(colour, "cloud_admin") for colour in raised]


def test_cloud_administrators_and_supervisors_hear_of_it(order: Order) -> None:
    keeper, supervisor = member(Role.CLOUD_ADMIN), member(Role.SUPERVISOR)
    services.sweep(at=moment("20T18:00"))
    services.sweep(at=moment("23T18:00"))
    assert told(keeper, at=moment("23T18:01")) == ["card.yellow", "card.red"]
    assert told(supervisor, at=moment("23T18:01")) == ["card.red"]


def test_leaders_hear_of_what_is_still_not_there(order: Order) -> None:
    services.sweep(at=moment("23T18:00"))
    services.sweep(at=moment("30T18:00"))
    assert Escalation.objects.get().card.fulfilment


def test_what_was_built_in_time_gets_none(order: Order) -> None:
    ended(order, at=moment("23T17:00"))
    for text in ("23T18:00", "30T18:00"):
        services.sweep(at=moment(text))
    assert cards() == []


def test_what_was_built_late_before_any_sweep_gets_its_red_card_once(order: Order) -> None:
    ended(order, at=moment("23T18:01"))
    for _each in range(2):
        services.sweep(at=moment("23T18:30"))
    assert cards() == [("red", "cloud_admin")]
    services.sweep(at=moment("30T18:00"))
    assert not Escalation.objects.filter(card__confirmation=None).exists()


def test_what_is_called_off_gets_none(order: Order) -> None:
    at = moment("20T17:00")
    order = ended(order, at=at, state=StepState.GONE, called_off_at=at)
    assert order.status == Status.CANCELLED
    services.sweep(at=moment("20T18:00"))
    services.sweep(at=moment("23T18:00"))
    assert cards() == []


def test_what_is_granted_at_once_has_no_limit(on: Scene, at: datetime) -> None:
    order = approved(on, at=at, items=(LimitDraft(dimension=Dimension.VCPUS, limit=500),))
    assert (order.status, Case.objects.get(pk=order.case_id).fulfilment_due_at) == (Status.FULFILLED, None)


def test_a_flow_without_the_limit_asks_for_none(on: Scene, at: datetime) -> None:
    published = FlowVersion.objects.get(pk=default_flow().pk)
    flows.publish(
        name="无时限", stages=flows.rules_of(published.stages.all()), in_force_from=at, actor=CENTRE, at=at
    )
    order = approved(on, at=at)
    assert Case.objects.get(pk=order.case_id).fulfilment_due_at is None
    services.sweep(at=moment("30T18:00"))
    assert cards() == []


def test_it_is_a_line_of_the_statistics_and_counts_for_the_centre(order: Order) -> None:
    services.sweep(at=moment("23T18:00"))
    ended(order, at=moment("24T09:00"))
    start, end = Month.parse("2026-11").bounds(timezone.get_default_timezone())
    row = next(each for each in figures(period=Period(start, end)).stages if each.code == "fulfilment")
    assert (row.limit, row.decided, row.late, row.median_days, row.red) == (3, 1, 1, 4, 1)
    (line,) = appraisal.lines(month=Month.parse("2026-11"))
    assert (line.cards_of_centre, line.red) == (1, 0)


@pytest.mark.parametrize("days", [-1, 61])
def test_a_limit_that_makes_no_sense_is_refused(at: datetime, days: int) -> None:
    default_flow()
    draft, admin = drafted(), member(Role.SYSTEM_ADMIN)
    with pytest.raises(Invalids) as refused:
        flows.change(
            flow=draft, name=draft.name, stages=flows.rules_of(draft.stages.all()), limits=Limits(fulfilment_days=days),
            expected_version=draft.version, actor=admin, at=at,
        )  # fmt: skip
    assert [error.pointers for error in refused.value.errors] == [("/fulfilment_days",)]
