"""Two clouds as processes of their own: looked at, signed in to with stored credentials, and one order built on both."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from govcloud.audit.services import SystemActor
from govcloud.catalog.models import Cloud, CloudFlavor, CloudStorageClass, Flavor
from govcloud.clouds import access, credentials, health, maintenance
from govcloud.clouds.credentials import CredentialDraft
from govcloud.clouds.models import CloudCapacity, CloudHealth, HealthChange, Maintenance
from govcloud.demo import data
from govcloud.gateways import openstack
from govcloud.inventory.models import Project, Resource
from govcloud.orders import fulfilment, placing
from govcloud.orders.cancellation import cancel
from govcloud.orders.drafts import NetworkDraft, ServerDraft, VolumeDraft
from govcloud.orders.models import Order
from govcloud.provisioning import capacity, engine
from govcloud.provisioning.models import Operation, Step
from govcloud.quotas.models import QuotaAccount
from govcloud.sandbox.seed import USER, _hex, fixed_id
from tests.factories.catalog import (
    CloudFactory,
    CloudFlavorFactory,
    CloudImageFactory,
    CloudStorageClassFactory,
    ZoneFactory,
)
from tests.factories.clouds import AvailabilityZoneFactory
from tests.factories.orders import Scene, approve_all, approved, scene, submitted
from tests.factories.tenants import UserFactory
from tests.integration import sandboxed
from tests.integration.building import now, states, work
from tests.integration.sandboxed import Sandbox

pytestmark = pytest.mark.django_db

BY = SystemActor("tests")


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The cloud at the disaster-recovery site."""
    with sandboxed.running(tmp_path_factory.mktemp("far"), "--no-guests") as running:
        running.ask("PUT", "/timing", {"build_seconds": 0.05, "volume_seconds": 0.02})
        yield running


@pytest.fixture
def on() -> Scene:
    return scene(level_3=False)


def stored(cloud: Cloud, sandbox: Sandbox, *, password: str | None = None) -> Cloud:
    """The cloud, signed in to with what the sandbox's clouds.yaml says, but kept in our own tables."""
    entry = yaml.safe_load((sandbox.state / "clouds.yaml").read_text())["clouds"]["sandbox"]
    auth = entry["auth"] if password is None else {**entry["auth"], "password": password}
    Cloud.objects.filter(pk=cloud.pk).update(profile="")
    cloud.refresh_from_db()
    draft = CredentialDraft(**auth, region_name=entry["region_name"])
    return credentials.store(cloud=cloud, draft=draft, expected_version=cloud.version, actor=BY, at=now())


@pytest.fixture
def far_cloud(on: Scene, far: Sandbox, building: Sandbox) -> Cloud:
    """It has everything that the main cloud has, and no profile in clouds.yaml."""
    offered = on.catalogue
    cloud = CloudFactory(code="far", name="异地云", name_en="Far cloud", site="dr", profile="")
    for flavor in offered.flavors.values():
        CloudFlavorFactory(cloud=cloud, flavor=flavor)
    for storage_class in offered.storage_classes.values():
        CloudStorageClassFactory(cloud=cloud, storage_class=storage_class)
    CloudImageFactory(cloud=cloud, image=offered.images["debian-12"])
    ZoneFactory(cloud=cloud, zone="public", address_pool="10.50.0.0/16")
    far.ask("DELETE", "/faults")
    return stored(cloud, far)


def server(name: str, network: str) -> ServerDraft:
    volume = VolumeDraft(storage_class="ssd", size_gb=100)
    return ServerDraft(
        name=name, zone="public", flavor="g.4c16g", image="debian-12", network=network, system_volume=volume
    )


HERE = (NetworkDraft(name="here", zone="public"), server("near", "here"))
THERE = (NetworkDraft(name="there", zone="public", site="dr"), server("distant", "there"))


def servers(cloud: Cloud) -> list[str]:
    """What runs there, counted in the cloud itself."""
    project = Project.objects.filter(cloud=cloud).first()
    if project is None:
        return []
    seen = access.connect(cloud=cloud, timeout=10, project_id=project.external_id)
    return sorted(found.name for found in seen.compute.find_servers())


def why(order: Order) -> dict[str, str]:
    return {shown.row.site: shown.why for shown in placing.decided(order)}


def run_for(seconds: float, until: Callable[[], bool] = lambda: False) -> None:
    """Let a worker work for a while, whatever is due."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not until():
        if not engine.run_due(clock=now, most=1):
            time.sleep(0.02)


def volume_asked_for(cloud: Cloud) -> bool:
    """In mid-operation: the volume is there, its server is not."""
    steps = Step.objects.filter(operation__cloud=cloud, kind="volume")
    return steps.exclude(external_id="").exists()


def change_password(sandbox: Sandbox, secret: str) -> None:
    """As the cloud's own administrators do; tokens end with it."""
    from govcloud.sandbox.identity.tokens import hashed  # noqa: PLC0415

    sandbox.ask("POST", f"/rows/user/{_hex('user', USER)}", {"secret": hashed(secret)})
    sandbox.ask("DELETE", "/tokens")


def password_of(sandbox: Sandbox) -> str:
    return (sandbox.state / "password").read_text().strip()


# -- one order on two clouds


def test_one_order_is_built_on_two_clouds_with_the_reason_for_each(on: Scene, far_cloud: Cloud) -> None:
    order = approved(on, at=now(), items=(*HERE, *THERE))
    work()
    order.refresh_from_db()
    assert order.status == "fulfilled", states()
    assert (servers(on.catalogue.cloud), servers(far_cloud)) == (["near-1"], ["distant-1"])
    assert why(order) == {
        "main": "main site, Example cloud: no other comes into question",
        "dr": "disaster-recovery site, Far cloud: no other comes into question",
    }


def test_maintenance_in_mid_operation_holds_one_cloud_and_not_the_other(on: Scene, far_cloud: Cloud) -> None:
    order = approved(on, at=now(), items=(*HERE, *THERE))
    run_for(30, until=lambda: volume_asked_for(far_cloud))
    row = maintenance.announce(
        cloud=far_cloud, starts_at=None, ends_at=now() + timedelta(hours=2), running="pause", reason="new switches",
        actor=UserFactory(), at=now(),
    )  # fmt: skip
    stood = set(Step.objects.filter(operation__cloud=far_cloud).values_list("key", "state", "fence"))
    near = Operation.objects.get(cloud=on.catalogue.cloud)
    run_for(30, until=lambda: Operation.objects.get(pk=near.pk).status == "done")
    assert Operation.objects.get(pk=near.pk).status == "done"
    assert set(Step.objects.filter(operation__cloud=far_cloud).values_list("key", "state", "fence")) == stood
    maintenance.end(maintenance=row, actor=UserFactory(), at=now())
    work()
    order.refresh_from_db()
    assert (order.status, servers(far_cloud)) == ("fulfilled", ["distant-1"]), states()


def test_what_is_approved_during_a_maintenance_waits_with_its_reason_and_starts_by_itself(
    on: Scene, far_cloud: Cloud
) -> None:
    row = maintenance.announce(
        cloud=far_cloud, starts_at=None, ends_at=now() + timedelta(hours=2), running="finish", reason="new switches",
        actor=UserFactory(), at=now(),
    )  # fmt: skip
    order = approved(on, at=now(), items=(*HERE, *THERE))
    work()
    order.refresh_from_db()
    assert (order.status, servers(on.catalogue.cloud), servers(far_cloud)) == ("fulfilling", ["near-1"], [])
    told = why(order)["dr"]
    assert told.startswith("It waits: disaster-recovery site, Far cloud: is under maintenance until 20")
    assert "(new switches)" in told
    assert fulfilment.waiting() == [order.pk]
    assert fulfilment.place_waiting(order.pk, at=now()) == []
    Maintenance.objects.filter(pk=row.pk).update(ends_at=now())
    for waiting in fulfilment.waiting():
        fulfilment.place_waiting(waiting, at=now())
    work()
    order.refresh_from_db()
    assert (order.status, servers(far_cloud), fulfilment.waiting()) == ("fulfilled", ["distant-1"], [])


def test_an_order_that_waits_can_be_called_off_and_holds_nothing_then(on: Scene, far_cloud: Cloud) -> None:
    maintenance.announce(
        cloud=far_cloud, starts_at=None, ends_at=now() + timedelta(hours=2), running="finish", reason="switches",
        actor=UserFactory(), at=now(),
    )  # fmt: skip
    order = approved(on, at=now(), items=THERE)
    assert QuotaAccount.objects.get(department=on.department, dimension="servers").held == 1
    order = cancel(order=order, reason="too late", units=None, actor=on.applicant, at=now())
    assert order.status == "cancelled"
    assert QuotaAccount.objects.filter(department=on.department, held__gt=0).count() == 0
    assert (fulfilment.waiting(), Operation.objects.count()) == ([], 0)


def test_an_order_of_which_a_part_waits_is_called_off_in_the_order_in_which_steps_end(
    on: Scene, far_cloud: Cloud
) -> None:
    """Operations before the accounts of quota: of the two at once one would wait for the other in a ring."""
    maintenance.announce(
        cloud=far_cloud, starts_at=None, ends_at=now() + timedelta(hours=2), running="finish", reason="switches",
        actor=UserFactory(), at=now(),
    )  # fmt: skip
    order = approved(on, at=now(), items=(*HERE, *THERE))
    with CaptureQueriesContext(connection) as asked:
        cancel(order=order, reason="too late", units=None, actor=on.applicant, at=now())
    locks = [query["sql"] for query in asked if " FOR " in query["sql"] and "UPDATE" in query["sql"]]
    tables = ("provisioning_operation", "quotas_quotaaccount")
    first = [next(n for n, sql in enumerate(locks) if f'FROM "{table}"' in sql) for table in tables]
    assert first == sorted(first)
    work()
    order.refresh_from_db()
    assert (order.status, servers(on.catalogue.cloud)) == ("cancelled", [])


def test_a_new_server_goes_where_its_network_is_and_the_reason_says_so(on: Scene, far_cloud: Cloud) -> None:
    approved(on, at=now(), items=THERE)
    work()
    network = Resource.objects.get(name="there")
    health.look(cloud_pk=_due(far_cloud), clock=now)
    order = approved(on, at=now(), items=(server("second", str(network.uuid)),))
    (shown,) = placing.decided(order)
    assert shown.row.cloud == far_cloud
    assert shown.why.startswith("disaster-recovery site, Far cloud: there is there; 20,4")
    assert "of 20,480 vCPUs free" in shown.why
    assert {each.cloud.code: placing.told(each) for each in shown.weighed[1:]} == {
        "sandbox": "main site, Example cloud: there is elsewhere"
    }


def test_things_are_built_in_the_availability_zone_that_was_chosen(on: Scene, far_cloud: Cloud) -> None:
    AvailabilityZoneFactory(cloud=far_cloud, code="a", mlps_level=1)
    AvailabilityZoneFactory(cloud=far_cloud, code="b", compute_zone="dr", volume_zone="dr")
    approved(on, at=now(), items=THERE)
    work()
    built = Resource.objects.get(kind="server")
    project = Project.objects.get(cloud=far_cloud).external_id
    seen = access.connect(cloud=far_cloud, timeout=10, project_id=project)
    assert seen.compute.get_server(built.external_id).zone == "dr"
    assert [volume.zone for volume in seen.volumes.find_volumes()] == ["dr"]
    assert built.availability_zone is not None
    assert built.availability_zone.code == "b"


# -- credentials that expire


def test_credentials_that_expire_in_mid_operation_are_waited_for_and_nothing_is_built_twice(
    on: Scene, far_cloud: Cloud, far: Sandbox
) -> None:
    old = password_of(far)
    far.ask("DELETE", "/calls")
    order = approved(on, at=now(), items=THERE)
    run_for(30, until=lambda: volume_asked_for(far_cloud))
    change_password(far, "a new one")
    try:
        run_for(3)
        assert not Step.objects.filter(state="parked").exists()
        assert set(Step.objects.values_list("attempts", flat=True)) == {0}
        assert "identity 401" in " ".join(Step.objects.values_list("last_error", flat=True))
        stored(far_cloud, far, password="a new one")
        Step.objects.filter(next_run_at__isnull=False).update(next_run_at=now())
        work()
        order.refresh_from_db()
        assert (order.status, servers(far_cloud)) == ("fulfilled", ["distant-1"]), states()
        counts = far.ask("GET", "/calls")["counts"]
        made = {each["path"]: each["count"] for each in counts if each["method"] == "POST"}
        assert {path.split("/")[-1]: n for path, n in made.items() if path.endswith(("/servers", "/volumes"))} == {
            "servers": 1, "volumes": 1,
        }  # fmt: skip
    finally:
        change_password(far, old)


# -- looking at clouds


def _due(cloud: Cloud) -> int:
    assert cloud.pk in health.due(at=now())
    return cloud.pk


def test_a_look_keeps_state_latency_and_capacity(on: Scene, far_cloud: Cloud) -> None:
    found = health.look(cloud_pk=_due(far_cloud), clock=now)
    assert found is not None
    assert (found.state, found.answered_at) == ("ok", found.looked_at)
    answers = far_cloud.service_answers.all()
    assert {answer.service for answer in answers} == {
        "identity", "compute", "network", "block-storage", "image", "object-store",
    }  # fmt: skip
    kept = capacity.of(far_cloud, at=now())
    assert kept is not None
    assert kept.vcpus_total == 20_480
    assert {name.split("@")[1].split("#")[0] for name in kept.storage} == {"ssd", "sas", "capacity"}
    assert kept.pools_of["ssd"] == {"sandbox@ssd#pool"}
    assert sum(host["VCPU"][0] for host in kept.hosts) == kept.vcpus_total - kept.vcpus_used
    assert kept.flavors["g.4c16g"] == {"VCPU": 4, "MEMORY_MB": 16_384}


def test_where_volume_types_and_flavors_are_not_told_what_was_known_of_them_stays(
    on: Scene, far_cloud: Cloud, far: Sandbox
) -> None:
    health.look(cloud_pk=_due(far_cloud), clock=now)
    CloudCapacity.objects.filter(cloud=far_cloud).update(vcpus_total=1, hosts=[], flavors={"g": {}})
    CloudHealth.objects.filter(cloud=far_cloud).update(due_at=now(), capacity_due_at=now())
    fault = {
        "service": "volume",
        "method": "GET",
        "path": "/types",
        "action": "status",
        "status": 403,
        "when": "before",
    }
    far.ask("POST", "/faults", fault)
    try:
        health.look(cloud_pk=_due(far_cloud), clock=now)
    finally:
        far.ask("DELETE", "/faults")
    kept = capacity.stored([far_cloud], at=now())[far_cloud.pk]
    assert (kept.vcpus_total, len(kept.hosts) > 0) == (20_480, True)
    assert (kept.pools_of["ssd"], kept.flavors) == ({"sandbox@ssd#pool"}, {"g": {}})


def test_a_cloud_is_looked_at_once_per_period_whoever_looks(on: Scene, far_cloud: Cloud) -> None:
    key = _due(far_cloud)
    assert health.look(cloud_pk=key, clock=now) is not None
    assert health.look(cloud_pk=key, clock=now) is None
    assert key not in health.due(at=now())


def test_what_changes_is_kept_as_history_and_what_stays_is_not(
    on: Scene, far_cloud: Cloud, far: Sandbox, settings: Settings
) -> None:
    settings.CLOUD_HEALTH = timedelta()
    refused: dict[str, Any] = {"service": "volume", "action": "status", "status": 503, "message": "down"}

    def look() -> Any:
        return health.look(cloud_pk=_due(far_cloud), clock=now)

    first = look()
    fault = far.ask("POST", "/faults", {**refused, "when": "before"})
    down = look()
    assert (down.state, down.service, down.answered_at) == ("failing", "block-storage", first.answered_at)
    since = down.since
    assert look().since == since
    far.ask("DELETE", f"/faults/{fault['id']}")
    look()
    history = HealthChange.objects.filter(cloud=far_cloud).order_by("pk")
    assert [(change.state, change.service) for change in history] == [
        ("ok", ""), ("failing", "block-storage"), ("ok", ""),
    ]  # fmt: skip


def test_wrong_and_missing_credentials_are_told_apart(on: Scene, far_cloud: Cloud, far: Sandbox) -> None:
    stored(far_cloud, far, password="wrong")
    refused = access.health(cloud=far_cloud, timeout=5)
    assert (refused.state, refused.service) == (openstack.Reachability.UNAUTHORIZED, "identity")
    far_cloud.credential.delete()
    none = access.health(cloud=Cloud.objects.get(pk=far_cloud.pk), timeout=5)
    assert (none.state, none.detail) == (
        openstack.Reachability.MISCONFIGURED, "no credentials are stored for this cloud",
    )  # fmt: skip


def test_a_cloud_that_does_not_answer_is_known_by_its_health(on: Scene, tmp_path: Path) -> None:
    cloud = CloudFactory(code="gone", profile="")
    draft = CredentialDraft(
        auth_url="http://127.0.0.1:9/identity/v3", username="u", password="p", project_name="admin"
    )
    credentials.store(cloud=cloud, draft=draft, expected_version=cloud.version, actor=BY, at=now())
    found = health.look(cloud_pk=_due(cloud), clock=now)
    assert found is not None
    assert (found.state, found.service, found.answered_at) == ("unreachable", "identity", None)


# -- sizes


@pytest.fixture
def small_flavor(far: Sandbox) -> Iterator[str]:
    """On the far cloud ``g.4c16g`` has one vCPU, as somebody there made it, until it is put right."""
    row = f"/rows/flavor/{fixed_id('flavor', 'g.4c16g')}"
    far.ask("POST", row, {"vcpus": 1})
    yield row
    far.ask("POST", row, {"vcpus": 4})


def look_again(cloud: Cloud) -> None:
    CloudHealth.objects.filter(cloud=cloud).update(due_at=now(), capacity_due_at=now())
    assert health.look(cloud_pk=_due(cloud), clock=now) is not None


def differences(cloud: Cloud) -> set[tuple[str, str, str, int, int]]:
    return set(cloud.size_differences.values_list("kind", "code", "measure", "expected", "found"))


def test_a_look_compares_flavors_volume_types_and_images_with_the_catalogue(
    on: Scene, far_cloud: Cloud, far: Sandbox, small_flavor: str
) -> None:
    image = f"/rows/image/{fixed_id('image', 'debian-12')}"
    CloudFlavor.objects.filter(cloud=far_cloud, flavor__code="g.2c4g").update(cloud_name="m1.small")
    CloudStorageClass.objects.filter(cloud=far_cloud, storage_class__code="ssd").update(cloud_name="nvme")
    CloudStorageClass.objects.filter(cloud=far_cloud, storage_class__code="sas").update(
        ordered_gb_per_built_gb=200
    )
    far.ask("POST", small_flavor, {"vcpus": 1, "ram": 320})
    far.ask("POST", image, {"min_disk": 40, "min_ram": 512})
    try:
        look_again(far_cloud)
    finally:
        far.ask("POST", small_flavor, {"ram": 16 * 1024})
        far.ask("POST", image, {"min_disk": 1, "min_ram": 0})
    assert differences(far_cloud) == {
        ("flavors", "g.4c16g", "vcpus", 4, 1),
        ("flavors", "g.4c16g", "memory_mib", 16 * 1024, 320),
        ("flavors", "g.2c4g", "missing", 1, 0),
        ("storage_classes", "ssd", "missing", 1, 0),
        ("storage_classes", "sas", "ordered_gb_per_built_gb", 1, 200),
        ("images", "debian-12", "min_disk_gb", 20, 40),
    }
    assert far_cloud.health.sizes_compared_at > far_cloud.health.looked_at


def test_what_is_retired_from_the_catalogue_is_not_compared(
    on: Scene, far_cloud: Cloud, small_flavor: str
) -> None:
    Flavor.objects.filter(code="g.4c16g").update(retired_at=now())
    look_again(far_cloud)
    assert differences(far_cloud) == set()


def test_a_cloud_that_does_not_tell_its_sizes_leaves_what_was_found(
    on: Scene, far_cloud: Cloud, far: Sandbox, small_flavor: str
) -> None:
    look_again(far_cloud)
    compared_at = far_cloud.health.sizes_compared_at
    far.ask("POST", small_flavor, {"vcpus": 4})
    refused = {"service": "compute", "path": "/flavors", "action": "status", "status": 503, "when": "before"}
    far.ask("POST", "/faults", refused)
    try:
        look_again(far_cloud)
    finally:
        far.ask("DELETE", "/faults")
    far_cloud.health.refresh_from_db()
    assert (far_cloud.health.state, far_cloud.health.sizes_compared_at) == ("ok", compared_at)
    assert differences(far_cloud) == {("flavors", "g.4c16g", "vcpus", 4, 1)}


def test_an_order_waits_for_a_flavor_of_its_size_and_starts_by_itself(
    on: Scene, far_cloud: Cloud, far: Sandbox, small_flavor: str
) -> None:
    order = submitted(on, at=now(), items=(*HERE, *THERE))  # nobody has compared it yet
    look_again(far_cloud)
    order = approve_all(on, order, at=now())
    work()
    assert (servers(on.catalogue.cloud), servers(far_cloud)) == (["near-1"], [])
    assert why(order)["dr"].startswith(
        "It waits: disaster-recovery site, Far cloud: does not have “g.4c16g” in the catalogue's size"
    )
    far.ask("POST", small_flavor, {"vcpus": 4})
    look_again(far_cloud)
    for waiting in fulfilment.waiting():
        fulfilment.place_waiting(waiting, at=now())
    work()
    order.refresh_from_db()
    assert (order.status, servers(far_cloud)) == ("fulfilled", ["distant-1"]), states()


def test_where_sizes_need_not_match_a_smaller_server_is_built(
    on: Scene, far_cloud: Cloud, small_flavor: str
) -> None:
    Cloud.objects.filter(pk=far_cloud.pk).update(sizes_must_match=False)
    look_again(far_cloud)
    approved(on, at=now(), items=THERE)
    work()
    assert servers(far_cloud) == ["distant-1"], states()
    assert differences(far_cloud) == {("flavors", "g.4c16g", "vcpus", 4, 1)}


def test_the_sandbox_has_the_demos_catalogue_in_its_sizes(db: None, building: Sandbox) -> None:
    data.load(cloud="sandbox", at=now())
    cloud = Cloud.objects.get()
    look_again(cloud)
    assert (differences(cloud), cloud.health.sizes_compared_at is not None) == (set(), True)
