"""What `POST /volumes/{id}/action` does."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.errors import bad_request, conflict, not_found
from govcloud.sandbox.store import Row
from govcloud.sandbox.timeline import transition
from govcloud.sandbox.volume import quota
from govcloud.sandbox.volume.volumes import found, start_deletion
from govcloud.sandbox.web import Answer, Body, Call, Routes

routes = Routes("volume", "/volume/v3/<project_id>", "/volume/v3")
_EXTEND_IN_USE = (3, 42)


@routes("POST", "/volumes/<id>/action", status=202)
def act(call: Call) -> Answer:
    """Carry out the one action named in the body."""
    row = found(call, call.args["id"])
    name, arguments = next(iter(call.json.items()), ("", None))
    action = _ACTIONS.get(name)
    if action is None:
        raise bad_request(f"There is no such action: {name}")
    return action(call, row, arguments or {})


def _extend(call: Call, row: Row, asked: Body) -> Answer:
    size = int(asked.get("new_size", 0))
    if size <= row["size"]:
        raise bad_request(
            "Invalid input received: New size for extend must be greater than current size. "
            f"(current: {row['size']}, extended: {size})."
        )
    attached = row["status"] == "in-use" and call.version >= _EXTEND_IN_USE
    expected = {"status": "in-use"} if attached else {"status": "available"}
    if row["status"] != expected["status"]:
        raise bad_request(
            f"Invalid volume: Volume {row['id']} status must be '{expected}' to extend, currently {row['status']}."
        )
    quota.check_extension(
        call.cloud, row["project_id"], size=size, more=size - row["size"], volume_type=row["volume_type"]
    )
    previous = row["status"]
    call.cloud.change("volume", row, at=call.now, status="extending")
    if call.outcome != "stuck":
        call.cloud.timeline.schedule(
            "volume.extended",
            call.now,
            seconds=call.cloud.timing.volume_seconds,
            volume_id=row["id"],
            size=size,
            status="error_extending" if call.outcome == "build_error" else previous,
        )
    return Answer(202)


@transition("volume.extended")
def _extended(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    row = cloud.store.get("volume", args["volume_id"])
    if row is None:
        return
    if args["status"] == "error_extending":
        cloud.change("volume", row, at=at, status=args["status"])
        return
    cloud.change("volume", row, at=at, status=args["status"], size=args["size"])
    cloud.guests.extend(row["id"], row["size"])


def _reset_status(call: Call, row: Row, asked: Body) -> Answer:
    call.require_admin("volume_extension:volume_admin_actions:reset_status")
    call.cloud.change("volume", row, at=call.now, status=asked.get("status", row["status"]))
    if asked.get("attach_status") == "detached":
        for attachment in call.cloud.store.find("attachment", volume_id=row["id"]):
            call.cloud.store.delete("attachment", attachment["id"])
    return Answer(202)


def _set_bootable(call: Call, row: Row, asked: Body) -> Answer:
    call.cloud.change("volume", row, at=call.now, bootable=bool(asked.get("bootable")))
    return Answer(200)


def _set_image_metadata(call: Call, row: Row, asked: Body) -> Answer:
    merged = row["image_metadata"] | asked.get("metadata", {})
    call.cloud.change("volume", row, at=call.now, image_metadata=merged)
    return Answer(200, {"metadata": merged})


def _retype(call: Call, row: Row, asked: Body) -> Answer:
    """Another type: as each type has a pool of its own, the data move, which the caller must have allowed.

    With snapshots the real one accepts it, fails in its back end and leaves the volume ``retyping`` for ever.
    """
    wanted = _type(call, str(asked.get("new_type")))
    if row["status"] not in {"available", "in-use"} or wanted["id"] == row["volume_type_id"]:
        raise bad_request(
            "Invalid volume: Retype needs volume to be in available or in-use state, not be part of an active migration or "
            "a consistency group, requested type has to be different that the one from the volume, and for in-use volumes "
            "front-end qos specs cannot change."
        )
    previous = row["status"]
    call.cloud.change("volume", row, at=call.now, status="retyping")
    if call.outcome != "stuck" and not call.cloud.store.find("snapshot", volume_id=row["id"]):
        moves = call.outcome != "build_error" and asked.get("migration_policy") == "on-demand"
        kept = {key: row[key] for key in ("volume_type", "volume_type_id")}
        call.cloud.timeline.schedule(
            "volume.retyped",
            call.now,
            seconds=call.cloud.timing.volume_seconds,
            volume_id=row["id"],
            columns={"volume_type": wanted["name"], "volume_type_id": wanted["id"]} if moves else kept,
            status=previous,
        )
    return Answer(202)


def _type(call: Call, wanted: str) -> Row:
    for row in call.cloud.store.find("volume_type"):
        if wanted in {row["id"], row["name"]}:
            return row
    raise not_found(f"Volume type with name {wanted} could not be found.")


@transition("volume.retyped")
def _retyped(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    row = cloud.store.get("volume", args["volume_id"])
    if row is not None:
        cloud.change("volume", row, at=at, status=args["status"], **args["columns"])


def _revert(call: Call, row: Row, asked: Body) -> Answer:
    """Back to the newest snapshot, in place; nobody may have the volume meanwhile."""
    snapshot = call.cloud.store.get("snapshot", str(asked.get("snapshot_id")))
    newest = max(call.cloud.store.find("snapshot", volume_id=row["id"]), key=_age, default=None)
    if snapshot is None or newest is None or snapshot["id"] != newest["id"]:
        raise bad_request(
            f"Specified snapshot {asked.get('snapshot_id')} is None or not the latest one of volume {row['id']}."
        )
    if row["size"] != snapshot["size"]:
        raise bad_request(
            f"Can't revert volume {row['id']} to its latest snapshot {snapshot['id']}. The volume size must be equal to the "
            "snapshot size."
        )
    if row["status"] != "available" or snapshot["status"] != "available":
        raise conflict(
            f"Invalid volume: Can't revert volume {row['id']} to its latest snapshot {snapshot['id']}. Volume's status must "
            "be 'available'."
        )
    call.cloud.change("volume", row, at=call.now, status="reverting")
    call.cloud.change("snapshot", snapshot, at=call.now, status="restoring")
    if call.outcome != "stuck":
        call.cloud.timeline.schedule(
            "volume.reverted",
            call.now,
            seconds=call.cloud.timing.volume_seconds,
            volume_id=row["id"],
            snapshot_id=snapshot["id"],
            status="error" if call.outcome == "build_error" else "available",
        )
    return Answer(202)


def _age(row: Row) -> str:
    return str(row["created_at"])


@transition("volume.reverted")
def _reverted(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    row, snapshot = (
        cloud.store.get("volume", args["volume_id"]),
        cloud.store.get("snapshot", args["snapshot_id"]),
    )
    if row is None or snapshot is None:
        return
    if args["status"] == "available":
        cloud.guests.copy(("snapshot", snapshot["id"]), ("volume", row["id"]))
    cloud.change("volume", row, at=at, status=args["status"])
    cloud.change("snapshot", snapshot, at=at, status="available")


def _force_delete(call: Call, row: Row, _asked: Body) -> Answer:
    call.require_admin("volume_extension:volume_admin_actions:force_delete")
    start_deletion(call, row, force=True, cascade=True)
    return Answer(202)


_ACTIONS: dict[str, Callable[[Call, Row, Body], Answer]] = {
    "os-extend": _extend,
    "os-reset_status": _reset_status,
    "os-set_bootable": _set_bootable,
    "os-set_image_metadata": _set_image_metadata,
    "os-retype": _retype,
    "revert": _revert,
    "os-force_delete": _force_delete,
}
