"""Ports plugged into and out of a running server, and its security groups."""

from datetime import datetime
from typing import Any

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.compute import history
from govcloud.sandbox.compute.servers import found
from govcloud.sandbox.compute.states import require
from govcloud.sandbox.errors import bad_request, conflict, not_found
from govcloud.sandbox.network import ports
from govcloud.sandbox.store import Row
from govcloud.sandbox.timeline import transition
from govcloud.sandbox.web import Answer, Body, Call, Routes, internal

routes = Routes("compute", "/compute/v2.1")
_PLUGGABLE = {"active", "paused", "stopped"}


def _view(row: Row) -> Body:
    return {
        "port_id": row["id"],
        "net_id": row["network_id"],
        "mac_addr": row["mac_address"],
        "port_state": row["status"],
        "fixed_ips": row["fixed_ips"],
    }


@routes("GET", "/servers/<id>/os-interface")
def list_interfaces(call: Call) -> Body:
    server = found(call, call.args["id"])
    rows = call.cloud.store.find("port", device_id=server["id"])
    return {"interfaceAttachments": [_view(row) for row in rows]}


@routes("POST", "/servers/<id>/os-interface")
def plug(call: Call) -> Body:
    """Plug a given port, or a new one of a network."""
    server, asked = found(call, call.args["id"]), call.part("interfaceAttachment")
    require(server, "attach_interface", vm_states=_PLUGGABLE)
    if port_id := asked.get("port_id"):
        port = call.cloud.store.get("port", port_id)
        if port is None or not call.sees(port):
            raise not_found(f"Port id {port_id} could not be found.")
        if port["device_id"]:
            raise conflict(f"Port {port_id} is still in use.")
    elif asked.get("net_id"):
        inner = internal(
            call.cloud,
            service="network",
            project_id=server["project_id"],
            user_id=server["user_id"],
            at=call.now,
        )
        wanted = {"network_id": asked["net_id"], "fixed_ips": asked.get("fixed_ips")}
        port = ports.create_port(inner, wanted, project_id=server["project_id"])
        server["own_ports"].append(port["id"])
        call.cloud.store.save("server", server)
    else:
        raise bad_request("Must input network_id or port_id when request ip_address")
    ports.bind(call.cloud, port, server_id=server["id"], zone=server["availability_zone"], at=call.now)
    history.finish(call.cloud, history.record(call, server, "attach_interface"), at=call.now)
    return {"interfaceAttachment": _view(port)}


@routes("DELETE", "/servers/<id>/os-interface/<port>", status=202)
def unplug(call: Call) -> Answer:
    """Accepted whatever the port; whether the server had it shows in the record of the action only."""
    server = found(call, call.args["id"])
    require(server, "detach_interface", vm_states=_PLUGGABLE)
    action_id = history.record(call, server, "detach_interface")
    args = {"server_id": server["id"], "port_id": call.args["port"], "action_id": action_id}
    if call.outcome != "stuck":
        seconds = call.cloud.timing.action_seconds
        call.cloud.timeline.schedule("interface.unplugged", call.now, seconds=seconds, **args)
    return Answer(202)


@transition("interface.unplugged")
def _unplugged(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    server, port = cloud.store.get("server", args["server_id"]), cloud.store.get("port", args["port_id"])
    held = server is not None and port is not None and port["device_id"] == server["id"]
    history.finish(cloud, args["action_id"], at=at, failed=not held)
    if server is None or port is None or not held:
        return
    if port["id"] in server["own_ports"]:
        ports.remove(cloud, port, at=at)
    else:
        ports.unbind(cloud, port, at=at)


@routes("GET", "/servers/<id>/os-security-groups")
def list_security_groups(call: Call) -> Body:
    server = found(call, call.args["id"])
    ids = {
        g for port in call.cloud.store.find("port", device_id=server["id"]) for g in port["security_groups"]
    }
    rows = [row for group_id in sorted(ids) if (row := call.cloud.store.get("security_group", group_id))]
    shown = [{"id": r["id"], "name": r["name"], "description": r["description"], "rules": []} for r in rows]
    return {"security_groups": shown}
