"""Acting on servers directly, on the sandbox cloud over HTTP: what is asked once lands once, whatever fails between."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from govcloud.audit.models import Event
from govcloud.errors import Invalids
from govcloud.inventory.models import Resource
from govcloud.orders.drafts import NetworkDraft, ReleaseDraft, ServerDraft, VolumeDraft
from govcloud.orders.models import Order
from govcloud.orders.rules.of_targets import ResourceNotInUse
from govcloud.provisioning import engine, services
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import Nothing, actions
from govcloud.provisioning.actions.rebuilding import NewSystem
from govcloud.provisioning.actions.requests import ActionNotAllowed
from govcloud.provisioning.actions.storage import Named
from govcloud.provisioning.models import Operation, Step
from tenants.models import Role
from tenants.policies import RoleMissing
from tests.factories.orders import Scene, approve_all, drafted, scene, submitted
from tests.factories.tenants import DepartmentFactory, member
from tests.integration.building import built, now, project, work
from tests.integration.dying import die_and_be_followed
from tests.integration.sandboxed import Sandbox

pytestmark = pytest.mark.django_db

ONE_SERVER = (
    NetworkDraft(name="app-net", zone="public"),
    ServerDraft(
        name="web",
        quantity=1,
        zone="public",
        flavor="g.4c16g",
        image="debian-12",
        network="app-net",
        system_volume=VolumeDraft(storage_class="ssd", size_gb=100),
    ),
)


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


@pytest.fixture
def server(on: Scene, building: Sandbox) -> Resource:
    built(on, items=ONE_SERVER)
    building.ask("PUT", "/timing", {"action_seconds": 0.05})
    return Resource.objects.get(kind="server")


def ask(server: Resource, name: str, on: Scene) -> Operation:
    return requests.request(
        resource=server, action=actions()[name], parameters=Nothing(), actor=on.applicant, at=now()
    )


def in_cloud(on: Scene, server: Resource) -> Any:
    return project(on).compute.get_server(server.external_id)


def reboots(on: Scene, server: Resource) -> int:
    return sum(a.name == "reboot" for a in project(on).compute.actions(server.external_id))


def test_a_server_is_stopped_and_started_again(on: Scene, server: Resource) -> None:
    for action, status, power in (("stop", "SHUTOFF", "stopped"), ("start", "ACTIVE", "running")):
        operation = ask(server, action, on)
        server.refresh_from_db()
        assert server.status == "changing"
        work()
        operation.refresh_from_db()
        assert operation.status == "done"
        server = Resource.objects.get(pk=server.pk)
        assert (server.status, server.server.power) == ("active", power)
        assert in_cloud(on, server).status == status


def test_an_action_is_told_in_the_audit_trail_of_its_server(on: Scene, server: Resource) -> None:
    operation = ask(server, "stop", on)
    work()
    of_it = Event.objects.filter(subject_id=operation.uuid, verb__startswith="operation").order_by("pk")
    assert [(event.verb, event.actor) for event in of_it] == [
        ("operation.started", on.applicant.audit_ref),
        ("operation.done", "system:engine"),
    ]
    assert (of_it[0].after["action"], of_it[0].after["reason"]) == ("stop", "web-1")


def test_what_is_in_hand_takes_nothing_else_and_says_so(on: Scene, server: Resource) -> None:
    ask(server, "stop", on)
    with pytest.raises(ActionNotAllowed) as refused:
        ask(server, "start", on)
    assert "being changed" in refused.value.detail
    with pytest.raises(Invalids) as broken:
        drafted(on, at=now(), items=(ReleaseDraft(target=server.uuid, kind="server"),))
    assert [type(error) for error in broken.value.errors] == [ResourceNotInUse]


def test_an_order_for_what_is_in_hand_is_approved_only_when_that_has_ended(
    on: Scene, server: Resource
) -> None:
    order = submitted(on, at=now(), items=(ReleaseDraft(target=server.uuid, kind="server"),))
    ask(server, "stop", on)
    with pytest.raises(ResourceNotInUse, match=server.name):
        approve_all(on, order, at=now())
    work()
    assert approve_all(on, Order.objects.get(pk=order.pk), at=now()).status == "fulfilling"


def test_a_refusal_names_what_is_allowed_instead(on: Scene, server: Resource) -> None:
    with pytest.raises(ActionNotAllowed) as refused:
        ask(server, "start", on)
    assert "it is running" in refused.value.detail
    assert "stop the server" in refused.value.detail
    assert "start the server." not in refused.value.detail


def test_an_applicant_of_another_department_may_not_act(on: Scene, server: Resource) -> None:
    other = member(Role.APPLICANT, DepartmentFactory())
    with pytest.raises(RoleMissing):
        requests.request(
            resource=server, action=actions()["stop"], parameters=Nothing(), actor=other, at=now()
        )


def test_a_reboot_whose_answer_was_lost_is_not_sent_again(
    on: Scene, server: Resource, building: Sandbox
) -> None:
    lost = {"service": "compute", "method": "POST", "path": "/action$", "action": "reset", "when": "after"}
    building.ask("POST", "/faults", {**lost, "times": 1})
    operation = ask(server, "hard-reboot", on)
    work()
    operation.refresh_from_db()
    assert (operation.status, reboots(on, server)) == ("done", 1)


def test_a_reboot_that_never_left_is_sent_when_it_has_had_its_time_to_land(
    on: Scene, server: Resource, building: Sandbox, settings: Settings
) -> None:
    settings.STEP_SETTLE = timedelta(seconds=0.5)
    lost = {"service": "compute", "method": "POST", "path": "/action$", "action": "reset", "when": "before"}
    building.ask("POST", "/faults", {**lost, "times": 1})
    operation = ask(server, "reboot", on)
    work()
    operation.refresh_from_db()
    assert (operation.status, reboots(on, server)) == ("done", 1)


def test_a_worker_that_dies_after_the_reboot_landed_leaves_one_reboot(
    on: Scene, server: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = ask(server, "reboot", on)
    die_and_be_followed(monkeypatch, "_adopt")
    operation.refresh_from_db()
    assert (operation.status, reboots(on, server)) == ("done", 1)


def test_an_earlier_reboot_is_not_taken_for_this_one(on: Scene, server: Resource) -> None:
    for _time in range(2):
        ask(server, "reboot", on)
        work()
    assert reboots(on, server) == 2


def test_a_reboot_that_the_cloud_cannot_do_waits_for_a_person_and_can_be_tried_again(
    on: Scene, server: Resource, building: Sandbox
) -> None:
    refused = {"service": "compute", "method": "POST", "path": "/action$", "action": "status", "status": 403}
    building.ask("POST", "/faults", {**refused, "when": "before", "message": "no", "times": 1})
    operation = ask(server, "reboot", on)
    work()
    operation.refresh_from_db()
    assert operation.status == "parked"
    services.retry(operation=operation, actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    operation.refresh_from_db()
    assert (operation.status, reboots(on, server)) == ("done", 1)


def test_an_abandoned_action_gives_the_server_back_as_it_is(
    on: Scene, server: Resource, building: Sandbox
) -> None:
    refused = {"service": "compute", "method": "POST", "path": "/action$", "action": "status", "status": 403}
    building.ask("POST", "/faults", {**refused, "when": "before", "message": "no", "times": 1})
    operation = ask(server, "stop", on)
    work()
    services.abandon(operation=operation, reason="not now", actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    operation.refresh_from_db()
    server = Resource.objects.get(pk=server.pk)
    assert (operation.status, server.status, server.server.power) == ("undone", "active", "running")
    assert not Step.objects.filter(operation=operation).exclude(state="gone").exists()


def called_off_on_its_way(server: Resource, action: str, on: Scene) -> tuple[str, str, str]:
    """Asked for, then called off: what the cloud says of the server, and what the record says of it and of its power."""
    operation = ask(server, action, on)
    engine.run_due(clock=now, most=1)
    services.abandon(operation=operation, reason="not now", actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    server = Resource.objects.get(pk=server.pk)
    found = project(on).compute.get_server(server.external_id)
    return found.status, server.status, server.server.power


def test_a_stop_that_nobody_saw_answered_and_that_is_called_off_is_in_the_record(
    on: Scene, server: Resource, building: Sandbox
) -> None:
    lost = {"service": "compute", "method": "POST", "path": "/action$", "action": "status", "status": 503}
    building.ask("POST", "/faults", {**lost, "when": "after", "times": 1})
    assert called_off_on_its_way(server, "stop", on) == ("SHUTOFF", "active", "stopped")


def test_a_stop_that_lands_after_it_was_called_off_is_in_the_record(
    on: Scene, server: Resource, building: Sandbox, settings: Settings
) -> None:
    settings.STEP_SETTLE = timedelta(seconds=3)
    late = {"service": "compute", "method": "POST", "path": "/action$", "action": "reset", "when": "late"}
    building.ask("POST", "/faults", {**late, "seconds": 1.5, "times": 1})
    assert called_off_on_its_way(server, "stop", on) == ("SHUTOFF", "active", "stopped")


def test_a_restart_of_a_stopped_server_that_is_called_off_after_it_was_asked_for_is_in_the_record(
    on: Scene, server: Resource, building: Sandbox
) -> None:
    ask(server, "stop", on)
    work()
    unheard = {"service": "compute", "method": "POST", "path": "/action$", "action": "reset", "when": "after"}
    building.ask("POST", "/faults", {**unheard, "times": 1})
    assert called_off_on_its_way(Resource.objects.get(pk=server.pk), "hard-reboot", on) == (
        "ACTIVE",
        "active",
        "running",
    )


def test_what_is_still_being_built_takes_no_action(on: Scene, building: Sandbox) -> None:
    approve_all(on, submitted(on, at=now(), items=ONE_SERVER), at=now())
    while not Resource.objects.filter(kind="server").exists():
        engine.run_due(clock=now, most=1)
    with pytest.raises(ActionNotAllowed) as refused:
        ask(Resource.objects.get(kind="server"), "stop", on)
    assert "still being built" in refused.value.detail
    assert refused.value.params["allowed"] == ""


def test_a_system_volume_takes_no_action_before_its_server_is_there(on: Scene, building: Sandbox) -> None:
    """It would have a snapshot, and could not be deleted when the order is called off."""
    approve_all(on, submitted(on, at=now(), items=ONE_SERVER), at=now())
    while not Step.objects.filter(kind="volume", state="done").exists():
        engine.run_due(clock=now, most=1)
    volume = Resource.objects.get(kind="volume")
    assert (volume.status, volume.volume.server) == ("active", None)
    with pytest.raises(ActionNotAllowed, match="still being built"):
        requests.request(
            resource=volume,
            action=actions()["snapshot"],
            parameters=Named(name="x"),
            actor=on.applicant,
            at=now(),
        )


def test_what_an_open_order_is_about_stays_as_it_was_judged(on: Scene, server: Resource) -> None:
    submitted(on, at=now(), items=(ReleaseDraft(target=server.uuid, kind="server"),))
    with pytest.raises(ActionNotAllowed) as refused:
        requests.request(
            resource=server, action=actions()["rebuild"], parameters=NewSystem(), actor=on.applicant, at=now()
        )
    assert "the order GC-" in refused.value.detail
    ask(server, "stop", on)
