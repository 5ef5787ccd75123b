"""Several writers of one resource's usage at once, on connections of their own."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest

from govcloud.audit.models import Event
from govcloud.metering.models import UsageSegment
from govcloud.metering.services import UsageOverlaps, change_usage, close_usage, open_usage
from tests.at_once import at_once
from tests.factories.catalog import MeterFactory
from tests.factories.inventory import ResourceFactory

pytestmark = pytest.mark.django_db(transaction=True)


def refused(*works: Callable[[], object]) -> list[type[BaseException]]:
    """What was refused of the works done at one moment."""
    return [type(error) for error in at_once(works) if error is not None]


@pytest.fixture
def server():
    MeterFactory(code="vcpu")
    MeterFactory(code="memory_gb")
    return ResourceFactory()


def test_of_many_that_open_the_same_usage_one_wins_and_the_others_are_told(server, at):
    quantities = {"vcpu": Decimal(4), "memory_gb": Decimal(16)}

    work = partial(open_usage, resource=server, quantities=quantities, at=at)

    assert refused(*[work] * 8) == [UsageOverlaps] * 7
    assert UsageSegment.objects.filter(resource=server).count() == 2
    assert Event.objects.filter(subject_id=server.uuid, verb="usage.opened").count() == 1


def test_changes_at_once_leave_one_unbroken_chain(server, at):
    open_usage(resource=server, quantities={"vcpu": Decimal(1)}, at=at)

    refused(
        *[
            partial(
                change_usage, resource=server, quantities={"vcpu": Decimal(n)}, at=at + timedelta(minutes=n)
            )
            for n in range(2, 8)
        ]
    )

    chain = list(UsageSegment.objects.filter(resource=server).order_by("period"))
    assert chain[0].period.lower == at
    assert [s.period.upper for s in chain[:-1]] == [s.period.lower for s in chain[1:]]
    assert chain[-1].period.upper is None


def test_a_change_and_a_release_at_once_end_with_nothing_or_are_told(server, at):
    open_usage(resource=server, quantities={"vcpu": Decimal(1)}, at=at)

    told = refused(
        partial(change_usage, resource=server, quantities={"vcpu": Decimal(2)}, at=at + timedelta(hours=1)),
        partial(close_usage, resource=server, at=at + timedelta(hours=2)),
    )

    assert told in ([], [UsageOverlaps])  # when the release came first, the change lies in time that is over
    assert not UsageSegment.objects.going_on().exists()
    assert max(s.period.upper for s in UsageSegment.objects.all()) == at + timedelta(hours=2)
