"""Many at once, each in a thread with a connection of its own."""

from collections.abc import Callable, Iterator
from datetime import datetime
from uuid import uuid4

import pytest

from govcloud.quotas import services as quotas
from govcloud.quotas.models import QuotaAccount, QuotaEntry
from govcloud.quotas.services import Hold, QuotaExceeded
from tenants.models import Department
from tests.at_once import at_once
from tests.factories.quotas import opened
from tests.factories.tenants import DepartmentFactory

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def units() -> list[Department]:
    """Two units with room for a hundred each, below one department with room for ten servers."""
    department = DepartmentFactory()
    opened(department, servers=10, vcpus=40)
    children = [DepartmentFactory(parent=department) for _unit in range(2)]
    for child in children:
        opened(child, servers=100, vcpus=400)
    return children


def one_server(department: Department, at: datetime) -> Callable[[], None]:
    return lambda: quotas.hold(
        department=department, holds=[Hold(uuid4(), {"servers": 1, "vcpus": 4})], at=at
    )


def test_fifty_holders_of_one_limit_never_overrun_it(units: list[Department], at: datetime) -> None:
    outcomes = at_once([one_server(units[n % 2], at) for n in range(50)])
    assert [type(outcome) for outcome in outcomes if outcome] == [QuotaExceeded] * 40
    above = QuotaAccount.objects.get(department=units[0].parent, dimension="servers")
    assert above.held == above.limit == 10
    assert QuotaEntry.objects.filter(account=above).count() == 10
    held_below = QuotaAccount.objects.filter(department__in=units, dimension="servers").values_list(
        "held", flat=True
    )
    assert sum(held_below) == 10


def test_one_source_held_by_many_at_once_holds_once(units: list[Department], at: datetime) -> None:
    unit = Hold(uuid4(), {"servers": 2})
    outcomes = at_once([lambda: quotas.hold(department=units[0], holds=[unit], at=at)] * 12)
    assert outcomes == [None] * 12
    assert QuotaAccount.objects.get(department=units[0].parent, dimension="servers").held == 2


def test_using_and_giving_back_one_hold_at_once_is_one_or_the_other(
    units: list[Department], at: datetime
) -> None:
    source = uuid4()
    quotas.hold(department=units[0], holds=[Hold(source, {"servers": 2})], at=at)
    outcomes = at_once(
        [lambda: quotas.commit(source=source, at=at), lambda: quotas.unhold(source=source, at=at)] * 6
    )
    assert sorted(str(outcome) == "None" for outcome in outcomes) == [False] * 6 + [True] * 6
    account = QuotaAccount.objects.get(department=units[0], dimension="servers")
    assert (account.held, account.used) in {(0, 0), (0, 2)}


def test_holding_using_and_giving_back_in_opposite_orders_never_wait_for_each_other(
    units: list[Department], at: datetime
) -> None:
    def coming_and_going(department: Department, *dimensions: str) -> None:
        for _round in range(10):
            source = uuid4()
            quotas.hold(department=department, holds=[Hold(source, dict.fromkeys(dimensions, 1))], at=at)
            quotas.commit(source=source, at=at)
            quotas.give_back(
                source=source, department=department, amounts=dict.fromkeys(dimensions, 1), at=at
            )

    orders: Iterator[tuple[str, ...]] = iter([("servers", "vcpus"), ("vcpus", "servers")] * 4)
    outcomes = at_once(
        [lambda each=each, n=n: coming_and_going(units[n % 2], *each) for n, each in enumerate(orders)]
    )
    assert outcomes == [None] * 8
    assert not QuotaAccount.objects.exclude(held=0, used=0).exists()
