from datetime import datetime
import pytest
from django.test import Client
from govcloud.orders.models import Order
from tests.factories import orders as made
from tests.portal.conftest import Signed
from tests.portal.reading import text


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


def test_x(db, signed_in: Signed, at):
    on = made.scene()
    browser = signed_in(on.applicant)
    r = browser.get("/orders/new/")
    assert r.status_code == 200
    r = browser.post("/orders/new/", {"system": on.system.code, "title": "T", "declares_classified": "no", "do": "with-server"})

    print(text(r))
    assert r.status_code == 200
    typed = {"system": on.system.code, "title": "T", "declares_classified": "no", "do": "keep", "slot": ["network","server","backup"],
      "0-name": "net", "0-zone":"private","0-site":"main",
      "1-name":"web","1-quantity":"1","1-zone":"private","1-network":"@","1-flavor":"g.4c16g","1-image":"debian-12","1-system_volume-storage_class":"ssd","1-system_volume-size_gb":"40","1-lease_months":"12","1-rows":"1","1-data_volumes-0-storage_class":"sas","1-data_volumes-0-size_gb":"100",
      "2-name":"dr","2-dr_level":"3","2-capacity_gb":"100","2-frequency":"daily","2-off_site":"yes"}
    r = browser.post("/orders/new/", typed)
    print(r.status_code, text(r))
    r = browser.post("/orders/new/", typed | {"2-capacity_gb": "200"})
    assert r.status_code == 302
    order = Order.objects.get()
    r = browser.get(r.url)
    print(text(r))
    r = browser.get(f"/orders/{order.number}/items/2/")
    print(text(r))
    assert r.status_code == 200
    r = browser.get(f"/orders/{order.number}/submission/")
    print(text(r))
    r = browser.post(f"/orders/{order.number}/submission/", {"version": "1"})
    assert r.status_code == 302
    order.refresh_from_db()
    assert order.status == "in_approval"
