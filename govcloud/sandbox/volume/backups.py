"""Backups: full and incremental, with the parent the cloud itself picks; restores into new or given volumes."""

from datetime import datetime
from typing import Any

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.errors import ApiError, bad_request, not_found
from govcloud.sandbox.store import Row
from govcloud.sandbox.timeline import transition
from govcloud.sandbox.volume import quota, volumes
from govcloud.sandbox.web import Answer, Body, Call, Routes, newest_first, page, stamp

routes = Routes("volume", "/volume/v3/<project_id>", "/volume/v3")
_GREW = "Volume size increased since the last backup. Do a full backup."


def _missing(backup_id: str) -> ApiError:
    return not_found(f"Backup {backup_id} could not be found.")


def _found(call: Call) -> Row:
    row = call.cloud.store.get("backup", call.args["id"])
    if row is None or not call.sees(row):
        raise _missing(call.args["id"])
    return row


def _links(call: Call, row: Row) -> list[Body]:
    return [{"rel": "self", "href": call.link(f"/volume/v3/{row['project_id']}/backups/{row['id']}")}]


def _view(call: Call, row: Row) -> Body:
    shown: Body = {
        key: row[key]
        for key in (
            "id", "status", "size", "name", "description", "fail_reason", "volume_id", "is_incremental", "snapshot_id",
            "availability_zone",
        )
    }  # fmt: skip
    shown |= {
        "object_count": row["size"] if row["status"] == "available" else 0,
        "container": row["container"],
        "created_at": stamp(row["created_at"], form="micro"),
        "updated_at": stamp(row["updated_at"], form="micro"),
        "data_timestamp": stamp(row["data_timestamp"], form="micro"),
        "has_dependent_backups": bool(call.cloud.store.find("backup", parent_id=row["id"])),
        "links": _links(call, row),
        "os-backup-project-attr:project_id": row["project_id"],
    }
    if call.version >= (3, 43):
        shown["metadata"] = row["metadata"]
    if call.version >= (3, 56):
        shown["user_id"] = row["user_id"]
    return shown


def _list(call: Call) -> tuple[list[Row], list[Body]]:
    rows = volumes.visible(call, "backup")
    for key in ("name", "status", "volume_id"):
        if (value := call.query(key)) is not None:
            rows = [row for row in rows if row[key] == value]
    return page(call, newest_first(rows), path=call.request.path, missing=_missing)


@routes("GET", "/backups")
def list_backups(call: Call) -> Body:
    rows, links = _list(call)
    body: Body = {"backups": [{"id": r["id"], "name": r["name"], "links": _links(call, r)} for r in rows]}
    return body | ({"backups_links": links} if links else {})


@routes("GET", "/backups/detail")
def list_backups_detail(call: Call) -> Body:
    rows, links = _list(call)
    body: Body = {"backups": [_view(call, row) for row in rows]}
    return body | ({"backups_links": links} if links else {})


@routes("POST", "/backups", status=202)
def create_backup(call: Call) -> Body:
    """Accept a backup; the volume is `backing-up` meanwhile."""
    asked = call.part("backup")
    volume = volumes.found(call, asked.get("volume_id", ""))
    snapshot = _snapshot(call, asked, volume)
    _check_source(volume, snapshot, force=bool(asked.get("force")))
    quota.check_backup(call.cloud, call.project, size=volume["size"])
    parent = _parent(call, volume, snapshot) if asked.get("incremental") else None
    moment = call.now.isoformat(timespec="microseconds")
    row = call.cloud.new(
        "backup",
        {
            "project_id": call.project,
            "user_id": call.caller.user_id,
            "volume_id": volume["id"],
            "snapshot_id": snapshot["id"] if snapshot else None,
            "parent_id": parent["id"] if parent else None,
            "is_incremental": parent is not None,
            "name": asked.get("name"),
            "description": asked.get("description"),
            "container": asked.get("container") or "volumebackups",
            "availability_zone": asked.get("availability_zone") or "nova",
            "metadata": asked.get("metadata") or {},
            "size": volume["size"],
            "status": "creating",
            "fail_reason": None,
            "data_timestamp": snapshot["created_at"] if snapshot else moment,
        },
        at=call.now,
    )
    _start(call, row, volume, parent)
    return {"backup": {"id": row["id"], "name": row["name"], "links": _links(call, row)}}


def _snapshot(call: Call, asked: Body, volume: Row) -> Row | None:
    if not asked.get("snapshot_id"):
        return None
    row = call.cloud.store.get("snapshot", asked["snapshot_id"])
    if row is None or row["volume_id"] != volume["id"]:
        raise not_found(f"Snapshot {asked['snapshot_id']} could not be found.")
    return row


def _check_source(volume: Row, snapshot: Row | None, *, force: bool) -> None:
    if snapshot is not None:
        if snapshot["status"] != "available":
            raise bad_request(
                "Invalid snapshot: Snapshot to be backed up must be available, "
                f'but the current status is "{snapshot["status"]}".'
            )
    elif volume["status"] not in {"available", "in-use"}:
        raise bad_request(
            "Invalid volume: Volume to be backed up must be available or in-use, "
            f'but the current status is "{volume["status"]}".'
        )
    elif volume["status"] == "in-use" and not force:
        raise bad_request("Invalid volume: Backing up an in-use volume must use the force flag.")


def _parent(call: Call, volume: Row, snapshot: Row | None) -> Row:
    """The latest available backup of the volume (older than the snapshot, if one is backed up)."""
    candidates = [
        row
        for row in call.cloud.store.find("backup", volume_id=volume["id"], project_id=call.project)
        if row["status"] == "available"
        and (snapshot is None or row["data_timestamp"] < snapshot["created_at"])
    ]
    if not candidates:
        raise bad_request("Invalid backup: No backups available to do an incremental backup.")
    return max(candidates, key=lambda row: row["data_timestamp"])


def _start(call: Call, row: Row, volume: Row, parent: Row | None) -> None:
    previous = volume["status"]
    if row["snapshot_id"] is None:
        call.cloud.change("volume", volume, at=call.now, status="backing-up")
    if call.outcome == "stuck":
        return
    reason = call.outcome_message or "Injected fault." if call.outcome == "build_error" else None
    if parent is not None and volume["size"] > parent["size"]:
        reason = _GREW
    call.cloud.timeline.schedule(
        "backup.ready",
        call.now,
        seconds=call.cloud.timing.backup_seconds,
        backup_id=row["id"],
        volume_status=previous,
        fail_reason=reason,
    )


@transition("backup.ready")
def _ready(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    row = cloud.store.get("backup", args["backup_id"])
    if row is None:
        return
    volume = cloud.store.get("volume", row["volume_id"])
    if volume is not None and volume["status"] == "backing-up":
        cloud.change("volume", volume, at=at, status=args["volume_status"])
    if args["fail_reason"]:
        cloud.change("backup", row, at=at, status="error", fail_reason=args["fail_reason"])
        return
    source = ("snapshot", row["snapshot_id"]) if row["snapshot_id"] else ("volume", row["volume_id"])
    cloud.guests.copy(source, ("backup", row["id"]))
    described = {
        "bootable": volume["bootable"] if volume else False,
        "image_metadata": volume["image_metadata"] if volume else {},
    }
    cloud.change("backup", row, at=at, status="available", **described)


@routes("GET", "/backups/<id>")
def show_backup(call: Call) -> Body:
    return {"backup": _view(call, _found(call))}


@routes("PUT", "/backups/<id>")
def update_backup(call: Call) -> Body:
    row, asked = _found(call), call.part("backup")
    columns = {key: asked[key] for key in ("name", "description", "metadata") if key in asked}
    call.cloud.change("backup", row, at=call.now, **columns)
    return {"backup": {"id": row["id"], "name": row["name"], "links": _links(call, row)}}


@routes("DELETE", "/backups/<id>", status=202)
def delete_backup(call: Call) -> Answer:
    _start_deletion(call, _found(call), force=False)
    return Answer(202)


def _start_deletion(call: Call, row: Row, *, force: bool) -> None:
    if not force and row["status"] not in {"available", "error"}:
        raise bad_request("Invalid backup: Backup status must be available or error")
    if call.cloud.store.find("backup", parent_id=row["id"]):
        raise bad_request("Invalid backup: Incremental backups exist for this backup.")
    call.cloud.change("backup", row, at=call.now, status="deleting")
    if call.outcome != "stuck":
        seconds = call.cloud.timing.backup_seconds
        call.cloud.timeline.schedule("backup.gone", call.now, seconds=seconds, backup_id=row["id"])


@transition("backup.gone")
def _gone(cloud: Cloud, _at: datetime, args: dict[str, Any]) -> None:
    cloud.guests.disks.remove(("backup", args["backup_id"]))
    cloud.store.delete("backup", args["backup_id"])


@routes("POST", "/backups/<id>/restore", status=202)
def restore(call: Call) -> Body:
    """Start a restore into the volume named, or into a new one of the backup's size."""
    row, asked = _found(call), call.json.get("restore") or {}
    if row["status"] != "available":
        raise bad_request("Invalid backup: Backup status must be available")
    if asked.get("volume_id"):
        volume = volumes.found(call, asked["volume_id"])
        if volume["status"] != "available":
            raise bad_request("Invalid volume: Volume to be restored to must be available")
    else:
        wanted = {
            "size": row["size"],
            "name": asked.get("name") or f"restore_backup_{row['id']}",
            "description": "auto-created_from_restore_from_backup",
        }
        volume = volumes.create(call, wanted, project_id=call.project)
    if row["size"] > volume["size"]:
        raise bad_request(
            f"Invalid volume: volume size {volume['size']} is too small to restore backup of size {row['size']}."
        )
    call.cloud.change("backup", row, at=call.now, status="restoring")
    call.cloud.change("volume", volume, at=call.now, status="restoring-backup")
    if call.outcome != "stuck":
        call.cloud.timeline.schedule(
            "backup.restored",
            call.now,
            seconds=call.cloud.timing.backup_seconds,
            backup_id=row["id"],
            volume_id=volume["id"],
            failed=call.outcome == "build_error",
        )
    return {"restore": {"backup_id": row["id"], "volume_id": volume["id"], "volume_name": volume["name"]}}


@transition("backup.restored")
def _restored(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    row, volume = cloud.store.get("backup", args["backup_id"]), cloud.store.get("volume", args["volume_id"])
    if row is not None:
        cloud.change("backup", row, at=at, status="available")
    if volume is None or row is None:
        return
    if args["failed"]:
        cloud.change("volume", volume, at=at, status="error_restoring")
        return
    cloud.guests.copy(("backup", row["id"]), ("volume", volume["id"]))
    bootable = volume["bootable"] or row.get("bootable", False)
    image_metadata = volume["image_metadata"] or row.get("image_metadata", {})
    cloud.change(
        "volume",
        volume,
        at=at,
        status="available",
        bootable=bootable,
        image_metadata=image_metadata,
        metadata=volume["metadata"] | _source_told(row, volume),
    )


def _source_told(row: Row, volume: Row) -> dict[str, str]:
    """Cinder says of a volume which backup was written over it, but for one of its own when it says of no other."""
    own = row["volume_id"] == volume["id"]
    return {} if own and not volume["metadata"].get("src_backup_id") else {"src_backup_id": row["id"]}


@routes("POST", "/backups/<id>/action", status=202)
def act(call: Call) -> Answer:
    row = _found(call)
    name, asked = next(iter(call.json.items()), ("", None))
    call.require_admin(f"volume_extension:backup_admin_actions:{name}")
    if name == "os-force_delete":
        _start_deletion(call, row, force=True)
    elif name == "os-reset_status":
        call.cloud.change("backup", row, at=call.now, status=(asked or {}).get("status", row["status"]))
    else:
        raise bad_request(f"There is no such action: {name}")
    return Answer(202)
