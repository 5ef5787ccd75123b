"""One resource: what is done to it directly."""

import re
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.utils.timezone import localtime

from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.inventory import leases
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Network, Power, Resource, Server, Volume
from govcloud.portal.audit.words import words_of
from govcloud.protection.models import RecoveryPoint
from govcloud.provisioning import completion
from govcloud.provisioning.actions import calling_off
from govcloud.provisioning.lifecycle import StepState
from govcloud.provisioning.models import Operation, OperationKind, Step
from tenants.models import Role
from tests.api.house import recovery_point
from tests.factories.inventory import (
    AddressBlockFactory,
    AddressFactory,
    FloatingAddressFactory,
    NetworkFactory,
    SnapshotFactory,
    VolumeFactory,
    whole_server,
)
from tests.factories.orders import Scene, scene
from tests.factories.tenants import DepartmentFactory, member
from tests.portal.conftest import Signed
from tests.portal.reading import text

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr("govcloud.clock.now", lambda: at)


@pytest.fixture
def on() -> Scene:
    return scene()


@pytest.fixture
def server(on: Scene) -> Server:
    return whole_server(system=on.system, cloud=on.catalogue.cloud, name="web-1")


@pytest.fixture
def browser(on: Scene, signed_in: Signed) -> Client:
    return signed_in(on.applicant)


def page_of(resource: Resource) -> str:
    return f"/resources/{resource.uuid}/"


def test_what_a_system_has_leads_to_it(browser: Client, on: Scene, server: Server) -> None:
    rows = browser.get(f"/systems/{on.system.uuid}/standing/").content.decode()
    assert page_of(server.resource) in rows
    page = text(browser.get(page_of(server.resource)))
    for words in ("web-1", "stop the server", "not now: it is running", "Change… (by an order)"):
        assert words in page


def test_its_history_names_the_actions_that_had_it_in_hand(
    browser: Client, server: Server, at: datetime
) -> None:
    page = page_of(server.resource)
    browser.post(f"{page}deeds/stop/")
    assert "Began: stop the server" in text(browser.get(page))
    operation = Operation.objects.get(resource=server.resource)
    step = operation.steps.get()
    later = at + timedelta(minutes=2)
    with transaction.atomic():
        Step.objects.filter(pk=step.pk).update(state=StepState.DONE, next_run_at=None, finished_at=later)
        step.operation = completion.lock(operation)
        completion.finished(step, at=later)
    assert "In use again, after: stop the server" in text(browser.get(page))
    started = Event.objects.get(verb="operation.started")
    assert str(words_of(started)) == "Work in the cloud began: stop the server"


def test_its_history_tells_an_action_that_was_called_off_as_that(
    browser: Client, on: Scene, server: Server, at: datetime
) -> None:
    page = page_of(server.resource)
    browser.post(f"{page}deeds/stop/")
    operation = Operation.objects.get(resource=server.resource)
    calling_off.cancel(operation=operation, reason="no need", actor=on.applicant, at=at)
    step, later = operation.steps.get(), at + timedelta(minutes=2)
    with transaction.atomic():
        Step.objects.filter(pk=step.pk).update(state=StepState.GONE, next_run_at=None, finished_at=later)
        step.operation = completion.lock(operation)
        completion.finished(step, at=later)
    told = text(browser.get(page))
    assert "In use again; called off: stop the server" in told
    assert "In use again, after" not in told


def test_a_server_is_stopped_and_the_page_follows_it(browser: Client, server: Server) -> None:
    page = page_of(server.resource)
    answer = browser.post(f"{page}deeds/stop/")
    assert (answer.status_code, answer["Location"]) == (302, page)
    server.resource.refresh_from_db()
    assert server.resource.status == Status.CHANGING
    operation = Operation.objects.get(resource=server.resource)
    shown = browser.get(page).content.decode()
    assert f"/operations/{operation.uuid}/" in shown
    assert 'hx-trigger="every 2s"' in shown
    part = browser.get(page, headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="resource"')


def test_what_cannot_be_done_now_says_what_can(browser: Client, server: Server) -> None:
    refused = browser.post(f"{page_of(server.resource)}deeds/start/")
    assert (refused.status_code, "What it can take" in text(refused)) == (409, True)
    assert not Operation.objects.exists()


def test_a_name_that_cannot_be_is_kept_as_it_was_typed(browser: Client, server: Server) -> None:
    refused = browser.post(f"{page_of(server.resource)}deeds/rename/", {"given": "Not A Name"})
    told = 'aria-invalid="true" aria-describedby="refused"'
    assert " ".join(refused.content.decode().split()).count(told) == 1  # at its field, whatever else is shown
    assert refused.status_code == 422
    assert 'value="Not A Name"' in refused.content.decode()
    assert '<details class="ask-again" open>' in refused.content.decode()
    assert browser.post(f"{page_of(server.resource)}deeds/rename/", {"given": "web-9"}).status_code == 302


def test_a_snapshot_of_a_volume_and_a_server_to_attach_it_to(browser: Client, server: Server) -> None:
    volume = server.volumes.get(role="data").resource
    page = text(browser.get(page_of(volume)))
    assert "Name of the snapshot" in page
    assert re.search("put the volume back to its snapshot ?not now: ", page)  # it has none
    assert browser.post(f"{page_of(volume)}deeds/snapshot/", {"given": "before"}).status_code == 302
    assert Operation.objects.get(resource=volume).action == "snapshot"


def test_a_volume_names_its_server_and_is_mounted_only_while_that_has_it(
    browser: Client, server: Server, at: datetime
) -> None:
    volume = server.volumes.get(role="data")
    Volume.objects.filter(pk=volume.pk).update(mount_point="/data/vol")
    page = browser.get(page_of(volume.resource))
    assert "of the server web-1 · mounted at /data/vol" in text(page)
    assert f'of the server <a href="{page_of(server.resource)}">web-1</a>' in page.content.decode()
    Resource.objects.filter(pk=volume.pk).update(status=Status.RELEASED, released_at=at)
    assert "mounted at" not in text(browser.get(page_of(volume.resource)))
    Resource.objects.filter(pk=volume.pk).update(status=Status.ACTIVE, released_at=None)
    Volume.objects.filter(pk=volume.pk).update(server=None)
    page = text(browser.get(page_of(volume.resource)))
    assert ("mounted at" in page, "of the server" in page) == (False, False)


def test_a_volume_is_offered_to_servers_of_its_zone(browser: Client, server: Server) -> None:
    volume = server.volumes.get(role="data").resource
    Volume.objects.filter(resource=volume).update(server=None)
    there = {"system": volume.system, "cloud": volume.cloud}
    whole_server(**there, name="web-away", zone="internet")
    page = browser.get(page_of(volume)).content.decode()
    assert f'<option value="{server.resource.uuid}"' in page
    assert "web-away" not in page


def test_recovery_points_of_the_system_are_offered_for_a_volume_that_no_server_has(
    browser: Client, server: Server
) -> None:
    system, volume = server.volumes.get(role="system"), server.volumes.get(role="data")
    own, others, foreign = (
        recovery_point(each) for each in (volume, system, whole_server(name="far").volumes.get(role="data"))
    )
    RecoveryPoint.objects.filter(pk=others.pk).update(size_gb=volume.size_gb)
    page = text(browser.get(page_of(volume.resource)))
    assert re.search("write a recovery point over the volume ?not now: a server has it", page)
    Volume.objects.filter(pk=volume.pk).update(server=None)
    page = browser.get(page_of(volume.resource)).content.decode()
    assert page.index(f'<option value="{own.uuid}"') < page.index(f'<option value="{others.uuid}"')
    assert str(foreign.uuid) not in page
    assert "All that is on the volume now is lost" in page
    taken = localtime(own.taken_at)
    assert f"{volume.resource.name} · {taken.day} {taken:%b %Y, %H:%M} · {own.size_gb} GB" in page
    told = {"given": str(own.uuid)}
    assert browser.post(f"{page_of(volume.resource)}deeds/recover/", told).status_code == 302
    operation = Operation.objects.get(resource=volume.resource)
    assert operation.action == "recover"
    shown = text(browser.get(f"/operations/{operation.uuid}/"))
    assert "Writing the recovery point to the storage" in shown


@pytest.mark.parametrize("deed", ["restore", "recover"])
@pytest.mark.parametrize("given", ["", "nothing", "0" * 300, "\0"])
def test_what_is_no_choice_is_refused(browser: Client, server: Server, deed: str, given: str) -> None:
    volume = server.volumes.get(role="data").resource
    answer = browser.post(f"{page_of(volume)}deeds/{deed}/", {"given": given})
    assert answer.status_code in {409, 422}
    assert not Operation.objects.exists()


def test_only_who_may_is_offered_deeds_and_does_them(on: Scene, server: Server, signed_in: Signed) -> None:
    desk, page = signed_in(member(Role.SERVICE_DESK)), page_of(server.resource)
    assert "only applicant, cloud administrator may do this" in text(desk.get(page))
    assert desk.post(f"{page}deeds/stop/").status_code == 403
    assert desk.post(f"{page}console/").status_code == 403
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    for answer in (stranger.get(page), stranger.post(f"{page}deeds/stop/"), stranger.post(f"{page}console/")):
        assert answer.status_code == 404
    assert Event.objects.filter(verb="access.refused", subject_id=server.resource.uuid).count() == 3
    assert signed_in(on.applicant).post(f"{page}deeds/no-such-deed/").status_code == 404


def test_a_stopped_server_has_no_screen(browser: Client, server: Server) -> None:
    page = page_of(server.resource)
    assert "A link to its screen" in text(browser.get(page))
    assert "no-store" in browser.post(f"{page}console/")["Cache-Control"]
    Server.objects.update(power=Power.STOPPED)
    assert "A link to its screen" not in text(browser.get(page))
    refused = browser.post(f"{page}console/")
    assert (refused.status_code, "only a running server has one" in text(refused)) == (409, True)


def test_what_goes_has_neither_screen_nor_orders_and_its_page_follows_it(
    browser: Client, server: Server
) -> None:
    page = page_of(server.resource)
    Resource.objects.filter(pk=server.pk).update(status=Status.RELEASING)
    going = browser.get(page)
    for words in ("A link to its screen", "Change… (by an order)"):
        assert words not in text(going)
    assert f'hx-get="{page}"' in going.content.decode()
    assert browser.post(f"{page}console/").status_code == 409
    Resource.objects.filter(pk=server.pk).update(status=Status.SUSPENDED)
    assert "A link to its screen" not in text(browser.get(page))
    assert "Change… (by an order)" in text(browser.get(page))


def test_no_order_is_offered_for_what_is_still_being_built(browser: Client, on: Scene, at: datetime) -> None:
    cloud = on.catalogue.cloud
    volume = VolumeFactory(resource__system=on.system, resource__cloud=cloud, role="system").resource
    operation = Operation.objects.create(
        kind=OperationKind.DELIVER, reason="GC-1", system=on.system, cloud=cloud, created_at=at
    )
    Step.objects.create(
        operation=operation,
        position=0,
        key="1:server",
        kind="server",
        label="app-1",
        unit=uuid4(),
        desired_state={"system_volume": str(volume.unit)},
    )
    page = text(browser.get(page_of(volume)))
    assert "it is still being built" in page
    assert "Change… (by an order)" not in page


def test_in_chinese(on: Scene, server: Server, signed_in: Signed) -> None:
    page = text(signed_in(on.applicant, language="zh-hans").get(page_of(server.resource)))
    for words in ("可直接进行的操作", "无须审批", "目前不可"):
        assert words in page


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", ("kept", "lost found on 2 Nov 2026, 09:30 not to be in the cloud any more")),
        ("zh-hans", ("保留中", "已丢失 2026年11月2日 09:30 发现云平台中已不存在")),
    ],
)
def test_recovery_points_are_listed_where_they_are_of_and_lost_ones_with_when(
    signed_in: Signed, on: Scene, server: Server, language: str, told: tuple[str, str]
) -> None:
    kept, lost = told
    browser = signed_in(on.applicant, language=language)
    point = recovery_point(server.volumes.get(role="data"))
    volume, allowance = point.volume.resource, point.run.plan.allowance.resource
    for resource in (volume, allowance):
        page = text(browser.get(page_of(resource)))
        assert kept in page
        assert lost not in page
    point.expired_at, point.lost = datetime.fromisoformat("2026-11-02T09:30+08:00"), True
    point.save()
    for resource in (volume, allowance):
        assert lost in text(browser.get(page_of(resource)))
    point.lost = False
    point.save()
    assert lost not in text(browser.get(page_of(volume))), "it went by the plan"


def test_a_server_in_error_says_what_it_takes_and_why_nothing_else(browser: Client, server: Server) -> None:
    Server.objects.filter(pk=server.pk).update(power=Power.BROKEN)
    page = text(browser.get(page_of(server.resource)))
    assert "in error" in page
    assert page.count("not now: writing its system anew has failed.") > 5
    assert (
        browser.post(f"{page_of(server.resource)}deeds/rebuild/", {"given": server.image.code}).status_code
        == 302
    )


# -- what is under way is called off


def under_way(browser: Client, resource: Resource, deed: str = "stop", **given: str) -> Operation:
    browser.post(f"{page_of(resource)}deeds/{deed}/", given)
    return Operation.objects.get(resource=resource)


def test_the_page_of_what_is_in_hand_leads_to_calling_it_off(browser: Client, server: Server) -> None:
    operation = under_way(browser, server.resource)
    shown = browser.get(page_of(server.resource))
    assert "Under way: stop the server (web-1)." in text(shown)
    assert f'href="/operations/{operation.uuid}/#call-off"' in shown.content.decode()
    page = browser.get(f"/operations/{operation.uuid}/").content.decode()
    for words in (
        'id="call-off"',
        "What it has done so far is taken back",
        f"/operations/{operation.uuid}/cancellation/",
    ):
        assert words in page


def test_it_is_called_off_for_a_reason_once(browser: Client, on: Scene, server: Server) -> None:
    operation = under_way(browser, server.resource)
    url = f"/operations/{operation.uuid}/cancellation/"
    refused = browser.post(url, {"reason": ""})
    assert (refused.status_code, "Give a reason" in text(refused)) == (422, True)
    answer = browser.post(url, {"reason": "the wrong server"})
    assert (answer.status_code, answer["Location"]) == (302, f"/operations/{operation.uuid}/")
    told = Event.objects.get(verb="resource.action_called_off")
    assert (told.actor, told.reason) == (on.applicant.audit_ref, "the wrong server")
    again = browser.post(url, {"reason": "the wrong one still"})
    assert again.status_code == 409
    for words in ("This has been called off already", "What you had written the wrong one still"):
        assert words in text(again)
    page = browser.get(page_of(server.resource))
    assert "What was asked for directly called off" in text(page)
    assert f'href="/operations/{operation.uuid}/#call-off"' not in page.content.decode()
    assert "Look at it" in text(page)
    operation.refresh_from_db()
    told_there = text(browser.get(f"/operations/{operation.uuid}/"))
    assert re.search(f"Called off on .* by {on.applicant} the wrong server", told_there)


def test_a_server_that_is_in_hand_with_its_volume_leads_there_as_well(
    browser: Client, server: Server
) -> None:
    volume = server.volumes.get(role="data").resource
    operation = under_way(browser, volume, "detach")
    page = browser.get(page_of(server.resource))
    assert f"disconnect the volume from its server ({volume.name})" in text(page)
    assert f'href="/operations/{operation.uuid}/#call-off"' in page.content.decode()


def test_what_waits_for_an_administrator_is_not_told_as_under_way(
    on: Scene, browser: Client, server: Server, signed_in: Signed
) -> None:
    operation = under_way(browser, server.resource)
    Operation.objects.filter(pk=operation.pk).update(status="parked")
    page = text(browser.get(page_of(server.resource)))
    told = "Waiting for an administrator of the cloud centre: stop the server (web-1)."
    assert (told in page, "Under way" in page) == (True, False)
    chinese = signed_in(on.applicant, language="zh-hans").get(page_of(server.resource))
    assert "等待云中心管理员处理：停止服务器（web-1）。" in text(chinese)


def test_only_who_may_ask_for_it_is_offered_it(
    on: Scene, browser: Client, server: Server, signed_in: Signed
) -> None:
    operation = under_way(browser, server.resource)
    url = f"/operations/{operation.uuid}/"
    desk = signed_in(member(Role.SERVICE_DESK))
    assert 'id="call-off"' not in desk.get(url).content.decode()
    assert "#call-off" not in desk.get(page_of(server.resource)).content.decode()
    assert desk.post(f"{url}cancellation/", {"reason": "no"}).status_code == 403
    stranger = signed_in(member(Role.APPLICANT, DepartmentFactory()))
    assert stranger.post(f"{url}cancellation/", {"reason": "no"}).status_code == 404
    admin = signed_in(member(Role.CLOUD_ADMIN)).get(url).content.decode()
    assert ('id="call-off"' in admin, "Abandon" in admin) == (False, True)  # which is the same
    operation.refresh_from_db()
    assert operation.status == "running"


def test_what_takes_something_away_says_why_it_goes_on(browser: Client, server: Server) -> None:
    volume = server.volumes.get(role="data")
    snapshot = SnapshotFactory(volume=volume)
    operation = under_way(browser, volume.resource, "delete-snapshot", given=str(snapshot.uuid))
    shown = browser.get(f"/operations/{operation.uuid}/")
    assert "It cannot be called off: “delete a snapshot of the volume” takes something away" in text(shown)
    assert "cancellation" not in shown.content.decode()


def test_calling_off_in_chinese(on: Scene, browser: Client, server: Server, signed_in: Signed) -> None:
    operation = under_way(browser, server.resource)
    reader = signed_in(on.applicant, language="zh-hans")
    assert "正在进行：停止服务器" in text(reader.get(page_of(server.resource)))
    assert "取消该操作" in text(reader.get(f"/operations/{operation.uuid}/"))


def test_an_address_is_offered_to_servers_that_can_have_it(
    browser: Client, on: Scene, server: Server
) -> None:
    def beside(name: str, network: Network) -> Server:
        made = whole_server(system=on.system, cloud=on.catalogue.cloud, name=name)
        block = AddressBlockFactory(cloud=on.catalogue.cloud, unit=network.resource.unit)
        AddressFactory(block=block, unit=made.resource.unit)
        return made

    given = FloatingAddressFactory(server=server)
    page = text(browser.get(page_of(server.resource)))
    assert "not now: its system has no other server in use there that has no floating address" in page
    network = given.network
    beside("web-2", network)
    FloatingAddressFactory(
        server=beside("web-3", NetworkFactory(resource__system=on.system)), network=network
    )
    beside("web-4", NetworkFactory(resource__system=on.system))  # an island
    shown = browser.get(page_of(server.resource)).content.decode()
    (choices,) = re.findall(r'id="given-move-address".*?</select>', shown, re.DOTALL)
    assert re.findall(r">(web-[0-9])<", choices) == ["web-2"]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_its_history_tells_why_in_words_alone(
    on: Scene, server: Server, signed_in: Signed, at: datetime, language: str
) -> None:
    with transaction.atomic():
        leases.mend(resource=server.resource, actor=SystemActor("leases"), thread=None, at=at)
        leases.suspend(server=server, actor=SystemActor("leases"), thread=None, at=at)
    page = text(signed_in(on.applicant, language=language).get(page_of(server.resource)))
    assert {"en": "Suspended, because the lease has ended", "zh-hans": "租期届满，已停用"}[language] in page
    assert "lease-ended" not in page
