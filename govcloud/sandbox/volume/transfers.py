"""Volumes handed to another project, with their snapshots: offered by one, taken by whoever is told the key."""

import secrets

from govcloud.sandbox.errors import bad_request, not_found
from govcloud.sandbox.store import Row
from govcloud.sandbox.volume import quota
from govcloud.sandbox.volume.volumes import found as found_volume
from govcloud.sandbox.web import Answer, Body, Call, Routes, stamp

routes = Routes("volume", "/volume/v3/<project_id>", "/volume/v3")


def _found(call: Call) -> Row:
    row = call.cloud.store.get("transfer", call.args["id"])
    if row is None:
        raise not_found(f"Transfer {call.args['id']} could not be found.")
    return row


def _view(row: Row) -> Body:
    shown = {key: row[key] for key in ("id", "name", "volume_id")}
    return shown | {"created_at": stamp(row["created_at"], form="micro"), "links": []}


@routes("POST", "/os-volume-transfer", status=202)
def offer(call: Call) -> Body:
    asked = call.part("transfer")
    volume = found_volume(call, asked.get("volume_id", ""))
    if volume["status"] != "available":
        raise bad_request("Invalid volume: status must be available")
    key = secrets.token_hex(8)
    row = call.cloud.new(
        "transfer", {"volume_id": volume["id"], "name": asked.get("name"), "auth_key": key}, at=call.now
    )
    call.cloud.change("volume", volume, at=call.now, status="awaiting-transfer")
    return {"transfer": _view(row) | {"auth_key": key}}


@routes("GET", "/os-volume-transfer/<id>")
def show(call: Call) -> Body:
    return {"transfer": _view(_found(call))}


@routes("POST", "/os-volume-transfer/<id>/accept", status=202)
def accept(call: Call) -> Body:
    """The volume and its snapshots belong to the caller's project from now on."""
    row = _found(call)
    if call.part("accept").get("auth_key") != row["auth_key"]:
        raise bad_request(f"Invalid auth key: Attempt to transfer {row['id']} with invalid auth key.")
    volume = call.cloud.store.get("volume", row["volume_id"])
    if volume is None or volume["status"] != "awaiting-transfer":
        raise bad_request(f"Invalid volume: Volume {row['volume_id']} is not awaiting a transfer.")
    quota.check_volume(call.cloud, call.project, size=volume["size"], volume_type=volume["volume_type"])
    owner = {"project_id": call.project, "user_id": call.caller.user_id}
    call.cloud.change("volume", volume, at=call.now, status="available", **owner)
    for snapshot in call.cloud.store.find("snapshot", volume_id=volume["id"]):
        call.cloud.change("snapshot", snapshot, at=call.now, **owner)
    call.cloud.store.delete("transfer", row["id"])
    return {"transfer": {key: row[key] for key in ("id", "name", "volume_id")}}


@routes("DELETE", "/os-volume-transfer/<id>", status=202)
def withdraw(call: Call) -> Answer:
    row = _found(call)
    volume = found_volume(call, row["volume_id"])
    call.cloud.change("volume", volume, at=call.now, status="available")
    call.cloud.store.delete("transfer", row["id"])
    return Answer(202)
