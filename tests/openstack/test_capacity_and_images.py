"""What the whole cloud holds, and images."""

import io
import uuid
from dataclasses import replace
from typing import Any

import pytest

from govcloud.gateways.openstack import Cloud, errors, models
from tests.openstack.laboratory import FLAVOR, IMAGE, Laboratory, gone


def test_operators_read_the_capacity(operator: Cloud, server: models.Server) -> None:
    capacity = operator.capacity.compute(within=60)
    shared = [host["VCPU"] for host in capacity.hosts if "VCPU" in host]
    assert sum(free for free, _at_most in shared) == capacity.vcpus_total - capacity.vcpus_used
    assert all(0 <= at_most <= free for host in capacity.hosts for free, at_most in host.values())
    assert 0 < capacity.vcpus_used < capacity.vcpus_total
    assert 0 < capacity.memory_mib_used < capacity.memory_mib_total


def test_a_server_takes_of_its_hypervisor_what_its_flavor_says(
    operator: Cloud, laboratory: Laboratory, server: models.Server
) -> None:
    told = operator._transport.get("placement", f"/allocations/{server.id}", microversion="1.20")
    (held,) = told["allocations"].values()
    takes = laboratory.flavors[FLAVOR].takes
    assert {name: held["resources"].get(name) for name in takes} == takes
    assert set(held["resources"]) - set(takes) <= {"DISK_GB"}


def test_a_flavor_tells_that_its_servers_take_dedicated_vcpus(
    operator: Cloud, laboratory: Laboratory
) -> None:
    def ask(method: str, path: str, body: dict[str, object] | None = None) -> dict[str, Any]:
        return operator._transport.send("compute", method, path, json=body).body

    wanted = {"name": laboratory.unique("pinned"), "vcpus": 2, "ram": 512, "disk": 0}
    made = ask("POST", "/flavors", {"flavor": wanted})["flavor"]
    try:
        ask("POST", f"/flavors/{made['id']}/os-extra_specs", {"extra_specs": {"hw:cpu_policy": "dedicated"}})
        found = {flavor.name: flavor.takes for flavor in operator.compute.flavors()}
        assert found[wanted["name"]] == {"PCPU": 2, "MEMORY_MB": 512}
    finally:
        ask("DELETE", f"/flavors/{made['id']}")


def test_operators_read_the_storage_pools(operator: Cloud) -> None:
    pools = operator.capacity.pools()
    assert pools
    assert all(pool.name and (pool.total_gib is None or pool.total_gib > 0) for pool in pools)


def test_members_do_not_read_the_capacity(cloud: Cloud) -> None:
    with pytest.raises(errors.Refused):
        cloud.capacity.compute(within=60)
    with pytest.raises(errors.Refused):
        cloud.capacity.pools()


def test_an_image_says_whom_to_sign_in_as(cloud: Cloud) -> None:
    image = cloud.images.find_image(IMAGE)
    assert image is not None
    assert image.phase is models.Phase.SETTLED
    assert image.properties["os_admin_user"]
    assert image.properties["govcloud_guest"] in {"full", "no-block-devices", "none"}
    assert cloud.images.find_image("no such image") is None


def test_an_image_is_registered_once_under_the_id_we_chose(laboratory: Laboratory, cloud: Cloud) -> None:
    image_id, name = str(uuid.uuid4()), laboratory.unique("image")
    made = cloud.images.create_image(
        image_id=image_id,
        name=name,
        disk_format="raw",
        min_disk_gib=1,
        properties={"os_admin_user": "tester"},
    )
    assert (made.id, made.phase) == (image_id, models.Phase.MOVING)
    with pytest.raises(errors.Conflict):
        cloud.images.create_image(image_id=image_id, name=name, disk_format="raw")

    cloud.images.upload_image(image_id, data=io.BytesIO(bytes(4096)))
    image = cloud.images.get_image(image_id)
    assert (image.status, image.size_bytes, image.min_disk_gib) == ("active", 4096, 1)
    assert image.properties["os_admin_user"] == "tester"
    with pytest.raises(errors.Conflict):
        cloud.images.upload_image(image_id, data=io.BytesIO(b"again"))
    assert cloud.images.find_image(name) == image
    cloud.images.delete_image(image_id)
    gone(lambda: cloud.images.get_image(image_id))


def test_operators_see_flavors_and_volume_types_as_projects_do(operator: Cloud, cloud: Cloud) -> None:
    assert {flavor.name: flavor for flavor in operator.compute.flavors()} == {
        flavor.name: flavor for flavor in cloud.compute.flavors()
    }
    theirs = {kind.name: kind for kind in operator.volumes.volume_types()}
    for kind in cloud.volumes.volume_types():
        assert kind == replace(theirs[kind.name], backend=""), (
            "where its volumes are is not a project's to know"
        )


def test_operators_are_told_on_which_pools_a_volume_types_volumes_are(operator: Cloud) -> None:
    backends = {kind.backend for kind in operator.volumes.volume_types() if kind.backend}
    assert backends
    assert backends <= {pool.backend for pool in operator.capacity.pools()}
