"""Volumes attached to and detached from a server, through Nova."""

from datetime import datetime
from typing import Any

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.compute import history
from govcloud.sandbox.compute.building import next_device, told_by_cinder
from govcloud.sandbox.compute.servers import found
from govcloud.sandbox.compute.states import require
from govcloud.sandbox.errors import ApiError, bad_request, not_found
from govcloud.sandbox.reception import plug_of
from govcloud.sandbox.store import Row
from govcloud.sandbox.timeline import transition
from govcloud.sandbox.volume import attachments
from govcloud.sandbox.web import Answer, Body, Call, Routes

routes = Routes("compute", "/compute/v2.1")
_ATTACHABLE = {"active", "paused", "stopped", "resized", "suspended"}


def _view(call: Call, row: Row) -> Body:
    shown: Body = {"serverId": row["server_id"], "volumeId": row["volume_id"], "device": row["device"]}
    if call.version < (2, 89):
        shown["id"] = row["volume_id"]
    else:
        shown |= {"attachment_id": row["id"], "bdm_uuid": row["id"]}
    if call.version >= (2, 70):
        shown["tag"] = row["tag"]
    if call.version >= (2, 79):
        shown["delete_on_termination"] = row["delete_on_termination"]
    return shown


def _of(call: Call, server: Row, volume_id: str) -> Row:
    for row in call.cloud.store.find("attachment", server_id=server["id"], volume_id=volume_id):
        return row
    raise not_found(f"Instance {server['id']} is not attached to volume {volume_id}")


@routes("GET", "/servers/<id>/os-volume_attachments")
def list_attachments(call: Call) -> Body:
    server = found(call, call.args["id"])
    rows = call.cloud.store.find("attachment", server_id=server["id"])
    start, limit = int(call.query("offset") or 0), int(call.query("limit") or 1000)
    return {"volumeAttachments": [_view(call, row) for row in rows[start : start + limit]]}


@routes("GET", "/servers/<id>/os-volume_attachments/<volume>")
def show_attachment(call: Call) -> Body:
    server = found(call, call.args["id"])
    return {"volumeAttachment": _view(call, _of(call, server, call.args["volume"]))}


@routes("POST", "/servers/<id>/os-volume_attachments")
def attach(call: Call) -> Body:
    """Reserve the volume at once, attach it a little later."""
    server, asked = found(call, call.args["id"]), call.part("volumeAttachment")
    require(server, "attach_volume", vm_states=_ATTACHABLE)
    volume = call.cloud.store.get("volume", str(asked.get("volumeId")))
    if volume is None or not call.sees(volume):
        raise not_found(f"Volume {asked.get('volumeId')} could not be found.")
    try:
        row = attachments.reserve(call.cloud, volume, server_id=server["id"], at=call.now)
    except ApiError as error:
        raise told_by_cinder(error, call.request_id) from error
    kept = {
        "device": asked.get("device") or next_device(call.cloud, server),
        "delete_on_termination": bool(asked.get("delete_on_termination")),
        "tag": asked.get("tag"),
    }
    call.cloud.change("attachment", row, at=call.now, **kept)
    call.cloud.change("volume", volume, at=call.now, status="attaching")
    action_id = history.record(call, server, "attach_volume")
    if call.outcome != "stuck":
        seconds = call.cloud.timing.attach_seconds
        name = "volume.attach_failed" if call.outcome == "build_error" else "volume.attached"
        call.cloud.timeline.schedule(
            name, call.now, seconds=seconds, attachment_id=row["id"], action_id=action_id
        )
    return {"volumeAttachment": _view(call, row)}


@transition("volume.attached")
def _attached(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    history.finish(cloud, args["action_id"], at=at)
    row = cloud.store.get("attachment", args["attachment_id"])
    if row is not None:
        attachments.complete(cloud, row, device=row["device"], at=at)
        if plug := plug_of(cloud, row):
            cloud.guests.attach(row["server_id"], plug)


@transition("volume.attach_failed")
def _attach_failed(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    history.finish(cloud, args["action_id"], at=at, failed=True)
    row = cloud.store.get("attachment", args["attachment_id"])
    if row is not None:
        attachments.release(cloud, row, at=at)


@routes("PUT", "/servers/<id>/os-volume_attachments/<volume>", status=202)
def update(call: Call) -> Answer:
    """Change what happens to the volume at the server's end (2.85)."""
    row = _of(call, found(call, call.args["id"]), call.args["volume"])
    asked = call.part("volumeAttachment")
    if "delete_on_termination" not in asked:
        raise bad_request("Invalid input for field/attribute volumeAttachment.")
    call.cloud.change(
        "attachment", row, at=call.now, delete_on_termination=bool(asked["delete_on_termination"])
    )
    return Answer(202)


@routes("DELETE", "/servers/<id>/os-volume_attachments/<volume>", status=202)
def detach(call: Call) -> Answer:
    """Start to detach; the root volume stays."""
    server = found(call, call.args["id"])
    require(server, "detach_volume", vm_states=_ATTACHABLE)
    row = _of(call, server, call.args["volume"])
    if row["device"] == "/dev/vda":
        raise bad_request("Cannot detach a root device volume")
    volume = call.cloud.store.get("volume", row["volume_id"])
    if volume is None or volume["status"] != "in-use":
        status = volume["status"] if volume else "gone"
        raise bad_request(
            f"Invalid volume: Invalid input received: Invalid volume: Unable to detach volume. Volume status must be "
            f"'in-use' and attach_status must be 'attached' to detach. Current status is {status}."
        )
    call.cloud.change("volume", volume, at=call.now, status="detaching")
    action_id = history.record(call, server, "detach_volume")
    if call.outcome != "stuck":
        seconds = call.cloud.timing.attach_seconds
        args = {"attachment_id": row["id"], "action_id": action_id}
        call.cloud.timeline.schedule("volume.detached", call.now, seconds=seconds, **args)
    return Answer(202)


@transition("volume.detached")
def _detached(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    history.finish(cloud, args["action_id"], at=at)
    row = cloud.store.get("attachment", args["attachment_id"])
    if row is not None:
        if plug := plug_of(cloud, row):
            cloud.guests.detach(row["server_id"], plug)
        attachments.release(cloud, row, at=at)
