"""What the clouds' words mean for somebody who waits."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from govcloud.gateways.openstack.models import Image, Phase, QuotaUse, Server, Volume, moment

VOLUME = Volume(
    id="v",
    project_id="p",
    name="",
    status="available",
    size_gib=1,
    volume_type="ssd",
    bootable=False,
    zone="nova",
    metadata={},
    attached_to={},
    created_at=None,
)
SERVER = Server(
    id="s",
    name="",
    status="ACTIVE",
    task_state=None,
    power_state=1,
    flavor_id="f",
    zone="nova",
    addresses={},
    volume_ids=(),
    key_name=None,
    tags=frozenset(),
    metadata={},
    fault=None,
    created_at=None,
    launched_at=None,
)
IMAGE = Image(
    id="i",
    name="",
    status="active",
    visibility="public",
    disk_format="raw",
    size_bytes=1,
    min_disk_gib=1,
    min_memory_mib=0,
    properties={},
)


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("available", Phase.SETTLED),
        ("in-use", Phase.SETTLED),
        ("creating", Phase.MOVING),
        ("reserved", Phase.MOVING),
        ("attaching", Phase.MOVING),
        ("extending", Phase.MOVING),
        ("restoring-backup", Phase.MOVING),
        ("error", Phase.FAILED),
        ("error_deleting", Phase.FAILED),
        ("error_restoring", Phase.FAILED),
        ("error_extending", Phase.FAILED),
        ("a word of a later release", Phase.MOVING),
    ],
)
def test_a_volume_that_failed_in_any_way_is_not_waited_for(status: str, phase: Phase) -> None:
    assert replace(VOLUME, status=status).phase is phase


@pytest.mark.parametrize(
    ("status", "task", "phase"),
    [
        ("BUILD", "scheduling", Phase.MOVING),
        ("ACTIVE", None, Phase.SETTLED),
        ("ACTIVE", "powering-off", Phase.MOVING),
        ("ACTIVE", "deleting", Phase.MOVING),
        ("SHUTOFF", None, Phase.SETTLED),
        ("RESIZE", "resize_prep", Phase.MOVING),
        ("VERIFY_RESIZE", None, Phase.SETTLED),
        ("UNKNOWN", None, Phase.MOVING),
        ("ERROR", None, Phase.FAILED),
        ("ERROR", "deleting", Phase.FAILED),
        ("DELETED", None, Phase.GONE),
        ("SOFT_DELETED", None, Phase.GONE),
    ],
)
def test_a_server_with_a_task_moves_whatever_its_status_says(
    status: str, task: str | None, phase: Phase
) -> None:
    assert replace(SERVER, status=status, task_state=task).phase is phase


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("queued", Phase.MOVING),
        ("saving", Phase.MOVING),
        ("importing", Phase.MOVING),
        ("active", Phase.SETTLED),
        ("killed", Phase.FAILED),
        ("pending_delete", Phase.GONE),
    ],
)
def test_an_image_without_data_moves(status: str, phase: Phase) -> None:
    assert replace(IMAGE, status=status).phase is phase


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T09:30:00Z",
        "2026-11-22T09:30:00.000000",
        "2026-11-22T17:30:00+08:00",
        "2026-11-22T09:30:00",
    ],
)
def test_every_services_time_stamp_is_read_as_the_same_moment(text: str) -> None:
    assert moment(text) == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def test_no_time_stamp_is_no_moment() -> None:
    assert moment(None) is None
    assert moment("") is None


@pytest.mark.parametrize(
    ("use", "free"),
    [
        (QuotaUse(limit=10, used=3, reserved=2), 5),
        (QuotaUse(limit=10, used=12), 0),  # the limit was lowered under what is used
        (QuotaUse(limit=0, used=0), 0),
        (QuotaUse(limit=None, used=500), None),
    ],
)
def test_what_is_free_is_never_negative_and_no_limit_is_not_zero(use: QuotaUse, free: int | None) -> None:
    assert use.free == free
