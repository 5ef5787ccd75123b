"""Registering, changing, enabling, disabling and retiring clouds."""

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from govcloud.audit.models import Event
from govcloud.audit.services import SystemActor
from govcloud.catalog.models import Cloud, CloudFlavor
from govcloud.clouds import names, services
from govcloud.clouds.services import AvailabilityZoneDraft, NetworkZoneDraft
from govcloud.errors import Invalids
from govcloud.inventory.models import Resource
from govcloud.lifecycle import WrongState
from govcloud.provisioning.models import Operation, OperationKind, Step
from tests.api.house import recovery_point
from tests.factories.catalog import (
    CloudFactory,
    CloudStorageClassFactory,
    FlavorFactory,
    ImageFactory,
    ZoneFactory,
)
from tests.factories.clouds import AvailabilityZoneFactory, signed_in_with
from tests.factories.inventory import whole_server
from tests.unit.provisioning.scripted import operation

pytestmark = pytest.mark.django_db

BY = SystemActor("tests")
PRIVATE = NetworkZoneDraft(zone="private", address_pool="10.20.0.0/16")


@pytest.fixture(autouse=True)
def clouds_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text("clouds: {east: {auth: {auth_url: 'http://127.0.0.1:1'}}}\n")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))


def registered(at: datetime, **particulars: Any) -> Cloud:
    given = {
        "code": "east",
        "name": "东区云",
        "site": "main",
        "profile": "east",
        "zones": [PRIVATE],
        **particulars,
    }
    return services.register(**given, actor=BY, at=at)


def test_a_cloud_is_entered_disabled_with_its_zones(at: datetime) -> None:
    zone = AvailabilityZoneDraft(code="a", name="A区", compute_zone="nova")
    cloud = registered(at, availability_zones=[zone], mlps_level=2)
    assert (cloud.status, cloud.mlps_level) == ("disabled", 2)
    assert [zone.zone for zone in cloud.zones.all()] == ["private"]
    assert cloud.availability_zones.get().compute_zone == "nova"
    event = Event.objects.get(verb="cloud.registered")
    assert (event.after["code"], event.after["zones"]) == ("east", {"private": "10.20.0.0/16"})


def test_a_code_is_taken_once(at: datetime) -> None:
    registered(at)
    with pytest.raises(services.CloudCodeTaken):
        registered(at)


def test_everything_that_is_wrong_is_told_at_once(at: datetime) -> None:
    with pytest.raises(Invalids) as refusal:
        registered(
            at, profile="nowhere", mlps_level=6, management_cidr="all of it",
            zones=[
                PRIVATE,
                PRIVATE,
                NetworkZoneDraft(zone="public", address_pool="10.0.0.0/28"),
                NetworkZoneDraft(zone="internet", address_pool="10.9.0.0/16", network_prefix=29),
            ],
            availability_zones=[AvailabilityZoneDraft(code="a", name="a", mlps_level=0)],
        )  # fmt: skip
    told = {(error.code, error.pointers[0]) for error in refusal.value.errors}
    assert told == {
        ("unknown-profile", "/profile"),
        ("mlps-level-out-of-range", "/mlps_level"),
        ("mlps-level-out-of-range", "/availability_zones/0/mlps_level"),
        ("bad-address-range", "/management_cidr"),
        ("bad-address-range", "/zones/2/address_pool"),
        ("named-twice", "/zones/1"),
        ("network-too-small", "/zones/3/network_prefix"),
    }
    assert not Cloud.objects.exists()


def test_what_is_named_is_changed_and_the_rest_stays(at: datetime) -> None:
    cloud = registered(at, backup_zone="dr")
    changed = services.change(cloud=cloud, changes={"name": "新名"}, expected_version=1, actor=BY, at=at)
    assert (changed.name, changed.backup_zone, changed.version) == ("新名", "dr", 2)
    assert changed.zones.count() == 1
    event = Event.objects.get(verb="cloud.changed")
    assert (event.before["name"], event.after["name"]) == ("东区云", "新名")
    with pytest.raises(services.CloudChanged):
        services.change(cloud=cloud, changes={}, expected_version=1, actor=BY, at=at)


def test_a_profile_and_stored_credentials_exclude_each_other(at: datetime) -> None:
    cloud = signed_in_with(registered(at), at=at)
    with pytest.raises(services.ProfileAndCredentials):
        services.change(
            cloud=cloud, changes={"profile": "east"}, expected_version=cloud.version, actor=BY, at=at
        )


def test_zones_in_which_something_stands_cannot_be_left_out(at: datetime) -> None:
    server = whole_server()
    cloud, zone = server.resource.cloud, server.resource.zone
    ZoneFactory(cloud=cloud, zone=zone)
    part = AvailabilityZoneFactory(cloud=cloud)
    server.resource.availability_zone = part
    server.resource.save()
    for left_out, code in (("zones", zone), ("availability_zones", part.code)):
        empty: dict[str, Any] = {left_out: []}
        with pytest.raises(services.ZoneInUse) as refused:
            services.change(cloud=cloud, changes={}, **empty, expected_version=1, actor=BY, at=at)
        assert (refused.value.pointers, refused.value.params["code"]) == ((f"/{left_out}",), code)


def test_a_part_in_which_nothing_stands_any_more_can_be_left_out_and_comes_back(at: datetime) -> None:
    """What once stood there, and the orders that put it there, still tell where that was."""
    server = whole_server()
    cloud, part = server.resource.cloud, AvailabilityZoneFactory(cloud=server.resource.cloud)
    Resource.objects.filter(pk=server.resource.pk).update(
        availability_zone=part, status="released", released_at=at
    )
    working = Operation.objects.create(
        kind=OperationKind.DELIVER, reason="", system=server.resource.system, cloud=cloud, created_at=at
    )
    Step.objects.create(
        operation=working, position=0, key="k", kind="server", label="s", unit=uuid4(),
        desired_state={"availability_zone": part.code},
    )  # fmt: skip
    with pytest.raises(services.ZoneInUse):
        services.change(cloud=cloud, changes={}, availability_zones=[], expected_version=1, actor=BY, at=at)
    Operation.objects.filter(pk=working.pk).update(finished_at=at)
    cloud = services.change(
        cloud=cloud, changes={}, availability_zones=[], expected_version=1, actor=BY, at=at
    )
    assert not cloud.availability_zones.exists()
    assert Resource.objects.get(pk=server.resource.pk).availability_zone == part
    again = services.AvailabilityZoneDraft(code=part.code, name="new", mlps_level=2)
    cloud = services.change(
        cloud=cloud, changes={}, availability_zones=[again], expected_version=2, actor=BY, at=at
    )
    assert [(each.pk, each.name) for each in cloud.availability_zones.all()] == [(part.pk, "new")]


def test_a_cloud_without_a_way_in_is_not_enabled(at: datetime) -> None:
    cloud = registered(at, profile="")
    with pytest.raises(services.NoWayIn):
        services.enable(cloud=cloud, actor=BY, at=at)
    services.enable(cloud=signed_in_with(cloud, at=at), actor=BY, at=at)
    services.disable(cloud=Cloud.objects.get(), reason="no more room", actor=BY, at=at)
    verbs = Event.objects.filter(verb__in=["cloud.enabled", "cloud.disabled"]).order_by("pk")
    assert [(event.verb, event.reason) for event in verbs] == [
        ("cloud.enabled", ""), ("cloud.disabled", "no more room"),
    ]  # fmt: skip


def test_a_cloud_that_holds_something_is_not_retired(at: datetime) -> None:
    server = whole_server()
    cloud = server.resource.cloud
    with pytest.raises(services.CloudNotEmpty) as refusal:
        services.retire(cloud=cloud, reason="old", actor=BY, at=at)
    assert refusal.value.params == {"resources": cloud.resources.count(), "backups": 0, "operations": 0}


def test_backups_of_what_is_gone_keep_a_cloud_from_being_retired(at: datetime) -> None:
    volume = whole_server().volumes.first()
    point = recovery_point(volume)
    cloud = volume.resource.cloud
    cloud.resources.update(status="released", released_at=at)
    cloud.operations.update(finished_at=at)
    with pytest.raises(services.CloudNotEmpty) as refusal:
        services.retire(cloud=cloud, reason="old", actor=BY, at=at)
    assert refusal.value.params == {"resources": 0, "backups": 1, "operations": 0}
    point.expired_at = at
    point.save()
    assert services.retire(cloud=cloud, reason="old", actor=BY, at=at).status == "retired"


def test_nothing_about_a_retired_cloud_changes(at: datetime) -> None:
    cloud = services.retire(cloud=registered(at), reason="old", actor=BY, at=at)
    with pytest.raises(services.CloudRetired):
        services.change(cloud=cloud, changes={}, expected_version=cloud.version, actor=BY, at=at)
    with pytest.raises(WrongState, match="final"):
        services.enable(cloud=cloud, actor=BY, at=at)


def test_names_replace_those_of_their_kind_and_unknown_codes_are_told(at: datetime) -> None:
    cloud = CloudFactory()
    for flavor in (FlavorFactory(), FlavorFactory(vcpus=2, memory_gb=4)):
        CloudFlavor.objects.create(cloud=cloud, flavor=flavor, cloud_name="old")
    ImageFactory()
    given = {"flavors": {"g.4c16g": "m1.large"}, "images": {"debian-12": "Debian 12"}}
    names.set_names(cloud=cloud, names=given, expected_version=1, actor=BY, at=at)
    assert names.names_of(cloud) == {**given, "storage_classes": {}}
    with pytest.raises(Invalids) as refusal:
        names.set_names(cloud=cloud, names={"flavors": {"none": "x"}}, expected_version=2, actor=BY, at=at)
    assert [error.pointers for error in refusal.value.errors] == [("/flavors/none",)]


def test_a_name_that_an_operation_under_way_builds_by_is_not_taken_away(at: datetime) -> None:
    started = operation(at, "a", "b")
    cloud, flavor = started.cloud, FlavorFactory()
    CloudFlavor.objects.create(cloud=cloud, flavor=flavor, cloud_name="m1.large")
    Step.objects.filter(operation=started, label="a").update(desired_state={"flavor": None})
    Step.objects.filter(operation=started, label="b").update(desired_state={"flavor": flavor.code})
    taken = {"flavors": dict[str, str](), "images": dict[str, str]()}

    def take_away() -> Cloud:
        return names.set_names(cloud=cloud, names=taken, expected_version=1, actor=BY, at=at)

    with pytest.raises(names.NamesInUse, match=flavor.code) as refusal:
        take_away()
    assert refusal.value.pointers == (f"/flavors/{flavor.code}",)
    Operation.objects.filter(pk=started.pk).update(status="done", finished_at=at)
    assert names.names_of(take_away())["flavors"] == {}


def test_how_data_are_wiped_is_declared_by_storage_class(at: datetime) -> None:
    row = CloudStorageClassFactory()
    code, cloud = row.storage_class.code, row.cloud
    names.set_names(cloud=cloud, names={}, wiping={code: "overwritten"}, expected_version=1, actor=BY, at=at)
    assert names.declared(cloud)["wiping"] == {code: "overwritten"}
    assert Event.objects.get(verb="cloud.names_changed").after["wiping"] == {code: "overwritten"}
    renamed = {"storage_classes": {code: "fast"}}
    names.set_names(cloud=cloud, names=renamed, expected_version=2, actor=BY, at=at)
    assert names.declared(cloud) == {**names.names_of(cloud), "wiping": {code: "overwritten"}}
    with pytest.raises(Invalids) as refusal:
        names.set_names(
            cloud=cloud, names={}, wiping={"none": "unmapped"}, expected_version=3, actor=BY, at=at
        )
    assert [error.pointers for error in refusal.value.errors] == [("/wiping/none",)]
