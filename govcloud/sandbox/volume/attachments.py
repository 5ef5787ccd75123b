"""Attachments: who has reserved or attached a volume. A reservation is the lock that makes a server from it unique."""

from datetime import datetime

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.errors import bad_request, conflict, not_found
from govcloud.sandbox.store import Row
from govcloud.sandbox.volume.volumes import found, visible
from govcloud.sandbox.web import Answer, Body, Call, Routes, stamp

routes = Routes("volume", "/volume/v3/<project_id>", "/volume/v3")


def reserve(cloud: Cloud, volume: Row, *, server_id: str, at: datetime) -> Row:
    """Reserve a volume for a server, atomically: of several who ask, one wins.

    Raises:
        ApiError: 400 when the volume is not available, in Cinder's words.

    """
    status = volume["status"]
    if "error" in status:
        raise bad_request(
            "Invalid volume: Volume attachments can not be created if the volume is in an error state. "
            f"The Volume {volume['id']} currently has a status of: {status} "
        )
    if status not in {"available", "downloading"}:
        raise bad_request(
            f"Invalid volume: Volume {volume['id']} status must be available or downloading to reserve, "
            f"but the current status is {status}."
        )
    cloud.change("volume", volume, at=at, status="reserved")
    columns = {
        "project_id": volume["project_id"],
        "volume_id": volume["id"],
        "server_id": server_id,
        "status": "reserved",
        "device": None,
        "attached_at": None,
        "delete_on_termination": False,
        "tag": None,
    }
    return cloud.new("attachment", columns, at=at)


def complete(cloud: Cloud, attachment: Row, *, device: str, at: datetime) -> None:
    """The volume is in the server now."""
    moment = at.isoformat(timespec="microseconds")
    cloud.change("attachment", attachment, at=at, status="attached", device=device, attached_at=moment)
    volume = cloud.store.get("volume", attachment["volume_id"])
    if volume is not None:
        cloud.change("volume", volume, at=at, status="in-use")


def release(cloud: Cloud, attachment: Row, *, at: datetime) -> None:
    """The volume is free again."""
    cloud.store.delete("attachment", attachment["id"])
    volume = cloud.store.get("volume", attachment["volume_id"])
    if volume is not None and volume["status"] in {"reserved", "attaching", "in-use", "detaching"}:
        cloud.change("volume", volume, at=at, status="available")


def _summary(row: Row) -> Body:
    return {
        "id": row["id"],
        "status": row["status"],
        "instance": row["server_id"],
        "volume_id": row["volume_id"],
    }


def _detail(row: Row) -> Body:
    return _summary(row) | {
        "attached_at": stamp(row["attached_at"], form="micro") or "",
        "detached_at": "",
        "attach_mode": "rw" if row["status"] == "attached" else None,
        "connection_info": {},
    }


def _list(call: Call) -> list[Row]:
    rows = visible(call, "attachment")
    for key, column in (("volume_id", "volume_id"), ("instance_id", "server_id"), ("status", "status")):
        if (value := call.query(key)) is not None:
            rows = [row for row in rows if row[column] == value]
    return rows


@routes("GET", "/attachments")
def list_attachments(call: Call) -> Body:
    return {"attachments": [_summary(row) for row in _list(call)]}


@routes("GET", "/attachments/detail")
def list_attachments_detail(call: Call) -> Body:
    return {"attachments": [_detail(row) for row in _list(call)]}


def _found(call: Call) -> Row:
    row = call.cloud.store.get("attachment", call.args["id"])
    if row is None or not call.sees(row):
        raise not_found(
            f"Volume attachment could not be found with filter: attachment_id = {call.args['id']}."
        )
    return row


@routes("GET", "/attachments/<id>")
def show_attachment(call: Call) -> Body:
    return {"attachment": _detail(_found(call))}


@routes("POST", "/attachments")
def create_attachment(call: Call) -> Body:
    """Reserve a volume by hand."""
    asked = call.part("attachment")
    volume = found(call, asked.get("volume_uuid", ""))
    return {
        "attachment": _detail(
            reserve(call.cloud, volume, server_id=asked.get("instance_uuid", ""), at=call.now)
        )
    }


@routes("DELETE", "/attachments/<id>")
def delete_attachment(call: Call) -> Answer:
    """Drop a reservation; what a server really uses only the server lets go of."""
    row = _found(call)
    if row["status"] == "attached":
        raise conflict(f"Detach volume from instance {row['server_id']} using the Compute API")
    release(call.cloud, row, at=call.now)
    return Answer(200, {"attachments": []})
