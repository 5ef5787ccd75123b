"""What placement reads: names, room that is promised already, where a system's things are, maintenance and health."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test.utils import CaptureQueriesContext

from govcloud.catalog.models import Cloud, CloudFlavor, Flavor
from govcloud.clouds.models import CloudCapacity, StoragePool
from govcloud.provisioning import capacity, placement
from govcloud.provisioning.placement import Need, Where
from tenants.models import NetworkZone, System
from tests.factories.catalog import CloudFactory, ZoneFactory, catalogue
from tests.factories.clouds import AvailabilityZoneFactory, MaintenanceFactory, differing, healthy, room
from tests.factories.inventory import ProjectFactory, whole_server
from tests.factories.tenants import SystemFactory
from tests.unit.provisioning.scripted import operation

pytestmark = pytest.mark.django_db

PRIVATE = Where(zone=NetworkZone.PRIVATE)


def cloud_with(code: str, *zones: str, **fields: Any) -> Cloud:
    cloud = CloudFactory(code=code, **fields)
    for zone in zones:
        ZoneFactory(cloud=cloud, zone=zone)
    return cloud


def taken(
    at: datetime, system: System | None = None, where: Where = PRIVATE, need: Need | None = None
) -> Any:
    decision = placement.decide(system=system or SystemFactory(), where=where, need=need or Need(), at=at)
    return decision.taken.facts.cloud if decision.taken is not None else None


def test_only_an_enabled_cloud_of_the_site_that_has_the_zone_and_the_level_is_taken(at: datetime) -> None:
    cloud_with("a-dr", NetworkZone.PRIVATE, site="dr")
    cloud_with("b-off", NetworkZone.PRIVATE, status="disabled")
    cloud_with("c-public-only", NetworkZone.PUBLIC)
    cloud_with("d-low", NetworkZone.PRIVATE, mlps_level=1)
    cloud_with("e-retired", NetworkZone.PRIVATE, status="retired")
    wanted = cloud_with("f", NetworkZone.PRIVATE)
    assert taken(at) == wanted
    assert taken(at, where=Where(zone=NetworkZone.PRIVATE, site="dr")).code == "a-dr"


def test_a_system_stays_on_the_cloud_where_its_things_are(at: datetime) -> None:
    cloud_with("a", NetworkZone.PRIVATE)
    home = cloud_with("b", NetworkZone.PRIVATE)
    system = SystemFactory()
    ProjectFactory(system=system, cloud=home)
    assert taken(at, system) == home
    assert taken(at).code == "a"


def test_maintenance_and_ill_health_send_new_things_elsewhere(at: datetime) -> None:
    first, second = cloud_with("a", NetworkZone.PRIVATE), cloud_with("b", NetworkZone.PRIVATE)
    healthy(first, at=at, state="unreachable")
    assert taken(at) == second
    MaintenanceFactory(cloud=second, announced_at=at)
    assert taken(at) == first
    MaintenanceFactory(cloud=first, announced_at=at)
    assert taken(at) is None
    assert taken(at + timedelta(hours=2)) == second


@pytest.mark.parametrize(
    ("measure", "verdict", "fields"),
    [
        ("vcpus", "other_size", {}),
        ("missing", "lacks", {}),
        ("vcpus", None, {"sizes_must_match": False}),
        ("missing", None, {"sizes_must_match": False}),
    ],
)
def test_what_has_another_size_than_in_the_catalogue_is_built_only_where_that_may_be(
    at: datetime, measure: str, verdict: str | None, fields: dict[str, Any]
) -> None:
    offered = catalogue()
    Cloud.objects.update(**fields)
    differing(offered.cloud, "g.4c16g", measure=measure)
    need = Need(flavors=Counter({offered.flavors["g.4c16g"]: 1}))
    decision = placement.decide(system=SystemFactory(), where=PRIVATE, need=need, at=at)
    obstacle = decision.obstacle
    assert (obstacle and (obstacle.verdict, obstacle.subject)) == (verdict and (verdict, "g.4c16g"))
    assert (decision.taken is None) == (verdict is not None)


def test_a_flavor_of_the_catalogues_size_is_built_where_another_differs(at: datetime) -> None:
    offered = catalogue()
    differing(offered.cloud, "g.4c16g")
    # an image of that code would not be the flavor
    differing(offered.cloud, "g.2c4g", kind="images", measure="min_disk_gb")
    assert taken(at, need=Need(flavors=Counter({offered.flavors["g.2c4g"]: 1}))) == offered.cloud


def test_room_that_open_operations_will_take_is_not_free(at: datetime) -> None:
    offered = catalogue()
    flavor: Flavor = offered.flavors["g.4c16g"]
    room(offered.cloud, at=at, vcpus=10, used=2)
    need = Need(flavors=Counter({flavor: 1}))
    assert taken(at, need=need) == offered.cloud
    started = operation(at, "app-1", "app-2")
    steps = started.steps.all()
    steps.update(kind="server", desired_state={"flavor": flavor.code})
    promised = capacity.promised([offered.cloud])[offered.cloud.pk]
    assert (promised.vcpus, promised.memory_gb) == (8, 32)
    assert taken(at, need=need) is None
    steps.update(external_id="asked for, so the cloud counts it")
    assert taken(at, need=need) == offered.cloud


def test_storage_that_is_promised_is_counted_by_the_clouds_own_class(at: datetime) -> None:
    offered = catalogue()
    offered.cloud.storage_classes.filter(storage_class__code="ssd").update(
        cloud_name="fast", ordered_gb_per_built_gb=10
    )
    operation(at, "disk-1", "disk-2").steps.update(
        kind="volume", desired_state={"storage_class": "ssd", "size_gb": 105}
    )
    assert capacity.promised([offered.cloud])[offered.cloud.pk].storage == {"fast": 21}


def test_storage_that_is_promised_in_several_classes_that_are_one_on_the_cloud_is_added_up(
    at: datetime,
) -> None:
    offered = catalogue()
    offered.cloud.storage_classes.filter(storage_class__code__in=["ssd", "sas"]).update(cloud_name="fast")
    steps = operation(at, "disk-1", "disk-2").steps.all()
    steps.filter(label="disk-1").update(kind="volume", desired_state={"storage_class": "ssd", "size_gb": 100})
    steps.filter(label="disk-2").update(kind="volume", desired_state={"storage_class": "sas", "size_gb": 40})
    assert capacity.promised([offered.cloud])[offered.cloud.pk].storage == {"fast": 140}


def test_the_room_of_hosts_is_that_of_the_last_look(at: datetime) -> None:
    offered = catalogue()
    need = Need(flavors=Counter({offered.flavors["g.4c16g"]: 3}))
    row = room(offered.cloud, at=at, vcpus=64)
    for hosts, finds in (
        ([], True),
        ([host(VCPU=(8, 4), MEMORY_MB=(32, 16)), host(VCPU=(8, 8), MEMORY_MB=(8, 8))], False),
        ([host(VCPU=(8, 4), MEMORY_MB=(32, 16)), host(VCPU=(7, 7), MEMORY_MB=(20, 20))], True),
    ):
        CloudCapacity.objects.filter(pk=row.pk).update(hosts=hosts)
        assert (taken(at, need=need) is not None) == finds


def host(**left: tuple[int, int]) -> dict[str, list[int]]:
    """Memory in GB, for once."""
    unit = {"MEMORY_MB": 1024}
    return {name: [amount * unit.get(name, 1) for amount in amounts] for name, amounts in left.items()}


def test_a_flavor_is_judged_by_what_a_server_of_it_takes_on_the_cloud(at: datetime) -> None:
    offered = catalogue()
    need = Need(flavors=Counter({offered.flavors["g.4c16g"]: 2}))
    row = room(offered.cloud, at=at, vcpus=4)
    hosts = [host(VCPU=(4, 4), MEMORY_MB=(64, 64), PCPU=(7, 7)), host(CUSTOM_BAREMETAL_M=(1, 1))]
    for taken_by_one, finds in (
        ({"VCPU": 4, "MEMORY_MB": 1024}, False),
        ({"VCPU": 2, "MEMORY_MB": 1024}, True),  # a cloud for tests, whose flavors are small
        ({"PCPU": 3, "MEMORY_MB": 1024}, True),
        ({"PCPU": 4, "MEMORY_MB": 1024}, False),
        ({"CUSTOM_BAREMETAL_M": 1}, False),
        ({"CUSTOM_BAREMETAL_L": 1}, False),
        ({}, True),
    ):
        flavors = {"g.4c16g": taken_by_one}
        CloudCapacity.objects.filter(pk=row.pk).update(hosts=hosts, flavors=flavors)
        assert (taken(at, need=need) is not None) == finds, taken_by_one
    CloudCapacity.objects.filter(pk=row.pk).update(flavors={})  # nobody has looked at it
    assert taken(at, need=need) == offered.cloud


def test_dedicated_vcpus_that_are_promised_are_not_shared_ones(at: datetime) -> None:
    offered = catalogue()
    dedicated, shared = offered.flavors["g.4c16g"], offered.flavors["g.2c4g"]
    row = room(offered.cloud, at=at, vcpus=2)
    pinned = {dedicated.code: {"PCPU": 4, "MEMORY_MB": 16_384}}
    hosts = [host(VCPU=(2, 2), MEMORY_MB=(64, 64), PCPU=(8, 8))]
    CloudCapacity.objects.filter(pk=row.pk).update(hosts=hosts, flavors={**row.flavors, **pinned})
    operation(at, "app-1").steps.update(kind="server", desired_state={"flavor": dedicated.code})
    assert taken(at, need=Need(flavors=Counter({shared: 1}))) == offered.cloud
    assert taken(at, need=Need(flavors=Counter({dedicated: 1}))) == offered.cloud
    assert taken(at, need=Need(flavors=Counter({dedicated: 2}))) is None


def pool(cloud: Cloud, name: str, free: int) -> None:
    backend = name.split("@")[1].split("#", maxsplit=1)[0]
    StoragePool.objects.create(cloud=cloud, name=name, backend=backend, total_gb=1_000, free_gb=free)


@pytest.mark.parametrize(
    ("backends", "wanted", "finds_room"),
    [
        ({"fast": "flash", "slow": "disks"}, {"ssd": 100}, True),
        ({"fast": "flash", "slow": "disks"}, {"ssd": 101}, False),
        ({"fast": "flash", "slow": "disks"}, {"ssd": 100, "sas": 700}, True),
        ({"fast": "disks", "slow": "disks"}, {"ssd": 400, "sas": 300}, True),
        ({"fast": "disks", "slow": "disks"}, {"ssd": 400, "sas": 301}, False),
        ({"fast": "gone"}, {"ssd": 700}, True),
        ({"fast": "flash"}, {"ssd": 100, "sas": 600}, True),
        ({"fast": "flash"}, {"ssd": 100, "sas": 701}, False),
        ({}, {"ssd": 700}, True),
        ({}, {"ssd": 500, "sas": 301}, False),
    ],
)
def test_the_pools_of_a_class_are_those_of_the_back_end_that_its_type_names(
    at: datetime, backends: dict[str, str], wanted: dict[str, int], *, finds_room: bool
) -> None:
    offered = catalogue()
    names = offered.cloud.storage_classes
    names.filter(storage_class__code="ssd").update(cloud_name="fast")
    names.filter(storage_class__code="sas").update(cloud_name="slow")
    row = room(offered.cloud, at=at, vcpus=64)
    CloudCapacity.objects.filter(pk=row.pk).update(backends=backends)
    pool(offered.cloud, "ceph@flash#0", free=100)
    pool(offered.cloud, "ceph@disks#0", free=300)
    pool(offered.cloud, "ceph@disks#1", free=400)
    need = Need(storage=Counter({offered.storage_classes[code]: size for code, size in wanted.items()}))
    assert (taken(at, need=need) is not None) == finds_room


@pytest.mark.parametrize(("largest", "finds_room"), [(400, True), (401, False)])
def test_a_volume_needs_one_pool(at: datetime, largest: int, *, finds_room: bool) -> None:
    offered = catalogue()
    room(offered.cloud, at=at, vcpus=64)
    pool(offered.cloud, "lvm@a#0", free=300)
    pool(offered.cloud, "lvm@b#0", free=400)
    ssd = offered.storage_classes["ssd"]
    need = Need(storage=Counter({ssd: 650}), largest={ssd: largest})
    assert (taken(at, need=need) is not None) == finds_room


def test_what_is_promised_of_a_class_that_may_be_anywhere_does_not_fill_one_back_end(at: datetime) -> None:
    offered = catalogue()
    row = room(offered.cloud, at=at, vcpus=64)
    CloudCapacity.objects.filter(pk=row.pk).update(backends={"ssd": "flash"})
    pool(offered.cloud, "ceph@flash#0", free=100)
    pool(offered.cloud, "ceph@disks#0", free=900)
    operation(at, "disk").steps.update(kind="volume", desired_state={"storage_class": "sas", "size_gb": 600})
    ssd, sas = (offered.storage_classes[code] for code in ("ssd", "sas"))
    assert taken(at, need=Need(storage=Counter({ssd: 100}))) == offered.cloud
    assert taken(at, need=Need(storage=Counter({sas: 401}))) is None


def test_what_is_promised_of_another_class_on_the_same_pools_is_not_given_twice(at: datetime) -> None:
    offered = catalogue()
    row = room(offered.cloud, at=at, vcpus=64)
    CloudCapacity.objects.filter(pk=row.pk).update(backends={"ssd": "flash", "sas": "flash"})
    pool(offered.cloud, "ceph@flash#0", free=100)
    need = Need(storage=Counter({offered.storage_classes["ssd"]: 61}))
    assert taken(at, need=need) == offered.cloud
    operation(at, "disk").steps.update(kind="volume", desired_state={"storage_class": "sas", "size_gb": 40})
    assert taken(at, need=need) is None


def test_figures_that_are_old_stop_nothing(at: datetime) -> None:
    offered = catalogue()
    need = Need(flavors=Counter({offered.flavors["g.4c16g"]: 1}))
    room(offered.cloud, at=at - capacity.FRESH, vcpus=1)
    assert taken(at, need=need) == offered.cloud


def test_new_servers_join_the_systems_others_in_their_availability_zone(at: datetime) -> None:
    server = whole_server(system=SystemFactory())
    cloud = server.resource.cloud
    ZoneFactory(cloud=cloud, zone=NetworkZone.PRIVATE)
    AvailabilityZoneFactory(cloud=cloud, code="a")
    second = AvailabilityZoneFactory(cloud=cloud, code="b")
    server.resource.availability_zone = second
    server.resource.save()
    decision = placement.decide(system=server.resource.system, where=PRIVATE, need=Need(), at=at)
    assert decision.taken is not None
    assert decision.taken.facts.part == second


def test_the_reason_names_the_network_that_is_there(at: datetime) -> None:
    server = whole_server(system=SystemFactory())
    network = server.resource
    decision = placement.decide(
        system=network.system, where=Where(zone="private", network=network.pk), need=Need(), at=at
    )
    assert decision.taken is not None
    assert (decision.taken.verdict, decision.taken.subject) == ("network_there", network.name)


def test_what_can_be_had_is_what_a_cloud_in_question_has_a_name_for(
    django_assert_num_queries: CaptureQueriesContext,
) -> None:
    offered = catalogue()
    flavor = offered.flavors["g.4c16g"]
    CloudFlavor.objects.filter(flavor=flavor).delete()
    system = SystemFactory()
    with django_assert_num_queries(1):
        here = placement.availability(system=system, where=PRIVATE)
    assert here is not None
    assert here.clouds == {offered.cloud.pk}
    assert not here.has(flavor)
    assert here.has(offered.flavors["g.2c4g"])
    assert here.has(offered.storage_classes["ssd"])
    assert here.has(offered.images["debian-12"])
    assert here.has(offered.offerings["network"])  # nothing that clouds have a name for
    assert here.servers_on_a_network == 53


def test_the_largest_network_there_decides_how_many_servers_can_be_on_one() -> None:
    for code, prefix in (("a", 26), ("b", 25), ("c", 28)):
        cloud_with(code, NetworkZone.PUBLIC).zones.update(network_prefix=prefix)
    ZoneFactory(cloud=cloud_with("d", NetworkZone.PRIVATE), zone=NetworkZone.INTERNET, network_prefix=20)
    here = placement.availability(system=SystemFactory(), where=Where(zone=NetworkZone.PUBLIC))
    assert here is not None
    assert here.servers_on_a_network == 126 - 9


def test_a_zone_or_a_level_that_no_cloud_takes_cannot_be_ordered() -> None:
    cloud = cloud_with("a", NetworkZone.PUBLIC)
    assert placement.availability(system=SystemFactory(), where=Where(zone=NetworkZone.INTERNET)) is None
    assert placement.availability(system=SystemFactory(), where=Where(zone=NetworkZone.PUBLIC)) is not None
    AvailabilityZoneFactory(cloud=cloud, mlps_level=1)
    assert placement.availability(system=SystemFactory(), where=Where(zone=NetworkZone.PUBLIC)) is None
