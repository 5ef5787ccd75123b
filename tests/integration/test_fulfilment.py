"""From an approved order to resources in a cloud and back, on the sandbox cloud over HTTP."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation
from pytest_django import Settings

from govcloud.audit.models import Event
from govcloud.errors import Invalids
from govcloud.gateways import openstack
from govcloud.inventory.models import Address, Project, Resource
from govcloud.metering.models import UsageSegment
from govcloud.orders import services
from govcloud.orders.drafts import ExtendDraft, NetworkDraft, ReleaseDraft, RenewDraft
from govcloud.orders.results import results
from govcloud.orders.rules.of_targets import CannotGrow
from govcloud.protection import services as protection
from govcloud.protection.models import BackupPlan, RecoveryPoint
from govcloud.provisioning import by_hand, engine
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import Nothing
from govcloud.provisioning.actions.power import Start, Stop
from govcloud.provisioning.actions.requests import ActionNotAllowed
from govcloud.provisioning.context import Context
from govcloud.provisioning.kinds import guests
from govcloud.provisioning.kinds.tenancy import ComputeQuotaKind
from govcloud.provisioning.models import CloudCall, Operation, Step
from govcloud.quotas.models import QuotaAccount
from tests.factories.orders import SERVERS, Scene, approved, drafted
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox
from tests.openstack.laboratory import gone

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("building")]


def used(on: Scene) -> dict[str, tuple[int, int]]:
    accounts = QuotaAccount.objects.filter(department=on.department)
    return {
        account.dimension: (account.held, account.used)
        for account in accounts
        if account.held or account.used
    }


def test_an_approved_order_becomes_servers_volumes_network_and_backups(on: Scene) -> None:
    order = built(on)
    assert {
        key: state for key, state in states().items() if "skipped" not in state and "backup" not in key
    } == {}
    assert order.status == "fulfilled"
    cloud = project(on)
    servers = cloud.compute.find_servers()
    assert {(server.name, server.status) for server in servers} == {("app-1", "ACTIVE"), ("app-2", "ACTIVE")}
    assert {len(server.volume_ids) for server in servers} == {2}
    volumes = cloud.volumes.find_volumes()
    assert sorted((volume.size_gib, volume.volume_type, volume.status) for volume in volumes) == [
        (100, "ssd", "in-use"), (100, "ssd", "in-use"), (500, "sas", "in-use"), (500, "sas", "in-use"),
    ]  # fmt: skip
    assert used(on) == {
        "servers": (0, 2), "vcpus": (0, 8), "memory_gb": (0, 32), "storage_gb": (0, 1200), "backup_gb": (0, 1200),
        "networks": (0, 1),
    }  # fmt: skip
    for server in servers:
        resource = Resource.objects.get(external_id=server.id)
        address = Address.objects.get(unit=resource.unit).address
        assert address in {each for group in server.addresses.values() for each in group}
        assert f"gc-{resource.unit}" in server.tags


def test_the_clouds_own_quota_is_what_was_approved(on: Scene) -> None:
    built(on)
    cloud = openstack.connect(cloud="sandbox")
    identifier = Project.objects.get(system=on.system).external_id
    compute, volume = cloud.quotas.compute(identifier), cloud.quotas.volume(identifier)
    assert (compute["instances"].limit, compute["cores"].limit, compute["ram"].limit) == (2, 8, 32 * 1024)
    assert (volume["gigabytes"].limit, volume["volumes"].limit) == (1200, 4)


def test_the_plans_first_backups_are_taken_at_once_and_recorded(on: Scene) -> None:
    built(on)
    work()
    points = RecoveryPoint.objects.select_related("volume__resource")
    assert sorted(point.volume.resource.name for point in points) == [
        "app-1-data-1", "app-1-system", "app-2-data-1", "app-2-system",
    ]  # fmt: skip
    in_cloud = {backup.id for backup in project(on).backups.find_backups() if backup.status == "available"}
    assert {point.external_id for point in points} == in_cloud


def test_billing_starts_when_the_server_is_handed_over_with_what_was_ordered(on: Scene) -> None:
    built(on)
    segments = UsageSegment.objects.filter(resource__system=on.system)
    total: dict[str, Decimal] = {}
    for segment in segments.select_related("meter"):
        total[segment.meter.code] = total.get(segment.meter.code, Decimal()) + segment.quantity
    assert total == {
        "vcpu": 8,
        "memory_gb": 32,
        "block_ssd_gb": 200,
        "block_sas_gb": 1000,
        "backup_off_site_gb": 1200,
    }
    for server in Resource.objects.filter(kind="server"):
        assert server.billing_start >= server.built_at
    assert set(Event.objects.filter(verb__startswith="usage.").values_list("verb", flat=True)) == {
        "usage.opened"
    }


def test_a_volume_grows_by_a_change_order_and_its_bill_with_it(on: Scene) -> None:
    built(on)
    volume = Resource.objects.get(name="app-1-data-1")
    approved(on, at=now(), items=(ExtendDraft(target=volume.uuid, size_gb=800),))
    volume.refresh_from_db()
    assert volume.status == "changing"
    work()
    volume.refresh_from_db()
    assert (volume.status, volume.volume.size_gb) == ("active", 800)
    assert project(on).volumes.get_volume(volume.external_id).size_gib == 800
    assert used(on)["storage_gb"] == (0, 1500)
    periods = list(
        UsageSegment.objects.filter(resource=volume).order_by("period").values_list("quantity", "period")
    )
    assert [quantity for quantity, _period in periods] == [500, 800]
    assert periods[0][1].upper == periods[1][1].lower
    assert periods[1][1].upper is None


def test_a_system_volume_grows_and_the_department_is_told_that_its_server_takes_up_the_room(
    on: Scene,
) -> None:
    built(on)
    volume = Resource.objects.get(name="app-1-system")
    order = built(on, items=(ExtendDraft(target=volume.uuid, size_gb=150),))
    volume.refresh_from_db()
    assert (order.status, volume.status, volume.volume.size_gb) == ("fulfilled", "active", 150), states()
    step = Step.objects.get(kind="grow", operation__thread=order.uuid)
    assert (step.state, step.outputs) == ("skipped", {"reason": by_hand.AT_RESTART})
    with translation.override("en"):
        (result,) = results(order).values()
    assert (result.outcome, "Restart the server" in result.left) == ("done", True)


def test_a_server_is_in_hand_until_the_last_of_its_volumes_has_grown(on: Scene) -> None:
    built(on)
    server = Resource.objects.get(name="app-1")
    items = tuple(
        ExtendDraft(target=volume.resource.uuid, size_gb=volume.size_gb + 50)
        for volume in server.server.volumes.all()
    )
    order = approved(on, at=now(), items=items)
    operations = Operation.objects.filter(thread=order.uuid)
    assert operations.count() == 2
    with pytest.raises(ActionNotAllowed):
        requests.request(resource=server, action=Stop(), parameters=Nothing(), actor=on.applicant, at=now())
    while operations.filter(finished_at=None).exists():
        server.refresh_from_db()
        assert server.status == "changing"
        engine.run_due(clock=now, most=1)
    server.refresh_from_db()
    work()
    order.refresh_from_db()
    assert (server.status, order.status) == ("active", "fulfilled"), states()


def test_a_volume_that_grows_while_its_server_is_stopped_is_taken_up_when_it_starts(on: Scene) -> None:
    built(on)
    server, volume = Resource.objects.get(name="app-1"), Resource.objects.get(name="app-1-data-1")

    def done(action: Stop | Start) -> Operation:
        server.refresh_from_db()
        operation = requests.request(
            resource=Resource.objects.with_particulars().get(pk=server.pk), action=action, parameters=Nothing(),
            actor=on.applicant, at=now(),
        )  # fmt: skip
        work()
        return operation

    done(Stop())
    order = built(on, items=(ExtendDraft(target=volume.uuid, size_gb=800),))
    assert order.status == "fulfilled", states()
    grow = Step.objects.get(kind="grow", operation__thread=order.uuid)
    assert grow.outputs == {"reason": by_hand.SWITCHED_OFF}
    started = done(Start()).steps.get(kind="grow")
    assert (started.desired_state["volumes"], started.outputs) == (
        [str(volume.unit)],
        {"reason": guests.NO_GUESTS},
    )
    Step.objects.filter(pk=started.pk).update(state="done", outputs={})  # as where there are guests
    done(Stop())
    assert [step.kind for step in done(Start()).steps.all()] == ["power"]


def test_a_volume_that_grew_while_its_server_was_stopped_is_taken_up_by_a_renewal_that_brings_it_back(
    on: Scene,
) -> None:
    built(on)
    server, volume = Resource.objects.get(name="app-1"), Resource.objects.get(name="app-1-data-1")
    done = {"action": Stop(), "parameters": Nothing(), "actor": on.applicant, "at": now()}
    requests.request(resource=Resource.objects.with_particulars().get(pk=server.pk), **done)
    work()
    built(on, items=(ExtendDraft(target=volume.uuid, size_gb=800),))
    Resource.objects.update(lease_end=now() - timedelta(days=1))
    Resource.objects.filter(pk=server.pk).update(status="suspended")  # as that end does
    order = built(on, items=(RenewDraft(target=server.uuid, kind="server", lease_months=6),))
    assert order.status == "fulfilled", states()
    grow = Step.objects.get(kind="grow", operation__thread=order.uuid)
    assert grow.desired_state["volumes"] == [str(volume.unit)]


def test_where_the_cloud_cannot_extend_an_attached_volume_it_is_detached_for_it(on: Scene) -> None:
    built(on)
    on.catalogue.cloud.online_extend = False
    on.catalogue.cloud.save()
    volume = Resource.objects.get(name="app-1-data-1")
    approved(on, at=now(), items=(ExtendDraft(target=volume.uuid, size_gb=800),))
    work()
    found = project(on).volumes.get_volume(volume.external_id)
    server = Resource.objects.get(name="app-1")
    assert (found.size_gib, found.status, set(found.attached_to)) == (800, "in-use", {server.external_id})


def detached_to_grow(on: Scene, volume: Resource) -> Operation:
    """The change order's operation, at the moment when the server does not have its volume."""
    on.catalogue.cloud.online_extend = False
    on.catalogue.cloud.save()
    order = approved(on, at=now(), items=(ExtendDraft(target=volume.uuid, size_gb=800),))
    while not Step.objects.filter(kind="extension", operation__thread=order.uuid, state="done").exists():
        engine.run_due(clock=now, most=1)
    return Operation.objects.get(thread=order.uuid)


def test_what_is_detached_to_grow_is_in_hand_until_it_is_attached_again(on: Scene) -> None:
    built(on)
    volume = Resource.objects.get(name="app-1-data-1")
    operation = detached_to_grow(on, volume)
    volume.refresh_from_db()
    assert volume.status == "changing"
    provisioning.abandon(operation=operation, reason="不再需要", actor=on.applicant, at=now())
    work()
    volume.refresh_from_db()
    server = Resource.objects.get(name="app-1")
    found = project(on).volumes.get_volume(volume.external_id)
    assert (found.size_gib, set(found.attached_to)) == (800, {server.external_id}), states()
    assert (volume.status, volume.volume.size_gb, used(on)["storage_gb"]) == ("active", 800, (0, 1500))


@pytest.mark.parametrize(
    ("fault", "size_gb"),
    [({"action": "status", "status": 503, "when": "after"}, 800), ({"action": "build_error"}, 500)],
    ids=["accepted and not heard", "refused by the back end"],
)
def test_an_extension_abandoned_while_the_cloud_works_on_it_ends_with_what_the_cloud_has(
    on: Scene, building: Sandbox, settings: Settings, fault: dict[str, Any], size_gb: int
) -> None:
    built(on)
    settings.STEP_SETTLE = timedelta(seconds=0.1)  # far less than the cloud takes
    volume = Resource.objects.get(name="app-1-data-1")
    building.ask("PUT", "/timing", {"volume_seconds": 1.5})
    asked = {"service": "volume", "method": "POST", "path": f"/volumes/{volume.external_id}/action"}
    building.ask("POST", "/faults", {**asked, **fault, "times": 1})
    order = approved(on, at=now(), items=(ExtendDraft(target=volume.uuid, size_gb=800),))
    begun = Step.objects.filter(kind="extension", operation__thread=order.uuid, intent_at__isnull=False)
    while not begun.exists():
        engine.run_due(clock=now, most=1)
    operation = Operation.objects.get(thread=order.uuid)
    provisioning.abandon(operation=operation, reason="不再需要", actor=on.applicant, at=now())
    work()
    building.ask("PUT", "/timing", {"volume_seconds": 0.02})
    volume.refresh_from_db()
    found = project(on).volumes.get_volume(volume.external_id)
    assert (found.size_gib, found.status) == (size_gb, "in-use"), states()
    assert (volume.status, volume.volume.size_gb) == ("active", size_gb)
    assert used(on)["storage_gb"] == (0, 700 + size_gb)
    billed = UsageSegment.objects.filter(resource=volume).going_on()
    assert list(billed.values_list("quantity", flat=True)) == [size_gb]


def test_an_extension_whose_answer_was_lost_waits_for_a_slow_cloud_and_for_nobody(
    on: Scene, building: Sandbox, settings: Settings
) -> None:
    built(on)
    settings.STEP_ATTEMPTS = 3
    volume = Resource.objects.get(name="app-1-data-1")
    building.ask("PUT", "/timing", {"volume_seconds": 1.5})
    lost = {
        "service": "volume",
        "method": "POST",
        "path": f"/volumes/{volume.external_id}/action",
        "times": 1,
    }
    building.ask("POST", "/faults", {**lost, "action": "status", "status": 503, "when": "after"})
    order = built(on, items=(ExtendDraft(target=volume.uuid, size_gb=800),))
    building.ask("PUT", "/timing", {"volume_seconds": 0.02})
    assert order.status == "fulfilled", states()
    assert Resource.objects.get(pk=volume.pk).volume.size_gb == 800


def test_a_server_is_not_released_without_the_volume_that_is_detached_to_grow(on: Scene) -> None:
    built(on)
    detached_to_grow(on, Resource.objects.get(name="app-1-data-1"))
    server = Resource.objects.get(name="app-1")
    with pytest.raises(Invalids) as refused:
        approved(on, at=now(), items=(ReleaseDraft(target=server.uuid, kind="server"),))
    codes = {error.code for error in refused.value.errors}
    assert codes == {"resource-in-another-order", "resource-not-in-use"}
    work()
    release = approved(on, at=now(), items=(ReleaseDraft(target=server.uuid, kind="server"),))
    work()
    release.refresh_from_db()
    assert release.status == "fulfilled", states()
    assert Resource.objects.get(name="app-1-data-1").status == "released"


def test_a_change_that_is_called_off_does_not_wait_for_a_server_that_is_gone(on: Scene) -> None:
    built(on)
    volume = Resource.objects.get(name="app-1-data-1")
    operation = detached_to_grow(on, volume)
    server = Resource.objects.get(name="app-1")
    project(on).compute.delete_server(server.external_id)
    Resource.objects.filter(pk=server.pk).update(status="released", released_at=now())
    provisioning.abandon(operation=operation, reason="服务器已不存在", actor=on.applicant, at=now())
    work()
    operation.refresh_from_db()
    assert operation.finished_at is not None, states()
    volume.refresh_from_db()
    assert (volume.status, volume.volume.server) == ("active", None)


def test_a_change_that_is_called_off_does_not_wait_for_a_server_that_has_vanished(on: Scene) -> None:
    """Nobody has noticed yet: the volume goes on to be the server's in the record, until that is recorded as lost."""
    built(on)
    volume = Resource.objects.get(name="app-1-data-1")
    operation = detached_to_grow(on, volume)
    server = Resource.objects.get(name="app-1")
    project(on).compute.delete_server(server.external_id)
    gone(lambda: project(on).compute.get_server(server.external_id))
    provisioning.abandon(operation=operation, reason="服务器已不存在", actor=on.applicant, at=now())
    work(seconds=20)
    operation.refresh_from_db()
    assert operation.finished_at is not None, states()
    volume.refresh_from_db()
    assert (volume.status, volume.volume.server) == ("active", server.server)


def test_a_system_volume_cannot_grow_where_it_would_have_to_be_detached(on: Scene) -> None:
    built(on)
    on.catalogue.cloud.online_extend = False
    on.catalogue.cloud.save()
    volume = Resource.objects.get(
        kind="volume", volume__role="system", volume__server__resource__name="app-1"
    )
    with pytest.raises(Invalids) as refused:
        drafted(on, at=now(), items=(ExtendDraft(target=volume.uuid, size_gb=volume.volume.size_gb + 50),))
    assert [type(error) for error in refused.value.errors] == [CannotGrow]


def test_a_released_server_is_gone_from_the_cloud_with_its_volumes_and_its_quota_is_free(on: Scene) -> None:
    built(on)
    server = Resource.objects.get(name="app-2")
    release = approved(on, at=now(), items=(ReleaseDraft(target=server.uuid, kind="server"),))
    work()
    release.refresh_from_db()
    assert release.status == "fulfilled", states()
    assert [each.name for each in project(on).compute.find_servers()] == ["app-1"]
    assert len(project(on).volumes.find_volumes()) == 2
    assert used(on) == {
        "servers": (0, 1), "vcpus": (0, 4), "memory_gb": (0, 16), "storage_gb": (0, 600), "backup_gb": (0, 1200),
        "networks": (0, 1),
    }  # fmt: skip
    gone = Resource.objects.filter(status="released")
    assert sorted(gone.values_list("name", flat=True)) == ["app-2", "app-2-data-1", "app-2-system"]
    assert not UsageSegment.objects.filter(resource__in=gone, period__endswith=None).exists()
    assert Address.objects.get(unit=server.unit).released_at is not None
    limits = openstack.connect(cloud="sandbox").quotas.compute(
        Project.objects.get(system=on.system).external_id
    )
    assert (limits["instances"].limit, limits["cores"].limit) == (1, 4)


def test_a_server_that_is_not_handed_over_yet_cannot_be_released(on: Scene) -> None:
    order = approved(on, at=now())
    while not Resource.objects.filter(kind="server").exists():
        engine.run_due(clock=now, most=1)
    server = Resource.objects.filter(kind="server").first()
    assert server is not None
    with pytest.raises(Invalids) as refusal:
        approved(on, at=now(), items=(ReleaseDraft(target=server.uuid, kind="server"),))
    assert [error.code for error in refusal.value.errors] == ["resource-not-in-use"]
    work()
    order.refresh_from_db()
    assert order.status == "fulfilled", states()


def test_a_release_waits_for_a_backup_that_is_being_taken(on: Scene, sandbox: Sandbox) -> None:
    built(on)  # its first backups are due now
    sandbox.ask("PUT", "/timing", {"backup_seconds": 1.5})
    engine.run_due(clock=now)
    server = Resource.objects.get(name="app-2")
    release = approved(on, at=now(), items=(ReleaseDraft(target=server.uuid, kind="server"),))
    work()
    sandbox.ask("PUT", "/timing", {"backup_seconds": 0.05})
    release.refresh_from_db()
    assert release.status == "fulfilled", states()
    of_the_server = Step.objects.filter(operation__kind="backup", label__startswith="app-2")
    ended = of_the_server.order_by("-finished_at").first()
    retired = Step.objects.get(kind="retirement")
    assert ended is not None
    assert ended.finished_at is not None
    assert retired.finished_at is not None
    assert retired.finished_at > ended.finished_at
    assert RecoveryPoint.objects.count() == 4


def test_what_was_released_is_not_backed_up_any_more(on: Scene) -> None:
    built(on)
    work()
    server = Resource.objects.get(name="app-2")
    approved(on, at=now(), items=(ReleaseDraft(target=server.uuid, kind="server"),))
    work()
    tomorrow = now().replace(year=now().year + 1)
    (operation,) = protection.run_due(at=tomorrow)
    assert sorted(operation.steps.values_list("label", flat=True)) == ["app-1-data-1", "app-1-system"]


def test_two_schedulers_start_a_due_plan_once(on: Scene) -> None:
    built(on)
    tomorrow = now().replace(year=now().year + 1)
    assert len(protection.run_due(at=tomorrow)) == 1
    assert protection.run_due(at=tomorrow) == []


def test_an_abandoned_order_leaves_nothing_in_the_cloud_and_holds_no_quota(
    on: Scene, sandbox: Sandbox
) -> None:
    sandbox.ask(
        "POST",
        "/faults",
        {
            "service": "compute",
            "method": "POST",
            "path": "/servers",
            "action": "status",
            "status": 400,
            "when": "before",
            "times": 50,
        },
    )
    order = approved(on, at=now())
    work()
    operation = Operation.objects.get(thread=order.uuid)
    assert operation.status == "parked"
    assert used(on)["servers"] == (2, 0)
    provisioning.abandon(operation=operation, reason="不再需要", actor=on.applicant, at=now())
    work()
    order.refresh_from_db()
    assert (order.status, used(on)) == ("cancelled", {}), states()
    assert (project(on).volumes.find_volumes(), project(on).compute.find_servers()) == ([], [])


def test_the_clouds_limits_cover_what_is_half_built_and_being_undone(on: Scene, sandbox: Sandbox) -> None:
    built(on)
    network = str(Resource.objects.get(kind="network").uuid)
    another = replace(SERVERS, quantity=1, network=network)
    never_ends = {"service": "volume", "method": "POST", "path": "/volumes", "action": "stuck", "times": 4}
    sandbox.ask("POST", "/faults", never_ends)
    first = approved(on, at=now(), items=(replace(another, name="web", quantity=2),))
    while (
        Step.objects.filter(kind="volume", operation__thread=first.uuid).exclude(external_id="").count() < 4
    ):
        engine.run_due(clock=now, most=1)
    provisioning.abandon(
        operation=Operation.objects.get(thread=first.uuid), reason="不再需要", actor=on.applicant, at=now()
    )
    second = approved(on, at=now(), items=(replace(another, name="db"),))
    while not Step.objects.filter(kind="volume_quota", operation__thread=second.uuid, state="done").exists():
        engine.run_due(clock=now, most=1)
        assert Operation.objects.get(thread=second.uuid).status == "running", states()
    assert len(project(on).volumes.find_volumes()) == 8


def test_a_server_that_comes_out_in_error_is_replaced_on_the_same_volume(on: Scene, sandbox: Sandbox) -> None:
    sandbox.ask(
        "POST",
        "/faults",
        {"service": "compute", "method": "POST", "path": "/servers", "action": "build_error", "times": 1},
    )
    order = built(on)
    assert order.status == "fulfilled", states()
    assert len(project(on).compute.find_servers()) == 2
    assert sorted(Step.objects.filter(kind="server").values_list("generation", flat=True)) == [1, 2]


def test_an_answer_that_never_came_makes_no_second_server(on: Scene, sandbox: Sandbox) -> None:
    sandbox.ask(
        "POST",
        "/faults",
        {
            "service": "compute",
            "method": "POST",
            "path": "/servers",
            "action": "reset",
            "when": "after",
            "times": 2,
        },
    )
    order = built(on)
    assert order.status == "fulfilled", states()
    assert len(project(on).compute.find_servers()) == 2


def test_calls_that_change_the_cloud_are_kept_with_their_request_ids(on: Scene) -> None:
    built(on)
    creating = CloudCall.objects.filter(step__kind="server", method="POST")
    assert creating.count() == 2
    assert all(call.request_id.startswith("req-") for call in creating)


def test_a_second_order_of_the_system_uses_its_project_and_its_network_space(on: Scene) -> None:
    built(on)
    approved(on, at=now(), items=(NetworkDraft(name="second-net", zone="private"),))
    work()
    cidrs = set(Resource.objects.filter(kind="network").values_list("network__cidr", flat=True))
    assert len(cidrs) == 2
    assert Project.objects.filter(system=on.system).count() == 1


def test_an_order_waits_while_the_cloud_is_unreachable_and_goes_on_after(
    on: Scene, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wrong = (sandbox.state / "clouds.yaml").read_text().replace(sandbox.url, "http://127.0.0.1:1")
    (tmp_path / "clouds.yaml").write_text(wrong)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    order = approved(on, at=now())
    engine.run_due(clock=now, most=3)
    step = Step.objects.get(kind="project")
    assert (step.state, step.attempts) == ("due", 0)
    assert "ConnectionRefusedError" in step.last_error
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(sandbox.state / "clouds.yaml"))
    work()
    order.refresh_from_db()
    assert order.status == "fulfilled"
    assert services.effect(order=order, at=now()) == []


def test_backups_go_to_the_other_site_and_wait_for_a_person_where_there_is_none(on: Scene) -> None:
    on.catalogue.cloud.backup_zone = ""
    on.catalogue.cloud.save()
    built(on)
    work()
    parked = Step.objects.filter(kind="backup")
    assert {step.state for step in parked} == {"parked"}
    assert "another site" in parked[0].last_error
    on.catalogue.cloud.backup_zone = "dr"
    on.catalogue.cloud.save()
    provisioning.retry(operation=parked[0].operation, actor=on.applicant, at=now())
    work()
    assert RecoveryPoint.objects.filter(expired_at=None).count() == 4


def test_points_beyond_those_kept_are_deleted_once_the_new_ones_are_there(on: Scene) -> None:
    built(on)
    work()
    BackupPlan.objects.update(keep=2)
    for _day in range(3):
        BackupPlan.objects.update(next_run_at=now())
        protection.run_due(at=now())
        work()
    kept = RecoveryPoint.objects.filter(expired_at=None)
    assert (kept.count(), RecoveryPoint.objects.count()) == (8, 16)
    assert {point.external_id for point in kept} == {each.id for each in project(on).backups.find_backups()}


def test_a_released_allowance_takes_no_further_backups(on: Scene) -> None:
    built(on)
    work()
    items = tuple(
        ReleaseDraft(target=resource.uuid, kind=resource.kind)
        for resource in Resource.objects.filter(kind__in=["server", "backup"])
    )
    approved(on, at=now(), items=items)
    work()
    assert Resource.objects.get(kind="backup").status == "released"
    assert protection.run_due(at=now().replace(year=now().year + 1)) == []
    assert "backup_gb" not in used(on)


def test_a_server_and_its_network_are_released_together(on: Scene) -> None:
    built(on)
    work()
    items = tuple(
        ReleaseDraft(target=resource.uuid, kind=resource.kind)
        for resource in Resource.objects.filter(kind__in=["server", "network"])
    )
    release = approved(on, at=now(), items=items)
    work()
    release.refresh_from_db()
    assert release.status == "fulfilled", states()
    assert [net for net in project(on).network.find_networks() if net.name.startswith("gc-")] == []
    assert set(used(on)) == {"backup_gb"}


def test_limits_set_from_figures_that_have_grown_old_meanwhile_are_set_again(
    on: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second order of the system is approved, and its limits set, between another worker's reckoning and its request."""
    built(on)
    reckoned = ComputeQuotaKind.set

    def overtaken(kind: ComputeQuotaKind, context: Context, limits: Mapping[str, int]) -> None:
        monkeypatch.setattr(ComputeQuotaKind, "set", reckoned)
        network = Resource.objects.get(kind="network")
        more = replace(SERVERS, name="more", quantity=1, network=str(network.uuid), data_volumes=())
        approved(on, at=now(), items=(more,))
        reckoned(kind, context, limits)

    monkeypatch.setattr(ComputeQuotaKind, "set", overtaken)
    server = Resource.objects.get(name="app-2")
    approved(on, at=now(), items=(ReleaseDraft(target=server.uuid, kind="server"),))
    while ComputeQuotaKind.set is overtaken:
        engine.run_due(clock=now, most=1)
    limits = openstack.connect(cloud="sandbox").quotas.compute(
        Project.objects.get(system=on.system).external_id
    )
    assert limits["instances"].limit == 2
