"""Routers, their interfaces, and floating addresses."""

from govcloud.sandbox.errors import bad_request, conflict, not_found
from govcloud.sandbox.network import resources
from govcloud.sandbox.network.ports import create_port
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Body, Call, Routes

routes = Routes("network", "/network/v2.0")
_INTERFACE = "network:router_interface"
_GATEWAY = "network:router_gateway"


@routes("GET", "/routers")
def list_routers(call: Call) -> Body:
    return resources.listed(call, "router", "routers")


@routes("POST", "/routers", status=201)
def create_router(call: Call) -> Body:
    asked = call.part("router")
    project_id = resources.owner(call, asked)
    resources.check_quota(call.cloud, "router", project_id)
    columns = {
        "name": asked.get("name", ""),
        "admin_state_up": asked.get("admin_state_up", True),
        "status": "ACTIVE",
        "description": asked.get("description", ""),
        "external_gateway_info": None,
        "routes": [],
        "distributed": False,
        "ha": False,
        "availability_zones": ["nova"],
        "availability_zone_hints": [],
        "flavor_id": None,
    }
    row = resources.create(call, "router", project_id, columns)
    _set_gateway(call, row, asked.get("external_gateway_info"))
    return {"router": resources.view(row)}


def _set_gateway(call: Call, router: Row, wanted: Body | None) -> None:
    _refuse_if_gateway_needed(call, router, (wanted or {}).get("network_id"))
    for port in _ports(call, router, _GATEWAY):
        call.cloud.store.delete("port", port["id"])
    if not wanted or not wanted.get("network_id"):
        router["external_gateway_info"] = None
    else:
        network = resources.found(call, "network", wanted["network_id"])
        if not network["router:external"]:
            raise bad_request(
                f"Bad router request: Network {network['id']} is not an external network.", kind="BadRequest"
            )
        asked = {"network_id": network["id"], "device_id": router["id"], "device_owner": _GATEWAY}
        port = create_port(call, asked | {"security_groups": []}, project_id="")
        router["external_gateway_info"] = {
            "network_id": network["id"],
            "enable_snat": wanted.get("enable_snat", True),
            "external_fixed_ips": port["fixed_ips"],
        }
    resources.change(call, "router", router, {})


def _refuse_if_gateway_needed(call: Call, router: Row, network_id: str | None) -> None:
    """Floating addresses come in by the external network that the router leads to."""
    now = (router["external_gateway_info"] or {}).get("network_id")
    if now is None or now == network_id:
        return
    if call.cloud.store.find("floatingip", router_id=router["id"]):
        raise conflict(
            f"Gateway cannot be updated for router {router['id']}, since a gateway to external network {now} is "
            "required by one or more floating IPs.",
            kind="RouterExternalGatewayInUseByFloatingIp",
        )


def _ports(call: Call, router: Row, kind: str) -> list[Row]:
    return [
        port for port in call.cloud.store.find("port", device_id=router["id"]) if port["device_owner"] == kind
    ]


@routes("GET", "/routers/<id>")
def show_router(call: Call) -> Body:
    return {"router": resources.view(resources.found(call, "router", call.args["id"]))}


@routes("PUT", "/routers/<id>")
def update_router(call: Call) -> Body:
    row, asked = resources.owned(call, "router", call.args["id"]), call.part("router")
    resources.change(
        call, "router", row, resources.settable(asked, "name", "description", "admin_state_up", "routes")
    )
    if "external_gateway_info" in asked:
        _set_gateway(call, row, asked["external_gateway_info"])
    return {"router": resources.view(row)}


@routes("DELETE", "/routers/<id>", status=204)
def delete_router(call: Call) -> None:
    row = resources.owned(call, "router", call.args["id"])
    if _ports(call, row, _INTERFACE):
        raise conflict(f"Router {row['id']} still has ports", kind="RouterInUse")
    for port in _ports(call, row, _GATEWAY):
        call.cloud.store.delete("port", port["id"])
    call.cloud.store.delete("router", row["id"])


@routes("PUT", "/routers/<id>/add_router_interface")
def add_interface(call: Call) -> Body:
    router, asked = resources.owned(call, "router", call.args["id"]), call.json
    if "port_id" in asked:
        port = resources.owned(call, "port", asked["port_id"])
        if port["device_id"]:
            raise conflict(
                f"Unable to complete operation on port {port['id']} for network {port['network_id']}. "
                f"Port already has an attached device {port['device_id']}.",
                kind="PortInUse",
            )
        resources.change(call, "port", port, {"device_id": router["id"], "device_owner": _INTERFACE})
    else:
        port = _interface_on(call, router, str(resources.required(asked, "subnet_id")))
    return _interface_view(router, port)


def _interface_on(call: Call, router: Row, subnet_id: str) -> Row:
    subnet = resources.found(call, "subnet", subnet_id)
    if subnet["gateway_ip"] is None:
        raise bad_request(
            "Bad router request: Subnet for router interface must have a gateway IP.", kind="BadRequest"
        )
    for port in _ports(call, router, _INTERFACE):
        if any(ip["subnet_id"] == subnet_id for ip in port["fixed_ips"]):
            raise bad_request(
                f"Bad router request: Router already has a port on subnet {subnet_id}.", kind="BadRequest"
            )
    asked = {
        "network_id": subnet["network_id"],
        "device_id": router["id"],
        "device_owner": _INTERFACE,
        "security_groups": [],
        "fixed_ips": [{"subnet_id": subnet_id, "ip_address": subnet["gateway_ip"]}],
    }
    row = create_port(call, asked, project_id=router["project_id"])
    row["status"] = "ACTIVE"
    return row


def _interface_view(router: Row, port: Row) -> Body:
    subnet_ids = [ip["subnet_id"] for ip in port["fixed_ips"]]
    return {
        "id": router["id"],
        "tenant_id": router["project_id"],
        "project_id": router["project_id"],
        "port_id": port["id"],
        "network_id": port["network_id"],
        "subnet_id": subnet_ids[0],
        "subnet_ids": subnet_ids,
        "tags": [],
    }


@routes("PUT", "/routers/<id>/remove_router_interface")
def remove_interface(call: Call) -> Body:
    router, asked = resources.owned(call, "router", call.args["id"]), call.json
    for port in _ports(call, router, _INTERFACE):
        subnets = {ip["subnet_id"] for ip in port["fixed_ips"]}
        if asked.get("port_id") == port["id"] or asked.get("subnet_id") in subnets:
            _refuse_if_floating(call, router, subnets)
            call.cloud.store.delete("port", port["id"])
            return _interface_view(router, port)
    if "subnet_id" in asked:
        message = f"Router {router['id']} has no interface on subnet {asked['subnet_id']}"
        raise not_found(message, kind="RouterInterfaceNotFoundForSubnet")
    message = f"Router {router['id']} does not have an interface with id {asked.get('port_id')}"
    raise not_found(message, kind="RouterInterfaceNotFound")


def _refuse_if_floating(call: Call, router: Row, subnets: set[str]) -> None:
    for address in call.cloud.store.find("floatingip", project_id=router["project_id"]):
        port = call.cloud.store.get("port", address["port_id"] or "")
        if port and any(ip["subnet_id"] in subnets for ip in port["fixed_ips"]):
            raise conflict(
                f"Router interface for subnet {min(subnets)} on router {router['id']} cannot be deleted, "
                "as it is required by one or more floating IPs.",
                kind="RouterInterfaceInUseByFloatingIP",
            )


@routes("GET", "/floatingips")
def list_floating(call: Call) -> Body:
    return resources.listed(call, "floatingip", "floatingips")


@routes("POST", "/floatingips", status=201)
def create_floating(call: Call) -> Body:
    asked = call.part("floatingip")
    project_id = resources.owner(call, asked)
    network = resources.found(call, "network", resources.required(asked, "floating_network_id"))
    if not network["router:external"]:
        raise bad_request(
            f"Bad floatingip request: Network {network['id']} is not a valid external network.",
            kind="BadRequest",
        )
    resources.check_quota(call.cloud, "floatingip", project_id)
    if asked.get("floating_ip_address"):
        call.require_admin("create_floatingip:floating_ip_address")
    wanted = [{"ip_address": asked["floating_ip_address"]}] if asked.get("floating_ip_address") else None
    binding = _association(call, asked, network) if asked.get("port_id") else {}
    anchor = {"network_id": network["id"], "device_owner": "network:floatingip", "security_groups": []}
    port = create_port(call, anchor | ({"fixed_ips": wanted} if wanted else {}), project_id="")
    columns = {
        "floating_network_id": network["id"],
        "floating_ip_address": port["fixed_ips"][0]["ip_address"],
        "port_id": None,
        "fixed_ip_address": None,
        "router_id": None,
        "status": "DOWN",
        "description": asked.get("description", ""),
        "port_details": None,
        "anchor": port["id"],
    }
    row = resources.create(call, "floatingip", project_id, columns | binding)
    port["device_id"] = row["id"]
    call.cloud.store.save("port", port)
    return {"floatingip": _floating_view(row)}


def _floating_view(row: Row) -> Body:
    return {k: v for k, v in resources.view(row).items() if k != "anchor"}


def _association(call: Call, asked: Body, external: Row) -> Body:
    """Which router and fixed address carry the association."""
    port = resources.found(call, "port", asked["port_id"])
    fixed = asked.get("fixed_ip_address") or next((ip["ip_address"] for ip in port["fixed_ips"]), None)
    for other in call.cloud.store.find("floatingip", port_id=port["id"]):
        if other["fixed_ip_address"] == fixed and other["floating_network_id"] == external["id"]:
            raise conflict(
                f"Cannot associate floating IP {asked.get('floating_ip_address', 'new')} ({other['id']}) with port "
                f"{port['id']} using fixed IP {fixed}, as that fixed IP already has a floating IP on external network "
                f"{external['id']}.",
                kind="FloatingIPPortAlreadyAssociated",
            )
    subnet_id = next((ip["subnet_id"] for ip in port["fixed_ips"] if ip["ip_address"] == fixed), None)
    for interface in call.cloud.store.find("port", network_id=port["network_id"]):
        router = call.cloud.store.get("router", interface["device_id"])
        gateway = router["external_gateway_info"] if router else None
        reaches = any(ip["subnet_id"] == subnet_id for ip in interface["fixed_ips"])
        if router and gateway and reaches and gateway["network_id"] == external["id"]:
            return {
                "port_id": port["id"],
                "fixed_ip_address": fixed,
                "router_id": router["id"],
                "status": "ACTIVE",
            }
    raise not_found(
        f"External network {external['id']} is not reachable from subnet {subnet_id}.  "
        f"Therefore, cannot associate Port {port['id']} with a Floating IP.",
        kind="ExternalGatewayForFloatingIPNotFound",
    )


@routes("GET", "/floatingips/<id>")
def show_floating(call: Call) -> Body:
    return {"floatingip": _floating_view(resources.found(call, "floatingip", call.args["id"]))}


@routes("PUT", "/floatingips/<id>")
def update_floating(call: Call) -> Body:
    row, asked = resources.owned(call, "floatingip", call.args["id"]), call.part("floatingip")
    columns = resources.settable(asked, "description")
    if asked.get("port_id") and asked["port_id"] != row["port_id"]:
        external = resources.found(call, "network", row["floating_network_id"])
        columns |= _association(call, asked, external)
    elif "port_id" in asked and not asked["port_id"]:
        columns |= {"port_id": None, "fixed_ip_address": None, "router_id": None, "status": "DOWN"}
    return {"floatingip": _floating_view(resources.change(call, "floatingip", row, columns))}


@routes("DELETE", "/floatingips/<id>", status=204)
def delete_floating(call: Call) -> None:
    row = resources.owned(call, "floatingip", call.args["id"])
    call.cloud.store.delete("port", row["anchor"])
    call.cloud.store.delete("floatingip", row["id"])
