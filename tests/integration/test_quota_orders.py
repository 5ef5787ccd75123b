"""Orders for quota: raised, lowered, raised for a time; decided like any other, and granted by the last approval."""

from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from govcloud.approvals.models import CaseKind, Decision
from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.catalog.models import Offering
from govcloud.errors import DomainError, Invalids
from govcloud.orders import services
from govcloud.orders.drafts import LimitDraft
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order, Unit
from govcloud.orders.rules.of_items import NotOffered
from govcloud.orders.rules.of_limits import (
    DimensionTwice,
    QuotaNotAlone,
    SameLimit,
    UntilOutOfRange,
)
from govcloud.quotas import services as quotas
from govcloud.quotas import temporary
from govcloud.quotas.ledger import Hold, QuotaExceeded
from govcloud.quotas.lifecycle import RaiseStatus
from govcloud.quotas.limits import LimitBelowHandedOn, LimitBelowUse, LimitBeyondUnitAbove, LimitMoved
from govcloud.quotas.models import Dimension, LimitChange, Origin, QuotaAccount, TemporaryRaise
from govcloud.quotas.services import LimitOutOfRange
from govcloud.quotas.temporary import NoTemporaryRaise, TimeIsOver
from tenants.models import Connection
from tests.factories.orders import NETWORK, Scene, approve_all, approved, decided, drafted, scene, submitted
from tests.factories.quotas import opened
from tests.factories.tenants import DepartmentFactory

pytestmark = pytest.mark.django_db
MOST_STATEMENTS = 25
MOST_OF_THE_LAST = 34  # the last approval grants the limit and ends the order as well
VCPUS = Dimension.VCPUS


def vcpus(limit: int, *, until: date | None = None) -> tuple[LimitDraft]:
    return (LimitDraft(dimension=VCPUS, limit=limit, until=until),)


def account(on: Scene) -> QuotaAccount:
    return QuotaAccount.objects.get(department=on.department, dimension=VCPUS)


def taken(on: Scene, amount: int, *, at: datetime) -> None:
    quotas.hold(department=on.department, holds=[Hold(uuid4(), {"vcpus": amount})], at=at)


def refused(on: Scene, items: tuple[object, ...], *, at: datetime) -> list[DomainError]:
    with pytest.raises(Invalids) as refusal:
        drafted(on, at=at, items=items)
    return refusal.value.errors


def by(day: datetime, **more: int) -> date:
    return (day + timedelta(**more)).date()


@pytest.fixture
def on() -> Scene:
    return scene(limits={"vcpus": 100})


# raised and lowered


def test_an_approved_raise_is_in_force_with_the_last_approval(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at, items=vcpus(150))
    assert account(on).limit == 100
    approve_all(on, order, at=at)
    order.refresh_from_db()
    assert (order.status, order.finished_at, account(on).limit) == (Status.FULFILLED, at, 150)


def test_a_raise_is_in_the_history_and_in_the_trail_of_its_order(on: Scene, at: datetime) -> None:
    order = approved(on, at=at, items=vcpus(150))
    change = LimitChange.objects.get(account=account(on), origin=Origin.ORDERED)
    assert (change.before, change.after, change.order_number, change.thread) == (
        100,
        150,
        order.number,
        order.uuid,
    )
    assert change.actor == on.chain["authority_approver"]
    event = Event.objects.get(verb="quota.granted", thread=order.uuid)
    assert (event.before, event.after) == ({"limit": 100}, {"limit": 150})


def test_more_quota_goes_the_whole_way_and_less_the_short_one(on: Scene, at: datetime) -> None:
    kinds = []
    for limit in (150, 50):
        order = submitted(on, at=at, items=vcpus(limit))
        assert order.case is not None
        kinds.append(order.case.kind)
        services.withdraw(order=order, reason="不再需要", actor=on.applicant, at=at)
    assert kinds == [CaseKind.COMMITTED, CaseKind.INSTANT]


def test_an_order_for_quota_takes_no_quota_and_costs_nothing(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at, items=vcpus(150))
    assert not Unit.objects.filter(item__order=order).exists()
    assert services.quote(order=order, at=at).monthly_total == 0
    assert account(on).taken == 0


def test_several_limits_are_granted_together(on: Scene, at: datetime) -> None:
    opened(on.department)
    items = (*vcpus(150), LimitDraft(dimension=Dimension.SERVERS, limit=20))
    approved(on, at=at, items=items)
    limits = QuotaAccount.objects.filter(department=on.department, dimension__in=["servers", "vcpus"])
    assert sorted(limits.values_list("dimension", "limit")) == [("servers", 20), ("vcpus", 150)]


def test_a_limit_of_0_can_be_ordered_and_is_nothing_at_all(on: Scene, at: datetime) -> None:
    approved(on, at=at, items=vcpus(0))
    assert (account(on).limit, account(on).free) == (0, 0)
    with pytest.raises(QuotaExceeded):
        taken(on, 1, at=at)


def test_a_limit_where_there_was_none_is_a_lowering(at: datetime) -> None:
    on = scene()
    order = submitted(on, at=at, items=vcpus(10))
    assert order.case is not None
    assert order.case.kind == CaseKind.INSTANT
    approve_all(on, order, at=at)
    assert account(on).limit == 10


def test_a_unit_that_is_not_connected_yet_may_ask_for_quota(at: datetime) -> None:
    on = scene(limits={"vcpus": 100}, filing_number="", cryptography_assessed_on=None)
    on.department.connection = Connection.NOT_CONNECTED
    on.department.save()
    assert approved(on, at=at, items=vcpus(150)).status == Status.FULFILLED


def test_a_rejected_raise_changes_nothing(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at, items=vcpus(150))
    decided(on, order, at=at, verb="reject", opinion="不需要")
    assert account(on).limit == 100
    assert not LimitChange.objects.filter(thread=order.uuid).exists()


# what is refused, with its figures


def test_a_limit_is_not_lowered_under_what_is_held_and_used(on: Scene, at: datetime) -> None:
    taken(on, 60, at=at)
    (error,) = refused(on, vcpus(59), at=at)
    assert isinstance(error, LimitBelowUse)
    assert (error.params["held"], error.params["used"], error.params["limit"]) == (60, 0, 59)
    assert error.pointers == ("/items/0/limit",)
    assert drafted(on, at=at, items=vcpus(60)).status == Status.DRAFT


def test_a_limit_is_not_lowered_under_what_was_handed_on(on: Scene, at: datetime) -> None:
    for limit in (30, 40):
        opened(DepartmentFactory(parent=on.department), vcpus=limit)
    opened(DepartmentFactory(parent=on.department))  # without a limit: it draws on what the unit above keeps
    (error,) = refused(on, vcpus(69), at=at)
    assert isinstance(error, LimitBelowHandedOn)
    assert error.params["handed_on"] == 70


def test_a_limit_is_not_raised_beyond_what_the_unit_above_has_left(at: datetime) -> None:
    above = DepartmentFactory()
    opened(above, vcpus=200)
    opened(DepartmentFactory(parent=above), vcpus=60)
    quotas.hold(department=above, holds=[Hold(uuid4(), {"vcpus": 15})], at=at)  # by the unit above itself
    on = scene(limits={"vcpus": 100}, above=above)
    (error,) = refused(on, vcpus(126), at=at)
    assert isinstance(error, LimitBeyondUnitAbove)
    assert (error.params["above_limit"], error.params["others"], error.params["most"]) == (200, 75, 125)
    approved(on, at=at, items=vcpus(125))
    assert account(on).limit == 125


def test_the_nearest_unit_above_that_has_a_limit_bounds(at: datetime) -> None:
    top = DepartmentFactory()
    opened(top, vcpus=80)
    between = DepartmentFactory(parent=top)
    opened(between)  # unlimited
    on = scene(limits={"vcpus": 10}, above=between)
    (error,) = refused(on, vcpus(81), at=at)
    assert error.params["most"] == 80
    assert drafted(on, at=at, items=vcpus(80))


def test_a_tree_in_which_too_much_was_handed_on_can_still_be_lowered(at: datetime) -> None:
    above = DepartmentFactory()
    opened(above, vcpus=50)
    on = scene(limits={"vcpus": 100}, above=above)
    assert isinstance(refused(on, vcpus(101), at=at)[0], LimitBeyondUnitAbove)
    approved(on, at=at, items=vcpus(90))
    assert account(on).limit == 90


def test_what_the_tree_left_at_submission_and_not_any_more_is_refused_at_the_last_approval(
    at: datetime,
) -> None:
    above = DepartmentFactory()
    limits = opened(above, vcpus=200)
    on = scene(limits={"vcpus": 100}, above=above)
    order = submitted(on, at=at, items=vcpus(150))
    actor = SystemActor("tests")
    quotas.set_limit(account=limits["vcpus"], limit=120, expected_version=1, actor=actor, at=at)
    while order.case.stages.get(status="current").role != "authority_approver":
        decided(on, order, at=at)
        order.refresh_from_db()
    with pytest.raises(LimitBeyondUnitAbove):
        decided(on, order, at=at)
    order = Order.objects.get(pk=order.pk)
    assert (order.status, account(on).limit) == (Status.IN_APPROVAL, 100)
    decided(on, order, at=at, verb="return", opinion="上级单位余量不足")
    assert Order.objects.get(pk=order.pk).status == Status.RETURNED


def test_of_two_orders_that_saw_the_same_limit_the_second_is_told_that_it_has_moved(
    on: Scene, at: datetime
) -> None:
    first, second = (submitted(on, at=at, items=vcpus(limit)) for limit in (150, 120))
    approve_all(on, first, at=at)
    with pytest.raises(LimitMoved) as refusal:
        approve_all(on, second, at=at)
    assert (refusal.value.params["now"], refusal.value.params["then"]) == ("150", "100")
    assert account(on).limit == 150


def test_a_draft_that_saw_another_limit_is_not_submitted(on: Scene, at: datetime) -> None:
    order = drafted(on, at=at, items=vcpus(150))
    quotas.set_limit(account=account(on), limit=None, expected_version=1, actor=SystemActor("tests"), at=at)
    with pytest.raises(Invalids) as refusal:
        services.submit(order=order, actor=on.applicant, at=at)
    (error,) = refusal.value.errors
    assert isinstance(error, LimitMoved)


def test_quota_is_ordered_by_itself(on: Scene, at: datetime) -> None:
    (error,) = refused(on, (NETWORK, *vcpus(150)), at=at)
    assert isinstance(error, QuotaNotAlone)
    assert error.pointers == ("/items/1",)


def test_a_dimension_is_ordered_once(on: Scene, at: datetime) -> None:
    assert {type(error) for error in refused(on, vcpus(150) + vcpus(160), at=at)} == {DimensionTwice}


def test_all_that_is_wrong_with_an_item_is_told_at_once(on: Scene, at: datetime) -> None:
    errors = refused(on, vcpus(10**12 + 1, until=by(at, days=-1)) + vcpus(100), at=at)
    assert sorted((type(error).__name__, *error.pointers) for error in errors) == [
        ("DimensionTwice", "/items/0/dimension"),
        ("DimensionTwice", "/items/1/dimension"),
        ("LimitOutOfRange", "/items/0/limit"),
        ("SameLimit", "/items/1/limit"),
        ("UntilOutOfRange", "/items/0/until"),
    ]


@pytest.mark.parametrize("limit", [-1, 10**12 + 1])
def test_an_impossible_limit_is_refused(on: Scene, at: datetime, limit: int) -> None:
    assert isinstance(refused(on, vcpus(limit), at=at)[0], LimitOutOfRange)


def test_the_present_limit_is_no_change(on: Scene, at: datetime) -> None:
    assert isinstance(refused(on, vcpus(100), at=at)[0], SameLimit)


# for a time


def test_a_temporary_raise_falls_back_by_itself_after_its_last_day(on: Scene, at: datetime) -> None:
    order = approved(on, at=at, items=vcpus(200, until=by(at, days=30)))
    (running,) = TemporaryRaise.objects.all()
    assert (account(on).limit, running.falls_back_to) == (200, 100)
    over = running.next_run_at
    assert not temporary.due(at=over - timedelta(seconds=1)).exists()
    assert temporary.fall_back(running.pk, at=over)
    running.refresh_from_db()
    assert (account(on).limit, running.status, running.ended_at) == (100, RaiseStatus.ENDED, over)
    change = LimitChange.objects.get(origin=Origin.FELL_BACK)
    assert (change.before, change.after, change.actor, change.order_number) == (200, 100, None, order.number)
    assert Event.objects.get(verb="quota.fell_back").actor == "system:quota"


def test_the_last_day_is_a_whole_day_of_the_local_time_zone(on: Scene, at: datetime) -> None:
    assert temporary.over_at(date(2026, 12, 31)).isoformat() == "2027-01-01T00:00:00+08:00"


def test_it_falls_back_once_however_often_it_is_looked_at(on: Scene, at: datetime) -> None:
    approved(on, at=at, items=vcpus(200, until=by(at, days=30)))
    (running,) = TemporaryRaise.objects.all()
    over = running.next_run_at
    assert [temporary.fall_back(running.pk, at=over) for _again in range(3)] == [True, False, False]
    assert LimitChange.objects.filter(origin=Origin.FELL_BACK).count() == 1


def test_it_does_not_fall_back_before_its_time(on: Scene, at: datetime) -> None:
    approved(on, at=at, items=vcpus(200, until=by(at, days=30)))
    (running,) = TemporaryRaise.objects.all()
    assert not temporary.fall_back(running.pk, at=at)
    assert account(on).limit == 200


def test_what_is_in_use_beyond_the_limit_stays_is_told_and_nothing_more_is_held(
    on: Scene, at: datetime
) -> None:
    approved(on, at=at, items=vcpus(200, until=by(at, days=30)))
    taken(on, 130, at=at)
    (running,) = TemporaryRaise.objects.all()
    temporary.fall_back(running.pk, at=running.next_run_at)
    running.refresh_from_db()
    assert (account(on).limit, account(on).taken, account(on).free, running.beyond) == (100, 130, 0, 30)
    with pytest.raises(QuotaExceeded):
        taken(on, 1, at=running.next_run_at)


def test_a_unit_beyond_its_limit_may_be_given_more_although_it_is_not_enough(on: Scene, at: datetime) -> None:
    approved(on, at=at, items=vcpus(200, until=by(at, days=30)))
    taken(on, 130, at=at)
    (running,) = TemporaryRaise.objects.all()
    temporary.fall_back(running.pk, at=running.next_run_at)
    approved(on, at=running.next_run_at, items=vcpus(120))
    assert (account(on).limit, account(on).free) == (120, 0)


def test_no_limit_becomes_one_under_what_is_in_use(at: datetime) -> None:
    on = scene()
    taken(on, 30, at=at)
    assert isinstance(refused(on, vcpus(29), at=at)[0], LimitBelowUse)


def test_a_temporary_raise_is_renewed_and_falls_back_to_what_it_was_before_both(
    on: Scene, at: datetime
) -> None:
    approved(on, at=at, items=vcpus(200, until=by(at, days=30)))
    approved(on, at=at, items=vcpus(200, until=by(at, days=90)))
    first, second = TemporaryRaise.objects.order_by("pk")
    assert (first.status, second.status) == (RaiseStatus.REPLACED, RaiseStatus.RUNNING)
    assert not temporary.fall_back(first.pk, at=first.next_run_at)
    assert account(on).limit == 200
    temporary.fall_back(second.pk, at=second.next_run_at)
    assert account(on).limit == 100


def test_a_lasting_limit_ends_a_temporary_raise(on: Scene, at: datetime) -> None:
    approved(on, at=at, items=vcpus(200, until=by(at, days=30)))
    approved(on, at=at, items=vcpus(200))
    assert not TemporaryRaise.objects.running().exists()
    assert account(on).limit == 200


def test_a_limit_set_by_its_keeper_ends_a_temporary_raise(on: Scene, at: datetime) -> None:
    approved(on, at=at, items=vcpus(200, until=by(at, days=30)))
    now = account(on)
    quotas.set_limit(account=now, limit=170, expected_version=now.version, actor=SystemActor("tests"), at=at)
    (replaced,) = TemporaryRaise.objects.all()
    assert not temporary.fall_back(replaced.pk, at=replaced.next_run_at)
    assert account(on).limit == 170


@pytest.mark.parametrize("days", [-1, 367])
def test_a_last_day_in_the_past_or_beyond_a_year_is_refused(on: Scene, at: datetime, days: int) -> None:
    (error,) = refused(on, vcpus(200, until=by(at, days=days)), at=at)
    assert isinstance(error, UntilOutOfRange)
    assert error.pointers == ("/items/0/until",)


@pytest.mark.parametrize("limit", [100, 90])
def test_for_a_time_a_limit_is_only_raised(on: Scene, at: datetime, limit: int) -> None:
    assert NoTemporaryRaise in {
        type(error) for error in refused(on, vcpus(limit, until=by(at, days=9)), at=at)
    }


def test_a_raise_whose_time_is_over_before_the_last_approval_is_not_granted(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at, items=vcpus(200, until=by(at, days=2)))
    stages = order.case.stages.count()
    for _stage in range(stages - 1):
        order = decided(on, order, at=at)
    with pytest.raises(TimeIsOver):
        decided(on, order, at=at + timedelta(days=3))
    assert account(on).limit == 100


@pytest.mark.parametrize(("verb", "status"), [("return", "returned"), ("reject", "rejected")])
def test_once_its_time_is_over_it_is_approved_at_no_stage_and_given_back(
    on: Scene, at: datetime, verb: str, status: str
) -> None:
    order = submitted(on, at=at, items=vcpus(200, until=by(at, days=2)))
    later = at + timedelta(days=3)
    for approving in ("approve", "approve_with_conditions"):
        with pytest.raises(TimeIsOver):
            decided(on, order, at=later, verb=approving, opinion="仅限本月")
    assert not Decision.objects.exists()
    assert decided(on, order, at=later, verb=verb, opinion="已过期").status == status


def test_a_raise_that_became_none_meanwhile_is_not_granted(on: Scene, at: datetime) -> None:
    approved(on, at=at, items=vcpus(200, until=by(at, days=30)))
    order = submitted(on, at=at, items=vcpus(150, until=by(at, days=60)))
    now = account(on)
    quotas.set_limit(account=now, limit=200, expected_version=now.version, actor=SystemActor("tests"), at=at)
    with pytest.raises(NoTemporaryRaise):
        approve_all(on, order, at=at)
    assert account(on).limit == 200


def test_without_a_limit_there_is_nothing_to_raise_for_a_time(at: datetime) -> None:
    (error,) = refused(scene(), vcpus(90, until=by(at, days=9)), at=at)
    assert isinstance(error, NoTemporaryRaise)


def test_the_same_temporary_raise_again_is_no_change(on: Scene, at: datetime) -> None:
    approved(on, at=at, items=vcpus(200, until=by(at, days=30)))
    assert isinstance(refused(on, vcpus(200, until=by(at, days=30)), at=at)[0], SameLimit)


# the record of it


def test_the_history_is_not_changed_or_deleted(on: Scene, at: datetime) -> None:
    approved(on, at=at, items=vcpus(150))
    for write in (LimitChange.objects.all().delete, lambda: LimitChange.objects.update(after=1)):
        with pytest.raises(DatabaseError, match="append"), transaction.atomic():
            write()


def test_asking_for_quota_and_granting_it_take_a_bounded_number_of_statements(
    on: Scene, at: datetime
) -> None:
    order = drafted(on, at=at, items=vcpus(200, until=by(at, days=30)))
    with CaptureQueriesContext(connection) as captured:
        services.submit(order=order, actor=on.applicant, at=at)
    counts = [counted(captured)]
    order = Order.objects.get(pk=order.pk)
    while order.status == Status.IN_APPROVAL:
        with CaptureQueriesContext(connection) as captured:
            order = decided(on, order, at=at)
        counts.append(counted(captured))
    assert max(counts[:-1]) <= MOST_STATEMENTS, counts
    assert counts[-1] <= MOST_OF_THE_LAST, counts


def counted(captured: CaptureQueriesContext) -> int:
    return sum("SAVEPOINT" not in query["sql"] for query in captured)


def test_quota_that_the_catalogue_does_not_offer_is_not_ordered(on: Scene, at: datetime) -> None:
    Offering.objects.filter(code="quota").update(retired_at=at)
    (error,) = refused(on, vcpus(150), at=at)
    assert isinstance(error, NotOffered)
