"""Limits: each service refuses in its own way, and every way means the same to us."""

import pytest

from govcloud.gateways.openstack import Cloud, errors, models
from tests.openstack.laboratory import FLAVOR, VOLUME_TYPE, Laboratory


def test_limits_that_were_set_are_the_limits_that_hold(empty_project: Laboratory, operator: Cloud) -> None:
    project_id = empty_project.project.id
    operator.quotas.set_compute(project_id, {"cores": 7, "ram": 8192, "instances": 0})
    operator.quotas.set_volume(project_id, {"gigabytes": 11, f"gigabytes_{VOLUME_TYPE}": 5})
    operator.quotas.set_network(project_id, {"floatingip": 3, "port": None})

    assert operator.quotas.compute(project_id)["cores"] == models.QuotaUse(limit=7, used=0)
    assert operator.quotas.compute(project_id)["instances"].limit == 0
    assert operator.quotas.volume(project_id)["gigabytes"].limit == 11
    assert operator.quotas.volume(project_id)[f"gigabytes_{VOLUME_TYPE}"].limit == 5
    assert operator.quotas.network(project_id)["floatingip"].limit == 3
    assert operator.quotas.network(project_id)["port"].limit is None


def test_a_member_reads_the_limits_and_cannot_set_them(empty_project: Laboratory) -> None:
    project_id, quotas = empty_project.project.id, empty_project.cloud.quotas
    assert "cores" in quotas.compute(project_id)
    assert "gigabytes" in quotas.volume(project_id)
    assert "port" in quotas.network(project_id)
    with pytest.raises(errors.Refused):
        quotas.set_compute(project_id, {"cores": 1000})
    with pytest.raises(errors.Refused):
        quotas.set_volume(project_id, {"gigabytes": 1000})
    with pytest.raises(errors.Refused):
        quotas.set_network(project_id, {"port": 1000})


def test_use_counts_against_the_limits(laboratory: Laboratory, server: models.Server, cloud: Cloud) -> None:
    project_id = laboratory.project.id
    assert cloud.quotas.compute(project_id)["cores"].used >= laboratory.flavors[FLAVOR].vcpus
    assert cloud.quotas.volume(project_id)["gigabytes"].used >= 1
    assert cloud.quotas.network(project_id)["port"].used >= 1


def test_a_volume_beyond_the_limit_is_over_quota(empty_project: Laboratory, operator: Cloud) -> None:
    operator.quotas.set_volume(empty_project.project.id, {"gigabytes": 1})
    with pytest.raises(errors.OverQuota) as refusal:
        empty_project.volume(size_gib=2)
    assert (refusal.value.service, refusal.value.status) == ("block-storage", 413)
    assert empty_project.cloud.volumes.find_volumes() == []


def test_an_extension_beyond_the_limit_is_over_quota(empty_project: Laboratory, operator: Cloud) -> None:
    operator.quotas.set_volume(empty_project.project.id, {"gigabytes": 2})
    volume = empty_project.volume()
    with pytest.raises(errors.OverQuota):
        empty_project.cloud.volumes.extend_volume(volume.id, size_gib=3)
    assert empty_project.cloud.volumes.get_volume(volume.id).size_gib == 1


def test_a_backup_beyond_the_limit_is_over_quota(empty_project: Laboratory, operator: Cloud) -> None:
    volume = empty_project.volume()
    operator.quotas.set_volume(empty_project.project.id, {"backups": 0})
    with pytest.raises(errors.OverQuota):
        empty_project.cloud.backups.create_backup(volume_id=volume.id, name="one too many")


def test_a_network_beyond_the_limit_is_over_quota(empty_project: Laboratory, operator: Cloud) -> None:
    operator.quotas.set_network(empty_project.project.id, {"network": 0})
    with pytest.raises(errors.OverQuota) as refusal:
        empty_project.cloud.network.create_network(name="one too many")
    assert (refusal.value.status, refusal.value.code) == (409, "OverQuota")


def test_limits_below_what_is_in_use_are_taken_by_nova_alone(
    laboratory: Laboratory, operator: Cloud, server: models.Server
) -> None:
    project_id = laboratory.project.id
    before = operator.quotas.compute(project_id)["cores"].limit
    operator.quotas.set_compute(project_id, {"cores": 0})
    assert operator.quotas.compute(project_id)["cores"].used >= 1
    operator.quotas.set_compute(project_id, {"cores": before})
    with pytest.raises(errors.Refused):
        operator.quotas.set_volume(project_id, {"gigabytes": 0})
    with pytest.raises(errors.Refused):
        operator.quotas.set_network(project_id, {"port": 0})
    assert server.volume_ids
    assert operator.quotas.network(project_id)["port"].limit != 0


def test_a_server_beyond_the_limit_is_over_quota_and_leaves_its_volume_free(
    empty_project: Laboratory, operator: Cloud
) -> None:
    operator.quotas.set_compute(empty_project.project.id, {"cores": 0})
    volume, port = empty_project.volume(image_id=empty_project.image.id), empty_project.port()
    with pytest.raises(errors.OverQuota) as refusal:
        empty_project.request_server(volume_id=volume.id, port_id=port.id)
    assert (refusal.value.service, refusal.value.status) == ("compute", 403)
    assert empty_project.cloud.compute.find_servers() == []
    assert empty_project.cloud.volumes.get_volume(volume.id).status == "available"
