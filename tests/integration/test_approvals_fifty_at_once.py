"""Fifty who decide at the same moment on orders that share one quota, while others want what is given back."""

from dataclasses import replace
from datetime import datetime

import pytest
from django.db.models import Sum

from govcloud.approvals.models import Decision
from govcloud.errors import Conflict
from govcloud.orders import services
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order
from govcloud.quotas.models import EntryKind, QuotaAccount
from govcloud.quotas.services import QuotaExceeded
from tenants.models import Role, User
from tests.at_once import at_once
from tests.factories.approvals import INTAKE, flow
from tests.factories.orders import Scene, drafted, scene, submitted
from tests.factories.tenants import SystemFactory, member

ORDERS = 25
SERVERS_EACH = 2
LIMIT = ORDERS * SERVERS_EACH
LATE = 10


def of_another_system(on: Scene) -> Scene:
    """Orders of one system wait for each other; what these share is the department's quota."""
    return replace(on, system=SystemFactory(department=on.department, level_3=True))


def decide(order: Order, person: User, verb: str, at: datetime) -> None:
    services.decide(
        order=Order.objects.get(pk=order.pk),
        verb=verb,
        opinion="同意" if verb == "approve" else "暂缓",
        revision_hash=order.case.revision_hash,
        actor=person,
        at=at,
        stage="intake",
    )


@pytest.mark.django_db(transaction=True)
def test_fifty_deciders_at_once_never_pass_the_limit_and_decide_each_order_once(at: datetime) -> None:
    on = scene(limits={"servers": LIMIT})
    flow(INTAKE, at=at)
    orders = [submitted(of_another_system(on), at=at) for _one in range(ORDERS)]
    late = [drafted(of_another_system(on), at=at) for _one in range(LATE)]
    deciders = [member(Role.SERVICE_DESK) for _one in range(2 * ORDERS)]
    works = [
        lambda o=orders[n // 2], p=person, v="reject" if n // 2 < LATE else "approve": decide(o, p, v, at)
        for n, person in enumerate(deciders)
    ]
    works += [lambda o=order: services.submit(order=o, actor=on.applicant, at=at) for order in late]
    outcomes = at_once(works)

    decided, wanted = outcomes[: 2 * ORDERS], outcomes[2 * ORDERS :]
    for first, second in zip(decided[::2], decided[1::2], strict=True):
        assert sorted([first is None, second is None]) == [False, True]
        assert isinstance(first or second, Conflict)
    assert Decision.objects.count() == ORDERS
    assert {type(outcome) for outcome in wanted} <= {type(None), QuotaExceeded}

    statuses = [order.status for order in Order.objects.filter(pk__in=[order.pk for order in orders])]
    assert (statuses.count(Status.REJECTED), statuses.count(Status.FULFILLING)) == (LATE, ORDERS - LATE)
    account = QuotaAccount.objects.get(department=on.department, dimension="servers")
    standing = ORDERS - LATE + wanted.count(None)
    assert account.held + account.used == standing * SERVERS_EACH <= LIMIT
    moved = dict(account.entries.values_list("kind").annotate(Sum("amount")).order_by())
    assert moved[EntryKind.HOLD] - moved[EntryKind.UNHOLD] == standing * SERVERS_EACH
