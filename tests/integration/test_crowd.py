"""The orders that lists are measured over can be made, and each list is answered: measured now and then, tried every time."""

import pytest
from django.db import connection
from django.test import Client

from govcloud import clock
from govcloud.approvals.models import Decision
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Order
from tests.bench import crowd
from tests.bench.lists import API, lists_of
from tests.factories.tenants import token_of

pytestmark = pytest.mark.django_db
MANY = 300


def test_orders_are_copied_to_other_departments_with_all_that_hangs_on_them() -> None:
    crowd.fill(orders=MANY, at=clock.now())
    with connection.cursor() as cursor:
        # Autovacuum may look meanwhile and find the tables as empty as they are for others: what was planned by that took for ever.
        cursor.execute("ANALYZE")
    there = crowd.found(at=clock.now())
    assert there.many == MANY + len(crowd.FATES)
    copies = Order.objects.filter(pk__gt=crowd.STRIDE)
    assert copies.values("system__department").distinct().count() > crowd.DEPARTMENTS * 0.8
    fulfilled = copies.filter(status=Status.FULFILLED)
    signed = Decision.objects.filter(stage__case__order__in=fulfilled)
    assert set(signed.values_list("stage__case__order", flat=True)) == set(
        fulfilled.values_list("pk", flat=True)
    )
    assert fulfilled.filter(searched__contains=there.number).exists()
    for asked in lists_of(there):
        if "deep page" in asked.name:  # there is none in so few
            continue
        browser = Client()
        if asked.path.startswith(API):
            browser.defaults["HTTP_AUTHORIZATION"] = f"Bearer {token_of(asked.who)[1]}"
        else:
            browser.force_login(asked.who)
        assert browser.get(asked.path, asked.query).status_code == 200, asked.name
