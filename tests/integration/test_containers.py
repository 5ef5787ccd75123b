"""Object containers ordered, changed and given back, on the sandbox cloud over HTTP."""

from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import requests
from pytest_django import Settings

from govcloud.audit.models import Event
from govcloud.catalog.models import CloudStorageClass
from govcloud.clouds import health
from govcloud.clouds.models import CloudHealth
from govcloud.errors import Invalids
from govcloud.gateways.openstack import connect, errors
from govcloud.inventory import containers
from govcloud.inventory.containers import GIB
from govcloud.inventory.models import Resource, WipeRecord
from govcloud.metering.models import UsageSegment
from govcloud.orders import services
from govcloud.orders.drafts import (
    ContainerDraft,
    ItemDraft,
    QuotaDraft,
    ReleaseDraft,
    StorageDraft,
    VolumeDraft,
)
from govcloud.orders.models import Order
from govcloud.orders.rules.of_items import NameTaken, QuotaOutOfRange
from govcloud.orders.rules.of_targets import HoldsMore, NotEmpty, SameQuota
from govcloud.protection import holds
from govcloud.protection.holds import ContainerOnHold
from govcloud.provisioning import container_usage, engine
from govcloud.provisioning import services as provisioning
from govcloud.provisioning.kinds import objects
from govcloud.provisioning.models import Operation, Step
from govcloud.quotas.services import QuotaExceeded
from govcloud.reconciliation import services as reconciliation
from govcloud.reconciliation import sweeps
from govcloud.reconciliation.findings import RECONCILER
from govcloud.reconciliation.models import Extent, Finding
from tenants.models import Role
from tests.factories.orders import Scene, approve_all, approved, drafted, scene, submitted
from tests.factories.tenants import member
from tests.integration.building import built, now, project, states, work
from tests.integration.containing import FILES, Client, container, credential, drawn, named, objects_quota
from tests.integration.sandboxed import Sandbox

pytestmark = pytest.mark.django_db

LATER = timedelta(minutes=30)


@pytest.fixture
def on(building: Sandbox) -> Scene:
    assert building
    return scene(level_3=False, limits={"object_gb": 300})


@pytest.fixture
def files(on: Scene) -> Resource:
    return container(on)


def meters(resource: Resource) -> dict[str, Decimal]:
    going_on = UsageSegment.objects.filter(resource=resource).going_on()
    return {segment.meter.code: segment.quantity for segment in going_on}


def seen(on: Scene, resource: Resource) -> Any:
    return project(on).objects.get_container(resource.external_id)


def refusals(on: Scene, *items: ItemDraft) -> list[type[Exception]]:
    with pytest.raises(Invalids) as refused:
        drafted(on, at=now(), items=items)
    return [type(error) for error in refused.value.errors]


def release(resource: Resource, *, delete_contents: bool = False) -> ReleaseDraft:
    return ReleaseDraft(target=resource.uuid, kind="container", delete_contents=delete_contents)


def abandon(operation: Operation) -> None:
    provisioning.abandon(operation=operation, reason="not wanted", actor=member(Role.CLOUD_ADMIN), at=now())
    work()


def filled(on: Scene, files: Resource, *names: str) -> Client:
    client = Client(drawn(on, credential(on, files)))
    client.put(*names)
    return client


# -- ordered


def test_a_container_is_built_with_its_quota_and_billed_by_it(on: Scene) -> None:
    order = drafted(on, at=now(), items=(FILES,))
    assert services.quote(order=order, at=now()).monthly_total == Decimal("9.00")  # 100 x 0.09
    order = services.submit(order=order, actor=on.applicant, at=now())
    assert objects_quota(on) == (100, 0)
    approve_all(on, order, at=now())
    work()
    order.refresh_from_db()
    assert order.status == "fulfilled", states()
    files = named("files")
    in_cloud = seen(on, files)
    assert (in_cloud.quota_bytes, in_cloud.policy) == (100 * GIB, "object")
    assert (in_cloud.read, in_cloud.write) == (frozenset(), frozenset())
    assert (objects_quota(on), meters(files)) == ((0, 100), {"object_gb": Decimal(100)})


def test_more_than_the_department_was_granted_is_refused(on: Scene) -> None:
    order = drafted(on, at=now(), items=(ContainerDraft(name="big", zone="public", storage_class="object", quota_gb=301),))  # fmt: skip
    with pytest.raises(QuotaExceeded):
        services.submit(order=order, actor=on.applicant, at=now())
    assert objects_quota(on) == (0, 0)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["PUT", "HEAD"])
def test_a_container_whose_answer_was_lost_is_made_once(
    on: Scene, building: Sandbox, when: str, method: str
) -> None:
    building.ask("POST", "/faults", {"service": "object-store", "method": method, "action": "reset", "when": when, "times": 1})  # fmt: skip
    files = container(on)
    assert project(on).objects.containers_held() == 1
    assert seen(on, files).metadata == {objects.UNIT: str(files.unit)}


def test_somebody_elses_container_of_the_same_name_is_neither_adopted_nor_touched(
    on: Scene, settings: Settings
) -> None:
    settings.STEP_ATTEMPTS = 2
    built(on, items=(ContainerDraft(name="first", zone="public", storage_class="object", quota_gb=1),))
    order = approved(on, at=now(), items=(FILES,))
    step = Step.objects.get(kind="container", operation__thread=order.uuid)
    theirs = step.desired_state["cloud_name"]
    project(on).objects.create_container(theirs, quota_bytes=7, policy="object", metadata={})
    work()
    step.refresh_from_db()
    assert (step.state, "is not ours" in step.last_error) == ("parked", True)
    assert project(on).objects.get_container(theirs).quota_bytes == 7
    settings.STEP_SETTLE = timedelta(0)
    abandon(step.operation)
    assert project(on).objects.get_container(theirs).quota_bytes == 7
    assert objects_quota(on) == (0, 1)


def test_an_abandoned_container_is_taken_down_and_its_quota_given_back(on: Scene) -> None:
    order = approved(on, at=now(), items=(FILES,))
    made = Step.objects.filter(kind="container", operation__thread=order.uuid)
    while made.get().state != "done":
        assert engine.run_due(clock=now, most=1)
    assert (project(on).objects.containers_held(), objects_quota(on)) == (1, (0, 100))
    abandon(Operation.objects.get())
    assert (project(on).objects.containers_held(), objects_quota(on)) == (0, (0, 0))


def test_bad_containers_are_refused_with_their_reasons(on: Scene, files: Resource) -> None:
    def wanted(**changes: Any) -> ContainerDraft:
        fields = {"name": "more", "zone": "public", "storage_class": "object", "quota_gb": 10}
        return ContainerDraft(**{**fields, **changes})

    assert files
    assert refusals(on, wanted(quota_gb=0)) == [QuotaOutOfRange]
    assert refusals(on, wanted(quota_gb=10_001)) == [QuotaOutOfRange]
    assert refusals(on, wanted(name="files")) == [NameTaken]
    for storage_class in ("ssd", "nowhere"):
        assert [error.__name__ for error in refusals(on, wanted(storage_class=storage_class))] == [
            "NotInCatalogue"
        ]
    for name in ("Files", "", "a" * 31, "a/b", "资料"):
        assert [error.__name__ for error in refusals(on, wanted(name=name))] == ["BadName"]
    volume = StorageDraft(name="disk", zone="public", storage_class="object", size_gb=10)
    assert [error.__name__ for error in refusals(on, volume)] == ["NotInCatalogue"]
    assert VolumeDraft(storage_class="object", size_gb=1)


# -- where there is no object store


def test_a_cloud_without_an_object_store_is_told_of_and_gets_no_containers(on: Scene) -> None:
    cloud = on.catalogue.cloud
    found = health.look(cloud_pk=cloud.pk, clock=now) or CloudHealth.objects.create(
        cloud=cloud, since=now(), due_at=now(), capacity_due_at=now()
    )
    CloudHealth.objects.filter(pk=found.pk).update(object_storage="absent")
    assert [error.__name__ for error in refusals(on, FILES)] == ["NotAvailableHere"]
    CloudHealth.objects.filter(pk=found.pk).update(object_storage="offered")
    assert drafted(on, at=now(), items=(FILES,)).status == "draft"


def test_an_order_approved_before_its_cloud_lost_the_store_waits_with_the_reason(on: Scene) -> None:
    order = submitted(on, at=now(), items=(FILES,))
    CloudHealth.objects.create(
        cloud=on.catalogue.cloud, since=now(), due_at=now(), capacity_due_at=now(), object_storage="absent"
    )
    approve_all(on, order, at=now())
    weighed = order.placements.get().weighed.get()
    assert (weighed.verdict, weighed.subject) == ("lacks", "object")


def test_a_look_at_a_cloud_finds_out_whether_it_has_an_object_store(on: Scene) -> None:
    CloudHealth.objects.create(
        cloud=on.catalogue.cloud, since=now(), due_at=now(), capacity_due_at=now() + LATER
    )
    found = health.look(cloud_pk=on.catalogue.cloud.pk, clock=now)
    assert found is not None
    assert (found.state, found.object_storage) == ("ok", "offered")


# -- changed


def changed(on: Scene, files: Resource, quota_gb: int) -> Order:
    return built(on, items=(QuotaDraft(target=files.uuid, quota_gb=quota_gb),))


@pytest.mark.parametrize(("quota_gb", "price"), [(250, "13.50"), (40, "-5.40")])
def test_a_quota_goes_up_and_down_with_what_is_counted_and_billed(
    on: Scene, files: Resource, quota_gb: int, price: str
) -> None:
    order = drafted(on, at=now(), items=(QuotaDraft(target=files.uuid, quota_gb=quota_gb),))
    assert services.quote(order=order, at=now()).monthly_total == Decimal(price)
    approve_all(on, services.submit(order=order, actor=on.applicant, at=now()), at=now())
    work()
    order.refresh_from_db()
    assert order.status == "fulfilled", states()
    assert seen(on, files).quota_bytes == quota_gb * GIB
    assert (objects_quota(on), meters(files)) == ((0, quota_gb), {"object_gb": Decimal(quota_gb)})
    assert (named("files").status, named("files").container.quota_gb) == ("active", quota_gb)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_change_whose_answer_was_lost_is_made_once(
    on: Scene, files: Resource, building: Sandbox, when: str
) -> None:
    building.ask("POST", "/faults", {"service": "object-store", "method": "POST", "action": "reset", "when": when, "times": 1})  # fmt: skip
    assert changed(on, files, 200).status == "fulfilled", states()
    assert (seen(on, files).quota_bytes, objects_quota(on)) == (200 * GIB, (0, 200))


def test_an_abandoned_change_leaves_the_quota_as_it_was(
    on: Scene, files: Resource, building: Sandbox, settings: Settings
) -> None:
    """Although the request that was on its way has landed."""
    settings.STEP_SETTLE = timedelta(0)
    lost = {"service": "object-store", "method": "POST", "action": "reset", "when": "after", "times": 1}
    building.ask("POST", "/faults", lost)
    approved(on, at=now(), items=(QuotaDraft(target=files.uuid, quota_gb=200),))
    assert engine.run_due(clock=now, most=1)
    assert seen(on, files).quota_bytes == 200 * GIB
    abandon(Operation.objects.get(kind="requota"))
    assert (seen(on, files).quota_bytes, objects_quota(on)) == (100 * GIB, (0, 100))
    assert (named("files").status, meters(files)) == ("active", {"object_gb": Decimal(100)})


def test_a_quota_below_what_is_known_to_be_held_is_refused(on: Scene, files: Resource) -> None:
    containers.count(container=files.container, bytes_used=50 * GIB + 1, objects_held=3, at=now())
    assert refusals(on, QuotaDraft(target=files.uuid, quota_gb=50)) == [HoldsMore]
    assert refusals(on, QuotaDraft(target=files.uuid, quota_gb=100)) == [SameQuota]
    assert refusals(on, QuotaDraft(target=files.uuid, quota_gb=0)) == [QuotaOutOfRange]
    assert drafted(on, at=now(), items=(QuotaDraft(target=files.uuid, quota_gb=51),)).status == "draft"


def test_a_quota_below_what_the_cloud_counts_is_not_set(
    on: Scene, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STEP_ATTEMPTS = 2
    monkeypatch.setattr(objects, "GIB", 1)  # a cloud on which a GB is a byte
    files = container(on)
    filled(on, files, *(f"{number}" for number in range(8)))  # of seven bytes
    approved(on, at=now(), items=(QuotaDraft(target=files.uuid, quota_gb=50),))
    work()
    step = Step.objects.get(kind="container_quota")
    assert (step.state, "it holds 56 bytes" in step.last_error) == ("parked", True)
    assert (seen(on, files).quota_bytes, objects_quota(on)) == (100, (0, 100))


def test_what_it_holds_is_counted_when_somebody_asks(on: Scene, files: Resource) -> None:
    filled(on, files, "a", "b")
    at = now()
    container_usage.count(resource=named("files"), actor=on.applicant, at=at)
    held = named("files").container
    assert (held.objects_held, held.bytes_used, held.counted_at) == (2, 14, at)
    assert meters(files) == {"object_gb": Decimal(100)}


# -- given back


def test_an_empty_container_is_released_with_its_users_and_leaves_evidence(
    on: Scene, files: Resource
) -> None:
    given = credential(on, files)
    assert built(on, items=(release(files),)).status == "fulfilled", states()
    with pytest.raises(errors.NotFound):
        seen(on, files)
    with pytest.raises(errors.NotFound):
        connect(cloud="sandbox").identity.get_user(given.user_id)
    files.refresh_from_db()
    given.refresh_from_db()
    assert (files.status, given.revoked_at is not None) == ("released", True)
    assert (objects_quota(on), meters(files)) == ((0, 0), {})
    evidence = WipeRecord.objects.get(resource=files)
    assert (evidence.external_id, evidence.size_gb, evidence.means) == (files.external_id, 100, "undeclared")
    assert evidence.request_id.startswith("tx")
    assert Event.objects.filter(verb="container.wiped").exists()


def test_one_that_is_known_to_hold_something_is_released_only_with_its_contents_declared(
    on: Scene, files: Resource
) -> None:
    containers.count(container=files.container, bytes_used=7, objects_held=1, at=now())
    assert refusals(on, release(named("files"))) == [NotEmpty]
    assert drafted(on, at=now(), items=(release(files, delete_contents=True),)).status == "draft"


def test_one_that_turns_out_to_hold_something_stays_whole_until_it_is_emptied(
    on: Scene, files: Resource, settings: Settings
) -> None:
    settings.STEP_ATTEMPTS = 2
    client = filled(on, files, "a")
    approved(on, at=now(), items=(release(files),))
    work()
    step = Step.objects.get(kind="container_emptiness")
    assert (step.state, "still holds 1 objects" in step.last_error) == ("parked", True)
    assert (client.ask("GET", "a"), meters(files)) == (200, {"object_gb": Decimal(100)})
    assert client.ask("DELETE", "a") == 204
    provisioning.retry(operation=step.operation, actor=member(Role.CLOUD_ADMIN), at=now())
    work()
    files.refresh_from_db()
    assert (files.status, objects_quota(on)) == ("released", (0, 0)), states()


def test_declared_contents_are_deleted_slice_by_slice(
    on: Scene, files: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(on, files, *(f"d/{number}" for number in range(5)), "资料 ?&")
    monkeypatch.setattr(objects, "SLICE", 2)
    assert built(on, items=(release(files, delete_contents=True),)).status == "fulfilled", states()
    step = Step.objects.get(kind="container_contents")
    assert step.outputs == {"deleted": 6}
    assert step.calls.filter(method="POST", status=200).count() == 3
    assert (project(on).objects.containers_held(), objects_quota(on)) == (0, (0, 0))


def test_a_deletion_that_takes_longer_than_its_patience_goes_on_as_long_as_it_gets_on(
    on: Scene, files: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(on, files, *(f"d/{number}" for number in range(6)))
    monkeypatch.setattr(objects, "SLICE", 1)
    approved(on, at=now(), items=(release(files, delete_contents=True),))
    ahead = timedelta(0)
    while Step.objects.filter(next_run_at__isnull=False).exists() and ahead < timedelta(days=1):
        ahead += timedelta(minutes=11)
        engine.run_due(clock=partial(lambda ahead: now() + ahead, ahead), most=1)
    step = Step.objects.get(kind="container_contents")
    assert (step.state, step.outputs) == ("done", {"deleted": 6}), states()
    assert ahead > objects.ContentsKind.patience


def test_a_deletion_that_broke_off_goes_on_where_it_ended(
    on: Scene, files: Resource, building: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(on, files, "a", "b", "c")
    monkeypatch.setattr(objects, "SLICE", 1)
    building.ask("POST", "/faults", {"service": "object-store", "method": "POST", "path": "bulk-delete", "action": "reset", "when": "after", "times": 1})  # fmt: skip
    assert built(on, items=(release(files, delete_contents=True),)).status == "fulfilled", states()
    assert project(on).objects.containers_held() == 0


def test_nobody_gets_in_any_more_once_its_contents_are_being_deleted(
    on: Scene, files: Resource, building: Sandbox, settings: Settings
) -> None:
    settings.STEP_ATTEMPTS = 1
    client = filled(on, files, "a")
    token = client.session().get_token()
    building.ask("POST", "/faults", {"service": "object-store", "method": "POST", "path": "bulk-delete", "action": "status", "status": 403})  # fmt: skip
    approved(on, at=now(), items=(release(files, delete_contents=True),))
    work()
    assert Step.objects.get(kind="container_contents").state == "parked"
    assert (seen(on, files).read, seen(on, files).write) == (frozenset(), frozenset())
    answer = requests.put(
        f"{client.given.storage_url}/b", data=b"x", headers={"X-Auth-Token": token}, timeout=5
    )
    assert answer.status_code in {401, 403}
    assert meters(files) == {}


def test_a_container_that_is_gone_already_is_released_all_the_same(on: Scene, files: Resource) -> None:
    project(on).objects.delete_container(files.external_id)
    assert built(on, items=(release(files),)).status == "fulfilled", states()
    assert objects_quota(on) == (0, 0)


def test_a_legal_hold_keeps_a_container(on: Scene, files: Resource) -> None:
    keeper = on.chain[Role.AUTHORITY_APPROVER]
    holds.place_on_container(resource=files, reason="evidence", actor=keeper, at=now())
    assert refusals(on, release(files, delete_contents=True)) == [ContainerOnHold]
    holds.lift_from_container(resource=files, reason="matter closed", actor=keeper, at=now())
    assert built(on, items=(release(files),)).status == "fulfilled", states()


def test_a_hold_placed_while_its_release_is_decided_refuses_the_last_approval(
    on: Scene, files: Resource
) -> None:
    order = submitted(on, at=now(), items=(release(files, delete_contents=True),))
    keeper = on.chain[Role.AUTHORITY_APPROVER]
    holds.place_on_container(resource=files, reason="evidence", actor=keeper, at=now())
    with pytest.raises(ContainerOnHold):
        approve_all(on, order, at=now())
    assert seen(on, files).objects == 0


def test_a_scaled_down_cloud_sets_a_smaller_limit(on: Scene) -> None:
    CloudStorageClass.objects.filter(storage_class__code="object").update(ordered_gb_per_built_gb=50)
    assert seen(on, container(on)).quota_bytes == 2 * GIB


# -- compared with the record


def compared(on: Scene) -> dict[str, list[str]]:
    """What a full pass finds of containers: the fields of each kind of finding."""

    def clock() -> datetime:
        return now() + timedelta(minutes=1)  # what ended a moment ago is left alone

    waiting = sweeps.request(cloud=on.catalogue.cloud, extent=Extent.FULL, actor=RECONCILER, at=clock())
    reconciliation.sweep(waiting=waiting, clock=clock)
    waiting.refresh_from_db()
    assert waiting.status == "done", waiting.failure
    found = Finding.objects.filter(subject="container").exclude(status="resolved")
    return {
        each.kind: list(each.differences.order_by("field").values_list("field", flat=True)) for each in found
    }


def test_a_pass_finds_what_was_changed_by_hand_and_counts_what_is_held(on: Scene, files: Resource) -> None:
    filled(on, files, "a", "b")
    assert compared(on) == {}
    assert named("files").container.objects_held == 2
    project(on).objects.set_quota(files.external_id, quota_bytes=7)
    project(on).objects.set_access(files.external_id, read=["any:body"], write=[])
    assert compared(on) == {"drifted": ["let_in", "quota_bytes"]}
    project(on).objects.set_quota(files.external_id, quota_bytes=100 * GIB)
    credential(on, named("files"), name="second")
    assert compared(on) == {}


def test_a_pass_finds_who_only_reads_and_was_let_in_to_write(on: Scene, files: Resource) -> None:
    credential(on, named("files"), access="read")
    assert compared(on) == {}
    read = sorted(project(on).objects.get_container(files.external_id).read)
    project(on).objects.set_access(files.external_id, read=read, write=read)
    assert compared(on) == {"drifted": ["let_in"]}


def test_a_pass_finds_a_container_that_was_deleted_by_hand(on: Scene, files: Resource) -> None:
    project(on).objects.delete_container(files.external_id)
    assert compared(on) == {"missing": []}
    finding = Finding.objects.get(subject="container")
    assert (finding.status, finding.remedy) == ("suspected", "decide")


def test_what_was_found_of_a_container_is_over_when_that_was_given_back(on: Scene, files: Resource) -> None:
    project(on).objects.delete_container(files.external_id)
    assert compared(on) == {"missing": []}
    assert built(on, items=(release(files, delete_contents=True),)).status == "fulfilled", states()
    assert compared(on) == {}
    assert Finding.objects.get(subject="container").status == "resolved"
