"""Volumes: created empty, from an image, a snapshot or another volume; extended, deleted, described."""

import ast
import json
import operator as comparisons
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.errors import ApiError, bad_request, not_found
from govcloud.sandbox.store import Row
from govcloud.sandbox.timeline import transition
from govcloud.sandbox.volume import quota
from govcloud.sandbox.web import Answer, Body, Call, Routes, newest_first, page, stamp

routes = Routes("volume", "/volume/v3/<project_id>", "/volume/v3")
_COMPARISONS: Mapping[str, Callable[[datetime, datetime], bool]] = {
    "gt": comparisons.gt, "gte": comparisons.ge, "lt": comparisons.lt, "lte": comparisons.le,
    "eq": comparisons.eq, "neq": comparisons.ne,
}  # fmt: skip
_DELETABLE = ("available", "error", "error_restoring", "error_extending", "error_managing")


def missing(volume_id: str) -> ApiError:
    """Cinder's 404 for a volume."""
    return not_found(f"Volume {volume_id} could not be found.")


def found(call: Call, volume_id: str) -> Row:
    """A volume the caller may see.

    Raises:
        ApiError: 404 otherwise.

    """
    row = call.cloud.store.get("volume", volume_id)
    if row is None or not call.sees(row):
        raise missing(volume_id)
    return row


def view(call: Call, row: Row) -> Body:
    """A volume in detail."""
    shown: Body = {
        key: row[key]
        for key in (
            "id", "status", "size", "availability_zone", "name", "description", "volume_type", "snapshot_id",
            "source_volid", "metadata", "user_id", "multiattach",
        )
    }  # fmt: skip
    shown |= {
        "created_at": stamp(row["created_at"], form="micro"),
        "updated_at": stamp(row["updated_at"], form="micro"),
        "bootable": str(row["bootable"]).lower(),
        "encrypted": False,
        "replication_status": None,
        "consistencygroup_id": None,
        "links": _links(call, row),
        "attachments": _attachments(call, row),
        "os-vol-tenant-attr:tenant_id": row["project_id"],
    }
    if row["image_metadata"]:
        shown["volume_image_metadata"] = row["image_metadata"]
    if call.caller.is_admin:
        shown |= {"migration_status": None, "os-vol-host-attr:host": f"sandbox@{row['volume_type']}#pool"}
    for version, key, value in (
        ((3, 13), "group_id", None),
        ((3, 48), "service_uuid", None),
        ((3, 48), "shared_targets", False),
        ((3, 63), "volume_type_id", row["volume_type_id"]),
        ((3, 65), "consumes_quota", True),
    ):
        if call.version >= version:
            shown[key] = value
    return shown


def _links(call: Call, row: Row) -> list[Body]:
    path = f"/volume/v3/{row['project_id']}/volumes/{row['id']}"
    return [{"rel": "self", "href": call.link(path)}, {"rel": "bookmark", "href": call.link(path)}]


def _attachments(call: Call, row: Row) -> list[Body]:
    return [
        {
            "id": row["id"],
            "attachment_id": attachment["id"],
            "volume_id": row["id"],
            "server_id": attachment["server_id"],
            "host_name": "sandbox-compute-1" if call.caller.is_admin else None,
            "device": attachment["device"],
            "attached_at": stamp(attachment["attached_at"], form="micro"),
        }
        for attachment in call.cloud.store.find("attachment", volume_id=row["id"])
        if attachment["status"] == "attached"
    ]


@routes("GET", "/volumes")
def list_volumes(call: Call) -> Body:
    return _list(call, detail=False)


@routes("GET", "/volumes/detail")
def list_volumes_detail(call: Call) -> Body:
    return _list(call, detail=True)


def _list(call: Call, *, detail: bool) -> Body:
    rows = newest_first([row for row in visible(call, "volume") if _selected(call, row)])
    chosen, links = page(call, rows, path=call.request.path, missing=missing)
    shown = [
        view(call, row) if detail else {"id": row["id"], "name": row["name"], "links": _links(call, row)}
        for row in chosen
    ]
    body: Body = {"volumes": shown}
    if links:
        body["volumes_links"] = links
    if call.flag("with_count") and call.version >= (3, 45):
        body["count"] = len(rows)
    return body


def visible(call: Call, kind: str) -> list[Row]:
    """The caller's project's rows; every project's for an admin who asks with all_tenants."""
    if call.caller.is_admin and call.flag("all_tenants", "all_projects"):
        project = call.query("project_id")
        return call.cloud.store.find(kind, **({"project_id": project} if project else {}))
    return call.cloud.store.find(kind, project_id=call.project)


def _selected(call: Call, row: Row) -> bool:
    for key in ("name", "status", "availability_zone", "volume_type", "id"):
        if (value := call.query(key)) is not None and row[key] != value:
            return False
    if (bootable := call.query("bootable")) is not None and row["bootable"] is not (
        bootable.lower() in {"true", "1"}
    ):
        return False
    if (since := call.query("updated_at")) is not None and not _changed(call, row, since):
        return False
    wanted = _metadata_filter(call.query("metadata"))
    return all(row["metadata"].get(key) == str(value) for key, value in wanted.items())


def _changed(call: Call, row: Row, asked: str) -> bool:
    """Cinder's filter by time of change, `gte:2026-11-26T08:00:00` and the like; before 3.60 it means nothing."""
    if call.version < (3, 60):
        return True
    operator, _, moment = asked.partition(":")
    if operator not in _COMPARISONS:
        raise bad_request(f"Invalid filter value: updated_at={asked}")
    try:
        limit = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    except ValueError as error:
        raise bad_request(f"Invalid filter value: updated_at={asked}") from error
    changed = datetime.fromisoformat(row["updated_at"] or row["created_at"])
    return _COMPARISONS[operator](changed, limit)


def _metadata_filter(text: str | None) -> dict[str, Any]:
    """The dictionary in a `metadata` filter, written as Python or as JSON."""
    if text is None:
        return {}
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text)
        except (ValueError, SyntaxError):
            continue
        if isinstance(value, dict):
            return value
    raise bad_request(f"Invalid filter value: metadata={text}")


@routes("POST", "/volumes", status=202)
def create_volume(call: Call) -> Body:
    """Accept a volume; it is `creating` (and `downloading` when it comes from an image) for a while."""
    row = create(call, call.part("volume"), project_id=call.project)
    return {"volume": view(call, row)}


def create(call: Call, asked: Body, *, project_id: str) -> Row:
    """Make a volume row within the quota and start its creation.

    Raises:
        ApiError: 400 for a bad size or source, 404 for an unknown source or type, 413 over quota.

    """
    source = _source(call, asked)
    size = _size(asked, source)
    volume_type = _type(call, asked.get("volume_type") or (source or {}).get("volume_type"))
    quota.check_volume(call.cloud, project_id, size=size, volume_type=volume_type["name"])
    image_metadata = (source or {}).get("image_metadata", {})
    row = call.cloud.new(
        "volume",
        {
            "project_id": project_id,
            "user_id": call.caller.user_id,
            "name": asked.get("name"),
            "description": asked.get("description"),
            "size": size,
            "status": "creating",
            "volume_type": volume_type["name"],
            "volume_type_id": volume_type["id"],
            "availability_zone": asked.get("availability_zone") or "nova",
            "bootable": False,
            "will_boot": bool((source or {}).get("bootable")),
            "image_metadata": image_metadata,
            "metadata": {key: str(value) for key, value in (asked.get("metadata") or {}).items()},
            "snapshot_id": asked.get("snapshot_id"),
            "source_volid": asked.get("source_volid"),
            "multiattach": bool(asked.get("multiattach")),
            "copy_from": (source or {}).get("disk"),
        },
        at=call.now,
    )
    _start(call, row)
    return row


def _start(call: Call, row: Row) -> None:
    seconds = call.cloud.timing.volume_seconds
    if call.outcome == "stuck":
        return
    if call.outcome == "build_error":
        call.cloud.timeline.schedule("volume.fail", call.now, seconds=seconds, volume_id=row["id"])
        return
    if row["will_boot"]:
        call.cloud.timeline.schedule("volume.download", call.now, seconds=seconds / 2, volume_id=row["id"])
    call.cloud.timeline.schedule("volume.ready", call.now, seconds=seconds, volume_id=row["id"])


def _source(call: Call, asked: Body) -> Body | None:
    """What the volume is made from: size, bootable, image metadata, type, and the disk to copy."""
    if snapshot_id := asked.get("snapshot_id"):
        snapshot = call.cloud.store.get("snapshot", snapshot_id)
        if snapshot is None or not call.sees(snapshot):
            raise not_found(f"Snapshot {snapshot_id} could not be found.")
        if snapshot["status"] != "available":
            raise bad_request(
                "Invalid snapshot: Originating snapshot status must be one of 'available' values"
            )
        return snapshot | {"disk": ["snapshot", snapshot_id]}
    if source_id := asked.get("source_volid"):
        volume = found(call, source_id)
        if volume["status"] not in {"available", "in-use"}:
            raise bad_request(
                "Invalid volume: Originating volume status must be one of 'available, in-use' values"
            )
        return volume | {"disk": ["volume", source_id]}
    if image_id := asked.get("imageRef") or asked.get("image_id"):
        return _image_source(call, image_id)
    return None


def _image_source(call: Call, image_id: str) -> Body:
    image = call.cloud.store.get("image", image_id)
    if image is None:
        raise bad_request("Invalid imageRef provided.")
    if image["status"] != "active":
        raise bad_request(f"Invalid input received: Image {image_id} is not active.")
    virtual = -(-(image.get("virtual_size") or image["size"] or 0) // (1 << 30))
    metadata = image_metadata(image)
    return {"bootable": True, "image_metadata": metadata, "min_disk": image["min_disk"], "image_gb": virtual}


def image_metadata(image: Row) -> dict[str, str]:
    """What a volume keeps of the image that was written onto it."""
    told = ("size", "checksum", "container_format", "disk_format", "min_disk", "min_ram")
    metadata = {"image_id": image["id"], "image_name": image["name"], **image["properties"]}
    return metadata | {key: str(image[key]) for key in told}


def _size(asked: Body, source: Body | None) -> int:
    size = asked.get("size") or (source or {}).get("size")
    if isinstance(size, str) and size.isdigit():
        size = int(size)
    if not isinstance(size, int) or size <= 0:
        raise bad_request(
            f"Invalid input received: Volume size '{size}' must be an integer and greater than 0."
        )
    image_gb, min_disk = (source or {}).get("image_gb", 0), (source or {}).get("min_disk", 0)
    if size < image_gb:
        raise bad_request(
            f"Invalid input received: Size of specified image {image_gb}GB is larger than volume size {size}GB."
        )
    if size < min_disk:
        raise bad_request(
            f"Invalid input received: Volume size {size}GB cannot be smaller than the image minDisk size {min_disk}GB."
        )
    if source and "disk" in source and size < source["size"]:
        raise bad_request(
            f"Invalid input received: Volume size '{size}'GB cannot be smaller than the source size {source['size']}GB."
        )
    return size


def _type(call: Call, wanted: str | None) -> Row:
    for row in call.cloud.store.find("volume_type"):
        if wanted in {row["id"], row["name"]} or (wanted is None and row["default"]):
            return row
    raise not_found(f"Volume type with name {wanted} could not be found.")


@transition("volume.download")
def _download(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    row = cloud.store.get("volume", args["volume_id"])
    if row is not None and row["status"] == "creating":
        cloud.change("volume", row, at=at, status="downloading", bootable=True)


@transition("volume.ready")
def _ready(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    row = cloud.store.get("volume", args["volume_id"])
    if row is None:
        return
    if row["copy_from"]:
        cloud.guests.copy(tuple(row["copy_from"]), ("volume", row["id"]))
    status = "available" if row["status"] in {"creating", "downloading"} else row["status"]
    cloud.change(
        "volume", row, at=at, status=status, bootable=row["bootable"] or row["will_boot"], copy_from=None
    )


@transition("volume.fail")
def _fail(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    row = cloud.store.get("volume", args["volume_id"])
    if row is not None:
        cloud.change("volume", row, at=at, status="error")


@routes("GET", "/volumes/summary")
def summary(call: Call) -> Body:
    rows = visible(call, "volume")
    return {
        "volume-summary": {
            "total_count": len(rows),
            "total_size": sum(row["size"] for row in rows),
            "metadata": {},
        }
    }


@routes("GET", "/volumes/<id>")
def show_volume(call: Call) -> Body:
    return {"volume": view(call, found(call, call.args["id"]))}


@routes("PUT", "/volumes/<id>")
def update_volume(call: Call) -> Body:
    row, asked = found(call, call.args["id"]), call.part("volume")
    columns = {key: asked[key] for key in ("name", "description", "metadata") if key in asked}
    return {"volume": view(call, call.cloud.change("volume", row, at=call.now, **columns))}


@routes("DELETE", "/volumes/<id>", status=202)
def delete_volume(call: Call) -> Answer:
    """Start the deletion of a volume nothing depends on."""
    row = found(call, call.args["id"])
    start_deletion(call, row, cascade=call.flag("cascade"))
    return Answer(202)


def start_deletion(call: Call, row: Row, *, cascade: bool = False, force: bool = False) -> None:
    """Put a volume into `deleting`.

    Raises:
        ApiError: 400 while it is attached, busy or has snapshots.

    """
    snapshots = call.cloud.store.find("snapshot", volume_id=row["id"])
    attached = any(
        a["status"] == "attached" for a in call.cloud.store.find("attachment", volume_id=row["id"])
    )
    if (row["status"] not in _DELETABLE and not force) or (snapshots and not cascade) or attached:
        status = " or ".join((", ".join(_DELETABLE[:-1]), _DELETABLE[-1]))
        raise bad_request(
            f"Invalid volume: Volume status must be {status} and must not be migrating, attached, belong to a group, "
            "have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer."
        )
    for snapshot in snapshots:
        call.cloud.guests.disks.remove(("snapshot", snapshot["id"]))
        call.cloud.store.delete("snapshot", snapshot["id"])
    call.cloud.change("volume", row, at=call.now, status="deleting")
    if call.outcome != "stuck":
        seconds = call.cloud.timing.volume_seconds
        call.cloud.timeline.schedule("volume.gone", call.now, seconds=seconds, volume_id=row["id"])


@transition("volume.gone")
def _gone(cloud: Cloud, _at: datetime, args: dict[str, Any]) -> None:
    for attachment in cloud.store.find("attachment", volume_id=args["volume_id"]):
        cloud.store.delete("attachment", attachment["id"])
    cloud.guests.disks.remove(("volume", args["volume_id"]))
    cloud.store.delete("volume", args["volume_id"])
