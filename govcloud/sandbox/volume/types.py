"""Volume types, the pools behind them, services and zones."""

import uuid

from govcloud.sandbox.errors import ApiError, conflict, not_found
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Answer, Body, Call, Routes

routes = Routes("volume", "/volume/v3/<project_id>", "/volume/v3")


_FOR_EVERYBODY = frozenset({"RESKEY:availability_zones", "multiattach", "replication_enabled"})


def _view(call: Call, row: Row) -> Body:
    specs = row["extra_specs"].items()
    return {
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "is_public": True,
        "os-volume-type-access:is_public": True,
        "extra_specs": {key: value for key, value in specs if call.caller.is_admin or key in _FOR_EVERYBODY},
        "qos_specs_id": None,
    }


def _found(call: Call) -> Row:
    row = call.cloud.store.get("volume_type", call.args["id"])
    if row is None:
        raise not_found(f"Volume type {call.args['id']} could not be found.")
    return row


@routes("GET", "/types")
def list_types(call: Call) -> Body:
    return {"volume_types": [_view(call, row) for row in call.cloud.store.find("volume_type")]}


@routes("POST", "/types")
def create_type(call: Call) -> Body:
    """A new type with a pool of its own."""
    call.require_admin("volume_extension:type_create")
    asked = call.part("volume_type")
    if call.cloud.store.find("volume_type", name=asked["name"]):
        raise conflict(f"Volume Type {asked['name']} already exists.")
    row = {
        "id": str(uuid.uuid4()),
        "name": asked["name"],
        "description": asked.get("description"),
        "extra_specs": asked.get("extra_specs") or {},
        "default": False,
        "capacity_gb": 1_000_000,
    }
    return {"volume_type": _view(call, call.cloud.store.save("volume_type", row))}


@routes("GET", "/types/default")
def show_default_type(call: Call) -> Body:
    for row in call.cloud.store.find("volume_type", default=True):
        return {"volume_type": _view(call, row)}
    raise ApiError(404, "Default volume type can not be found.")


@routes("GET", "/types/<id>")
def show_type(call: Call) -> Body:
    return {"volume_type": _view(call, _found(call))}


@routes("GET", "/types/<id>/extra_specs")
def show_extra_specs(call: Call) -> Body:
    return {"extra_specs": _view(call, _found(call))["extra_specs"]}


@routes("DELETE", "/types/<id>", status=202)
def delete_type(call: Call) -> Answer:
    call.require_admin("volume_extension:type_delete")
    row = _found(call)
    if call.cloud.store.find("volume", volume_type_id=row["id"]):
        raise ApiError(400, "Target volume type is still in use.")
    call.cloud.store.delete("volume_type", row["id"])
    return Answer(202)


@routes("GET", "/scheduler-stats/get_pools")
def list_pools(call: Call) -> Body:
    """One pool per type; its free capacity is its size less what volumes of the type take."""
    call.require_admin("scheduler_extension:scheduler_stats:get_pools")
    pools: list[Body] = []
    for row in call.cloud.store.find("volume_type"):
        name = f"sandbox@{row['name']}#pool"
        pool: Body = {"name": name}
        if call.flag("detail"):
            used = sum(volume["size"] for volume in call.cloud.store.find("volume", volume_type_id=row["id"]))
            pool["capabilities"] = {
                "pool_name": "pool",
                "volume_backend_name": row["name"],
                "total_capacity_gb": float(row["capacity_gb"]),
                "free_capacity_gb": float(row["capacity_gb"] - used),
                "allocated_capacity_gb": used,
                "provisioned_capacity_gb": used,
                "reserved_percentage": 0,
                "max_over_subscription_ratio": "1.0",
                "thin_provisioning_support": True,
                "storage_protocol": "file",
                "driver_version": "1.0",
                "vendor_name": "sandbox",
                "backend_state": "up",
                "timestamp": call.now.replace(tzinfo=None).isoformat(),
            }
        pools.append(pool)
    return {"pools": pools}


@routes("GET", "/os-services")
def list_services(call: Call) -> Body:
    call.require_admin("volume_extension:services:index")
    moment = call.now.replace(tzinfo=None).isoformat()
    binaries = ("cinder-scheduler", "cinder-volume", "cinder-backup")
    rows = [
        {
            "binary": name,
            "host": "sandbox",
            "zone": "nova",
            "status": "enabled",
            "state": "up",
            "updated_at": moment,
        }
        for name in binaries
    ]
    return {"services": rows}


@routes("GET", "/os-availability-zone")
def list_zones(_call: Call) -> Body:
    return {
        "availabilityZoneInfo": [{"zoneName": n, "zoneState": {"available": True}} for n in ("nova", "dr")]
    }


@routes("GET", "/extensions")
def list_extensions(_call: Call) -> Body:
    return {"extensions": []}
