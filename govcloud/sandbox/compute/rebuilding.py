"""Rebuild: an image written anew onto the disk that a server boots from.

On a volume this takes microversion 2.93: the volume is let go of, reserved again, written (`downloading` to Cinder) and
attached. The server comes back as it was, running or stopped.
"""

from datetime import datetime
from typing import Any

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.compute import history
from govcloud.sandbox.compute.keypairs import find_keypair
from govcloud.sandbox.compute.states import fail, require
from govcloud.sandbox.compute.tasks import alive, begin
from govcloud.sandbox.compute.views import detail
from govcloud.sandbox.errors import bad_request
from govcloud.sandbox.store import Row
from govcloud.sandbox.timeline import transition
from govcloud.sandbox.volume.volumes import image_metadata
from govcloud.sandbox.web import Answer, Body, Call

_REIMAGE = (2, 93)
_KEY = (2, 54)


def rebuild(call: Call, row: Row, asked: Body) -> Answer:
    """Start to rebuild. The answer shows the server, with the administrator's password that Nova makes up."""
    require(row, "rebuild", vm_states={"active", "stopped", "error"})
    image = call.cloud.store.get("image", str(asked.get("imageRef", "")))
    if image is None:
        raise bad_request("Cannot find image for rebuild")
    key = _key(call, asked)
    boot = _boot_disk(call.cloud, row)
    if boot is not None and call.version < _REIMAGE and boot[1]["image_metadata"]["image_id"] != image["id"]:
        raise bad_request("Unable to rebuild with a different image for a volume-backed server.")
    columns = {key: asked[key] for key in ("name", "metadata", "description") if asked.get(key)}
    columns |= key
    if row["image_id"]:
        columns["image_id"] = image["id"]
    call.cloud.change("server", row, at=call.now, **columns)
    written = boot is None or call.version >= _REIMAGE
    refused = written and boot is not None and "error" in boot[1]["status"]  # by Cinder, once it is under way
    if boot is not None and written and not refused:
        attachment, volume = boot
        call.cloud.change("attachment", attachment, at=call.now, status="reserved")
        call.cloud.change("volume", volume, at=call.now, status="reserved")
    too_small = boot is not None and image["min_disk"] > boot[1]["size"]
    failing = call.outcome == "build_error" or refused or too_small
    then = "server.rebuild_failed" if failing else "server.rebuilt"
    begin(call, row, "rebuilding", then, image_id=image["id"], written=written)
    return Answer(202, {"server": detail(call, row) | {"adminPass": row["id"].replace("-", "")[:12]}})


def _key(call: Call, asked: Body) -> Body:
    """What changes of the server's key: nothing unless the request names one, or none (null)."""
    if "key_name" not in asked:
        return {}
    if call.version < _KEY:
        raise bad_request(
            "Invalid input for field/attribute rebuild. Additional properties are not allowed ('key_name' was unexpected)"
        )
    if asked["key_name"] is None:
        return {"key_name": None, "public_key": None}
    keypair = find_keypair(call, str(asked["key_name"]))
    if keypair is None:
        raise bad_request("Invalid key_name provided.")
    return {"key_name": keypair["name"], "public_key": keypair["public_key"]}


def _boot_disk(cloud: Cloud, row: Row) -> tuple[Row, Row] | None:
    """The attachment and the volume that the server boots from, if it does."""
    for attachment in cloud.store.find("attachment", server_id=row["id"]):
        volume = cloud.store.get("volume", attachment["volume_id"])
        if attachment["device"] == "/dev/vda" and volume is not None:
            return attachment, volume
    return None


@transition("server.rebuilt")
def _rebuilt(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    row = alive(cloud, args, at)
    if row is None:
        return
    cloud.guests.stop(row["id"])
    boot, image = _boot_disk(cloud, row), cloud.store.get("image", args["image_id"])
    if args["written"]:
        cloud.guests.disks.remove(("volume", boot[1]["id"]) if boot else ("server", row["id"]))
    if boot is not None and image is not None:
        attachment, volume = boot
        cloud.change("attachment", attachment, at=at, status="attached")
        cloud.change("volume", volume, at=at, status="in-use", image_metadata=image_metadata(image))
    vm_state = "active" if row["vm_state"] == "error" else row["vm_state"]
    power_state = {"active": 1, "stopped": 4}[vm_state]
    cloud.change(
        "server", row, at=at, vm_state=vm_state, task_state=None, power_state=power_state, fault=None
    )


@transition("server.rebuild_failed")
def _rebuild_failed(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    """The server ends in ERROR and its volume with it: an operator has to put both right."""
    row = cloud.store.get("server", args["server_id"])
    if row is None or row["deleted"] or row["task_state"] == "deleting":
        return
    if boot := _boot_disk(cloud, row):
        cloud.change("volume", boot[1], at=at, status="error")
    fail(
        cloud, row, f"Build of instance {row['id']} aborted: Failed to rebuild volume backed instance.", at=at
    )
    history.finish(cloud, args["action_id"], at=at, failed=True)
