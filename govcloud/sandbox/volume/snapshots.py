"""Snapshots of volumes."""

from datetime import datetime
from typing import Any

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.errors import ApiError, bad_request, not_found
from govcloud.sandbox.store import Row
from govcloud.sandbox.timeline import transition
from govcloud.sandbox.volume import quota
from govcloud.sandbox.volume.volumes import found as found_volume
from govcloud.sandbox.volume.volumes import visible
from govcloud.sandbox.web import Answer, Body, Call, Routes, newest_first, page, stamp

routes = Routes("volume", "/volume/v3/<project_id>", "/volume/v3")
_IN_USE_WITHOUT_FORCE = (3, 66)
_VOLUME_LETS_GO = {"available", "in-use", "backing-up", "deleting", "downloading"}


def _missing(snapshot_id: str) -> ApiError:
    return not_found(f"Snapshot {snapshot_id} could not be found.")


def _found(call: Call) -> Row:
    row = call.cloud.store.get("snapshot", call.args["id"])
    if row is None or not call.sees(row):
        raise _missing(call.args["id"])
    return row


def _view(row: Row) -> Body:
    shown = {
        key: row[key] for key in ("id", "name", "description", "volume_id", "status", "size", "metadata")
    }
    return shown | {
        "created_at": stamp(row["created_at"], form="micro"),
        "updated_at": stamp(row["updated_at"], form="micro"),
        "group_snapshot_id": None,
        "user_id": row["user_id"],
        "consumes_quota": True,
        "os-extended-snapshot-attributes:project_id": row["project_id"],
        "os-extended-snapshot-attributes:progress": "100%" if row["status"] == "available" else "0%",
    }


@routes("GET", "/snapshots")
@routes("GET", "/snapshots/detail")
def list_snapshots(call: Call) -> Body:
    rows = visible(call, "snapshot")
    for key in ("name", "status", "volume_id"):
        if (value := call.query(key)) is not None:
            rows = [row for row in rows if row[key] == value]
    chosen, links = page(call, newest_first(rows), path=call.request.path, missing=_missing)
    body: Body = {"snapshots": [_view(row) for row in chosen]}
    return body | ({"snapshots_links": links} if links else {})


@routes("POST", "/snapshots", status=202)
def create_snapshot(call: Call) -> Body:
    asked = call.part("snapshot")
    volume = found_volume(call, asked.get("volume_id", ""))
    allowed = (
        {"available", "in-use"}
        if asked.get("force") or call.version >= _IN_USE_WITHOUT_FORCE
        else {"available"}
    )
    if "error" in volume["status"]:
        raise bad_request(
            f"Invalid volume: The snapshot cannot be created when the volume is in {volume['status']} status."
        )
    if volume["status"] not in allowed:
        raise bad_request(
            f"Invalid volume: Volume {volume['id']} status must be {' or '.join(sorted(allowed))}, "
            f"but current status is: {volume['status']}."
        )
    quota.check_snapshot(
        call.cloud, volume["project_id"], size=volume["size"], volume_type=volume["volume_type"]
    )
    kept = {key: volume[key] for key in ("project_id", "size", "volume_type", "bootable", "image_metadata")}
    row = call.cloud.new(
        "snapshot",
        {
            **kept,
            "user_id": call.caller.user_id,
            "volume_id": volume["id"],
            "name": asked.get("name"),
            "description": asked.get("description"),
            "metadata": asked.get("metadata") or {},
            "status": "creating",
        },
        at=call.now,
    )
    if call.outcome != "stuck":
        status = "error" if call.outcome == "build_error" else "available"
        seconds = call.cloud.timing.volume_seconds
        call.cloud.timeline.schedule(
            "snapshot.ready", call.now, seconds=seconds, snapshot_id=row["id"], status=status
        )
    return {"snapshot": _view(row)}


@transition("snapshot.ready")
def _ready(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    row = cloud.store.get("snapshot", args["snapshot_id"])
    if row is not None:
        cloud.guests.copy(("volume", row["volume_id"]), ("snapshot", row["id"]))
        cloud.change("snapshot", row, at=at, status=args["status"])


@routes("GET", "/snapshots/<id>")
def show_snapshot(call: Call) -> Body:
    return {"snapshot": _view(_found(call))}


@routes("PUT", "/snapshots/<id>")
def update_snapshot(call: Call) -> Body:
    asked = call.part("snapshot")
    columns = {key: asked[key] for key in ("name", "description") if key in asked}
    return {"snapshot": _view(call.cloud.change("snapshot", _found(call), at=call.now, **columns))}


@routes("DELETE", "/snapshots/<id>", status=202)
def delete_snapshot(call: Call) -> Answer:
    """Start its deletion, which the back end refuses afterwards while the volume itself is being worked on."""
    row = _found(call)
    if row["status"] not in {"available", "error"}:
        raise bad_request(
            "Invalid snapshot: Snapshot status must be available or error, "
            f"but current status is {row['status']}."
        )
    volume = call.cloud.store.get("volume", row["volume_id"])
    busy = volume is not None and volume["status"] not in _VOLUME_LETS_GO
    call.cloud.change("snapshot", row, at=call.now, status="error_deleting" if busy else "deleting")
    if not busy and call.outcome != "stuck":
        seconds = call.cloud.timing.volume_seconds
        call.cloud.timeline.schedule("snapshot.gone", call.now, seconds=seconds, snapshot_id=row["id"])
    return Answer(202)


@routes("POST", "/snapshots/<id>/action", status=202)
def act(call: Call) -> Answer:
    """An operator puts a status right that tells of a failed request."""
    row, asked = _found(call), call.part("os-reset_status")
    call.require_admin("volume_extension:snapshot_admin_actions:reset_status")
    call.cloud.change("snapshot", row, at=call.now, status=asked.get("status", row["status"]))
    return Answer(202)


@transition("snapshot.gone")
def _gone(cloud: Cloud, _at: datetime, args: dict[str, Any]) -> None:
    cloud.guests.disks.remove(("snapshot", args["snapshot_id"]))
    cloud.store.delete("snapshot", args["snapshot_id"])
