"""What the whole cloud holds, and images."""

import io
import uuid
from dataclasses import replace

import pytest

from govcloud.gateways.openstack import Cloud, errors, models
from tests.openstack.laboratory import IMAGE, Laboratory, gone


def test_operators_read_the_capacity(operator: Cloud, server: models.Server) -> None:
    capacity = operator.capacity.compute(within=60)
    assert sum(host.vcpus_free for host in capacity.hosts) == capacity.vcpus_total - capacity.vcpus_used
    assert all(0 <= host.vcpus_at_most <= host.vcpus_free for host in capacity.hosts)
    assert all(0 <= host.memory_mib_at_most <= host.memory_mib_free for host in capacity.hosts)
    assert 0 < capacity.vcpus_used < capacity.vcpus_total
    assert 0 < capacity.memory_mib_used < capacity.memory_mib_total


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
