"""Several writers of one resource's usage at once, on connections of their own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connection

from govcloud.audit.models import Event
from govcloud.errors import DomainError
from govcloud.metering.models import UsageSegment
from govcloud.metering.services import UsageOutOfOrder, UsageOverlaps, change_usage, close_usage, open_usage
from tests.factories.catalog import MeterFactory
from tests.factories.inventory import ResourceFactory

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*calls: Callable[[], object]) -> list[DomainError]:
    """Run the calls in threads that start together; returns what was refused."""
    start = Barrier(len(calls))

    def run(call: Callable[[], object]) -> DomainError | None:
        start.wait()
        try:
            call()
        except DomainError as refused:
            return refused
        finally:
            connection.close()
        return None

    with ThreadPoolExecutor(len(calls)) as threads:
        return [refused for refused in threads.map(run, calls) if refused is not None]


@pytest.fixture
def server():
    MeterFactory(code="vcpu")
    MeterFactory(code="memory_gb")
    return ResourceFactory()


def test_of_many_that_open_the_same_usage_one_wins_and_the_others_are_told(server, at):
    quantities = {"vcpu": Decimal(4), "memory_gb": Decimal(16)}

    refused = at_once(*[lambda: open_usage(resource=server, quantities=quantities, at=at)] * 8)

    assert [type(r) for r in refused] == [UsageOverlaps] * 7
    assert UsageSegment.objects.filter(resource=server).count() == 2
    assert Event.objects.filter(subject_id=server.uuid, verb="usage.opened").count() == 1


def test_changes_at_once_leave_one_unbroken_chain(server, at):
    open_usage(resource=server, quantities={"vcpu": Decimal(1)}, at=at)

    at_once(
        *[
            lambda n=n: change_usage(
                resource=server, quantities={"vcpu": Decimal(n)}, at=at + timedelta(minutes=n)
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

    refused = at_once(
        lambda: change_usage(resource=server, quantities={"vcpu": Decimal(2)}, at=at + timedelta(hours=1)),
        lambda: close_usage(resource=server, at=at + timedelta(hours=2)),
    )

    chain = list(UsageSegment.objects.filter(resource=server).order_by("period"))
    if refused:  # the release came first: the change would lie in time that is over
        assert [type(r) for r in refused] == [UsageOverlaps]
    assert chain[-1].period.upper == at + timedelta(hours=2)
    assert {type(r) for r in refused} <= {UsageOverlaps, UsageOutOfOrder}
