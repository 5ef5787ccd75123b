"""A volume that the cloud could not delete: Cinder takes no second request before an operator has put its status right."""

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from govcloud.gateways.openstack import errors
from govcloud.gateways.openstack.models import Volume
from govcloud.provisioning.kinds.compute import VolumeKind
from tests.unit.gateways.test_openstack_models import VOLUME

if TYPE_CHECKING:
    from govcloud.provisioning.context import Context


class Cinder:
    """One volume; its statuses that can be deleted are those of the real one."""

    def __init__(self, status: str) -> None:
        self.volume: Volume = replace(VOLUME, status=status)

    def get_volume(self, _id: str) -> Volume:
        return self.volume

    def reset_status(self, _id: str, *, status: str) -> None:
        self.volume = replace(self.volume, status=status)

    def delete_volume(self, _id: str) -> None:
        if self.volume.status not in {
            "available",
            "error",
            "error_restoring",
            "error_extending",
            "error_managing",
        }:
            raise errors.Conflict(
                "Invalid volume: Volume status must be available", service="block-storage", status=400
            )
        self.reset_status(_id, status="deleting")


@pytest.mark.parametrize(
    "status", ["available", "error", "error_deleting", "error_extending", "error_restoring"]
)
def test_a_deletion_that_failed_is_asked_for_again(status: str) -> None:
    cinder = Cinder(status)
    cloud = SimpleNamespace(volumes=cinder)
    VolumeKind().remove(cast("Context", SimpleNamespace(project=cloud, cloud=cloud)), "v")
    assert cinder.volume.status == "deleting"
