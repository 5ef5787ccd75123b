"""A server's flavor changed by order, on the sandbox cloud over HTTP: room, the new flavor, a look at the guest, and kept."""

import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from govcloud.audit.models import Event
from govcloud.gateways import openstack
from govcloud.inventory.models import Project, Resource, Server
from govcloud.metering.models import UsageSegment
from govcloud.orders import services as orders
from govcloud.orders.drafts import ExtendDraft, ReleaseDraft, ResizeDraft
from govcloud.orders.models import Order
from govcloud.provisioning import engine, services
from govcloud.provisioning.context import Context
from govcloud.provisioning.kinds.base import Broken, Moving
from govcloud.provisioning.kinds.resizing import NOT_MOVED, ResizeConfirmationKind, ResizeKind
from govcloud.provisioning.models import Operation, Step
from govcloud.quotas.models import QuotaAccount
from tests.factories.orders import Scene, approved, drafted, scene
from tests.integration.building import built, now, project, states, work
from tests.integration.dying import die_and_be_followed
from tests.integration.sandboxed import Sandbox
from tests.integration.test_direct_actions import ONE_SERVER

pytestmark = pytest.mark.django_db
ACTION = {"service": "compute", "method": "POST", "path": "/servers/[^/]*/action$"}


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


@pytest.fixture
def server(on: Scene, building: Sandbox) -> Resource:
    """4 vCPU and 16 GB."""
    built(on, items=ONE_SERVER)
    building.ask("PUT", "/timing", {"action_seconds": 0.05})
    return Resource.objects.get(kind="server")


def to(server: Resource, flavor: str) -> tuple[ResizeDraft]:
    return (ResizeDraft(target=server.uuid, flavor=flavor),)


def resized(on: Scene, server: Resource, flavor: str) -> Order:
    order = approved(on, at=now(), items=to(server, flavor))
    work()
    order.refresh_from_db()
    return order


def used(on: Scene, dimension: str) -> tuple[int, int]:
    account = QuotaAccount.objects.get(department=on.department, dimension=dimension)
    return account.held, account.used


def recorded(server: Resource) -> tuple[str, int, int, str]:
    row = Server.objects.select_related("flavor", "resource").get(resource=server)
    return row.flavor.code, row.vcpus, row.memory_gb, row.resource.status


def in_cloud(on: Scene, server: Resource) -> tuple[str, str]:
    compute = project(on).compute
    found = compute.get_server(server.external_id)
    return next(f.name for f in compute.flavors() if f.id == found.flavor_id), found.status


def asked_for(on: Scene, server: Resource) -> list[str]:
    """What the cloud was asked to do with the server since it was made, the first first."""
    return [action.name for action in project(on).compute.actions(server.external_id)][-2::-1]


def billed(server: Resource) -> dict[str, list[Decimal]]:
    rows = (
        UsageSegment.objects.filter(resource=server).order_by("period").values_list("meter__code", "quantity")
    )
    found: dict[str, list[Decimal]] = {}
    for meter, quantity in rows:
        found.setdefault(meter, []).append(quantity)
    return found


def limits(on: Scene) -> tuple[int | None, int | None]:
    identifier = Project.objects.get(system=on.system).external_id
    set_to = openstack.connect(cloud="sandbox").quotas.compute(identifier)
    return set_to["cores"].limit, set_to["ram"].limit


def test_a_larger_flavor_is_taken_of_the_quota_and_billed_from_the_moment_it_is_kept(
    on: Scene, server: Resource
) -> None:
    order = resized(on, server, "g.8c32g")
    assert order.status == "fulfilled", states()
    assert recorded(server) == ("g.8c32g", 8, 32, "active")
    assert in_cloud(on, server) == ("g.8c32g", "ACTIVE")
    assert (used(on, "vcpus"), used(on, "memory_gb"), used(on, "servers")) == ((0, 8), (0, 32), (0, 1))
    assert billed(server) == {"vcpu": [4, 8], "memory_gb": [16, 32]}
    assert limits(on) == (8, 32 * 1024)
    assert Event.objects.get(verb="server.resized").after == {
        "flavor": "g.8c32g", "vcpus": 8, "memory_gb": 32,
    }  # fmt: skip


def test_usage_changes_when_the_cloud_keeps_the_flavor_and_not_before(on: Scene, server: Resource) -> None:
    resized(on, server, "g.8c32g")
    step = Step.objects.get(kind="resize_confirmation")
    ended, begun = UsageSegment.objects.filter(resource=server, meter__code="vcpu").order_by("period")
    assert ended.period.upper == begun.period.lower == step.finished_at


def test_a_smaller_flavor_gives_back_what_it_no_longer_needs(on: Scene, server: Resource) -> None:
    order = resized(on, server, "g.2c4g")
    assert order.status == "fulfilled", states()
    assert recorded(server) == ("g.2c4g", 2, 4, "active")
    assert (used(on, "vcpus"), used(on, "memory_gb")) == ((0, 2), (0, 4))
    assert billed(server) == {"vcpu": [4, 2], "memory_gb": [16, 4]}
    assert limits(on) == (2, 4 * 1024)


def test_the_quota_of_a_resized_server_is_free_when_it_is_released(on: Scene, server: Resource) -> None:
    resized(on, server, "g.8c16g")
    approved(on, at=now(), items=(ReleaseDraft(target=server.uuid, kind="server"),))
    work()
    assert (used(on, "vcpus"), used(on, "memory_gb")) == ((0, 0), (0, 0)), states()


def test_what_does_not_grow_is_not_asked_for_although_the_department_is_over_it(
    on: Scene, server: Resource
) -> None:
    QuotaAccount.objects.filter(department=on.department, dimension="vcpus").update(limit=1)
    order = resized(on, server, "g.4c8g")  # less memory, as many vCPUs
    assert order.status == "fulfilled"
    assert resized(on, server, "g.2c8g").status == "fulfilled"


def test_the_draft_shows_the_difference_in_price_and_on_the_quota(on: Scene, server: Resource) -> None:
    larger = drafted(on, at=now(), items=to(server, "g.8c32g"))
    quote = orders.quote(order=larger, at=now())
    assert str(quote.monthly_total) == str(4 * 46 + 16 * 17) + ".00"
    taken = {one.dimension: one.takes for one in orders.effect(order=larger, at=now())}
    assert taken == {"vcpus": 4, "memory_gb": 16}
    smaller = drafted(on, at=now(), items=to(server, "g.2c4g"))
    assert str(orders.quote(order=smaller, at=now()).monthly_total) == f"-{2 * 46 + 12 * 17}.00"
    freed = {one.dimension: one.takes for one in orders.effect(order=smaller, at=now())}
    assert freed == {"vcpus": -2, "memory_gb": -12}


def test_a_resize_that_finds_no_host_is_told_as_one_and_the_server_goes_on(
    on: Scene, server: Resource, building: Sandbox
) -> None:
    building.ask("POST", "/faults", {**ACTION, "action": "build_error", "times": 1})
    order = resized(on, server, "g.8c32g")
    operation = Operation.objects.get(thread=order.uuid)
    step = Step.objects.get(kind="resize")
    assert (operation.status, step.last_error) == ("parked", NOT_MOVED)
    assert in_cloud(on, server) == ("g.4c16g", "ACTIVE")
    services.retry(operation=operation, actor=on.applicant, at=now())
    work()
    assert recorded(server) == ("g.8c32g", 8, 32, "active"), states()


def test_abandoned_without_room_everything_is_as_it_was(
    on: Scene, server: Resource, building: Sandbox
) -> None:
    building.ask("POST", "/faults", {**ACTION, "action": "build_error", "times": 1})
    order = resized(on, server, "g.8c32g")
    services.abandon(
        operation=Operation.objects.get(thread=order.uuid), reason="full", actor=on.applicant, at=now()
    )
    work()
    order.refresh_from_db()
    assert (order.status, recorded(server)) == ("cancelled", ("g.4c16g", 4, 16, "active")), states()
    assert (used(on, "vcpus"), used(on, "memory_gb")) == ((0, 4), (0, 16))


def work_until(kind: str, state: str) -> None:
    """Let a worker work until a step has come so far."""
    for _visit in range(400):
        if Step.objects.filter(kind=kind, state=state).exists():
            return
        if not engine.run_due(clock=now, most=1):
            time.sleep(0.02)
    raise AssertionError(states())


def waiting_to_be_kept(on: Scene, server: Resource, building: Sandbox, flavor: str) -> Operation:
    """The server is on its new flavor, and the cloud does not take the confirmation."""
    order = approved(on, at=now(), items=to(server, flavor))
    work_until("resize", "done")
    building.ask("POST", "/faults", {**ACTION, "action": "status", "status": 403, "message": "not today"})
    work()
    assert in_cloud(on, server) == (flavor, "VERIFY_RESIZE")
    building.ask("DELETE", "/faults")
    return Operation.objects.get(thread=order.uuid)


@pytest.mark.parametrize("flavor", ["g.8c32g", "g.2c4g"])
def test_abandoned_before_it_is_kept_the_server_goes_back(
    on: Scene, server: Resource, building: Sandbox, flavor: str
) -> None:
    operation = waiting_to_be_kept(on, server, building, flavor)
    assert recorded(server) == ("g.4c16g", 4, 16, "changing")
    services.abandon(operation=operation, reason="too slow", actor=on.applicant, at=now())
    work()
    operation.refresh_from_db()
    assert (operation.status, in_cloud(on, server)) == ("undone", ("g.4c16g", "ACTIVE")), states()
    assert recorded(server) == ("g.4c16g", 4, 16, "active")
    assert (used(on, "vcpus"), used(on, "memory_gb")) == ((0, 4), (0, 16))
    assert billed(server) == {"vcpu": [4], "memory_gb": [16]}
    assert asked_for(on, server) == ["resize", "revertResize"]


def test_tried_again_it_is_kept(on: Scene, server: Resource, building: Sandbox) -> None:
    operation = waiting_to_be_kept(on, server, building, "g.8c32g")
    services.retry(operation=operation, actor=on.applicant, at=now())
    work()
    assert recorded(server) == ("g.8c32g", 8, 32, "active"), states()


@pytest.mark.parametrize("seconds", [0, 0.4])
def test_abandoned_after_the_cloud_kept_it_the_record_says_what_is_true(
    on: Scene, server: Resource, building: Sandbox, seconds: float
) -> None:
    """Also while it is at it: the server still waits for an answer then, and the cloud refuses to take it back."""
    operation = waiting_to_be_kept(on, server, building, "g.8c32g")
    building.ask("PUT", "/timing", {"action_seconds": seconds})
    project(on).compute.confirm_resize(server.external_id)  # as if our own request had landed unseen
    services.abandon(operation=operation, reason="too slow", actor=on.applicant, at=now())
    work()
    operation.refresh_from_db()
    assert (operation.status, recorded(server)) == ("undone", ("g.8c32g", 8, 32, "active")), states()
    assert used(on, "vcpus") == (0, 8)
    assert billed(server) == {"vcpu": [4, 8], "memory_gb": [16, 32]}


@pytest.mark.parametrize("step", ["resize", "resize_confirmation"])
def test_a_worker_that_dies_after_its_request_leads_to_no_second_one(
    on: Scene, server: Resource, monkeypatch: pytest.MonkeyPatch, settings: Any, step: str
) -> None:
    order = approved(on, at=now(), items=to(server, "g.8c32g"))
    die_and_be_followed(monkeypatch, "_adopt", kind=step)
    order.refresh_from_db()
    assert order.status == "fulfilled", states()
    assert asked_for(on, server) == ["resize", "confirmResize"]
    assert recorded(server) == ("g.8c32g", 8, 32, "active")


@pytest.mark.parametrize("action", ["reset", "truncate"])
def test_an_answer_that_never_came_moves_the_server_once(
    on: Scene, server: Resource, building: Sandbox, action: str
) -> None:
    building.ask("POST", "/faults", {**ACTION, "action": action, "when": "after", "times": 2})
    order = resized(on, server, "g.8c32g")
    assert order.status == "fulfilled", states()
    assert asked_for(on, server) == ["resize", "confirmResize"]


def test_a_worker_that_keeps_a_move_that_was_taken_back_meanwhile_finds_the_old_flavor(
    on: Scene, server: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is held up between its request and its look finds nothing of the step before its own."""
    order = approved(on, at=now(), items=to(server, "g.8c32g"))
    while not Step.objects.filter(kind="resize_confirmation", state="due").exists():
        engine.run_due(clock=now, most=1)
    seen: list[object] = []
    look = ResizeConfirmationKind.look

    def too_late(kind: ResizeConfirmationKind, context: Context, external_id: str) -> object:
        Step.objects.filter(operation__thread=order.uuid, kind="resize").update(outputs={})
        seen.append(look(kind, context, external_id))
        return seen[-1]

    monkeypatch.setattr(ResizeConfirmationKind, "look", too_late)
    for _look in range(100):
        engine.run_due(clock=now, most=1)
        if seen and not isinstance(seen[-1], Moving):
            break
    assert [type(each) for each in seen[-1:]] == [Broken]


def test_a_stopped_server_is_resized_without_its_guest(on: Scene, server: Resource) -> None:
    project(on).compute.stop_server(server.external_id)
    Server.objects.filter(resource=server).update(power="stopped")
    order = resized(on, server, "g.8c32g")
    assert (order.status, in_cloud(on, server)) == ("fulfilled", ("g.8c32g", "SHUTOFF")), states()
    assert not Step.objects.filter(operation__thread=order.uuid, kind="confirm").exists()


def test_a_resize_waits_for_a_backup_that_is_being_taken(building: Sandbox) -> None:
    on = scene()
    built(on)  # its first backups are due now
    building.ask("PUT", "/timing", {"backup_seconds": 1.5})
    engine.run_due(clock=now)
    server = Resource.objects.get(name="app-2")
    order = resized(on, server, "g.8c32g")
    building.ask("PUT", "/timing", {"backup_seconds": 0.05})
    assert order.status == "fulfilled", states()
    own = Step.objects.filter(kind="backup", label__startswith="app-2")
    ended = own.order_by("finished_at").last()
    kept = Step.objects.get(kind="resize")
    assert ended is not None
    assert ended.finished_at is not None
    assert kept.finished_at is not None
    assert kept.finished_at > ended.finished_at


def test_a_resize_given_up_on_for_being_slow_is_taken_up_when_it_has_landed(
    on: Scene, server: Resource, building: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    building.ask("PUT", "/timing", {"action_seconds": 2})
    monkeypatch.setattr(ResizeKind, "patience", timedelta(seconds=0.5))
    order = approved(on, at=now(), items=to(server, "g.8c32g"))
    work()
    operation = Operation.objects.get(thread=order.uuid)
    assert operation.status == "parked"
    while in_cloud(on, server)[1] != "VERIFY_RESIZE":
        time.sleep(0.1)
    services.retry(operation=operation, actor=on.applicant, at=now())
    work()
    operation.refresh_from_db()
    assert (operation.status, recorded(server)[0]) == ("done", "g.8c32g")
    assert asked_for(on, server).count("resize") == 1


def test_what_the_same_order_does_with_its_storage_comes_before_the_new_flavor(
    on: Scene, server: Resource
) -> None:
    """A server that is moved is refused what its volumes ask of it."""
    volume = Resource.objects.get(kind="volume", volume__server=server.pk)
    larger = ExtendDraft(target=volume.uuid, size_gb=volume.volume.size_gb + 50)
    order = approved(on, at=now(), items=(*to(server, "g.8c32g"), larger))
    work()
    order.refresh_from_db()
    assert order.status == "fulfilled", states()
    resize = Step.objects.get(kind="resize")
    other = Operation.objects.get(thread=order.uuid, steps__kind="extension")
    assert (resize.intent_at or now()) > (other.finished_at or now())
    assert not Step.objects.filter(operation__thread=order.uuid, attempts__gt=0).exists()
