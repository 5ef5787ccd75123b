"""From what stands to an order that changes it."""

import re
from datetime import datetime, timedelta

import pytest
from django.test import Client

from govcloud.inventory.models import Server
from govcloud.orders.models import Order
from govcloud.orders.redrafting import drafts_of
from tenants.models import Role
from tests.factories.inventory import BackupAllowanceFactory, whole_server
from tests.factories.orders import NETWORK, Scene, drafted
from tests.portal.conftest import Signed
from tests.portal.reading import text
from tests.portal.writing.forms import Form, press


def test_the_systems_page_leads_to_what_it_has(browser: Client, on: Scene, server: Server) -> None:
    path = f"/systems/{on.system.uuid}/"
    assert f'href="{path}standing/"' in browser.get(path).content.decode()
    page = browser.get(f"{path}standing/")
    assert "old-1" in text(page)
    assert f'href="{path}standing/{server.resource.uuid}/"' in page.content.decode()


def test_growing_a_volume_from_its_row(browser: Client, on: Scene, server: Server) -> None:
    volume = server.volumes.get(role="data").resource
    path = f"/systems/{on.system.uuid}/standing/{volume.uuid}/"
    assert "Grow a volume" in text(browser.get(path))
    page = browser.get(path, {"item": "extend", "order": ""}, follow=True)
    form = Form(page)
    assert (form.values["0-target"], form.values["title"]) == (
        [str(volume.uuid)],
        [f"Grow a volume: {volume.name}"],
    )
    typed = {"0-size_gb": "800", "declares_classified": "no"}
    assert press(browser, page, typed=typed).status_code == 302
    (draft,) = drafts_of(Order.objects.get())
    assert (draft.target, draft.size_gb) == (volume.uuid, 800)


def test_a_release_into_an_order_that_is_being_written(
    browser: Client, on: Scene, server: Server, at: datetime
) -> None:
    order = drafted(on, at=at, items=(NETWORK,))
    path = f"/systems/{on.system.uuid}/standing/{server.resource.uuid}/"
    assert order.number in text(browser.get(path))
    page = browser.get(path, {"item": "release", "order": order.number}, follow=True)
    assert press(browser, page).status_code == 302
    assert [type(draft).__name__ for draft in drafts_of(order)] == ["NetworkDraft", "ReleaseDraft"]


def test_a_lease_that_ends_is_renewed_from_the_list_of_leases(
    browser: Client, on: Scene, server: Server, at: datetime
) -> None:
    server.resource.lease_end = at + timedelta(days=5)
    server.resource.save()
    (link,) = re.findall(r'href="(/systems/[^"]+)"', browser.get("/leases/").content.decode())
    page = browser.get(link, follow=True)
    typed = {"0-lease_months": "3", "declares_classified": "no"}
    assert press(browser, page, typed=typed).status_code == 302
    (draft,) = drafts_of(Order.objects.get())
    assert (draft.target, draft.lease_months) == (server.resource.uuid, 3)


def test_a_backup_is_renewed_and_the_item_names_it_when_it_is_changed(
    browser: Client, on: Scene, at: datetime
) -> None:
    backup = BackupAllowanceFactory(
        resource__system=on.system, resource__cloud=on.catalogue.cloud, resource__name="old-backup",
        resource__lease_end=at + timedelta(days=5),
    ).resource  # fmt: skip
    page = browser.get(
        f"/systems/{on.system.uuid}/standing/{backup.uuid}/", {"item": "renew", "order": ""}, follow=True
    )
    typed = {"0-lease_months": "3", "declares_classified": "no"}
    assert press(browser, page, typed=typed).status_code == 302
    order = Order.objects.get()
    (draft,) = drafts_of(order)
    assert (draft.target, draft.kind, draft.lease_months) == (backup.uuid, "backup", 3)
    item = browser.get(f"/orders/{order.number}/items/1/")
    chosen = re.search(rf'<option value="{backup.uuid}"\s+selected[^>]*>([^<]*)', item.content.decode())
    assert chosen is not None
    assert chosen[1].strip().startswith("old-backup")


def test_who_only_reads_leases_is_offered_nothing(
    on: Scene, server: Server, signed_in: Signed, at: datetime
) -> None:
    server.resource.lease_end = at + timedelta(days=5)
    server.resource.save()
    page = signed_in(on.chain[Role.UNIT_APPROVER]).get("/leases/")
    assert "old-1" in text(page)
    assert "/standing/" not in page.content.decode()


def test_only_what_can_be_ordered_for_it_is_offered(browser: Client, on: Scene, server: Server) -> None:
    boot = server.volumes.get(role="system").resource
    page = text(browser.get(f"/systems/{on.system.uuid}/standing/{boot.uuid}/"))
    assert "Another storage class" in page
    assert "Release" not in page
    assert "Renew a lease" not in page


@pytest.mark.parametrize("item", ["extend", "nothing", ""])
def test_what_cannot_be_ordered_for_it_leads_nowhere(
    browser: Client, on: Scene, server: Server, item: str
) -> None:
    path = f"/systems/{on.system.uuid}/standing/{server.resource.uuid}/"
    assert browser.get(path, {"item": item}).status_code == 200


def test_who_only_reads_finds_no_way_to_change_it(on: Scene, server: Server, signed_in: Signed) -> None:
    browser = signed_in(on.chain[Role.UNIT_APPROVER])
    path = f"/systems/{on.system.uuid}/standing/"
    assert f"{path}{server.resource.uuid}/" not in browser.get(path).content.decode()
    assert browser.get(f"{path}{server.resource.uuid}/").status_code == 403


def test_foreign_systems_and_things_of_others_answer_404(browser: Client, on: Scene) -> None:
    foreign = whole_server().resource
    assert browser.get(f"/systems/{foreign.system.uuid}/standing/").status_code == 404
    assert browser.get(f"/systems/{foreign.system.uuid}/standing/{foreign.uuid}/").status_code == 404
    assert browser.get(f"/systems/{on.system.uuid}/standing/{foreign.uuid}/").status_code == 404
