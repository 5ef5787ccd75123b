import re
from datetime import datetime, timedelta

import pytest
from django.db import transaction
from django.utils import translation
from django.utils.html import strip_tags

from govcloud.audit.models import Event, Outcome
from govcloud.inventory.models import Network, Server
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import AddressSpec, Placement, ServerSpec, Weighed
from govcloud.orders.readiness import reckon
from govcloud.portal.templatetags.portal import moment
from govcloud.provisioning import by_hand, completion
from govcloud.provisioning.lifecycle import OperationStatus, StepState
from govcloud.provisioning.models import Operation, Step
from tests.factories.approvals import default_flow
from tests.factories.chargeback import tariff
from tests.factories.clouds import MaintenanceFactory
from tests.factories.inventory import FloatingAddressFactory, SecurityRuleFactory, whole_server
from tests.portal import scenes
from tests.portal.conftest import Signed
from tests.portal.reading import text


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


def test_order_in_approval_tells_who_decides_by_when(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.submitted(people, decided=1, at=at)
    page = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    for words in (
        "Unit approval",
        "黄岚",
        "同意。请按等保三级要求配置。",
        "Intake",
        "覃明",
        "2 working days left",
    ):
        assert words in page


def test_order_page_in_chinese(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    order = scenes.submitted(people, decided=1, at=at)
    response = signed_in(people.applicant, language="zh-hans").get(f"/orders/{order.number}/")
    assert '<html lang="zh-Hans">' in response.content.decode()
    for words in ("单位审批", "医保结算平台", "审批中", "2026年11月18日 10:00"):
        assert words in text(response)


def test_quote_and_items_in_plain_words(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    order = scenes.submitted(people, at=at)
    page = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    for words in (
        "4 vCPU, 16 GB memory",
        "data volume 500 GB, sas",
        "1,200 GB of backup storage",
        "¥1,812.00",
        "¥360.00",
    ):
        assert words in page


def test_foreign_order_answers_404_and_is_audited(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.submitted(people, at=at)
    response = signed_in(people.foreigner).get(f"/orders/{order.number}/")
    assert response.status_code == 404
    assert order.title not in text(response)
    event = Event.objects.get(verb="access.refused")
    assert (event.outcome, event.subject_id, event.actor_name) == (Outcome.REFUSED, order.uuid, "莫北")


def test_absent_order_answers_404(people: scenes.Cast, signed_in: Signed) -> None:
    assert signed_in(people.applicant).get("/orders/GC-2026-999999/").status_code == 404


def test_progress_per_server_while_it_is_built(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    order = scenes.building(people, done=4, at=at)
    response = signed_in(people.applicant).get(f"/orders/{order.number}/")
    page = text(response)
    assert "Now: Connecting storage to the server" in page
    assert "56%" in page  # four of eight done and one under way
    assert 'hx-trigger="every 2s"' in response.content.decode()


def test_delivery_waits_for_the_first_backup_and_tells_of_it(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.building(people, at=at)
    scenes.backup(order, people, at=at)
    url = f"/orders/{order.number}/"
    assert "First backup of every volume" in text(signed_in(people.applicant).get(url))
    scenes.finish(order, people, at=at)
    scenes.backup(order, people, at=at + timedelta(days=1))
    page = text(signed_in(people.applicant).get(url))
    assert "19 of 19 steps done" in page  # tomorrow's backup is not of the delivery


def test_what_all_need_is_told_without_the_clouds_words(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.building(people, at=at)
    page = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    assert "Setting up the system's space Medical settlement platform" in page
    for jargon in ("project", "tenant", "keypair", "cinder", "nova"):
        assert jargon not in page.lower()


def test_fulfilled_order_shows_addresses_and_does_not_poll(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.finish(scenes.building(people, at=at), people, at=at)
    response = signed_in(people.applicant).get(f"/orders/{order.number}/")
    page = text(response)
    assert "10.20.0.11" in page
    assert "18 Nov 2027" in page
    assert "hx-trigger" not in response.content.decode()


def test_fulfilled_order_tells_how_its_servers_are_reached_from_outside(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.finish(scenes.building(people, at=at), people, at=at)
    network = Network.objects.get()
    network.router_id, network.external_network_id = "r-1", "e-1"
    network.outside_address = "203.0.113.2"
    network.save()
    FloatingAddressFactory(server=Server.objects.earliest("pk"), network=network, address="203.0.113.7")
    SecurityRuleFactory(network=network)
    page = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    assert "from outside at 203.0.113.7" in page
    assert "connected to the outside as 203.0.113.2" in page
    assert "opened by 1 rule" in page


def test_an_order_for_a_floating_address_names_server_and_network(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    scenes.finish(scenes.building(people, at=at), people, at=at)
    server, network = Server.objects.earliest("pk"), Network.objects.get()
    order = scenes.draft(people, number=2, at=at)
    order.items.exclude(kind="server").delete()
    item = order.items.get()
    ServerSpec.objects.filter(item=item).delete()
    item.volumes.all().delete()
    item.action, item.target, item.quantity = "change", server.resource, 1
    item.save()
    AddressSpec.objects.create(item=item, network=network.resource)
    page = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    assert "a floating address, through the network app-net" in page
    assert server.resource.name in page


def test_page_asks_itself_for_the_part_that_changes(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.building(people, at=at)
    fragment = signed_in(people.applicant).get(f"/orders/{order.number}/", headers={"HX-Request": "true"})
    content = fragment.content.decode().strip()
    assert content.startswith('<div id="order"')
    assert "<html" not in content
    assert "HX-Request" in fragment.headers["Vary"]


def test_only_cloud_admins_read_the_clouds_own_words(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.building(people, at=at)
    scenes.park(order, error="Nova: No valid host was found")
    step = Step.objects.get(operation__thread=order.uuid, state=StepState.PARKED)
    Operation.objects.update(status=OperationStatus.RUNNING)
    with transaction.atomic():
        step.operation = completion.lock(step.operation)
        completion.parked(step, reason="Nova: No valid host was found", at=at)
    department = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    admin = text(signed_in(people.admin).get(f"/orders/{order.number}/"))
    assert "One step is waiting for an administrator" in department
    for words in ("Nova", "req-", "attachment"):
        assert words not in department
        assert words in admin


def test_how_many_steps_wait_is_told(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    order = scenes.building(people, at=at)
    scenes.park(order, error="Nova: No valid host was found")
    Step.objects.filter(operation__thread=order.uuid, state=StepState.WAITING).update(state=StepState.PARKED)
    waiting = Step.objects.filter(state=StepState.PARKED).count()
    assert waiting > 1
    page = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    assert f"{waiting} steps are waiting for an administrator of the cloud centre." in page


def test_draft_is_priced_by_todays_tariff(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    tariff()
    order = scenes.draft(people, at=at)
    page = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    assert "¥1,812.00" in page
    assert "fixed when you submit" in page


def test_draft_that_cannot_be_priced_says_why(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    order = scenes.draft(people, at=at)
    response = signed_in(people.applicant).get(f"/orders/{order.number}/")
    assert response.status_code == 200
    assert "No price is in force" in text(response)


def test_draft_shows_who_will_decide_and_by_when(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    tariff()
    default_flow()
    order = scenes.draft(people, at=at)
    page = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    planned = reckon(order=order, at=at).route
    assert planned
    places = [page.index(stage.name_en) for stage in planned]
    assert places == sorted(places)
    for stage in planned:
        for decider in stage.deciders[:3]:
            assert str(decider) in page
        with translation.override("en"):
            assert strip_tags(moment(stage.due_at)) in page
    assert "if submitted now" in page


@pytest.mark.parametrize("status", [Status.DRAFT, Status.IN_APPROVAL, Status.FULFILLING, Status.FULFILLED])
def test_order_page_takes_at_most_16_queries_and_few_more_to_plan_a_draft_and_to_count_days(
    people: scenes.Cast, signed_in: Signed, at: datetime, django_assert_max_num_queries, status: Status
) -> None:
    browser = signed_in(people.admin)
    tariff()
    default_flow()
    order = {
        Status.DRAFT: lambda: scenes.draft(people, at=at),
        Status.IN_APPROVAL: lambda: scenes.submitted(people, decided=1, at=at),
        Status.FULFILLING: lambda: scenes.building(people, at=at),
        Status.FULFILLED: lambda: scenes.finish(scenes.building(people, at=at), people, at=at),
    }[status]()
    savepoints = 2  # the session's own row is saved between a savepoint and its release
    # Nothing of a draft is frozen: its price, its effect on the quota and its stages are reckoned when it is looked at. What
    # is built has a limit, counted in the days of the calendar.
    more = {Status.DRAFT: 2, Status.FULFILLING: 1}.get(status, 0)
    with django_assert_max_num_queries(16 + more + savepoints):
        browser.get(f"/orders/{order.number}/")


def test_overdue_stage_says_by_how_much(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    order = scenes.submitted(people, decided=0, at=at - timedelta(days=7))
    assert "overdue by" in text(signed_in(people.applicant).get(f"/orders/{order.number}/"))


def test_an_order_that_is_built_says_until_when(people: scenes.Cast, signed_in: Signed, at: datetime) -> None:
    order = scenes.building(people, at=at)  # on a Wednesday
    page = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    assert "due 23 Nov 2026, 18:00" in page
    assert "3 working days left" in page


def test_an_order_that_waits_for_its_place_says_why(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.building(people, at=at)
    cloud = people.catalogue.cloud
    placement = Placement.objects.create(
        order=order, position=9, zone="private", site="main", first_decided_at=at, decided_at=at
    )
    Weighed.objects.create(
        placement=placement, rank=0, cloud=cloud, verdict="maintenance", subject="new switches", until=at
    )
    page = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    assert (
        "It waits: main site, Example cloud: is under maintenance until 2026-11-18 10:00 (new switches)."
        in page
    )
    placement.cloud = cloud
    placement.save()
    assert "It waits" not in text(signed_in(people.applicant).get(f"/orders/{order.number}/"))


def test_an_order_whose_cloud_pauses_says_until_when(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.building(people, at=at)
    MaintenanceFactory(cloud=people.catalogue.cloud, announced_at=at, running="pause")
    page = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    assert (
        "Building pauses: Example cloud is under maintenance until 2026-11-18 12:00 (new switches)." in page
    )


def test_what_is_left_to_the_department_stands_above_the_steps(
    people: scenes.Cast, signed_in: Signed, at: datetime
) -> None:
    order = scenes.finish(scenes.building(people, at=at), people, at=at)
    step = Step.objects.filter(operation__thread=order.uuid, kind="configure").earliest("pk")
    outputs = {"reason": by_hand.AT_RESTART}
    Step.objects.filter(pk=step.pk).update(kind="grow", state="skipped", outputs=outputs)
    page = text(signed_in(people.applicant).get(f"/orders/{order.number}/"))
    assert page.index(f"{step.label} The system volume is larger already") < page.index("Step by step")


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_renewal_that_was_called_off_does_not_tell_that_its_server_is_removed(
    people: scenes.Cast, signed_in: Signed, at: datetime, language: str
) -> None:
    order = scenes.building(people, at=at)
    server = whole_server(system=people.system, cloud=people.catalogue.cloud).resource
    order.items.filter(kind="server").update(action="renew", target=server, quantity=1)
    Step.objects.filter(operation__thread=order.uuid).update(
        state="gone", desired="absent", called_off_at=at, finished_at=at
    )
    page = signed_in(people.applicant, language=language).get(f"/orders/{order.number}/")
    heads = re.findall(
        r'<div class="group-head">.*?(?=<(?:details|p) class)', page.content.decode(), re.DOTALL
    )
    told = [" ".join(strip_tags(head).split()) for head in heads]
    (of_server,) = (words for words in told if words.startswith("app-1 "))
    assert of_server.endswith({"en": "taken back", "zh-hans": "已撤回"}[language])
