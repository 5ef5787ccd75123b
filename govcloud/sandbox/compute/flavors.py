"""Flavors."""

import uuid

from govcloud.sandbox.compute.views import links
from govcloud.sandbox.errors import ApiError, conflict, not_found
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Answer, Body, Call, Routes

routes = Routes("compute", "/compute/v2.1")


def find_flavor(call: Call, flavor_id: str) -> Row | None:
    """The flavor, or None."""
    return call.cloud.store.get("flavor", flavor_id)


def _view(call: Call, row: Row) -> Body:
    shown = {
        "id": row["id"],
        "name": row["name"],
        "vcpus": row["vcpus"],
        "ram": row["ram"],
        "disk": row["disk"],
        "swap": 0 if call.version >= (2, 75) else "",
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": row["is_public"],
        "rxtx_factor": 1.0,
        "links": links(call, "flavors", row["id"]),
    }
    if call.version >= (2, 55):
        shown["description"] = row["description"]
    if call.version >= (2, 61):
        shown["extra_specs"] = row["extra_specs"]
    return shown


def _found(call: Call) -> Row:
    row = find_flavor(call, call.args["id"])
    if row is None:
        raise not_found(f"Flavor {call.args['id']} could not be found.")
    return row


def _listed(call: Call) -> list[Row]:
    rows = call.cloud.store.find("flavor")
    wanted = (call.query("is_public") or "").lower()
    if not (call.caller.is_admin and wanted == "none"):
        public = not (call.caller.is_admin and wanted in {"false", "0"})
        rows = [row for row in rows if row["is_public"] is public]
    for query, column in (("minRam", "ram"), ("minDisk", "disk")):
        if (least := call.query(query)) is not None:
            rows = [row for row in rows if row[column] >= int(least)]
    if marker := call.query("marker"):
        ids = [row["id"] for row in rows]
        if marker not in ids:
            raise ApiError(400, f"marker [{marker}] not found")
        rows = rows[ids.index(marker) + 1 :]
    return rows[: int(call.query("limit") or 1000)]


@routes("GET", "/flavors")
def list_flavors(call: Call) -> Body:
    rows = [
        {"id": r["id"], "name": r["name"], "links": links(call, "flavors", r["id"])} for r in _listed(call)
    ]
    return {"flavors": rows}


@routes("GET", "/flavors/detail")
def list_flavors_detail(call: Call) -> Body:
    return {"flavors": [_view(call, row) for row in _listed(call)]}


@routes("POST", "/flavors")
def create_flavor(call: Call) -> Body:
    call.require_admin("os_compute_api:os-flavor-manage:create")
    asked = call.part("flavor")
    if any(
        row["name"] == asked["name"] or row["id"] == asked.get("id")
        for row in call.cloud.store.find("flavor")
    ):
        raise conflict(f"Flavor with name {asked['name']} already exists.")
    row = {
        "id": str(asked.get("id") or uuid.uuid4()),
        "name": asked["name"],
        "vcpus": int(asked["vcpus"]),
        "ram": int(asked["ram"]),
        "disk": int(asked["disk"]),
        "is_public": asked.get("os-flavor-access:is_public", True),
        "description": asked.get("description"),
        "extra_specs": {},
    }
    return {"flavor": _view(call, call.cloud.store.save("flavor", row))}


@routes("GET", "/flavors/<id>")
def show_flavor(call: Call) -> Body:
    return {"flavor": _view(call, _found(call))}


@routes("DELETE", "/flavors/<id>", status=202)
def delete_flavor(call: Call) -> Answer:
    call.require_admin("os_compute_api:os-flavor-manage:delete")
    call.cloud.store.delete("flavor", _found(call)["id"])
    return Answer(202)


@routes("GET", "/flavors/<id>/os-extra_specs")
def show_extra_specs(call: Call) -> Body:
    return {"extra_specs": _found(call)["extra_specs"]}


@routes("POST", "/flavors/<id>/os-extra_specs")
def set_extra_specs(call: Call) -> Body:
    call.require_admin("os_compute_api:os-flavor-extra-specs:create")
    row = _found(call)
    row["extra_specs"] = row["extra_specs"] | call.part("extra_specs")
    return {"extra_specs": call.cloud.store.save("flavor", row)["extra_specs"]}
