"""A rebuild that failed and was abandoned: the server is in error, in the record too, until its system is written once more."""

from datetime import timedelta

import pytest

from govcloud.audit.models import Event
from govcloud.errors import DomainError, Invalids
from govcloud.gateways.openstack import errors
from govcloud.inventory.leases import prepare_suspension
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, Server, Snapshot
from govcloud.orders.drafts import ExtendDraft, ReleaseDraft, RenewDraft, ResizeDraft
from govcloud.orders.renaming import NewName
from govcloud.protection import services as protection
from govcloud.protection.models import BackupPlan, RecoveryPoint
from govcloud.provisioning import services
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import Nothing
from govcloud.provisioning.actions.rebuilding import NewSystem
from govcloud.provisioning.actions.storage import Named, OfSnapshot
from govcloud.reconciliation.models import Finding
from tenants.models import Role, User
from tests.factories.orders import BACKUP, Scene, approved, drafted, scene
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox
from tests.integration.test_reconciliation import LATER, applied, swept, told
from tests.integration.test_server_actions import (
    ACTION,
    ITEMS,
    abandoned,
    ask,
    asked_for,
    done,
    in_cloud,
)

pytestmark = pytest.mark.django_db
FAILING = {**ACTION, "action": "build_error"}


@pytest.fixture
def on() -> Scene:
    """A system that may do without its backup, or have it."""
    return scene(level_3=False, mlps_level=1)


@pytest.fixture
def admin() -> User:
    return member(Role.CLOUD_ADMIN)


@pytest.fixture
def server(on: Scene, building: Sandbox) -> Resource:
    """One whose rebuild failed and was abandoned."""
    built(on, items=ITEMS)
    building.ask("PUT", "/timing", {"action_seconds": 0.05})
    server = Resource.objects.get(kind="server")
    broken(server, building, on)
    return server


def broken(server: Resource, sandbox: Sandbox, on: Scene) -> None:
    done(server, "stop", Nothing(), on)
    sandbox.ask("POST", "/faults", {**FAILING, "times": 1})
    operation = done(server, "rebuild", NewSystem(), on)
    assert operation.status == "parked", states()
    assert abandoned(operation, on).status == "undone", states()
    server.refresh_from_db()


def power(server: Resource) -> str:
    return Server.objects.get(resource=server).power


def volume_status(on: Scene, name: str) -> str:
    volume = Resource.objects.get(name=name)
    return project(on).volumes.get_volume(volume.external_id).status


def test_the_record_says_that_the_server_is_in_error_and_its_volume_is_usable_again(
    on: Scene, server: Resource
) -> None:
    assert (in_cloud(on, server).status, power(server), server.status) == ("ERROR", "broken", "active")
    assert volume_status(on, "web-1-system") == "in-use"
    assert Event.objects.filter(verb="server.rebuild_failed").count() == 1
    assert not Event.objects.filter(verb="server.rebuilt").exists()


def test_it_takes_a_rebuild_and_nothing_else(on: Scene, server: Resource) -> None:
    server = Resource.objects.with_particulars().get(pk=server.pk)
    found = list(requests.possibilities(resource=server, actor=on.applicant, at=now()))
    assert [each.action.name for each in found if not each.refusal] == ["rebuild"]
    for name, parameters in (("start", Nothing()), ("hard-reboot", Nothing()), ("rename", NewName("portal"))):
        with pytest.raises(DomainError) as refusal:
            ask(server, name, parameters, on)
        assert refusal.value.code == "action-not-allowed"
        assert "writing its system anew has failed" in str(refusal.value.detail)
        assert "What it can take: write the server's system anew" in str(refusal.value.detail)


def test_the_department_writes_it_once_more_without_an_operator(on: Scene, server: Resource) -> None:
    operation = done(server, "rebuild", NewSystem(), on)
    assert (operation.status, server.status, power(server)) == ("done", "active", "running"), states()
    assert (in_cloud(on, server).status, volume_status(on, "web-1-system")) == ("ACTIVE", "in-use")
    assert asked_for(on, server, "rebuild") == 2


def test_the_second_one_may_fail_too_and_be_tried_again_or_abandoned(
    on: Scene, server: Resource, building: Sandbox
) -> None:
    building.ask("POST", "/faults", {**FAILING, "times": 1})
    operation = done(server, "rebuild", NewSystem(), on)
    assert operation.status == "parked", states()
    building.ask("POST", "/faults", {**FAILING, "times": 1})
    services.retry(operation=operation, actor=on.applicant, at=now())
    work()
    operation.refresh_from_db()
    assert (operation.status, volume_status(on, "web-1-system")) == ("parked", "error"), states()
    assert abandoned(operation, on).status == "undone", states()
    assert (power(server), in_cloud(on, server).status) == ("broken", "ERROR")
    assert volume_status(on, "web-1-system") == "in-use"


def test_one_that_is_tried_again_and_the_deletion_of_a_snapshot_do_not_wait_for_each_other(
    on: Scene, server: Resource, building: Sandbox
) -> None:
    """The snapshot does not go while its volume is in error, which the rebuild puts right."""
    volume = Resource.objects.get(name="web-1-system")
    done(volume, "snapshot", Named(name="before"), on)
    building.ask("POST", "/faults", {**FAILING, "times": 1})
    operation = done(server, "rebuild", NewSystem(), on)
    assert (operation.status, volume_status(on, "web-1-system")) == ("parked", "error"), states()
    snapshot = OfSnapshot(snapshot=Snapshot.objects.get().uuid)
    deletion = ask(Resource.objects.get(name="web-1-system"), "delete-snapshot", snapshot, on)
    services.retry(operation=operation, actor=on.applicant, at=now())
    work(seconds=30)
    operation.refresh_from_db()
    deletion.refresh_from_db()
    assert (operation.status, deletion.status) == ("done", "done"), states()


def test_one_that_is_called_off_before_it_was_asked_for_leaves_the_server_as_it_was(
    on: Scene, server: Resource
) -> None:
    operation = ask(server, "rebuild", NewSystem(), on)
    assert abandoned(operation, on).status == "undone", states()
    assert (power(server), in_cloud(on, server).status) == ("broken", "ERROR")


def test_it_can_be_released_with_all_that_it_has(on: Scene, server: Resource) -> None:
    order = built(on, items=(ReleaseDraft(target=server.uuid, kind="server"),))
    assert order.status == "fulfilled", states()
    with pytest.raises(errors.NotFound):
        in_cloud(on, server)
    assert not Resource.objects.filter(kind__in=["server", "volume"], released_at=None).exists()


def test_no_order_changes_it_or_what_it_has(on: Scene, server: Resource) -> None:
    data = Resource.objects.get(name="web-1-data-1")
    for item in (
        ResizeDraft(target=server.uuid, flavor="g.8c32g"),
        ExtendDraft(target=data.uuid, size_gb=60),
    ):
        with pytest.raises(Invalids) as refusals:
            drafted(on, at=now(), items=(item,))
        assert "server-in-error" in [each.code for each in refusals.value.errors]
    with pytest.raises(DomainError) as refusal:
        ask(data, "detach", Nothing(), on)
    assert "its server is in error" in str(refusal.value.detail)


def test_a_comparison_finds_nothing_and_tells_when_somebody_brings_it_back_by_hand(
    on: Scene, server: Resource, building: Sandbox, admin: User
) -> None:
    swept(on)
    assert told() == []
    building.ask("POST", f"/rows/server/{server.external_id}", {"vm_state": "active", "power_state": 1})
    swept(on, after=LATER)
    assert told() == [("drifted", "server", "adopt", "open", {"power": ("broken", "running")})]
    assert applied(Finding.objects.get(), admin).status == "resolved", states()
    assert power(server) == "running"


def test_a_lease_that_ends_and_is_extended_leaves_it_in_error(on: Scene, server: Resource) -> None:
    prepare_suspension(server.server)
    Resource.objects.filter(pk=server.pk).update(status=Status.SUSPENDED, lease_end=now() - timedelta(days=1))
    Server.objects.filter(resource=server).update(suspended_at=now())
    approved(on, at=now(), items=(RenewDraft(target=server.uuid, kind="server", lease_months=6),))
    work()
    server.refresh_from_db()
    assert (server.status, power(server)) == ("active", "broken"), states()
    assert in_cloud(on, server).status == "ERROR"


def test_what_is_left_of_its_system_takes_no_recovery_points_place(on: Scene, building: Sandbox) -> None:
    built(on, items=(*ITEMS, BACKUP))
    work()
    building.ask("PUT", "/timing", {"action_seconds": 0.05})
    server = Resource.objects.get(kind="server")
    broken(server, building, on)
    BackupPlan.objects.update(next_run_at=now(), keep=1)
    protection.run_due(at=now())
    work()
    points = RecoveryPoint.objects.filter(expired_at=None, volume__server=server.pk)
    names = sorted(points.values_list("volume__resource__name", flat=True))
    assert (names, RecoveryPoint.objects.count()) == (["web-1-data-1", "web-1-system"], 3), states()
