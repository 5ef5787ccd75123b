"""Glance v2: images with ids the client may choose, their data, their properties."""

import hashlib
import uuid
from typing import Any

from govcloud.sandbox.errors import ApiError, bad_request, conflict, forbidden, not_found
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Answer, Body, Call, Routes, newest_first, stamp

routes = Routes("image", "/image/v2")
_BLOCK = 1 << 20
_OWN = {
    "name", "visibility", "min_disk", "min_ram", "protected", "container_format", "disk_format", "tags", "id", "owner",
    "os_hidden",
}  # fmt: skip


def _view(row: Row) -> Body:
    shown: Body = {
        key: row[key]
        for key in (
            "id", "name", "status", "visibility", "size", "virtual_size", "min_disk", "min_ram", "protected", "checksum",
            "container_format", "disk_format", "tags", "os_hash_algo", "os_hash_value", "os_hidden",
        )
    }  # fmt: skip
    path = f"/v2/images/{row['id']}"
    properties: Body = row["properties"]
    return (
        properties
        | shown
        | {
            "owner": row["project_id"],
            "created_at": stamp(row["created_at"]),
            "updated_at": stamp(row["updated_at"] or row["created_at"]),
            "self": path,
            "file": f"{path}/file",
            "schema": "/v2/schemas/image",
        }
    )


def _visible(call: Call, row: Row) -> bool:
    return call.sees(row) or row["visibility"] in {"public", "community"}


def _found(call: Call, *, to_change: bool = False) -> Row:
    row = call.cloud.store.get("image", call.args["id"])
    if row is None or not _visible(call, row):
        raise not_found(f"Failed to find image {call.args['id']}")
    if to_change and not call.sees(row):
        raise forbidden(f"You are not permitted to modify '{row['id']}' image.")
    return row


@routes("GET", "/images")
def list_images(call: Call) -> Body:
    rows = [
        row
        for row in newest_first(call.cloud.store.find("image"))
        if _visible(call, row) and _selected(call, row)
    ]
    if marker := call.query("marker"):
        ids = [row["id"] for row in rows]
        rows = rows[ids.index(marker) + 1 :] if marker in ids else []
    limit = int(call.query("limit") or 25)
    body: Body = {
        "images": [_view(row) for row in rows[:limit]],
        "schema": "/v2/schemas/images",
        "first": "/v2/images",
    }
    if len(rows) > limit:
        body["next"] = f"/v2/images?marker={rows[limit - 1]['id']}&limit={limit}"
    return body


def _selected(call: Call, row: Row) -> bool:
    """Hidden images (old ones that servers still run) are listed only for whoever asks for hidden ones."""
    if row["os_hidden"] and "os_hidden" not in call.request.args:
        return False
    shown = _view(row)
    for key, value in call.request.args.items():
        if key == "tag" and value not in row["tags"]:
            return False
        plain = value.removeprefix("in:").strip('"')
        if key not in {"limit", "marker", "sort", "sort_key", "sort_dir", "member_status", "tag"}:
            if key == "visibility" and value == "all":
                continue
            if str(shown.get(key, "")).lower() != plain.lower():
                return False
    return True


@routes("POST", "/images", status=201)
def create_image(call: Call) -> Answer:
    """A queued image; the id is the client's if it brings one."""
    asked = call.json
    image_id = asked.get("id") or str(uuid.uuid4())
    try:
        uuid.UUID(image_id)
    except ValueError as error:
        raise bad_request("Invalid image id format") from error
    if call.cloud.store.get("image", image_id):
        raise conflict(f"Image ID {image_id} already exists!")
    if asked.get("visibility") == "public" and not call.caller.is_admin:
        raise forbidden("You are not authorized to complete publicize_image action.")
    row = call.cloud.new("image", _columns(call, asked, image_id), at=call.now)
    return Answer(201, _view(row), {"Location": call.link(f"/image/v2/images/{image_id}")})


def _columns(call: Call, asked: Body, image_id: str) -> Row:
    return {
        "id": image_id,
        "project_id": call.project,
        "name": asked.get("name"),
        "status": "queued",
        "visibility": asked.get("visibility", "shared"),
        "size": None,
        "virtual_size": None,
        "min_disk": asked.get("min_disk", 0),
        "min_ram": asked.get("min_ram", 0),
        "protected": asked.get("protected", False),
        "checksum": None,
        "container_format": asked.get("container_format"),
        "disk_format": asked.get("disk_format"),
        "tags": asked.get("tags", []),
        "os_hash_algo": None,
        "os_hash_value": None,
        "os_hidden": False,
        "properties": {key: str(value) for key, value in asked.items() if key not in _OWN},
    }


@routes("GET", "/images/<id>")
def show_image(call: Call) -> Body:
    return _view(_found(call))


@routes("PATCH", "/images/<id>")
def patch_image(call: Call) -> Body:
    """Change attributes and properties by a list of JSON patch operations."""
    row = _found(call, to_change=True)
    operations = call.request.get_json(force=True)
    if not isinstance(operations, list):
        raise bad_request("Request body must be a JSON array of operation objects.")
    for operation in operations:
        _apply(row, operation)
    return _view(call.cloud.change("image", row, at=call.now))


def _apply(row: Row, operation: dict[str, Any]) -> None:
    name = str(operation.get("path", "")).lstrip("/")
    place = row if name in _OWN else row["properties"]
    if operation.get("op") == "remove":
        if place.pop(name, None) is None:
            raise conflict(f"Property {name} does not exist.")
    elif name in {"id", "owner"}:
        raise forbidden(f"Attribute '{name}' is read-only.")
    else:
        place[name] = operation["value"]


@routes("DELETE", "/images/<id>", status=204)
def delete_image(call: Call) -> None:
    row = _found(call, to_change=True)
    if row["protected"]:
        raise forbidden(f"Image {row['id']} is protected and cannot be deleted.")
    (call.cloud.directory / "images" / row["id"]).unlink(missing_ok=True)
    call.cloud.store.delete("image", row["id"])


@routes("PUT", "/images/<id>/file", status=204, streams=True)
def upload(call: Call) -> None:
    """Take the image's data; it is active afterwards."""
    with call.cloud.lock:
        row = _found(call, to_change=True)
        if row["status"] != "queued":
            raise conflict(f"Image status transition from {row['status']} to saving is not allowed")
        call.cloud.change("image", row, at=call.now, status="saving")
    path = call.cloud.directory / "images" / row["id"]
    path.parent.mkdir(exist_ok=True)
    checksum, digest, size = hashlib.md5(usedforsecurity=False), hashlib.sha512(), 0
    with path.open("wb") as file:
        while block := call.request.stream.read(_BLOCK):
            size += len(block)
            checksum.update(block)
            digest.update(block)
            file.write(block)
    with call.cloud.lock:
        columns = {
            "checksum": checksum.hexdigest(),
            "os_hash_algo": "sha512",
            "os_hash_value": digest.hexdigest(),
        }
        call.cloud.change("image", row, at=call.now, status="active", size=size, virtual_size=size, **columns)
        call.cloud.store.commit()


@routes("GET", "/images/<id>/file")
def download(call: Call) -> Answer:
    row = _found(call)
    path = call.cloud.directory / "images" / row["id"]
    if not path.exists():
        return Answer(204)
    return Answer(200, path.read_bytes(), {"Content-MD5": row["checksum"]}, "application/octet-stream")


@routes("POST", "/images/<id>/actions/<action>", status=204)
def activate(call: Call) -> None:
    row = _found(call, to_change=True)
    wanted = {"deactivate": "deactivated", "reactivate": "active"}.get(call.args["action"])
    if wanted is None:
        raise ApiError(404, "The resource could not be found.")
    call.cloud.change("image", row, at=call.now, status=wanted)


@routes("PUT", "/images/<id>/tags/<tag>", status=204)
def add_tag(call: Call) -> None:
    row = _found(call, to_change=True)
    call.cloud.change("image", row, at=call.now, tags=sorted({*row["tags"], call.args["tag"]}))


@routes("DELETE", "/images/<id>/tags/<tag>", status=204)
def remove_tag(call: Call) -> None:
    row = _found(call, to_change=True)
    if call.args["tag"] not in row["tags"]:
        raise not_found("The resource could not be found.")
    call.cloud.change("image", row, at=call.now, tags=[tag for tag in row["tags"] if tag != call.args["tag"]])


@routes("GET", "/schemas/image")
def image_schema(_call: Call) -> Body:
    return {"name": "image", "properties": {}, "additionalProperties": {"type": "string"}}
