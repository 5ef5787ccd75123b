"""What was granted for a time does not become lasting by the short way, nor longer or higher without the whole chain."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from importlib import import_module

import pytest
from django.db import connection
from django.utils.translation import override

from govcloud.approvals.lifecycle import StageStatus
from govcloud.approvals.models import CaseKind, Quota
from govcloud.audit.services import SystemActor
from govcloud.documents.form import specification
from govcloud.errors import Invalids
from govcloud.orders import services
from govcloud.orders.drafts import LimitDraft
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import LimitSpec, Order
from govcloud.portal.order.items import lines
from govcloud.quotas import services as quotas
from govcloud.quotas import temporary
from govcloud.quotas.limits import LastingLimitMoved, LimitMoved
from govcloud.quotas.models import Dimension, QuotaAccount, TemporaryRaise
from tests.factories.approvals import INTAKE, flow
from tests.factories.orders import Scene, approve_all, approved, drafted, scene, submitted

pytestmark = pytest.mark.django_db
VCPUS = Dimension.VCPUS


def vcpus(limit: int, *, until: date | None = None) -> tuple[LimitDraft]:
    return (LimitDraft(dimension=VCPUS, limit=limit, until=until),)


def account(on: Scene) -> QuotaAccount:
    return QuotaAccount.objects.get(department=on.department, dimension=VCPUS)


def day(at: datetime, days: int) -> date:
    return (at + timedelta(days=days)).date()


@pytest.fixture
def on(at: datetime) -> Scene:
    """100 to last, 1,000 until tomorrow."""
    found = scene(limits={"vcpus": 100})
    approved(found, at=at, items=vcpus(1_000, until=day(at, 1)))
    return found


@pytest.mark.parametrize("limit", [1_000, 999, 101])
def test_a_temporary_raise_becomes_lasting_by_the_whole_chain_only(
    on: Scene, at: datetime, limit: int
) -> None:
    order = submitted(on, at=at, items=vcpus(limit))
    assert order.case is not None
    assert (order.case.kind, order.case.quota) == (CaseKind.COMMITTED, Quota.OVER)
    roles = [stage.role for stage in order.case.stages.order_by("position")]
    assert roles == ["unit_approver", "service_desk", "technical_reviewer", "authority_approver"]
    approve_all(on, order, at=at)
    assert account(on).limit == limit
    assert not TemporaryRaise.objects.running().exists()


def test_it_is_not_made_lasting_by_a_rule(on: Scene, at: datetime) -> None:
    flow(replace(INTAKE, auto_quota="within"), replace(INTAKE, code="cheap", auto_max_mlps_level=5), at=at)
    order = submitted(on, at=at, items=vcpus(1_000))
    assert order.case is not None
    assert order.status == Status.IN_APPROVAL
    statuses = [stage.status for stage in order.case.stages.order_by("position")]
    assert statuses == [StageStatus.CURRENT, StageStatus.WAITING]
    assert TemporaryRaise.objects.running().exists()


@pytest.mark.parametrize(("limit", "days"), [(1_000, 30), (1_200, 1), (500, 30)])
def test_a_raise_for_longer_or_to_more_goes_the_whole_way(
    on: Scene, at: datetime, limit: int, days: int
) -> None:
    order = submitted(on, at=at, items=vcpus(limit, until=day(at, days)))
    assert order.case is not None
    assert (order.case.kind, order.case.quota) == (CaseKind.COMMITTED, Quota.OVER)


def test_giving_up_a_raise_before_its_time_is_a_short_matter(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at, items=vcpus(100))
    assert order.case is not None
    assert order.case.kind == CaseKind.INSTANT
    approve_all(on, order, at=at)
    assert account(on).limit == 100
    assert not TemporaryRaise.objects.running().exists()


def test_a_lowering_is_not_granted_once_what_it_saw_is_there_for_a_time_only(at: datetime) -> None:
    """From 1,000 to 900 is less. It is more by the time that 1,000 is for tomorrow only, although 1,000 is what it saw."""
    on = scene(limits={"vcpus": 1_000})
    less = submitted(on, at=at, items=vcpus(900))
    now = account(on)
    quotas.set_limit(account=now, limit=100, expected_version=now.version, actor=SystemActor("tests"), at=at)
    approved(on, at=at, items=vcpus(1_000, until=day(at, 1)))
    with pytest.raises(LastingLimitMoved) as refusal:
        approve_all(on, less, at=at)
    assert isinstance(refusal.value, LimitMoved)
    assert (refusal.value.params["now"], refusal.value.params["then"]) == ("100", "1000")
    assert Order.objects.get(pk=less.pk).status == Status.IN_APPROVAL
    assert account(on).limit == 1_000
    assert TemporaryRaise.objects.running().exists()


def test_an_order_that_saw_a_lasting_limit_is_not_submitted_once_it_lasts_no_more(
    on: Scene, at: datetime
) -> None:
    order = drafted(on, at=at, items=vcpus(900))
    LimitSpec.objects.filter(item__order=order).update(lasting_before=1_000)
    assert [one.fits for one in services.limits(order=order, at=at)] == [False]
    with pytest.raises(Invalids) as refusal:
        services.submit(order=order, actor=on.applicant, at=at)
    (error,) = refusal.value.errors
    assert isinstance(error, LastingLimitMoved)
    assert error.pointers == ("/items/0/limit",)


def test_deciders_are_told_that_the_limit_in_force_does_not_last(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at, items=vcpus(1_000))
    (item,) = order.revisions.get().content["items"]
    assert (item["from_limit"], item["from_lasting_limit"], item["limit"]) == (1_000, 100, 1_000)
    (effect,) = services.limits(order=order, at=at)
    assert (effect.limit, effect.lasting, effect.fits) == (1_000, 100, True)


def test_applicants_and_deciders_read_that_the_limit_in_force_does_not_last(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at, items=vcpus(1_000))
    (item,) = order.revisions.get().content["items"]
    with override("zh-hans"):
        (shown,) = lines(order)
        assert shown.facts == ["上限由 1,000 变更为 1,000", "原上限为临时上限，长期上限为 100"]
        assert "长期上限 100" in list(specification(item))


def test_what_was_under_way_before_lasting_limits_were_kept(on: Scene, at: datetime) -> None:
    """A renewal goes on; what went the short way because it saw a temporary limit is asked for anew."""
    renewal = submitted(on, at=at, items=vcpus(1_000, until=day(at, 30)))
    short = submitted(on, at=at, items=vcpus(999))
    LimitSpec.objects.update(lasting_before=None)
    migration = import_module("govcloud.orders.migrations.0017_limits_tell_what_lasts")
    with connection.cursor() as cursor:
        cursor.execute(migration.FILL)
    kept = {spec.item.order_id: spec.lasting_before for spec in LimitSpec.objects.select_related("item")}
    assert (kept[renewal.pk], kept[short.pk]) == (100, 1_000)
    # the order for the raise itself saw 100, which lasted
    assert sorted(kept.values()) == [100, 100, 1_000]
    with pytest.raises(LastingLimitMoved):
        approve_all(on, short, at=at)
    assert approve_all(on, renewal, at=at).status == Status.FULFILLED


def test_a_revision_without_a_raise_in_force_keeps_its_hash(at: datetime) -> None:
    order = submitted(scene(limits={"vcpus": 100}), at=at, items=vcpus(150))
    assert "from_lasting_limit" not in order.revisions.get().content["items"][0]


def test_what_fell_back_while_it_was_decided_is_asked_for_anew(on: Scene, at: datetime) -> None:
    order = submitted(on, at=at, items=vcpus(1_000))
    running = TemporaryRaise.objects.running().get()
    temporary.fall_back(running.pk, at=running.next_run_at)
    with pytest.raises(LimitMoved):
        approve_all(on, order, at=running.next_run_at)
    assert account(on).limit == 100
