"""A cloud that somebody changed behind our back, found out and put right; on the sandbox cloud over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command

from govcloud.catalog.models import Cloud
from govcloud.clouds.refusals import CloudSilent
from govcloud.gateways import openstack
from govcloud.gateways.openstack import census
from govcloud.inventory.models import Address, Project, Resource, Server
from govcloud.metering.models import UsageSegment
from govcloud.provisioning.models import Operation, Step
from govcloud.quotas.models import QuotaAccount, QuotaEntry
from govcloud.reconciliation import hands, services, sweeps
from govcloud.reconciliation.adoption import CannotBeAdopted, HolderNotInUse
from govcloud.reconciliation.findings import RECONCILER, SECOND_LOOK
from govcloud.reconciliation.models import Extent, Finding, Sweep
from tenants.models import Role, User
from tests.factories.inventory import ProjectFactory, SnapshotFactory
from tests.factories.orders import NETWORK, SERVERS, Scene, scene
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox
from tests.openstack.laboratory import eventually, gone

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("building")]

SOON = timedelta(minutes=1)  # what ended a moment ago is left alone
LATER = SOON + SECOND_LOOK
PAGES = 8 + 1  # of each kind, and of the ports by which routers are on their subnets
FULL = PAGES + 2  # what full passes alone list: snapshots, backups


@pytest.fixture
def on() -> Scene:
    """A system that may do without backups, so that there is less to build."""
    return scene(level_3=False, zone="private")


@pytest.fixture
def admin() -> User:
    return member(Role.CLOUD_ADMIN)


def swept(on: Scene, *, extent: Extent = Extent.FULL, after: timedelta = SOON) -> Sweep:
    """A pass that begins so much later."""

    def clock() -> datetime:
        return now() + after

    waiting = sweeps.request(cloud=on.catalogue.cloud, extent=extent, actor=RECONCILER, at=clock())
    assert services.sweep(waiting=waiting, clock=clock) is not None
    waiting.refresh_from_db()
    assert waiting.failure == ""
    return waiting


def delivered(on: Scene) -> None:
    """Two servers with their volumes on a network; nothing is found to be wrong with them."""
    assert built(on, items=(NETWORK, SERVERS)).status == "fulfilled", states()


def resource(name: str) -> Resource:
    return Resource.objects.get(name=name)


def told(**of: Any) -> list[tuple[str, str, str, str, dict[str, tuple[str, str]]]]:
    """Kind, subject, remedy, status and differences of the findings."""
    rows = Finding.objects.filter(**of).exclude(status="resolved").order_by("kind", "subject", "remedy")
    return [
        (
            row.kind,
            row.subject,
            row.remedy,
            row.status,
            {d.field: (d.expected, d.found) for d in row.differences.all()},
        )
        for row in rows
    ]


def used(on: Scene) -> dict[str, int]:
    return dict(QuotaAccount.objects.filter(department=on.department).values_list("dimension", "used"))


def limit(on: Scene, name: str) -> int | None:
    identifier = Project.objects.get(system=on.system).external_id
    return openstack.connect(cloud="sandbox").quotas.compute(identifier)[name].limit


@contextmanager
def room(on: Scene, sandbox: Sandbox) -> Iterator[openstack.Cloud]:
    """The system's project, in which things can be made by hand although everything granted is built.

    The limits are put back behind the cloud's back: it refuses any that are below what stands.
    """
    operator = openstack.connect(cloud="sandbox")
    identifier = Project.objects.get(system=on.system).external_id
    limits = {name: use.limit for name, use in operator.quotas.volume(identifier).items()}
    operator.quotas.set_volume(identifier, {"volumes": None, "gigabytes": None})
    yield project(on)
    plain = {name: -1 if limit is None else limit for name, limit in limits.items()}
    sandbox.ask("POST", f"/rows/volume_quota/{identifier}", {"limits": plain})


def volume_by_hand(on: Scene, sandbox: Sandbox, **metadata: str) -> str:
    with room(on, sandbox) as cloud:
        made = cloud.volumes.create_volume(name="by-hand", size_gib=1, volume_type="ssd", metadata=metadata)
        eventually(lambda: cloud.volumes.get_volume(made.id), lambda seen: seen.status == "available")
    return made.id


def applied(finding: Finding, admin: User, *, remedy: str = "") -> Finding:
    """Applied, carried out and taken up."""
    services.apply(finding=finding, remedy=remedy, actor=admin, at=now())
    work()
    services.settle(at=now())
    finding.refresh_from_db()
    return finding


def deleted(on: Scene, server: Resource) -> None:
    """A server deleted in the cloud by hand."""
    cloud = project(on)
    cloud.compute.delete_server(server.external_id)
    gone(lambda: cloud.compute.get_server(server.external_id))


def row(sandbox: Sandbox, kind: str, external_id: str, **columns: Any) -> None:
    """An operator's hand in the cloud's database."""
    sandbox.ask("POST", f"/rows/{kind}/{external_id}", columns)


def another_project() -> str:
    """One of the cloud's that is no system's; its id."""
    return openstack.connect(cloud="sandbox").identity.create_project(name=f"theirs-{uuid4()}").id


def test_of_what_was_built_nothing_is_found(on: Scene) -> None:
    delivered(on)
    sweep = swept(on)
    assert told() == []
    assert (sweep.status, sweep.extent, sweep.findings_opened) == ("done", "full", 0)
    assert sweep.objects_seen >= 2 + 4 + 2 + 1 + 1
    assert sweep.api_calls == FULL + 3, "the lists, and the limits of the one project"


def test_a_server_that_was_deleted_by_hand_is_missing_once_it_was_missed_twice(
    on: Scene, admin: User
) -> None:
    delivered(on)
    server = resource("app-1")
    deleted(on, server)
    swept(on)
    assert [each[:4] for each in told()] == [("missing", "server", "mark_lost", "suspected")]
    swept(on, after=timedelta(minutes=5))
    assert [each[3] for each in told()] == ["suspected"], "not long enough ago"
    swept(on, after=LATER)
    assert [each[:4] for each in told()] == [("missing", "server", "mark_lost", "open")]

    before = used(on)
    services.apply(finding=Finding.objects.get(), actor=admin, at=now())
    server.refresh_from_db()
    assert (Finding.objects.get().status, server.status) == ("applying", "changing")
    work()
    services.settle(at=now())
    server.refresh_from_db()
    assert (Finding.objects.get().status, server.status) == ("resolved", "released"), states()
    assert used(on) == {**before, "servers": 1, "vcpus": 4, "memory_gb": 16}
    assert not UsageSegment.objects.filter(resource=server, period__endswith=None).exists()
    assert resource("app-1-data-1").volume.server is None, "its volumes are still there, and somebody's"
    assert limit(on, "instances") == 1
    swept(on, after=LATER)
    assert told() == []


def test_a_missing_server_that_is_there_again_is_no_finding(on: Scene, sandbox: Sandbox) -> None:
    delivered(on)
    server = resource("app-1")
    row(sandbox, "server", server.external_id, deleted=True)
    swept(on)
    row(sandbox, "server", server.external_id, deleted=False)
    swept(on, after=LATER)
    assert told() == []
    assert Finding.objects.get().status == "resolved"


def test_a_server_that_no_list_has_and_that_answers_is_not_missing(on: Scene, sandbox: Sandbox) -> None:
    """Nova leaves out the servers of a cell that is down."""
    delivered(on)
    lag = {"service": "compute", "method": "GET", "path": "/servers/detail", "action": "lag", "seconds": 3600}
    sandbox.ask("POST", "/faults", lag)
    swept(on)
    swept(on, after=LATER)
    assert Finding.objects.count() == 0


@pytest.mark.parametrize("extent", [Extent.INCREMENTAL, Extent.FULL])
def test_a_server_that_was_deleted_by_hand_and_is_kept_by_the_cloud_for_a_while_is_told(
    on: Scene, monkeypatch: pytest.MonkeyPatch, extent: Extent
) -> None:
    """Nova brings it back on order until it is reclaimed: no list of what stands has it, and it answers."""
    delivered(on)
    swept(on)
    external_id, as_it_is = resource("app-1").external_id, census._server

    def soft_deleted(body: dict[str, Any]) -> census.ListedServer:
        seen = as_it_is(body)
        return replace(seen, status="SOFT_DELETED") if seen.id == external_id else seen

    kept = ("drifted", "server", "decide", "open", {"power": ("running", "soft_deleted")})
    with monkeypatch.context() as patched:
        patched.setattr(census, "_server", soft_deleted)
        swept(on, extent=extent)
        assert told() == [kept]
        swept(on, after=LATER)
        assert told() == [kept]
    swept(on, after=LATER)
    assert told() == []


def test_a_cell_that_does_not_answer_proves_nothing(on: Scene, sandbox: Sandbox) -> None:
    delivered(on)
    row(sandbox, "server", resource("app-1").external_id, deleted=True)
    broken = {
        "service": "compute",
        "method": "GET",
        "path": "/servers/[0-9a-f-]{36}$",
        "action": "status",
        "status": 500,
    }
    sandbox.ask("POST", "/faults", {**broken, "when": "before"})
    swept(on)
    assert Finding.objects.count() == 0


def test_what_was_changed_by_hand_is_told_value_by_value(on: Scene, sandbox: Sandbox) -> None:
    delivered(on)
    server, volume = resource("app-1"), resource("app-1-data-1")
    flavor = next(each for each in project(on).compute.flavors() if each.name == "g.8c32g")
    specs = {"id": flavor.id, "name": flavor.name, "vcpus": 8, "ram": 32 << 10, "disk": 0, "extra_specs": {}}
    row(sandbox, "server", server.external_id, name="renamed", flavor=specs, tags=[], vm_state="stopped")
    row(sandbox, "volume", volume.external_id, size=800, metadata={}, volume_type="ssd")
    swept(on)
    mark = f"gc-{server.unit}"
    assert told(resource=server) == [
        (
            "drifted",
            "server",
            "adopt",
            "open",
            {"flavor": ("g.4c16g", "g.8c32g"), "power": ("running", "stopped")},
        ),
        ("drifted", "server", "set_back", "open", {"name": ("app-1", "renamed"), "mark": (mark, "")}),
    ]
    assert told(resource=volume) == [
        ("drifted", "volume", "adopt", "open", {"size_gib": ("500", "800"), "storage_class": ("sas", "ssd")}),
        ("drifted", "volume", "set_back", "open", {"mark": (str(volume.unit), "")}),
    ]


def test_the_cloud_is_set_back_to_the_record(on: Scene, sandbox: Sandbox, admin: User) -> None:
    delivered(on)
    server = resource("app-1")
    row(sandbox, "server", server.external_id, name="renamed", tags=["theirs"])
    swept(on)
    finding = applied(Finding.objects.get(), admin)
    assert (finding.status, finding.decided_by) == ("resolved", admin), states()
    seen = project(on).compute.get_server(server.external_id)
    assert seen.name == "app-1"
    assert {"theirs", f"gc-{server.unit}", f"system-{on.system.code}"} <= seen.tags
    server.refresh_from_db()
    assert server.status == "active"
    swept(on)
    assert told() == []


def test_the_record_takes_the_clouds_flavor_and_size_with_quota_bill_and_limits(
    on: Scene, sandbox: Sandbox, admin: User
) -> None:
    delivered(on)
    server, volume = resource("app-1"), resource("app-1-data-1")
    flavor = next(each for each in project(on).compute.flavors() if each.name == "g.8c32g")
    specs = {"id": flavor.id, "name": flavor.name, "vcpus": 8, "ram": 32 << 10, "disk": 0, "extra_specs": {}}
    row(sandbox, "server", server.external_id, flavor=specs)
    row(sandbox, "volume", volume.external_id, size=800)
    swept(on)
    before = used(on)
    for finding in Finding.objects.all():
        assert applied(finding, admin).status == "resolved", states()
    assert used(on) == {
        **before, "vcpus": before["vcpus"] + 4, "memory_gb": before["memory_gb"] + 16,
        "storage_gb": before["storage_gb"] + 300,
    }  # fmt: skip
    assert Server.objects.get(resource=server).flavor.code == "g.8c32g"
    going_on = UsageSegment.objects.filter(resource__in=[server, volume], period__endswith=None)
    assert {(each.meter.code, int(each.quantity)) for each in going_on} == {
        ("vcpu", 8), ("memory_gb", 32), ("block_sas_gb", 800),
    }  # fmt: skip
    assert limit(on, "cores") == 12
    swept(on)
    assert told() == []


def test_differences_that_are_adopted_together_are_counted_once(
    on: Scene, sandbox: Sandbox, admin: User
) -> None:
    delivered(on)
    volume = resource("app-1-data-1")
    row(sandbox, "volume", volume.external_id, size=800, volume_type="ssd")
    swept(on)
    before = used(on)["storage_gb"]
    applied(Finding.objects.get(), admin)
    volume = resource("app-1-data-1")
    assert (volume.volume.size_gb, volume.volume.storage_class.code) == (800, "ssd")
    assert used(on)["storage_gb"] == before + 300


def test_snapshots_count_in_what_an_account_should_hold(on: Scene) -> None:
    delivered(on)
    volume = resource("app-1-data-1")
    SnapshotFactory(volume=volume.volume, size_gb=500)
    account = QuotaAccount.objects.get(department=on.department, dimension="storage_gb")
    QuotaAccount.objects.filter(pk=account.pk).update(used=account.used + 500)
    swept(on)
    assert not Finding.objects.filter(kind="quota_mismatch", subject="account").exists()


def test_a_flavor_that_the_catalogue_does_not_know_cannot_be_adopted(
    on: Scene, sandbox: Sandbox, admin: User
) -> None:
    delivered(on)
    server = resource("app-1")
    odd = {"id": "odd", "name": "odd", "vcpus": 3, "ram": 1024, "disk": 0, "extra_specs": {}}
    row(sandbox, "server", server.external_id, flavor=odd)
    swept(on)
    with pytest.raises(CannotBeAdopted, match="odd"):
        services.apply(finding=Finding.objects.get(), actor=admin, at=now())
    assert Finding.objects.get().status == "open"


def test_a_volume_attached_elsewhere_is_brought_back(on: Scene, admin: User) -> None:
    delivered(on)
    volume, here, there = resource("app-1-data-1"), resource("app-1"), resource("app-2")
    cloud = project(on)
    cloud.compute.detach_volume(here.external_id, volume_id=volume.external_id)
    eventually(lambda: cloud.volumes.get_volume(volume.external_id), lambda seen: seen.status == "available")
    cloud.compute.attach_volume(there.external_id, volume_id=volume.external_id)
    eventually(lambda: cloud.volumes.get_volume(volume.external_id), lambda seen: seen.status == "in-use")
    swept(on)
    assert told() == [
        ("drifted", "volume", "set_back", "open", {"attached_to": (here.external_id, there.external_id)})
    ]
    assert applied(Finding.objects.get(), admin).status == "resolved", states()
    assert set(cloud.volumes.get_volume(volume.external_id).attached_to) == {here.external_id}


def test_a_volume_attached_elsewhere_is_recorded_there_only_while_that_server_is_in_use(
    on: Scene, admin: User
) -> None:
    delivered(on)
    volume, here, there = resource("app-1-data-1"), resource("app-1"), resource("app-2")
    cloud = project(on)
    cloud.compute.detach_volume(here.external_id, volume_id=volume.external_id)
    eventually(lambda: cloud.volumes.get_volume(volume.external_id), lambda seen: seen.status == "available")
    cloud.compute.attach_volume(there.external_id, volume_id=volume.external_id)
    eventually(lambda: cloud.volumes.get_volume(volume.external_id), lambda seen: seen.status == "in-use")
    swept(on)
    Resource.objects.filter(pk=there.pk).update(status="suspended")
    with pytest.raises(HolderNotInUse):
        services.apply(finding=Finding.objects.get(), remedy="adopt", actor=admin, at=now())
    assert Finding.objects.get().status == "open"
    Resource.objects.filter(pk=there.pk).update(status="active")
    assert applied(Finding.objects.get(), admin, remedy="adopt").status == "resolved"
    assert Server.objects.get(volumes__resource=volume).resource == there


def test_a_port_in_another_group_is_put_back_into_its_own(on: Scene, sandbox: Sandbox, admin: User) -> None:
    delivered(on)
    port = Address.objects.get(unit=resource("app-1").unit).port_id
    group = resource("app-net").network.security_group_id
    row(sandbox, "port", port, security_groups=[])
    swept(on)
    assert told() == [("drifted", "port", "set_back", "open", {"security_group": (group, "")})]
    assert applied(Finding.objects.get(), admin).status == "resolved", states()
    assert project(on).network.get_port(port).security_group_ids == (group,)


def test_what_was_created_by_hand_in_our_project_is_foreign_and_left_alone(
    on: Scene, sandbox: Sandbox, admin: User
) -> None:
    delivered(on)
    cloud = project(on)
    network = resource("app-net")
    volume_by_hand(on, sandbox)
    cloud.network.create_port(
        name="p", network_id=network.external_id, subnet_id=network.network.subnet_id, fixed_ip="10.20.0.40"
    )
    swept(on)
    swept(on, after=LATER)
    assert [each[:4] for each in told()] == [
        ("foreign", "port", "decide", "open"),
        ("foreign", "volume", "decide", "open"),
    ]
    volume = Finding.objects.get(subject="volume")
    with pytest.raises(services.NothingToApply):
        services.apply(finding=volume, actor=admin, at=now())
    assert services.dismiss(finding=volume, reason="known", actor=admin, at=now()).status == "dismissed"
    swept(on, after=LATER)
    volume.refresh_from_db()
    assert (volume.status, volume.sightings) == ("dismissed", 3)


def left_over(on: Scene, *, kind: str = "volume", ended: bool = True) -> Step:
    """The step of an operation that is over, whose request nevertheless took effect."""
    operation = Operation.objects.create(
        kind="deliver", reason="GC-1", system=on.system, cloud=on.catalogue.cloud, created_at=now(),
        status="undone" if ended else "running", finished_at=now() if ended else None, taken_up_at=now(),
    )  # fmt: skip
    return Step.objects.create(
        operation=operation, position=0, key=str(uuid4()), kind=kind, label="lost", unit=uuid4(),
        state="gone" if ended else "unknown", finished_at=now() if ended else None,
        desired_state={"storage_class": "ssd", "size_gb": 1},
    )  # fmt: skip


def marked_volume(on: Scene, sandbox: Sandbox, unit: UUID) -> str:
    return volume_by_hand(on, sandbox, govcloud_unit=str(unit))


def test_what_was_moved_to_another_project_is_told_and_nothing_else_of_it(
    on: Scene, sandbox: Sandbox, admin: User
) -> None:
    delivered(on)
    volume, own = resource("app-1-data-1"), Project.objects.get(system=on.system).external_id
    theirs = another_project()
    row(sandbox, "volume", volume.external_id, project_id=theirs, name="renamed")
    for extent in (Extent.INCREMENTAL, Extent.FULL):
        swept(on, extent=extent)
        moved = {"project": (own, theirs)}
        assert told(subject="volume") == [("drifted", "volume", "decide", "open", moved)]
    finding = Finding.objects.get(subject="volume")
    assert (finding.resource, services.possible(finding)) == (volume, [])
    with pytest.raises(services.NothingToApply):
        services.apply(finding=finding, actor=admin, at=now())
    row(sandbox, "volume", volume.external_id, project_id=own, name=volume.name)
    swept(on)
    assert told(subject="volume") == []


def test_what_was_found_in_our_project_is_over_when_it_is_moved_out_of_it(
    on: Scene, sandbox: Sandbox
) -> None:
    delivered(on)
    by_hand = volume_by_hand(on, sandbox)
    swept(on)
    assert [each[0] for each in told(external_id=by_hand)] == ["foreign"]
    theirs = another_project()
    row(sandbox, "volume", by_hand, project_id=theirs)
    swept(on)
    assert told(external_id=by_hand) == []


def test_what_an_ended_operation_left_over_is_cleared_away_once_it_was_seen_twice(
    on: Scene, sandbox: Sandbox
) -> None:
    delivered(on)
    external_id = marked_volume(on, sandbox, left_over(on).unit)
    swept(on)
    assert [each[:4] for each in told()] == [("orphaned", "volume", "clear_away", "suspected")]
    swept(on, extent=Extent.INCREMENTAL, after=LATER)
    assert [each[3] for each in told()] == ["applying"]
    Step.objects.filter(kind="removal").update(next_run_at=now())  # the pass was in the future
    work()
    assert services.settle(at=now()) == 1
    assert Finding.objects.get().status == "resolved", states()
    gone(lambda: project(on).volumes.get_volume(external_id))


def test_what_an_operation_is_still_at_work_on_is_no_orphan(on: Scene, sandbox: Sandbox) -> None:
    delivered(on)
    marked_volume(on, sandbox, left_over(on, ended=False).unit)
    swept(on, after=LATER)
    assert told(kind="orphaned") == []


def test_a_copy_that_carries_the_mark_of_a_resource_waits_for_a_person(
    on: Scene, sandbox: Sandbox, admin: User
) -> None:
    """A backup restored by hand carries the mark of the volume it was taken of."""
    delivered(on)
    external_id = marked_volume(on, sandbox, resource("app-1-data-1").unit)
    swept(on)
    swept(on, after=LATER)
    assert [each[:4] for each in told()] == [("orphaned", "volume", "clear_away", "open")]
    assert applied(Finding.objects.get(), admin).status == "resolved", states()
    gone(lambda: project(on).volumes.get_volume(external_id))


def test_what_was_found_on_a_cloud_that_is_retired_is_over(on: Scene, sandbox: Sandbox) -> None:
    delivered(on)
    volume_by_hand(on, sandbox)
    swept(on)
    assert [each[0] for each in told()] == ["foreign"]
    Cloud.objects.update(status="retired")
    services.settle(at=now())
    assert Finding.objects.get().status == "resolved"


def test_a_lost_volume_takes_its_snapshots_along(on: Scene, admin: User) -> None:
    delivered(on)
    lost = resource("app-1-data-1")
    snapshot = SnapshotFactory(volume=lost.volume, size_gb=lost.volume.size_gb)
    account = QuotaAccount.objects.get(department=on.department, dimension="storage_gb")
    QuotaAccount.objects.filter(pk=account.pk).update(used=account.used + snapshot.size_gb)
    cloud = project(on)
    cloud.compute.detach_volume(resource("app-1").external_id, volume_id=lost.external_id)
    eventually(lambda: cloud.volumes.get_volume(lost.external_id), lambda seen: seen.status == "available")
    cloud.volumes.delete_volume(lost.external_id)
    gone(lambda: cloud.volumes.get_volume(lost.external_id))
    swept(on)
    swept(on, after=LATER)
    finding = Finding.objects.get(kind="missing", subject="volume")
    assert applied(finding, admin).status == "resolved", states()
    snapshot.refresh_from_db()
    assert snapshot.deleted_at is not None
    assert used(on)["storage_gb"] == account.used - lost.volume.size_gb


def test_an_orphan_that_somebody_uses_by_now_is_not_deleted(on: Scene, sandbox: Sandbox, admin: User) -> None:
    delivered(on)
    external_id = marked_volume(on, sandbox, resource("app-1-data-1").unit)
    swept(on)
    swept(on, after=LATER)
    finding = Finding.objects.get()
    services.apply(finding=finding, actor=admin, at=now())
    cloud = project(on)
    cloud.compute.attach_volume(resource("app-2").external_id, volume_id=external_id)
    eventually(lambda: cloud.volumes.get_volume(external_id), lambda seen: seen.status == "in-use")
    work()
    services.settle(at=now())
    finding.refresh_from_db()
    assert (finding.status, finding.remark) == ("open", "something holds it")
    assert cloud.volumes.get_volume(external_id).status == "in-use"


def test_limits_that_somebody_raised_are_set_again(on: Scene, admin: User) -> None:
    delivered(on)
    identifier = Project.objects.get(system=on.system).external_id
    openstack.connect(cloud="sandbox").quotas.set_compute(identifier, {"cores": 99, "instances": None})
    swept(on)
    assert told() == [
        (
            "quota_mismatch",
            "project",
            "set_limits",
            "open",
            {"compute.cores": ("8", "99"), "compute.instances": ("2", "-1")},
        )
    ]
    assert applied(Finding.objects.get(), admin).status == "resolved", states()
    assert (limit(on, "cores"), limit(on, "instances")) == (8, 2)


def test_limits_of_a_project_that_is_not_ours_any_more_are_no_finding(on: Scene) -> None:
    delivered(on)
    identifier = Project.objects.get(system=on.system).external_id
    openstack.connect(cloud="sandbox").quotas.set_compute(identifier, {"cores": 99})
    swept(on)
    assert told(subject="project") != []
    Project.objects.all().delete()  # as when what was taken over in it is given up
    swept(on)
    assert told(subject="project") == []


def test_a_project_that_somebody_deleted_does_not_hold_up_the_others(on: Scene, sandbox: Sandbox) -> None:
    delivered(on)
    ProjectFactory(cloud=on.catalogue.cloud, external_id="f" * 32)
    refused = {
        "service": "compute",
        "method": "GET",
        "path": f"/os-quota-sets/{'f' * 32}",
        "action": "status",
    }
    sandbox.ask("POST", "/faults", {**refused, "status": 400, "when": "before"})
    assert swept(on).status == "done"


def test_an_account_that_does_not_agree_with_what_stands_is_corrected_by_an_entry(
    on: Scene, admin: User
) -> None:
    delivered(on)
    account = QuotaAccount.objects.get(department=on.department, dimension="vcpus")
    QuotaAccount.objects.filter(pk=account.pk).update(used=11)
    swept(on)
    assert told() == [("quota_mismatch", "account", "correct_ledger", "open", {"used": ("8", "11")})]
    assert applied(Finding.objects.get(), admin).status == "resolved"
    account.refresh_from_db()
    assert account.used == 8
    assert QuotaEntry.objects.get(account=account, kind="give_back").amount == 3
    swept(on)
    assert told() == []


def test_an_incremental_pass_finds_what_changed_and_leaves_the_rest(on: Scene, sandbox: Sandbox) -> None:
    delivered(on)
    swept(on)
    row(sandbox, "server", resource("app-1").external_id, name="renamed")
    deleted(on, resource("app-2"))
    sandbox.ask("DELETE", "/calls")
    sweep = swept(on, extent=Extent.INCREMENTAL, after=2 * SOON)
    assert [each[:4] for each in told()] == [
        ("drifted", "server", "set_back", "open"),
        ("missing", "server", "mark_lost", "suspected"),
    ]
    asked = [call["path"] for call in sandbox.ask("GET", "/calls")["recent"] if "/detail" in call["path"]]
    assert len(asked) == 2
    assert "changes-since=" in asked[0]
    assert "updated_at=gte" in asked[1]
    assert sweep.api_calls == PAGES + 1, "the lists, and a look at the deleted server"


def test_a_dismissed_difference_comes_back_when_it_differs_otherwise(
    on: Scene, sandbox: Sandbox, admin: User
) -> None:
    delivered(on)
    server = resource("app-1")
    row(sandbox, "server", server.external_id, name="renamed")
    swept(on)
    services.dismiss(finding=Finding.objects.get(), reason="agreed", actor=admin, at=now())
    swept(on)
    dismissed = Finding.objects.get()
    assert (dismissed.status, dismissed.remark, services.possible(dismissed)) == ("dismissed", "agreed", [])
    row(sandbox, "server", server.external_id, name="renamed again")
    swept(on)
    back = Finding.objects.get()
    assert (back.remark, back.decided_by, back.decided_at) == ("", None, None)
    assert services.possible(back) == ["set_back", "adopt"]
    assert told() == [("drifted", "server", "set_back", "open", {"name": ("app-1", "renamed again")})]


def test_a_stale_finding_is_refused_and_resolved(on: Scene, sandbox: Sandbox, admin: User) -> None:
    delivered(on)
    server = resource("app-1")
    row(sandbox, "server", server.external_id, name="renamed")
    swept(on)
    row(sandbox, "server", server.external_id, name="app-1")
    with pytest.raises(services.FindingIsStale):
        services.apply(finding=Finding.objects.get(), actor=admin, at=now())
    assert (Finding.objects.get().status, Operation.objects.filter(kind="action").count()) == ("resolved", 0)


def test_what_an_operation_has_in_hand_is_not_applied_and_stays_open(
    on: Scene, sandbox: Sandbox, admin: User
) -> None:
    delivered(on)
    server = resource("app-1")
    row(sandbox, "server", server.external_id, name="renamed", tags=[])
    swept(on)
    Resource.objects.filter(pk=server.pk).update(status="changing")
    with pytest.raises(services.StillMoving):
        services.apply(finding=Finding.objects.get(), actor=admin, at=now())
    assert Finding.objects.get().status == "open"
    swept(on)
    assert Finding.objects.get().status == "open", "nor does a pass judge it meanwhile"


def test_a_cloud_that_does_not_answer_leaves_the_finding_and_fails_the_pass(
    on: Scene, sandbox: Sandbox, admin: User
) -> None:
    delivered(on)
    row(sandbox, "server", resource("app-1").external_id, name="renamed")
    swept(on)
    down = {
        "service": "compute",
        "method": "GET",
        "path": "/servers",
        "action": "status",
        "status": 503,
        "when": "before",
    }
    sandbox.ask("POST", "/faults", down)
    with pytest.raises(CloudSilent):
        services.apply(finding=Finding.objects.get(), actor=admin, at=now())
    waiting = sweeps.request(cloud=on.catalogue.cloud, actor=RECONCILER, at=now())
    services.sweep(waiting=waiting, clock=now)
    waiting.refresh_from_db()
    assert waiting.status == "failed"
    assert "503" in waiting.failure
    assert Finding.objects.get().status == "open"


def test_one_pass_at_a_time_until_its_worker_is_gone(on: Scene) -> None:
    cloud, at = on.catalogue.cloud, now()
    first = sweeps.request(cloud=cloud, actor=RECONCILER, at=at)
    with pytest.raises(sweeps.SweepUnderWay):
        sweeps.request(cloud=cloud, actor=RECONCILER, at=at)
    taken = sweeps.take(first.pk, at=at)
    assert taken is not None
    assert sweeps.take(first.pk, at=at) is None
    with pytest.raises(sweeps.SweepUnderWay):
        sweeps.request(cloud=cloud, actor=RECONCILER, at=at + sweeps.LEASE - SOON)
    second = sweeps.request(cloud=cloud, actor=RECONCILER, at=at + sweeps.LEASE)
    first.refresh_from_db()
    assert (first.status, second.status) == ("failed", "due")
    sweeps.carry_out(taken, clock=now)
    first.refresh_from_db()
    assert first.status == "failed", "a worker that wakes up late changes nothing"


def test_the_command_tells_whether_anything_is_open(
    on: Scene, sandbox: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hands, "MARGIN", timedelta())
    delivered(on)
    call_command("reconcile", "--full")
    row(sandbox, "network", resource("app-net").external_id, name="renamed")
    with pytest.raises(CommandError, match="not as recorded") as refused:
        call_command("reconcile", "--cloud", "sandbox", "--full")
    assert refused.value.returncode == 1
    assert "renamed" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no cloud"):
        call_command("reconcile", "--cloud", "elsewhere")
