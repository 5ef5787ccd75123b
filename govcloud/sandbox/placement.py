"""Placement, as far as capacity goes: providers, inventories, usages, allocations."""

from govcloud.sandbox.compute.hosts import usage_by_host
from govcloud.sandbox.errors import not_found
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Body, Call, Routes

routes = Routes("placement", "/placement")
_CLASSES = (("VCPU", "vcpus"), ("MEMORY_MB", "ram"), ("DISK_GB", "disk"))


def _view(row: Row) -> Body:
    path = f"/placement/resource_providers/{row['uuid']}"
    return {
        "uuid": row["uuid"],
        "name": row["id"],
        "generation": 1,
        "root_provider_uuid": row["uuid"],
        "parent_provider_uuid": None,
        "links": [
            {"rel": rel, "href": f"{path}/{rel}"} for rel in ("inventories", "usages", "aggregates", "traits")
        ],
    }


def _found(call: Call) -> Row:
    for row in call.cloud.store.find("host", uuid=call.args["id"]):
        return row
    raise not_found(f"No resource provider with uuid {call.args['id']} found")


@routes("GET", "/resource_providers")
def list_providers(call: Call) -> Body:
    call.require_admin("placement:resource_providers:list")
    rows = call.cloud.store.find("host")
    for query, column in (("name", "id"), ("uuid", "uuid")):
        if (value := call.query(query)) is not None:
            rows = [row for row in rows if row[column] == value]
    return {"resource_providers": [_view(row) for row in rows]}


@routes("GET", "/resource_providers/<id>")
def show_provider(call: Call) -> Body:
    call.require_admin("placement:resource_providers:show")
    return _view(_found(call))


@routes("GET", "/resource_providers/<id>/inventories")
def list_inventories(call: Call) -> Body:
    call.require_admin("placement:resource_providers:inventories:list")
    row = _found(call)
    inventories = {
        name: {
            "total": row[column],
            "reserved": 0,
            "allocation_ratio": 1.0,
            "min_unit": 1,
            "max_unit": row[column],
            "step_size": 1,
        }
        for name, column in _CLASSES
    }
    return {"inventories": inventories, "resource_provider_generation": 1}


@routes("GET", "/resource_providers/<id>/usages")
def list_usages(call: Call) -> Body:
    call.require_admin("placement:resource_providers:usages")
    used = usage_by_host(call.cloud)[_found(call)["id"]]
    return {"usages": {name: used[column] for name, column in _CLASSES}, "resource_provider_generation": 1}


@routes("GET", "/resource_providers/<id>/aggregates")
def list_aggregates(call: Call) -> Body:
    _found(call)
    return {"aggregates": [], "resource_provider_generation": 1}


@routes("GET", "/allocations/<id>")
def show_allocations(call: Call) -> Body:
    """Of one server; of anything else nothing is allocated."""
    call.require_admin("placement:allocations:list")
    row = call.cloud.store.get("server", call.args["id"])
    if row is None or row["deleted"] or not row["host"]:
        return {"allocations": {}}
    (host,) = call.cloud.store.find("host", id=row["host"])
    taken = {name: row["flavor"][column] for name, column in _CLASSES if row["flavor"][column]}
    return {"allocations": {host["uuid"]: {"generation": 1, "resources": taken}}}


@routes("GET", "/usages")
def project_usages(call: Call) -> Body:
    """What one project uses in all."""
    project = call.query("project_id") or call.project
    rows = [
        row
        for row in call.cloud.store.find("server", project_id=project)
        if not row["deleted"] and row["host"]
    ]
    return {"usages": {name: sum(row["flavor"][column] for row in rows) for name, column in _CLASSES}}


@routes("GET", "/resource_classes")
def list_classes(_call: Call) -> Body:
    return {"resource_classes": [{"name": name, "links": []} for name, _ in _CLASSES]}
