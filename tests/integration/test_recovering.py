"""A recovery point written over a volume, on the sandbox cloud over HTTP: once, whatever fails between."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from pytest_django import Settings

from govcloud.audit.models import Event
from govcloud.gateways import openstack
from govcloud.inventory.models import Resource, Volume
from govcloud.protection import clearing
from govcloud.protection import services as protection
from govcloud.protection.models import BackupPlan, RecoveryPoint
from govcloud.protection.recovering import (
    NoSuchRecoveryPoint,
    OfRecoveryPoint,
    RecoveryPointElsewhere,
    RecoveryPointGoing,
    VolumeTooSmall,
)
from govcloud.provisioning import services
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import Nothing, actions
from govcloud.provisioning.actions.requests import ActionNotAllowed
from govcloud.provisioning.actions.storage import LabelTaken, Named, ToServer
from govcloud.provisioning.models import CloudCall, Operation
from tenants.models import Role
from tests.factories.orders import BACKUP, NETWORK, SERVERS, Scene
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.dying import die_and_be_followed
from tests.integration.sandboxed import Sandbox

pytestmark = pytest.mark.django_db

ITEMS = (NETWORK, replace(SERVERS, name="web", quantity=2), BACKUP)
RESTORES = {"method": "POST", "path__endswith": "/restore"}


@pytest.fixture
def on(on: Scene, building: Sandbox) -> Scene:
    """Two servers with a data volume each, and a recovery point of every volume; that of the first has no server."""
    building.ask("PUT", "/timing", {"attach_seconds": 0.02})
    built(on, items=ITEMS)
    work()
    done(on, "web-1-data-1", "detach")
    return on


def named(name: str) -> Resource:
    return Resource.objects.with_particulars().get(name=name)


def point_of(name: str) -> RecoveryPoint:
    return RecoveryPoint.objects.get(volume__resource__name=name, expired_at=None)


def of(name: str) -> OfRecoveryPoint:
    return OfRecoveryPoint(recovery_point=point_of(name).uuid)


def ask(on: Scene, name: str, action: str, parameters: object = Nothing()) -> Operation:
    return requests.request(
        resource=named(name), action=actions()[action], parameters=parameters, actor=on.applicant, at=now()
    )


def done(on: Scene, name: str, action: str, parameters: object = Nothing()) -> Operation:
    operation = ask(on, name, action, parameters)
    work()
    operation.refresh_from_db()
    assert operation.status == "done", list(operation.steps.values("kind", "state", "last_error"))
    return operation


def written_over(on: Scene, name: str) -> str:
    """The name of the volume whose backup the cloud says was written over this one."""
    seen = project(on).volumes.get_volume(named(name).external_id)
    assert seen.status == "available"
    source = RecoveryPoint.objects.get(external_id=seen.metadata["src_backup_id"])
    return source.volume.resource.name


def test_a_volume_gets_its_own_recovery_point_back(on: Scene) -> None:
    done(on, "web-1-data-1", "recover", of("web-1-data-1"))
    assert written_over(on, "web-1-data-1") == "web-1-data-1"
    assert point_of("web-1-data-1").restored_at is not None
    event = Event.objects.get(verb="volume.recovered")
    assert event.after["of"] == "web-1-data-1"
    assert event.subject_label == "web-1-data-1"


def test_it_is_done_again_when_it_is_asked_for_again(on: Scene) -> None:
    for _time in range(2):
        done(on, "web-1-data-1", "recover", of("web-1-data-1"))
    assert CloudCall.objects.filter(**RESTORES).count() == 2


def test_what_was_on_a_system_volume_is_got_back_beside_it(on: Scene) -> None:
    """Then nobody here knows what is on the volume: it is attached without being mounted, as what was taken over is."""
    system = point_of("web-1-system")
    done(on, "web-1-data-1", "recover", of("web-1-system"))
    volume = named("web-1-data-1").volume
    assert (volume.label, volume.mount_point) == ("", "")
    assert written_over(on, "web-1-data-1") == "web-1-system"
    done(on, "web-1-data-1", "attach", ToServer(server=named("web-2").uuid))
    system.refresh_from_db()
    assert system.restored_at is not None


def test_a_volume_that_got_anothers_has_its_file_system_and_not_beside_it(on: Scene) -> None:
    Volume.objects.filter(resource__name="web-2-data-1").update(label="other")
    RecoveryPoint.objects.filter(volume__resource__name="web-2-data-1").update(label="other")
    done(on, "web-1-data-1", "recover", of("web-2-data-1"))
    assert named("web-1-data-1").volume.label == "other"
    with pytest.raises(LabelTaken):
        ask(on, "web-1-data-1", "attach", ToServer(server=named("web-2").uuid))
    done(on, "web-1-data-1", "recover", of("web-1-data-1"))
    volume = named("web-1-data-1").volume
    assert (volume.label, volume.mount_point) == ("data1", "/data1")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_request_whose_answer_was_lost_is_one(
    on: Scene, building: Sandbox, settings: Settings, when: str
) -> None:
    settings.STEP_SETTLE = timedelta(seconds=0.5)
    lost = {"service": "volume", "method": "POST", "path": "/restore$", "action": "reset", "when": when}
    building.ask("POST", "/faults", {**lost, "times": 1})
    done(on, "web-1-data-1", "recover", of("web-1-data-1"))
    assert written_over(on, "web-1-data-1") == "web-1-data-1"
    sent = {"before": 2, "after": 1}  # what never arrived is sent again, what landed is not
    assert CloudCall.objects.filter(**RESTORES).count() == sent[when]


def test_a_worker_that_dies_after_it_landed_leaves_one(
    on: Scene, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.STEP_SETTLE = timedelta(seconds=0.5)
    operation = ask(on, "web-1-data-1", "recover", of("web-1-data-1"))
    die_and_be_followed(monkeypatch, "_adopt")
    operation.refresh_from_db()
    assert operation.status == "done", states()
    assert CloudCall.objects.filter(**RESTORES).count() == 1


@pytest.mark.parametrize("then", ["again", "given up"])
def test_one_that_failed_leaves_a_volume_that_can_be_used(on: Scene, building: Sandbox, then: str) -> None:
    failing = {"service": "volume", "method": "POST", "path": "/restore$", "action": "build_error"}
    building.ask("POST", "/faults", {**failing, "times": 1})
    operation = ask(on, "web-1-data-1", "recover", of("web-1-data-1"))
    work()
    operation.refresh_from_db()
    assert operation.status == "parked"
    administrator = member(Role.CLOUD_ADMIN)
    if then == "again":
        services.retry(operation=operation, actor=administrator, at=now())
    else:
        services.abandon(operation=operation, reason="wrong one", actor=administrator, at=now())
    work()
    operation.refresh_from_db()
    seen = project(on).volumes.get_volume(named("web-1-data-1").external_id)
    wanted = {"again": "done", "given up": "undone"}[then]
    assert (operation.status, seen.status, named("web-1-data-1").status) == (wanted, "available", "active")
    assert (point_of("web-1-data-1").restored_at is not None) == (then == "again")


def test_the_point_is_kept_until_it_is_written(on: Scene, building: Sandbox) -> None:
    """Though newer ones take its place meanwhile, and somebody has to look at the operation first."""
    BackupPlan.objects.update(keep=1)
    old = point_of("web-1-data-1")
    failing = {"service": "volume", "method": "POST", "path": "/restore$", "action": "build_error"}
    building.ask("POST", "/faults", {**failing, "times": 1})
    operation = ask(on, "web-1-data-1", "recover", of("web-1-data-1"))
    work()
    openstack.connect(cloud="sandbox").volumes.reset_status(
        named("web-1-data-1").external_id, status="available"
    )
    BackupPlan.objects.update(next_run_at=now())
    protection.run_due(at=now())
    work()
    old.refresh_from_db()
    assert old.expired_at is None
    services.abandon(operation=operation, reason="no", actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    BackupPlan.objects.update(next_run_at=now())
    protection.run_due(at=now())
    work()
    old.refresh_from_db()
    assert old.expired_at is not None, states()


def test_one_that_is_being_deleted_is_not_begun_with(on: Scene) -> None:
    wanted = of("web-1-data-1")
    BackupPlan.objects.update(next_run_at=None)
    clearing.expire(at=now())
    with pytest.raises(RecoveryPointGoing):
        ask(on, "web-1-data-1", "recover", wanted)
    work()
    with pytest.raises(ActionNotAllowed) as refused:
        ask(on, "web-1-data-1", "recover", wanted)
    assert "no recovery point" in refused.value.detail


def test_rules(on: Scene) -> None:
    with pytest.raises(NoSuchRecoveryPoint):
        ask(on, "web-1-data-1", "recover", OfRecoveryPoint(recovery_point=uuid4()))
    RecoveryPoint.objects.filter(volume__resource__name="web-1-system").update(size_gb=501)
    with pytest.raises(VolumeTooSmall) as small:
        ask(on, "web-1-data-1", "recover", of("web-1-system"))
    assert small.value.params == {"size": 501, "has": 500}
    for name, reason in (("web-1-system", "another volume"), ("web-2-data-1", "disconnect it first")):
        with pytest.raises(ActionNotAllowed) as refused:
            ask(on, name, "recover", of("web-1-data-1"))
        assert reason in refused.value.detail
    Resource.objects.filter(name="web-2-data-1").update(zone="internet")
    with pytest.raises(RecoveryPointElsewhere):
        ask(on, "web-1-data-1", "recover", of("web-2-data-1"))
    done(on, "web-1-data-1", "snapshot", Named(name="before"))
    with pytest.raises(ActionNotAllowed) as kept:
        ask(on, "web-1-data-1", "recover", of("web-1-data-1"))
    assert "it has snapshots" in kept.value.detail
