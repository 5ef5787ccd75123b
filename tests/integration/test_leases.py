"""The end of a lease, its extension and taking back, on the sandbox cloud over HTTP."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from pytest_django import Settings

from govcloud.audit.models import Event
from govcloud.inventory import leases
from govcloud.inventory.models import Power, Resource, WipeRecord
from govcloud.leases.models import Expiry, Notice
from govcloud.metering.models import UsageSegment
from govcloud.orders import cancellation, fulfilment
from govcloud.orders.drafts import ItemDraft, ReleaseDraft, RenewDraft
from govcloud.orders.models import Order, Unit
from govcloud.orders.results import results
from govcloud.protection import holds
from govcloud.protection.models import RecoveryPoint
from govcloud.provisioning import engine
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import Nothing, actions
from govcloud.provisioning.actions.requests import ActionNotAllowed
from govcloud.provisioning.models import Operation, Step
from govcloud.quotas.models import QuotaAccount
from govcloud.reconciliation.models import Finding
from tenants.models import Role
from tests.factories.leases import ending, its_grace_is_over, swept
from tests.factories.orders import Scene, approve_all, approved, scene, submitted
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.sandboxed import Sandbox
from tests.integration.test_reconciliation import LATER, applied, deleted, row
from tests.integration.test_reconciliation import swept as compared

pytestmark = pytest.mark.django_db

COMPUTE = {"vcpu", "memory_gb"}
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.fixture
def on() -> Scene:
    return scene(limits={"servers": 10, "storage_gb": 5_000})


@pytest.fixture
def server(on: Scene, building: Sandbox) -> Resource:
    """A server with two volumes that is backed up, beside another one."""
    building.ask("PUT", "/timing", {"attach_seconds": 0.02})
    built(on)
    work()
    return fresh("app-1")


@pytest.fixture
def suspended(server: Resource) -> Resource:
    ending(server, at=now() - MINUTE)
    swept(at=now())
    work()
    return fresh("app-1")


def fresh(name: str) -> Resource:
    return Resource.objects.with_particulars().get(name=name)


def renewal(resource: Resource, months: int = 6) -> tuple[ItemDraft, ...]:
    return (RenewDraft(target=resource.uuid, kind=resource.kind, lease_months=months),)


def in_the_cloud(on: Scene, resource: Resource) -> str:
    return project(on).compute.get_server(resource.external_id).status


def eventually(on: Scene, resource: Resource, status: str) -> bool:
    deadline = time.monotonic() + 10
    while in_the_cloud(on, resource) != status and time.monotonic() < deadline:
        time.sleep(0.05)
    return in_the_cloud(on, resource) == status


def metered(resource: Resource) -> set[str]:
    return {segment.meter.code for segment in UsageSegment.objects.filter(resource=resource).going_on()}


def after_its_grace(resource: Resource) -> list[Any]:
    """What a sweep makes of it then."""
    its_grace_is_over(resource, at=now())
    return swept(at=now())


# -- suspension


def test_a_server_whose_lease_has_ended_is_stopped_and_its_compute_is_not_metered_any_more(
    on: Scene, suspended: Resource
) -> None:
    assert (suspended.status, suspended.server.power) == ("suspended", "stopped")
    assert suspended.server.suspended_at is not None
    assert in_the_cloud(on, suspended) == "SHUTOFF"
    assert metered(suspended) == set()
    assert metered(fresh("app-1-data-1")) == {"block_sas_gb"}
    assert fresh("app-1-data-1").status == "active"
    assert fresh("app-2").status == "active"


def test_a_suspension_is_an_operation_told_once(suspended: Resource) -> None:
    swept(at=now())
    work()
    operation = Operation.objects.get(kind="suspend")
    assert (operation.status, list(operation.steps.values_list("kind", flat=True))) == (
        "done",
        ["power", "suspension"],
    )
    assert Notice.objects.filter(resource=suspended, kind="suspended").count() == 1
    told = Event.objects.get(verb="resource.suspended", subject_id=suspended.uuid)
    assert told.reason == "lease-ended"


def test_a_suspended_server_cannot_be_started_and_says_what_it_can_take(
    on: Scene, suspended: Resource
) -> None:
    with pytest.raises(ActionNotAllowed) as refused:
        requests.request(
            resource=suspended, action=actions()["start"], parameters=Nothing(), actor=on.applicant, at=now()
        )
    assert "Order its renewal, or its release" in refused.value.params["reason"]


def test_a_suspension_that_is_called_off_leaves_the_server_in_use(on: Scene, server: Resource) -> None:
    ending(server, at=now() - MINUTE)
    swept(at=now())
    provisioning.abandon(
        operation=Operation.objects.get(kind="suspend"), reason="wrong", actor=on.applicant, at=now()
    )
    work()
    server = fresh("app-1")
    assert (server.status, server.server.power, server.server.power_before) == ("active", "running", "")
    assert in_the_cloud(on, server) == "ACTIVE"
    assert metered(server) == COMPUTE
    swept(at=now())
    assert Operation.objects.filter(kind="suspend").count() == 1


def test_a_server_in_an_order_that_is_being_carried_out_is_not_stopped(on: Scene, server: Resource) -> None:
    approved(on, at=now(), items=renewal(ending(server, at=now() + MINUTE)))
    ending(server, at=now() - MINUTE)  # before the engine comes to it
    assert swept(at=now()) == ["waits"]
    assert Expiry.objects.get().obstacle == "order"
    work()
    assert swept(at=now() + settings.LEASE_RETRY + MINUTE) == ["over"]
    assert fresh("app-1").status == "active"


# -- what somebody did to a suspended server in the cloud


def test_a_suspended_server_that_is_set_back_to_the_record_stays_suspended(
    on: Scene, suspended: Resource, building: Sandbox
) -> None:
    row(building, "server", suspended.external_id, name="renamed")
    project(on).compute.start_server(suspended.external_id)
    assert eventually(on, suspended, "ACTIVE")
    compared(on)
    finding = Finding.objects.get(resource=suspended)
    assert finding.remedy == "set_back"
    assert applied(finding, member(Role.CLOUD_ADMIN)).status == "resolved"
    server = fresh("app-1")
    assert (server.status, server.server.power, metered(server)) == ("suspended", "stopped", set())
    seen = project(on).compute.get_server(server.external_id)
    assert (seen.name, seen.status) == ("app-1", "SHUTOFF")


def test_a_suspended_server_that_is_gone_is_recorded_as_lost(on: Scene, suspended: Resource) -> None:
    deleted(on, suspended)
    compared(on)
    compared(on, after=LATER)
    finding = Finding.objects.get(resource=suspended, remedy="mark_lost")
    assert applied(finding, member(Role.CLOUD_ADMIN)).status == "resolved"
    assert fresh("app-1").status == "released"
    assert QuotaAccount.objects.get(department=on.department, dimension="servers").used == 1


# -- renewal


def test_a_renewal_adds_months_to_what_is_left_for_the_server_and_its_volumes(
    on: Scene, server: Resource
) -> None:
    left = now() + timedelta(days=20)
    ending(server, at=left)
    before = QuotaAccount.objects.get(department=on.department, dimension="servers").used
    order = built(on, items=renewal(server))
    assert order.status == "fulfilled"
    server = fresh("app-1")
    assert server.lease_end is not None
    assert timedelta(days=180) < server.lease_end - left < timedelta(days=185)
    assert fresh("app-1-data-1").lease_end == fresh("app-1-system").lease_end == server.lease_end
    assert QuotaAccount.objects.get(department=on.department, dimension="servers").used == before
    assert [result.outcome for result in results(order).values()] == ["done"]
    told = Event.objects.get(verb="resource.renewed")
    assert told.thread == order.uuid
    assert set(told.before) == set(told.after) == {"lease_end"}


def test_a_renewal_of_a_suspended_server_brings_it_back_and_meters_it_again(
    on: Scene, suspended: Resource
) -> None:
    order = built(on, items=renewal(suspended))
    assert order.status == "fulfilled"
    back = fresh("app-1")
    assert (back.status, back.server.power, back.server.suspended_at) == ("active", "running", None)
    assert back.lease_end is not None
    assert timedelta(days=175) < back.lease_end - now() < timedelta(days=185)
    assert in_the_cloud(on, back) == "ACTIVE"
    assert metered(back) == COMPUTE
    assert UsageSegment.objects.filter(resource=back).count() == 2 * len(COMPUTE)
    assert after_its_grace(back) == ["over"]


def test_a_server_that_was_stopped_before_its_lease_ended_comes_back_stopped(
    on: Scene, server: Resource
) -> None:
    requests.request(
        resource=server, action=actions()["stop"], parameters=Nothing(), actor=on.applicant, at=now()
    )
    work()
    ending(server, at=now() - MINUTE)
    swept(at=now())
    work()
    built(on, items=renewal(server))
    back = fresh("app-1")
    assert (back.status, back.server.power) == ("active", Power.STOPPED)
    assert in_the_cloud(on, back) == "SHUTOFF"
    assert metered(back) == COMPUTE


def test_a_renewal_approved_while_the_server_is_being_stopped_brings_it_back(
    on: Scene, server: Resource
) -> None:
    order = submitted(on, at=now(), items=renewal(ending(server, at=now() + MINUTE)))
    ending(server, at=now() - MINUTE)
    swept(at=now())
    assert fresh("app-1").status == "changing"
    approve_all(on, order, at=now())
    work()
    back = fresh("app-1")
    assert (back.status, back.server.power) == ("active", "running")
    assert back.lease_end is not None
    assert back.lease_end > now()
    assert in_the_cloud(on, back) == "ACTIVE"
    assert metered(back) == COMPUTE


def test_a_renewal_called_off_before_the_server_is_back_leaves_it_suspended(
    on: Scene, suspended: Resource, building: Sandbox
) -> None:
    lost = {"service": "compute", "method": "POST", "path": "/action", "action": "status", "status": 503}
    building.ask("POST", "/faults", {**lost, "when": "after", "message": "no", "times": 1})
    order = approved(on, at=now(), items=renewal(suspended))
    engine.run_due(clock=now, most=2)  # the lease; and the start, of which nobody has seen the answer
    assert eventually(on, suspended, "ACTIVE")
    assert fresh("app-1").lease_end != suspended.lease_end
    cancellation.cancel(order=order, reason="no", units=None, actor=on.applicant, at=now())
    work()
    server = fresh("app-1")
    assert (server.status, server.lease_end) == ("suspended", suspended.lease_end)
    assert in_the_cloud(on, server) == "SHUTOFF"
    assert metered(server) == set()
    assert Order.objects.get(pk=order.pk).status == "cancelled"
    assert after_its_grace(server) == ["reclaimed"]


def test_a_renewal_whose_every_part_is_called_off_by_itself_comes_to_its_end(
    on: Scene, suspended: Resource, building: Sandbox
) -> None:
    lost = {"service": "compute", "method": "POST", "path": "/action", "action": "status", "status": 503}
    building.ask("POST", "/faults", {**lost, "when": "after", "message": "no", "times": 1})
    order = approved(on, at=now(), items=renewal(suspended))
    engine.run_due(clock=now, most=2)
    unit = Unit.objects.get(item__order=order)
    cancellation.cancel(order=order, reason="no", units=[unit.uuid], actor=on.applicant, at=now())
    assert Operation.objects.get(kind="renew").status == "undoing"
    work()
    assert Operation.objects.get(kind="renew").status == "undone", states()
    server = fresh("app-1")
    assert (server.status, server.lease_end) == ("suspended", suspended.lease_end)
    assert Order.objects.get(pk=order.pk).status == "cancelled"


def test_a_start_that_lands_after_its_renewal_was_called_off_is_taken_back(
    on: Scene, suspended: Resource, building: Sandbox, settings: Settings
) -> None:
    settings.STEP_SETTLE = timedelta(seconds=5)
    lost = {"service": "compute", "method": "POST", "path": "/action", "action": "status", "status": 503}
    building.ask("POST", "/faults", {**lost, "when": "before", "message": "no", "times": 1})
    order = approved(on, at=now(), items=renewal(suspended))
    engine.run_due(clock=now, most=2)
    cancellation.cancel(order=order, reason="no", units=None, actor=on.applicant, at=now())
    engine.run_due(clock=now, most=1)
    project(on).compute.start_server(suspended.external_id)  # only now has it come through
    assert eventually(on, suspended, "ACTIVE")
    work()
    server = fresh("app-1")
    assert (server.status, server.server.power, in_the_cloud(on, server)) == (
        "suspended",
        "stopped",
        "SHUTOFF",
    )
    assert Order.objects.get(pk=order.pk).status == "cancelled"


@pytest.mark.parametrize("what", ["the server", "all of it"])
def test_a_renewal_called_off_after_the_server_is_back_leaves_it_in_use(
    on: Scene, suspended: Resource, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """What is still to be done in its guest is no reason to stop it."""
    grown = [str(fresh("app-1-data-1").unit)]
    monkeypatch.setattr(fulfilment, "not_taken_up", lambda _server: grown)
    order = approved(on, at=now(), items=renewal(suspended))
    while not Step.objects.filter(kind="resumption", state="done").exists():
        if not engine.run_due(clock=now, most=1):
            time.sleep(0.02)
    assert Step.objects.exclude(state="done").filter(operation__kind="renew").get().kind == "grow"
    assert cancellation.left_of(order).parts == []
    if what == "the server":
        unit = Unit.objects.get(item__order=order)
        with pytest.raises(provisioning.FinishedAlready):
            cancellation.cancel(order=order, reason="no", units=[unit.uuid], actor=on.applicant, at=now())
    else:
        cancellation.cancel(order=order, reason="no", units=None, actor=on.applicant, at=now())
    work()
    server = fresh("app-1")
    assert server.lease_end is not None
    assert (server.status, server.lease_end > now(), in_the_cloud(on, server)) == ("active", True, "ACTIVE")
    assert metered(server) == COMPUTE
    assert Order.objects.get(pk=order.pk).status == "fulfilled"


def test_a_renewal_called_off_leaves_what_another_one_has_extended_since(
    on: Scene, suspended: Resource, building: Sandbox
) -> None:
    lost = {"service": "compute", "method": "POST", "path": "/action", "action": "status", "status": 503}
    building.ask("POST", "/faults", {**lost, "when": "after", "message": "no", "times": 1})
    order = approved(on, at=now(), items=renewal(suspended))
    engine.run_due(clock=now, most=2)
    longer = now() + timedelta(days=900)
    leases.extend(resource=suspended, to=longer, actor=on.applicant, thread=None, at=now())
    cancellation.cancel(order=order, reason="no", units=None, actor=on.applicant, at=now())
    work()
    ends = set(leases.with_server(suspended).values_list("lease_end", flat=True))
    assert {fresh("app-1").lease_end, *ends} == {longer}, states()


def test_abandoning_a_renewal_that_is_held_up_leaves_those_that_are_carried_out(
    on: Scene, suspended: Resource, building: Sandbox
) -> None:
    ending(fresh("app-2"), at=now() + timedelta(days=20))
    refused = {"service": "compute", "method": "POST", "path": "/action", "action": "status", "status": 400}
    building.ask("POST", "/faults", {**refused, "when": "before", "message": "no", "times": 1})
    order = built(on, items=(*renewal(suspended), *renewal(fresh("app-2"))))
    operation = Operation.objects.get(kind="renew")
    renewed = fresh("app-2").lease_end
    assert operation.status == "parked"
    cancellation.abandon(operation=operation, reason="no", actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    server = fresh("app-1")
    assert (server.status, server.lease_end) == ("suspended", suspended.lease_end)
    assert fresh("app-2").lease_end == renewed
    assert Order.objects.get(pk=order.pk).status == "fulfilled"


# -- taking back


def test_after_the_grace_a_server_goes_with_its_volumes_its_quota_and_evidence(
    on: Scene, suspended: Resource
) -> None:
    assert swept(at=now() + settings.LEASE_GRACE - 8 * DAY) == []
    assert after_its_grace(suspended) == ["reclaimed"]
    work()
    assert fresh("app-1").status == "released"
    assert {fresh("app-1-system").status, fresh("app-1-data-1").status} == {"released"}
    wiped = WipeRecord.objects.values_list("resource__name", flat=True)
    assert sorted(wiped) == ["app-1-data-1", "app-1-system"]
    used = dict(QuotaAccount.objects.filter(department=on.department).values_list("dimension", "used"))
    assert (used["servers"], used["storage_gb"]) == (1, 600)
    assert Operation.objects.get(kind="reclaim").status == "done"
    kinds = Notice.objects.filter(resource=suspended).order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["suspended", "reclaim", "reclaimed"]
    assert swept(at=now() + settings.LEASE_GRACE) == []


def test_a_server_that_could_only_be_stopped_late_has_its_whole_grace_from_then(
    on: Scene, server: Resource
) -> None:
    """Its cloud was in a pause, or the stop waited for an administrator."""
    begun = now() - settings.LEASE_GRACE - 10 * DAY
    ending(server, at=begun - MINUTE)
    assert swept(at=begun) == ["suspended"]
    assert swept(at=begun + settings.LEASE_GRACE - 7 * DAY) == []
    assert Notice.objects.filter(resource=server, kind="reclaim").count() == 1
    assert swept(at=begun + settings.LEASE_GRACE) == ["waits"]
    work()
    stopped_at = fresh("app-1").server.suspended_at
    assert stopped_at is not None
    swept(at=now() + DAY)
    assert fresh("app-1").status == "suspended"
    assert Expiry.objects.get(resource=server).reclaim_at == stopped_at + settings.LEASE_GRACE
    swept(at=stopped_at + settings.LEASE_GRACE - 7 * DAY)
    assert Notice.objects.filter(resource=server, kind="reclaim").count() == 2, "warned of the new date"
    assert swept(at=stopped_at + settings.LEASE_GRACE) == ["reclaimed"]


def test_a_legal_hold_keeps_what_it_is_on_and_the_lease_says_why(suspended: Resource) -> None:
    keeper = member(Role.AUTHORITY_APPROVER)
    point = RecoveryPoint.objects.filter(volume__server=suspended.server)[0]
    holds.place(point=point, reason="案号 12", actor=keeper, at=now())
    assert after_its_grace(suspended) == ["waits"]
    expiry = Expiry.objects.get()
    assert expiry.obstacle == "legal_hold"
    assert str(point.uuid) in expiry.obstacle_detail
    assert fresh("app-1").status == "suspended"
    holds.lift(point=point, reason="结案", actor=keeper, at=now())
    assert swept(at=now()) == []
    assert after_its_grace(suspended) == ["rests"]
    assert after_its_grace(suspended) == ["reclaimed"]
    work()
    assert fresh("app-1").status == "released"


def test_what_an_open_order_is_about_is_not_taken_back_meanwhile(on: Scene, suspended: Resource) -> None:
    order = submitted(on, at=now(), items=renewal(suspended))
    assert after_its_grace(suspended) == ["waits"]
    expiry = Expiry.objects.get()
    assert (expiry.obstacle, expiry.obstacle_detail) == ("order", order.number)
    approve_all(on, order, at=now())
    work()
    assert fresh("app-1").status == "active"


def test_a_backup_that_the_system_must_have_is_not_taken_back(on: Scene, server: Resource) -> None:
    allowance = Resource.objects.get(kind="backup")
    ending(allowance, at=now() - MINUTE)
    swept(at=now())
    assert after_its_grace(allowance) == ["waits"]
    assert Expiry.objects.get().obstacle == "needed"
    assert fresh(allowance.name).status == "active"


def test_a_suspended_server_can_be_released_by_an_order(on: Scene, suspended: Resource) -> None:
    release = (ReleaseDraft(target=suspended.uuid, kind="server"),)
    assert built(on, items=release).status == "fulfilled"
    assert fresh("app-1").status == "released"
    assert after_its_grace(suspended) == ["over"]
