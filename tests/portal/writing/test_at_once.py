"""Two clicks at the same moment."""

from datetime import datetime

import pytest
from django.test import Client

from govcloud.orders.models import Order
from tests.at_once import at_once
from tests.factories.orders import NETWORK, Scene, drafted
from tests.portal.writing.forms import Form, read_along

pytestmark = pytest.mark.django_db(transaction=True)


def another(browser: Client) -> Client:
    """A further window of the same session."""
    window = Client()
    window.cookies = browser.cookies
    return window


def test_a_double_click_makes_one_order(browser: Client, on: Scene) -> None:
    page = browser.get(f"/orders/new/?system={on.system.code}&item=network")
    typed = Form(page).sent(**{"title": "A", "declares_classified": "no", "0-name": "net"})
    windows = [another(browser) for _ in range(4)]
    answers: list[str] = []
    at_once(
        [
            lambda window=window: answers.append(
                window.post("/orders/new/", {**typed, "do": "keep"}).headers["Location"]
            )
            for window in windows
        ]
    )
    assert (len(answers), len(set(answers)), Order.objects.count()) == (4, 1, 1)


def test_of_two_who_submit_at_once_one_does(browser: Client, on: Scene, at: datetime) -> None:
    order = drafted(on, at=at, items=(NETWORK,))
    windows, answers = [another(browser) for _ in range(2)], []
    path = f"/orders/{order.number}/submission/"
    sent = read_along(browser.get(path))
    at_once([lambda window=window: answers.append(window.post(path, sent).status_code) for window in windows])
    assert sorted(answers) == [302, 409]
    assert order.revisions.count() == 1
