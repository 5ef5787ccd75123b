"""Renaming, rebuilding and plugging servers, on the sandbox cloud over HTTP: each lands once, whatever fails between."""

from datetime import datetime
from typing import Any

import pytest

from govcloud.audit.models import Event
from govcloud.catalog.models import Image
from govcloud.clouds import guest_keys
from govcloud.errors import DomainError, Invalids
from govcloud.inventory.models import Resource, Server
from govcloud.orders.drafts import NetworkDraft, ServerDraft, VolumeDraft
from govcloud.orders.renaming import NewName
from govcloud.provisioning import services
from govcloud.provisioning.actions import requests
from govcloud.provisioning.actions.base import Nothing, actions
from govcloud.provisioning.actions.rebuilding import NewSystem
from govcloud.provisioning.models import Operation
from tests.factories.catalog import CloudImageFactory, ImageFactory
from tests.factories.orders import Scene, drafted, scene, submitted
from tests.integration.building import built, now, project, states, work
from tests.integration.dying import die, die_and_be_followed
from tests.integration.sandboxed import Sandbox

pytestmark = pytest.mark.django_db
ACTION = {"service": "compute", "method": "POST", "path": "/servers/[^/]*/action$"}
WEB = ServerDraft(
    name="web",
    quantity=1,
    zone="public",
    flavor="g.4c16g",
    image="debian-12",
    network="app-net",
    system_volume=VolumeDraft(storage_class="ssd", size_gb=100),
    data_volumes=(VolumeDraft(storage_class="sas", size_gb=50),),
)
ITEMS = (NetworkDraft(name="app-net", zone="public"), NetworkDraft(name="db-net", zone="public"), WEB)


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


@pytest.fixture
def server(on: Scene, building: Sandbox) -> Resource:
    built(on, items=ITEMS)
    building.ask("PUT", "/timing", {"action_seconds": 0.05})
    return Resource.objects.get(kind="server")


def ask(server: Resource, name: str, parameters: Any, on: Scene) -> Operation:
    return requests.request(
        resource=server, action=actions()[name], parameters=parameters, actor=on.applicant, at=now()
    )


def done(server: Resource, name: str, parameters: Any, on: Scene) -> Operation:
    operation = ask(server, name, parameters, on)
    work()
    operation.refresh_from_db()
    server.refresh_from_db()
    return operation


def in_cloud(on: Scene, server: Resource) -> Any:
    return project(on).compute.get_server(server.external_id)


def asked_for(on: Scene, server: Resource, name: str) -> int:
    return sum(a.name == name for a in project(on).compute.actions(server.external_id))


def abandoned(operation: Operation, on: Scene) -> Operation:
    services.abandon(operation=operation, reason="not now", actor=on.applicant, at=now())
    work()
    operation.refresh_from_db()
    return operation


def test_a_rebuilt_server_has_the_key_that_is_ours_now(on: Scene, server: Resource, settings: Any) -> None:
    before = in_cloud(on, server).key_name
    settings.GUEST_KEY_FILE = settings.GUEST_KEY_FILE.with_name("newer")
    guest_keys.make(settings.GUEST_KEY_FILE)
    assert done(server, "rebuild", NewSystem(), on).status == "done", states()
    assert in_cloud(on, server).key_name == guest_keys.current().name != before


# -- names


def test_a_server_gets_its_new_name_here_and_in_the_cloud(on: Scene, server: Resource) -> None:
    operation = done(server, "rename", NewName("portal"), on)
    assert (operation.status, server.status, server.name) == ("done", "active", "portal")
    assert in_cloud(on, server).name == "portal"
    event = Event.objects.get(verb="resource.renamed")
    assert (event.before, event.after) == ({"name": "web-1"}, {"name": "portal"})


def test_a_name_that_the_system_has_or_has_ordered_is_taken(on: Scene, server: Resource) -> None:
    submitted(on, at=now(), items=(NetworkDraft(name="ordered", zone="public"),))
    for taken in ("app-net", "ordered"):
        with pytest.raises(DomainError) as refusal:
            ask(server, "rename", NewName(taken), on)
        assert refusal.value.code == "name-taken"
    with pytest.raises(DomainError) as refusal:
        ask(server, "rename", NewName("web-1"), on)
    assert refusal.value.code == "same-name"
    with pytest.raises(Invalids) as refusals:
        ask(server, "rename", NewName("Not A Name"), on)
    assert [(e.code, e.pointers) for e in refusals.value.errors] == [("bad-name", ("/name",))]


def test_a_name_is_claimed_from_the_moment_it_is_asked_for(on: Scene, server: Resource) -> None:
    ask(server, "rename", NewName("portal"), on)
    with pytest.raises(Invalids) as refusals:
        drafted(on, at=now(), items=(NetworkDraft(name="portal", zone="public"),))
    assert [error.code for error in refusals.value.errors] == ["name-taken"]
    work()
    drafted(on, at=now(), items=(NetworkDraft(name="web-1", zone="public"),))


def test_a_renaming_that_is_called_off_leaves_the_old_name_everywhere(
    on: Scene, server: Resource, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.STEP_SETTLE = settings.STEP_POLL
    operation = ask(server, "rename", NewName("portal"), on)
    die(monkeypatch, "finish")
    assert in_cloud(on, server).name == "portal"
    assert abandoned(operation, on).status == "undone", states()
    server.refresh_from_db()
    assert (in_cloud(on, server).name, server.name, server.status) == ("web-1", "web-1", "active")


# -- the system written anew


def test_a_rebuilt_server_is_as_it_was_delivered_and_checked_again(on: Scene, server: Resource) -> None:
    Server.objects.filter(resource=server).update(configured_at=now(), host_keys="ssh-ed25519 AAAA")
    before = in_cloud(on, server)
    operation = done(server, "rebuild", NewSystem(), on)
    assert (operation.status, server.status) == ("done", "active"), states()
    after = in_cloud(on, server)
    assert (after.status, after.addresses, set(after.volume_ids)) == (
        "ACTIVE", before.addresses, set(before.volume_ids),
    )  # fmt: skip
    assert asked_for(on, server, "rebuild") == 1
    kinds = list(operation.steps.order_by("position").values_list("kind", flat=True))
    assert kinds == ["power", "rebuild", "power", "configure", "confirm"]
    row = Server.objects.get(resource=server)
    assert (row.host_keys, row.configured_at, row.power) == ("", None, "running"), "this cloud has no guests"
    assert Event.objects.filter(verb="server.rebuilt").count() == 1


def openeuler(on: Scene, **image: Any) -> Image:
    other = ImageFactory(
        code="openeuler-24.03", name="openEuler", name_en="openEuler", os="openeuler", **image
    )
    CloudImageFactory(cloud=on.catalogue.cloud, image=other)
    return other


def test_a_server_is_rebuilt_with_another_image(on: Scene, server: Resource) -> None:
    other = openeuler(on)
    operation = done(server, "rebuild", NewSystem(other.code), on)
    assert operation.status == "done", states()
    assert Server.objects.get(resource=server).image == other
    volume = Resource.objects.get(volume__server__resource=server, volume__role="system")
    answer = project(on).volumes._transport.get("block-storage", f"/volumes/{volume.external_id}")
    assert answer["volume"]["volume_image_metadata"]["image_name"] == "openeuler-24.03"


@pytest.mark.parametrize(
    ("image", "code"),
    [
        ({"min_disk_gb": 200}, "volume-too-small-for-image"),
        ({"min_memory_gb": 64}, "flavor-too-small-for-image"),
        ({"retired_at": datetime.fromisoformat("2026-01-01T00:00Z")}, "retired"),
    ],
)
def test_an_image_that_does_not_fit_is_refused(
    on: Scene, server: Resource, image: dict[str, Any], code: str
) -> None:
    other = openeuler(on, **image)
    with pytest.raises(DomainError) as refusal:
        ask(server, "rebuild", NewSystem(other.code), on)
    told = refusal.value.errors if isinstance(refusal.value, Invalids) else [refusal.value]
    assert [(each.code, each.pointers) for each in told] == [(code, ("/image",))]


def test_an_image_that_nobody_or_not_this_cloud_has_is_refused(on: Scene, server: Resource) -> None:
    ImageFactory(code="elsewhere")
    for name, code in (("nothing", "not-in-catalogue"), ("elsewhere", "not-available-in-zone")):
        with pytest.raises(DomainError) as refusal:
            ask(server, "rebuild", NewSystem(name), on)
        assert refusal.value.code == code


@pytest.mark.parametrize("fault", ["reset", "truncate"])
def test_an_answer_that_never_came_rebuilds_once(
    on: Scene, server: Resource, building: Sandbox, fault: str
) -> None:
    done(server, "stop", Nothing(), on)
    building.ask("POST", "/faults", {**ACTION, "action": fault, "when": "after", "times": 1})
    operation = done(server, "rebuild", NewSystem(), on)
    assert (operation.status, asked_for(on, server, "rebuild")) == ("done", 1), states()


def test_a_worker_that_dies_after_asking_for_the_rebuild_does_not_lead_to_a_second(
    on: Scene, server: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = ask(server, "rebuild", NewSystem(), on)
    die_and_be_followed(monkeypatch, "_adopt", kind="rebuild")
    operation.refresh_from_db()
    assert (operation.status, asked_for(on, server, "rebuild")) == ("done", 1), states()


def test_a_rebuild_that_fails_waits_for_a_person_with_the_clouds_own_words(
    on: Scene, server: Resource, building: Sandbox
) -> None:
    done(server, "stop", Nothing(), on)
    building.ask("POST", "/faults", {**ACTION, "action": "build_error", "times": 1})
    operation = done(server, "rebuild", NewSystem(), on)
    assert operation.status == "parked"
    step = operation.steps.get(kind="rebuild")
    assert "Failed to rebuild volume backed instance" in step.last_error


def test_abandoned_after_it_failed_nobody_believes_what_was_known_of_the_guest(
    on: Scene, server: Resource, building: Sandbox
) -> None:
    Server.objects.filter(resource=server).update(configured_at=now(), host_keys="ssh-ed25519 AAAA")
    done(server, "stop", Nothing(), on)
    building.ask("POST", "/faults", {**ACTION, "action": "build_error", "times": 1})
    other = openeuler(on)
    operation = done(server, "rebuild", NewSystem(other.code), on)
    assert abandoned(operation, on).status == "undone", states()
    row = Server.objects.get(resource=server)
    assert (row.image.code, row.configured_at, row.host_keys) == ("debian-12", None, "")


def test_abandoned_after_the_system_was_written_it_is_known_that_nobody_has_secured_it(
    on: Scene, server: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    Server.objects.filter(resource=server).update(configured_at=now(), host_keys="ssh-ed25519 AAAA")
    operation = ask(server, "rebuild", NewSystem(), on)
    die(monkeypatch, "_adopt", kind="rebuild")
    assert abandoned(operation, on).status == "undone", states()
    row = Server.objects.select_related("resource").get(resource=server)
    assert (row.configured_at, row.host_keys, row.power, row.resource.status) == (
        None, "", "stopped", "active",
    )  # fmt: skip
    assert in_cloud(on, server).status == "SHUTOFF"
