"""The machines under the cloud, what they can hold and hold; zones and services."""

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.errors import ApiError, not_found
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Body, Call, Routes

routes = Routes("compute", "/compute/v2.1")
_STATISTICS_REMOVED = (2, 88)


def usage_by_host(cloud: Cloud) -> dict[str, dict[str, int]]:
    """Servers, vCPUs, MB and GB in use per host."""
    used = {row["id"]: {"running": 0, "vcpus": 0, "ram": 0, "disk": 0} for row in cloud.store.find("host")}
    for row in cloud.store.find("server"):
        if not row["deleted"] and row["host"] in used:
            on = used[row["host"]]
            on["running"] += 1
            for key in ("vcpus", "ram", "disk"):
                on[key] += row["flavor"][key]
    return used


def choose(cloud: Cloud, flavor: Row, *, zone: str) -> str | None:
    """The emptiest host of the zone that has room, or None."""
    used = usage_by_host(cloud)
    fitting = [
        row
        for row in cloud.store.find("host", zone=zone)
        if used[row["id"]]["vcpus"] + flavor["vcpus"] <= row["vcpus"]
        and used[row["id"]]["ram"] + flavor["ram"] <= row["ram"]
    ]
    chosen = min(fitting, key=lambda row: used[row["id"]]["vcpus"], default=None)
    return chosen["id"] if chosen else None


def _summary(row: Row) -> Body:
    return {"id": row["uuid"], "hypervisor_hostname": row["id"], "state": "up", "status": "enabled"}


def _detail(call: Call, row: Row, used: dict[str, int]) -> Body:
    shown = _summary(row) | {
        "hypervisor_type": "QEMU",
        "hypervisor_version": 7002000,
        "host_ip": "127.0.0.1",
        "service": {"host": row["id"], "id": row["uuid"], "disabled_reason": None},
        "servers": [],
        "uptime": None,
    }
    if call.version < _STATISTICS_REMOVED:
        shown |= _numbers(row, used) | {"cpu_info": {}}
    return shown


def _numbers(row: Row, used: dict[str, int]) -> Body:
    return {
        "vcpus": row["vcpus"],
        "vcpus_used": used["vcpus"],
        "memory_mb": row["ram"],
        "memory_mb_used": used["ram"],
        "free_ram_mb": row["ram"] - used["ram"],
        "local_gb": row["disk"],
        "local_gb_used": used["disk"],
        "free_disk_gb": row["disk"] - used["disk"],
        "disk_available_least": row["disk"] - used["disk"],
        "running_vms": used["running"],
        "current_workload": 0,
    }


@routes("GET", "/os-hypervisors")
def list_hypervisors(call: Call) -> Body:
    call.require_admin("os_compute_api:os-hypervisors:list")
    return {"hypervisors": [_summary(row) for row in call.cloud.store.find("host")]}


@routes("GET", "/os-hypervisors/detail")
def list_hypervisors_detail(call: Call) -> Body:
    call.require_admin("os_compute_api:os-hypervisors:list-detail")
    used = usage_by_host(call.cloud)
    return {"hypervisors": [_detail(call, row, used[row["id"]]) for row in call.cloud.store.find("host")]}


@routes("GET", "/os-hypervisors/statistics")
def statistics(call: Call) -> Body:
    """The sum over all hosts, until microversion 2.87."""
    call.require_admin("os_compute_api:os-hypervisors:statistics")
    if call.version >= _STATISTICS_REMOVED:
        raise ApiError(404, "The resource could not be found.")
    used = usage_by_host(call.cloud)
    total: dict[str, int] = {}
    rows = call.cloud.store.find("host")
    for row in rows:
        for key, value in _numbers(row, used[row["id"]]).items():
            total[key] = total.get(key, 0) + value
    return {"hypervisor_statistics": total | {"count": len(rows)}}


@routes("GET", "/os-hypervisors/<id>")
def show_hypervisor(call: Call) -> Body:
    call.require_admin("os_compute_api:os-hypervisors:show")
    for row in call.cloud.store.find("host", uuid=call.args["id"]):
        return {"hypervisor": _detail(call, row, usage_by_host(call.cloud)[row["id"]])}
    raise not_found(f"Hypervisor with ID '{call.args['id']}' could not be found.")


@routes("GET", "/os-availability-zone")
@routes("GET", "/os-availability-zone/detail")
def list_zones(call: Call) -> Body:
    names = sorted({row["zone"] for row in call.cloud.store.find("host")})
    rows = [{"zoneName": name, "zoneState": {"available": True}, "hosts": None} for name in names]
    return {"availabilityZoneInfo": rows}


@routes("GET", "/os-services")
def list_services(call: Call) -> Body:
    call.require_admin("os_compute_api:os-services:list")
    rows = [
        {
            "id": row["uuid"],
            "binary": "nova-compute",
            "host": row["id"],
            "zone": row["zone"],
            "status": "enabled",
            "state": "up",
            "updated_at": call.now.replace(tzinfo=None).isoformat(),
            "disabled_reason": None,
            "forced_down": False,
        }
        for row in call.cloud.store.find("host")
    ]
    return {"services": rows}


@routes("GET", "/extensions")
def list_extensions(_call: Call) -> Body:
    return {"extensions": []}
