"""What a resource uses is a chain of segments that follows its life."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from govcloud.audit.models import Event
from govcloud.metering.models import UsageSegment
from govcloud.metering.services import (
    NegativeUsage,
    UnknownMeter,
    UsageOutOfOrder,
    UsageOverlaps,
    change_usage,
    close_usage,
    open_usage,
)
from tenants.models import Role
from tests.factories.catalog import MeterFactory
from tests.factories.inventory import ResourceFactory
from tests.factories.metering import UsageSegmentFactory
from tests.factories.tenants import DepartmentFactory, member

pytestmark = pytest.mark.django_db

SERVER = {"vcpu": Decimal(4), "memory_gb": Decimal(16)}


@pytest.fixture
def server():
    MeterFactory(code="vcpu")
    MeterFactory(code="memory_gb")
    return ResourceFactory()


def chain(resource, meter: str = "vcpu") -> list[tuple[Decimal, datetime, datetime | None]]:
    segments = UsageSegment.objects.filter(resource=resource, meter__code=meter).order_by("period")
    return [(s.quantity, s.period.lower, s.period.upper) for s in segments]


def test_billing_start_opens_a_segment_for_every_meter(server, at):
    open_usage(resource=server, quantities=SERVER, at=at)

    assert chain(server, "vcpu") == [(Decimal(4), at, None)]
    assert chain(server, "memory_gb") == [(Decimal(16), at, None)]


def test_a_resize_ends_one_segment_where_the_next_begins(server, at):
    open_usage(resource=server, quantities=SERVER, at=at)
    later = at + timedelta(days=3)

    change_usage(resource=server, quantities={"vcpu": Decimal(8), "memory_gb": Decimal(16)}, at=later)

    assert chain(server, "vcpu") == [(Decimal(4), at, later), (Decimal(8), later, None)]


def test_a_resize_leaves_alone_what_it_does_not_change(server, at):
    open_usage(resource=server, quantities=SERVER, at=at)

    change_usage(resource=server, quantities={**SERVER, "vcpu": Decimal(8)}, at=at + timedelta(days=3))

    assert chain(server, "memory_gb") == [(Decimal(16), at, None)]


def test_a_meter_left_out_of_a_change_ends(server, at):
    open_usage(resource=server, quantities=SERVER, at=at)
    later = at + timedelta(hours=1)

    change_usage(resource=server, quantities={"vcpu": Decimal(4)}, at=later)

    assert chain(server, "memory_gb") == [(Decimal(16), at, later)]
    assert chain(server, "vcpu") == [(Decimal(4), at, None)]


def test_a_change_to_the_same_quantities_writes_nothing(server, at):
    open_usage(resource=server, quantities=SERVER, at=at)
    told = Event.objects.count()

    assert change_usage(resource=server, quantities=SERVER, at=at + timedelta(days=1)) == []

    assert Event.objects.count() == told


def test_release_ends_everything_at_once(server, at):
    open_usage(resource=server, quantities=SERVER, at=at)
    later = at + timedelta(days=3)

    close_usage(resource=server, at=later)

    assert chain(server, "vcpu") == [(Decimal(4), at, later)]
    assert chain(server, "memory_gb") == [(Decimal(16), at, later)]
    assert not UsageSegment.objects.filter(resource=server).going_on().exists()


def test_a_change_at_the_instant_of_the_start_replaces_usage_that_covered_no_time(server, at):
    open_usage(resource=server, quantities=SERVER, at=at)

    change_usage(resource=server, quantities={**SERVER, "vcpu": Decimal(8)}, at=at)

    assert chain(server, "vcpu") == [(Decimal(8), at, None)]


def test_what_is_released_the_instant_it_starts_was_never_used(server, at):
    open_usage(resource=server, quantities=SERVER, at=at)

    close_usage(resource=server, at=at)

    assert chain(server) == []


def test_what_uses_nothing_has_nothing_to_close(server, at):
    close_usage(resource=server, at=at)

    assert not Event.objects.filter(subject_id=server.uuid).exists()


def test_usage_opened_twice_is_refused_with_the_resource_named(server, at):
    open_usage(resource=server, quantities=SERVER, at=at)

    with pytest.raises(UsageOverlaps) as refused:
        open_usage(resource=server, quantities=SERVER, at=at + timedelta(days=1))

    assert refused.value.params["resource"] == server.name
    assert chain(server) == [(Decimal(4), at, None)]


def test_a_change_before_the_start_is_refused(server, at):
    open_usage(resource=server, quantities=SERVER, at=at)

    with pytest.raises(UsageOutOfOrder):
        change_usage(resource=server, quantities={"vcpu": Decimal(8)}, at=at - timedelta(seconds=1))

    assert chain(server) == [(Decimal(4), at, None)]


def test_an_unknown_meter_is_named(server, at):
    with pytest.raises(UnknownMeter) as refused:
        open_usage(resource=server, quantities={"coffee": Decimal(1)}, at=at)

    assert refused.value.params == {"meter": "coffee"}


def test_a_negative_quantity_is_refused(server, at):
    with pytest.raises(NegativeUsage):
        open_usage(resource=server, quantities={"vcpu": Decimal(-4)}, at=at)


def test_a_quantity_of_zero_opens_no_segment(server, at):
    open_usage(resource=server, quantities={"vcpu": Decimal(4), "memory_gb": Decimal(0)}, at=at)

    assert chain(server, "memory_gb") == []


def test_the_order_s_trail_tells_what_was_used_before_and_after(server, at):
    open_usage(resource=server, quantities=SERVER, at=at)
    change_usage(resource=server, quantities={**SERVER, "vcpu": Decimal(8)}, at=at + timedelta(days=1))
    close_usage(resource=server, at=at + timedelta(days=2))

    told = Event.objects.filter(thread=server.thread).order_by("id")
    assert [e.verb for e in told] == ["usage.opened", "usage.changed", "usage.closed"]
    assert (told[1].before, told[1].after) == ({"vcpu": "4.000000"}, {"vcpu": "8"})


def test_a_beginning_is_told_as_one_at_the_hand_over_and_after_a_suspension(server, at):
    change_usage(resource=server, quantities=SERVER, at=at)
    close_usage(resource=server, at=at + timedelta(days=1))
    change_usage(resource=server, quantities={"vcpu": Decimal(4)}, at=at + timedelta(days=2))
    change_usage(resource=server, quantities=SERVER, at=at + timedelta(days=3))

    told = Event.objects.filter(thread=server.thread).order_by("id")
    assert [e.verb for e in told] == ["usage.opened", "usage.closed", "usage.opened", "usage.changed"]
    assert (told[0].before, told[3].before) == ({}, {})


@pytest.mark.parametrize("bounds", ["[]", "(]", "()"])
def test_the_database_takes_only_half_open_segments(bounds, at):
    period = DateTimeTZRange(at, at + timedelta(days=1), bounds)

    with pytest.raises(IntegrityError, match="segment_is_half_open"), transaction.atomic():
        UsageSegmentFactory(period=period)


def test_the_database_refuses_overlapping_segments_whoever_writes_them(at):
    segment = UsageSegmentFactory(period=DateTimeTZRange(at, at + timedelta(days=2)))

    with pytest.raises(IntegrityError, match="segments_never_overlap"), transaction.atomic():
        UsageSegmentFactory(
            resource=segment.resource,
            meter=segment.meter,
            period=DateTimeTZRange(at + timedelta(days=1), at + timedelta(days=3)),
        )


def test_another_department_s_usage_is_not_seen(at):
    segment = UsageSegmentFactory()
    own = member(Role.APPLICANT, segment.resource.system.department)
    foreign = member(Role.APPLICANT, DepartmentFactory())

    assert list(UsageSegment.objects.visible_to(own, at=at)) == [segment]
    assert list(UsageSegment.objects.visible_to(foreign, at=at)) == []
