"""Submitting, withdrawing and discarding on the pages."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.test import Client

from govcloud.audit.models import Event
from govcloud.catalog.models import Flavor
from govcloud.catalog.services import retire_flavor
from govcloud.chargeback.models import Tariff
from govcloud.inventory.models import Server
from govcloud.orders.drafts import ReleaseDraft
from govcloud.orders.models import Order, Placement, Unit
from govcloud.provisioning.models import Operation, Step
from govcloud.quotas.models import QuotaAccount
from tenants.models import Role, System
from tests.factories.chargeback import tariff
from tests.factories.inventory import VolumeFactory
from tests.factories.orders import NETWORK, Scene, approved, drafted, paper_of, returned, submitted
from tests.factories.tenants import BEGINNING, DepartmentFactory, member
from tests.portal.conftest import Signed
from tests.portal.reading import text
from tests.portal.writing.forms import read_along
from tests.unit.provisioning.scripted import operation


def page_of(order: Order) -> str:
    return f"/orders/{order.number}/submission/"


def read(browser: Client, order: Order) -> dict[str, str]:
    """What somebody sends who has read the page as it is now."""
    return read_along(browser.get(page_of(order)))


def test_it_shows_what_will_be_frozen_and_the_route_with_its_limits(browser: Client, order: Order) -> None:
    page = text(browser.get(page_of(order)))
    for words in ("¥1,812.00", "What it takes of the quota", "Technical review technical reviewer 2"):
        assert words in page
    assert (
        browser.post(page_of(order), read(browser, order)).headers["Location"] == f"/orders/{order.number}/"
    )
    order.refresh_from_db()
    assert (order.status, str(order.monthly_total)) == ("in_approval", "1812.00")


def test_in_chinese(on: Scene, signed_in: Signed, order: Order) -> None:
    page = text(signed_in(on.applicant, language="zh-hans").get(page_of(order)))
    for words in ("须经谁审批", "工作日", "配额", "提交后，此处内容连同价格即行固定"):
        assert words in page


def test_what_was_changed_since_it_was_read_is_not_submitted(browser: Client, order: Order) -> None:
    answer = browser.post(page_of(order), {**read(browser, order), "version": order.version - 1})
    assert answer.status_code == 409
    assert "changed since you read it" in text(answer)
    order.refresh_from_db()
    assert order.status == "draft"


def test_its_files_are_shown_and_others_than_those_are_not_submitted(
    browser: Client, order: Order, at: datetime
) -> None:
    before = browser.get(page_of(order))
    assert "No files have been added." in text(before)
    paper_of(order, at=at)
    refused = browser.post(page_of(order), read_along(before))
    assert refused.status_code == 409
    for words in ("Files have been added to the order or taken out", "paper.pdf"):
        assert words in text(refused)
    order.refresh_from_db()
    assert order.status == "draft"
    assert browser.post(page_of(order), read_along(refused)).status_code == 302
    assert [file["name"] for file in order.revisions.get().content["attachments"]] == ["paper.pdf"]


def test_a_price_that_has_changed_since_it_was_read_is_told_and_not_frozen(
    browser: Client, order: Order, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read at a minute to midnight, submitted a minute past it, when another tariff is in force."""
    before = browser.get(page_of(order))
    Tariff.objects.update(in_force=DateTimeTZRange(BEGINNING, at + timedelta(minutes=1)))
    tariff(start=at + timedelta(minutes=1), vcpu=Decimal(50))
    monkeypatch.setattr("govcloud.clock.now", lambda: at + timedelta(minutes=2))
    refused = browser.post(page_of(order), read_along(before))
    assert refused.status_code == 409
    assert "it was ¥1,812.00 a month, and is ¥1,844.00 now" in text(refused)
    order.refresh_from_db()
    assert (order.status, order.revisions.count()) == ("draft", 0)
    assert browser.post(page_of(order), read_along(refused)).status_code == 302
    order.refresh_from_db()
    assert str(order.monthly_total) == "1844.00"


def test_a_volume_that_would_be_wiped_with_its_server_is_named_and_not_added_unseen(
    browser: Client, on: Scene, server: Server, at: datetime
) -> None:
    order = drafted(on, at=at, items=(ReleaseDraft(target=server.resource.uuid, kind="server"),))
    before = browser.get(page_of(order))
    assert "their recovery points are deleted: old-1-system (100 GB), old-1-data (500 GB)" in text(before)
    ledger = VolumeFactory(server=server, size_gb=300, resource__name="ledger")
    refused = browser.post(page_of(order), read_along(before))
    assert refused.status_code == 409
    assert "What the order is about has changed since you read it: old-1." in text(refused)
    assert "ledger (300 GB)" in text(refused)
    assert "ledger (300 GB)" in text(browser.get(f"/orders/{order.number}/"))
    assert browser.post(page_of(order), read_along(refused)).status_code == 302
    content = order.revisions.get().content
    assert str(ledger.resource.uuid) in content["items"][0]["volumes"]
    VolumeFactory(server=server, size_gb=200, resource__name="later")
    for reader in (browser.get(f"/orders/{order.number}/"), browser.get(f"/orders/{order.number}/form.pdf")):
        assert reader.status_code == 200
    page = text(browser.get(f"/orders/{order.number}/"))
    assert ("ledger (300 GB)" in page, "later (200 GB)" in page) == (True, False)  # what was frozen


def test_a_system_of_another_level_is_not_frozen_unseen(browser: Client, order: Order) -> None:
    before = read(browser, order)
    System.objects.update(filing_number="45000099999-00001")
    refused = browser.post(page_of(order), before)
    assert (refused.status_code, "Something that is frozen with the order" in text(refused)) == (409, True)


@pytest.mark.parametrize("sent", ["", "nonsense", "0" * 16 + ":x:1:", "9" * 5_000, "\0"])
def test_what_nobody_has_read_is_not_submitted(browser: Client, order: Order, sent: str) -> None:
    assert browser.post(page_of(order), {**read(browser, order), "read": sent}).status_code == 409
    order.refresh_from_db()
    assert order.status == "draft"


def test_what_keeps_it_from_being_submitted_is_told_with_the_way_to_it(
    browser: Client, on: Scene, order: Order, at: datetime
) -> None:
    retire_flavor(flavor=Flavor.objects.get(code="g.4c16g"), actor=on.applicant, at=at)
    page = browser.get(page_of(order))
    assert "has been retired from the catalogue" in text(page)
    assert f'href="/orders/{order.number}/items/2/"' in page.content.decode()
    assert browser.post(page_of(order), read(browser, order)).status_code == 422
    order.refresh_from_db()
    assert order.status == "draft"


def test_without_a_price_it_is_told_why_it_cannot_be_submitted(browser: Client, order: Order) -> None:
    Tariff.objects.all().delete()
    page = text(browser.get(page_of(order)))
    assert "This keeps it from being submitted: No price is in force for" in page
    assert browser.post(page_of(order), read(browser, order)).status_code == 409
    order.refresh_from_db()
    assert order.status == "draft"


def test_too_little_quota_is_told_before_and_refused(browser: Client, order: Order) -> None:
    QuotaAccount.objects.filter(department=order.system.department, dimension="vcpus").update(limit=4)
    assert "vCPU over the limit (8 / 4)" in text(browser.get(page_of(order)))
    assert browser.post(page_of(order), read(browser, order)).status_code == 409


def test_a_returned_order_shows_its_route_and_is_submitted_again(
    browser: Client, on: Scene, at: datetime
) -> None:
    order = returned(on, at=at)
    assert "Technical review technical reviewer 2" in text(browser.get(page_of(order)))
    assert browser.post(page_of(order), read(browser, order)).status_code == 302
    order.refresh_from_db()
    assert order.status == "in_approval"


def test_a_draft_is_discarded_without_a_reason(browser: Client, order: Order) -> None:
    assert "Discard the draft" in text(browser.get(f"/orders/{order.number}/"))
    assert browser.post(f"/orders/{order.number}/withdrawal/").status_code == 302
    order.refresh_from_db()
    assert order.status == "withdrawn"
    page = text(browser.get(f"/orders/{order.number}/"))
    assert "It was never submitted, so it has no price." in page
    assert "Price per month — Submitted —" in page
    for words in ("None", "¥0.00", "fixed with revision"):
        assert words not in page


def test_a_submitted_order_is_withdrawn_for_a_reason(browser: Client, on: Scene, at: datetime) -> None:
    order = submitted(on, at=at)
    path = f"/orders/{order.number}/withdrawal/"
    assert "Withdraw the order" in text(browser.get(f"/orders/{order.number}/"))
    assert browser.post(path).status_code == 422
    assert browser.post(path, {"reason": "Not needed any more"}).status_code == 302
    order.refresh_from_db()
    assert order.status == "withdrawn"
    assert "Not needed any more" in text(browser.get(f"/orders/{order.number}/"))
    assert "Withdraw the order" not in text(browser.get(f"/orders/{order.number}/"))


def test_what_is_being_built_is_called_off_for_a_reason(browser: Client, on: Scene, at: datetime) -> None:
    order = approved(on, at=at, items=(NETWORK,))
    url = f"/orders/{order.number}/cancellation/"
    assert url in browser.get(f"/orders/{order.number}/").content.decode()
    refused = browser.post(url, {"reason": "", "part": "all"})
    assert (refused.status_code, "Give a reason" in text(refused)) == (422, True)
    assert browser.post(url, {"reason": "the project has ended", "part": "all"}).status_code == 302
    (event,) = Event.objects.filter(verb="operation.undoing")
    assert event.reason == "the project has ended"
    assert browser.post(url, {"reason": "once more", "part": "all"}).status_code == 302
    assert Event.objects.filter(verb="operation.undoing").count() == 1


def test_nothing_is_offered_where_there_is_nothing_left_to_call_off(
    browser: Client, on: Scene, at: datetime
) -> None:
    order = approved(on, at=at, items=(NETWORK,))
    url = f"/orders/{order.number}/cancellation/"
    assert browser.post(url, {"reason": "the project has ended", "part": "all"}).status_code == 302
    order.refresh_from_db()
    assert order.status == "fulfilling"
    assert url not in browser.get(f"/orders/{order.number}/").content.decode()


def test_what_is_being_given_back_is_not_offered_to_be_called_off(
    browser: Client, on: Scene, server: Server, at: datetime
) -> None:
    order = submitted(on, at=at, items=(ReleaseDraft(target=server.resource.uuid, kind="server"),))
    unit = Unit.objects.get(item__order=order, server=None)
    release = operation(at, unit.name)
    release.steps.update(unit=unit.uuid, desired="absent")
    Operation.objects.filter(pk=release.pk).update(kind="release", thread=order.uuid)
    Unit.objects.filter(item__order=order).update(operation=release)
    Order.objects.filter(pk=order.pk).update(status="fulfilling")
    page, url = f"/orders/{order.number}/", f"/orders/{order.number}/cancellation/"
    told = "What is being given back cannot be called off"
    answer = browser.get(page)
    assert (url in answer.content.decode(), told in text(answer)) == (False, True)
    assert browser.post(url, {"reason": "we need it", "part": "all"}).status_code == 409


def test_one_thing_is_called_off_and_the_others_are_built_on(
    browser: Client, on: Scene, at: datetime
) -> None:
    order = approved(on, at=at, items=(NETWORK, replace(NETWORK, name="back")))
    first, second = Unit.objects.filter(item__order=order).order_by("pk")
    page, url = f"/orders/{order.number}/", f"/orders/{order.number}/cancellation/"
    html = browser.get(page).content.decode()
    assert f'value="{first.uuid}"' in html
    assert f"{second.name} (network)" in text(browser.get(page))

    refused = browser.post(url, {"reason": "", "part": str(first.uuid)})
    assert refused.status_code == 422
    assert f'value="{first.uuid}" selected' in refused.content.decode()
    for unknown in (str(uuid4()), "everything"):
        assert browser.post(url, {"reason": "not needed", "part": unknown}).status_code == 404
    for nothing in ({}, {"part": ""}):
        refused = browser.post(url, {"reason": "not needed", **nothing})
        assert (refused.status_code, "Choose what is to be called off" in text(refused)) == (422, True)
    assert not Step.objects.filter(called_off_at__isnull=False).exists()

    assert browser.post(url, {"reason": "not needed", "part": str(first.uuid)}).status_code == 302
    called_off = Step.objects.filter(called_off_at__isnull=False)
    assert set(called_off.values_list("unit", flat=True)) == {first.uuid}
    assert f'value="{first.uuid}"' not in browser.get(page).content.decode()  # nothing is left to choose from


def test_a_network_is_told_with_the_servers_that_go_with_it(browser: Client, on: Scene, at: datetime) -> None:
    order = approved(on, at=at)
    page = text(browser.get(f"/orders/{order.number}/"))
    assert "app-net (network), and with it the servers on it: app-1, app-2" in page


def test_what_waits_for_a_place_is_offered_beside_what_is_built(
    browser: Client, on: Scene, at: datetime
) -> None:
    order = approved(on, at=at, items=(NETWORK, replace(NETWORK, name="back")))
    first, second = Unit.objects.filter(item__order=order).order_by("pk")
    waiting = Placement.objects.create(
        order=order,
        position=1,
        zone=first.item.zone,
        site=first.item.site,
        first_decided_at=at,
        decided_at=at,
    )
    Unit.objects.filter(pk=second.pk).update(operation=None, placement=waiting)

    def offered() -> list[bool]:
        html = browser.get(f"/orders/{order.number}/").content.decode()
        return [f'value="{unit.uuid}"' in html for unit in (first, second)]

    assert offered() == [True, True]
    sent = {"reason": "not needed", "part": str(second.uuid)}
    assert browser.post(f"/orders/{order.number}/cancellation/", sent).status_code == 302
    waiting.refresh_from_db()
    assert waiting.called_off_at is not None
    assert offered()[1] is False


def test_only_who_may_is_offered_to_call_off_and_can(
    on: Scene, order: Order, browser: Client, signed_in: Signed, at: datetime
) -> None:
    url = f"/orders/{order.number}/cancellation/"
    assert browser.post(url, {"reason": "not built at all", "part": "all"}).status_code == 409
    building = approved(on, at=at, items=(NETWORK,))
    url = f"/orders/{building.number}/cancellation/"
    assert url in signed_in(member(Role.CLOUD_ADMIN)).get(f"/orders/{building.number}/").content.decode()
    desk = signed_in(member(Role.SERVICE_DESK))
    assert url not in desk.get(f"/orders/{building.number}/").content.decode()
    assert desk.post(url, {"reason": "x", "part": "all"}).status_code == 403
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    assert stranger.post(url, {"reason": "x", "part": "all"}).status_code == 404
    keeper = signed_in(member(Role.CLOUD_ADMIN))
    assert keeper.post(url, {"reason": "the cloud goes", "part": "all"}).status_code == 302
    assert Event.objects.get(verb="operation.undoing").reason == "the cloud goes"
