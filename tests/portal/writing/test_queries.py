"""What the pages ask of the database, however much the order and the system have."""

import pytest
from django.test import Client

from govcloud.catalog.models import Cloud
from govcloud.orders.models import Order
from tests.factories.inventory import whole_server

SAVEPOINTS = 2  # the session's own row is saved between a savepoint and its release


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/orders/new/", 7),
        ("/orders/{number}/", 17),  # with price, effect and route
        ("/orders/{number}/heading/", 9),
        ("/orders/{number}/items/2/", 18),
        ("/orders/{number}/items/new/release/", 10),
        ("/orders/{number}/submission/", 19),  # likewise, its files, and what keeps it from being submitted
        ("/systems/{system}/standing/", 7),
    ],
)
@pytest.mark.usefixtures("server")
def test_a_page_takes_so_many_queries_at_most(
    browser: Client, order: Order, path: str, most: int, django_assert_max_num_queries
) -> None:
    for n in range(3):
        whole_server(system=order.system, cloud=Cloud.objects.get(), name=f"further-{n}")
    address = path.format(number=order.number, system=order.system.uuid)
    browser.get(address)
    with django_assert_max_num_queries(most + SAVEPOINTS):
        assert browser.get(address).status_code == 200
