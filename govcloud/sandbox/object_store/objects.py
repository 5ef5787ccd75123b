"""Objects: what is put into containers, up to their quota."""

import hashlib
from pathlib import Path

from govcloud.sandbox.errors import ApiError, not_found
from govcloud.sandbox.object_store.access import opened
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Answer, Call, Routes

routes = Routes("object-store", "/object-store/v1/AUTH_<project>/<container>/<path:name>")


@routes("PUT", "", status=201)
def put_object(call: Call) -> Answer:
    """Store it; refused once the container would hold more than its quota."""
    container = opened(call, call.args["container"], to_write=True)
    content = call.request.get_data()
    quota = container["meta"].get("quota-bytes")
    if quota is not None and container["bytes_used"] + len(content) > int(quota):
        raise ApiError(413, "Upload exceeds quota.")
    forget(call, container, call.args["name"])
    etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
    columns = {
        "container_id": container["id"],
        "name": call.args["name"],
        "size": len(content),
        "etag": etag,
        "type": call.request.headers.get("Content-Type") or "application/octet-stream",
    }
    row = call.cloud.new("object", columns, at=call.now)
    path = _file(call, row)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    _count(call, container, objects=1, size=len(content))
    return Answer(201, None, {"Etag": etag})


@routes("GET", "")
@routes("HEAD", "")
def get_object(call: Call) -> Answer:
    container = opened(call, call.args["container"])
    row = _found(call, container, call.args["name"])
    if row is None:
        raise not_found("The resource could not be found.")
    return Answer(200, _file(call, row).read_bytes(), {"Etag": row["etag"]}, row["type"])


@routes("DELETE", "", status=204)
def delete_object(call: Call) -> None:
    container = opened(call, call.args["container"], to_write=True)
    if not forget(call, container, call.args["name"]):
        raise not_found("The resource could not be found.")


def forget(call: Call, container: Row, name: str) -> bool:
    """Take an object away; whether there was one."""
    row = _found(call, container, name)
    if row is None:
        return False
    _file(call, row).unlink(missing_ok=True)
    call.cloud.store.delete("object", row["id"])
    _count(call, container, objects=-1, size=-row["size"])
    return True


def _found(call: Call, container: Row, name: str) -> Row | None:
    rows = call.cloud.store.find("object", container_id=container["id"], name=name)
    return rows[0] if rows else None


def _count(call: Call, container: Row, *, objects: int, size: int) -> None:
    counts = {"objects": container["objects"] + objects, "bytes_used": container["bytes_used"] + size}
    call.cloud.amend("container", container, **counts)


def _file(call: Call, row: Row) -> Path:
    return call.cloud.directory / "objects" / str(row["id"])
