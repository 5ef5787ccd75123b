"""Ports plugged into and out of a running server, and its security groups."""

from govcloud.sandbox.compute.servers import found
from govcloud.sandbox.compute.states import require
from govcloud.sandbox.errors import bad_request, conflict, not_found
from govcloud.sandbox.network import ports
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Answer, Body, Call, Routes, internal

routes = Routes("compute", "/compute/v2.1")


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
    require(server, "attach_interface", vm_states={"active", "paused", "stopped"})
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
    return {"interfaceAttachment": _view(port)}


@routes("DELETE", "/servers/<id>/os-interface/<port>", status=202)
def unplug(call: Call) -> Answer:
    server = found(call, call.args["id"])
    port = call.cloud.store.get("port", call.args["port"])
    if port is None or port["device_id"] != server["id"]:
        raise not_found(f"Port id {call.args['port']} could not be found.")
    if port["id"] in server["own_ports"]:
        ports.remove(call.cloud, port, at=call.now)
    else:
        ports.unbind(call.cloud, port, at=call.now)
    return Answer(202)


@routes("GET", "/servers/<id>/os-security-groups")
def list_security_groups(call: Call) -> Body:
    server = found(call, call.args["id"])
    ids = {
        g for port in call.cloud.store.find("port", device_id=server["id"]) for g in port["security_groups"]
    }
    rows = [row for group_id in sorted(ids) if (row := call.cloud.store.get("security_group", group_id))]
    shown = [{"id": r["id"], "name": r["name"], "description": r["description"], "rules": []} for r in rows]
    return {"security_groups": shown}
