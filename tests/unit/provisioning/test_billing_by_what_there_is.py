"""When a change is metered: whoever makes it, and whatever else is being done with the resource this moment."""

from datetime import datetime, timedelta

import pytest

from govcloud.catalog.models import MEMORY_GB, VCPU
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource
from govcloud.metering.models import UsageSegment
from govcloud.provisioning import settlement
from tests.factories.catalog import MeterFactory
from tests.factories.inventory import ServerFactory

pytestmark = pytest.mark.django_db
LATER = timedelta(days=10)


@pytest.fixture
def server(at: datetime) -> Resource:
    """In use, and nothing of it is metered yet."""
    for code in (VCPU, MEMORY_GB):
        MeterFactory(code=code)
    resource: Resource = ServerFactory(resource__billing_start=at).resource
    return resource


def metered() -> set[tuple[str, datetime]]:
    return {(each.meter.code, each.period.lower) for each in UsageSegment.objects.going_on()}


def since(at: datetime) -> set[tuple[str, datetime]]:
    return {(VCPU, at), (MEMORY_GB, at)}


def suspended(server: Resource, at: datetime) -> None:
    server.server.suspended_at = at
    server.server.save(update_fields=["suspended_at"])


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.CHANGING])
def test_what_is_in_use_is_billed_by_what_it_has(server: Resource, at: datetime, status: Status) -> None:
    Resource.objects.update(status=status)
    settlement.bill(server, at=at)
    assert metered() == since(at)


@pytest.mark.parametrize("status", [Status.SUSPENDED, Status.CHANGING])
@pytest.mark.parametrize("ordered", ["by an order", "by itself"])
def test_a_suspended_server_is_not_metered_although_it_is_in_hand(
    server: Resource, at: datetime, status: Status, ordered: str
) -> None:
    suspended(server, at)
    Resource.objects.update(status=status)
    settlement.bill(server, at=at, ordered=ordered == "by an order")
    assert metered() == set()


@pytest.mark.parametrize("status", [Status.RELEASING, Status.RELEASED])
def test_what_is_released_is_not_metered_any_more(server: Resource, at: datetime, status: Status) -> None:
    Resource.objects.update(status=status, released_at=at if status == Status.RELEASED else None)
    settlement.bill(server, at=at)
    assert metered() == set()


def test_before_the_billing_start_only_an_order_begins_the_bill(server: Resource, at: datetime) -> None:
    server.billing_start = at + LATER
    settlement.bill(server, at=at)
    assert metered() == set()
    settlement.bill(server, at=at, ordered=True)
    assert metered() == since(at)


def test_what_an_order_has_begun_to_bill_goes_on_being_billed_by_what_there_is(
    server: Resource, at: datetime
) -> None:
    server.billing_start = at + LATER
    settlement.bill(server, at=at, ordered=True)
    server.server.vcpus += 4
    settlement.bill(server, at=at + timedelta(hours=1))
    assert metered() == {(VCPU, at + timedelta(hours=1)), (MEMORY_GB, at)}


def test_from_the_billing_start_on_everything_is_metered(server: Resource, at: datetime) -> None:
    server.billing_start = at + LATER
    settlement.bill(server, at=at + LATER)
    assert metered() == since(at + LATER)
