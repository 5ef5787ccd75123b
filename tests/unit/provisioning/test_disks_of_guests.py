"""Which disks a playbook is told of, and what a start does not wait for."""

from datetime import datetime

import pytest

from govcloud.gateways.openstack import errors
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, Volume
from govcloud.provisioning.context import Context
from govcloud.provisioning.kinds.base import Skipped
from govcloud.provisioning.kinds.guests import ConfigureKind, GrowKind
from govcloud.provisioning.models import Step
from tests.factories.inventory import VolumeFactory, whole_server

pytestmark = pytest.mark.django_db


def context_of(*volumes: Volume, at: datetime) -> Context:
    server = volumes[0].server
    assert server is not None
    units = [str(volume.resource.unit) for volume in volumes]
    step = Step(desired_state={"server": str(server.resource.unit), "volumes": units, "may_be_skipped": True})
    return Context(step=step, at=at, clock=lambda: at)


@pytest.mark.parametrize("status", [Status.RELEASING, Status.RELEASED])
def test_a_volume_that_is_released_meanwhile_is_not_mounted_again_and_not_missed(
    at: datetime, status: Status
) -> None:
    server = whole_server()
    stays, goes = (VolumeFactory(server=server, label=label) for label in ("stays", "goes"))
    context = context_of(stays, goes, at=at)

    def told(state: str) -> list[str]:
        return [disk["label"] for disk in ConfigureKind().data_disks(context, state)]

    assert told("mounted") == ["stays", "goes"]
    released_at = at if status == Status.RELEASED else None
    Resource.objects.filter(pk=goes.pk).update(status=status, released_at=released_at)
    assert told("mounted") == ["stays"]
    assert told("unmounted") == ["stays", "goes"], "its own release lets go of it"


def test_a_start_does_not_wait_for_a_guest_that_nobody_knows_how_to_enter(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_args: object) -> None:
        raise errors.Misconfigured("the cloud has no active image", service="image")

    monkeypatch.setattr(ConfigureKind, "create", unknown)
    context = context_of(VolumeFactory(server=whole_server()), at=at)
    assert isinstance(GrowKind().create(context), Skipped)
