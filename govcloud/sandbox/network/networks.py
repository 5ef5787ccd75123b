"""Networks and subnets."""

from ipaddress import ip_address, ip_network
from typing import Any

from govcloud.sandbox.errors import ApiError, bad_request, conflict
from govcloud.sandbox.network import addresses, resources
from govcloud.sandbox.network.security import ensure_default_group
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Body, Call, Routes

routes = Routes("network", "/network/v2.0")
_AUTO_DELETED = ("network:dhcp",)


def _view(call: Call, row: Row) -> Body:
    subnets = [subnet["id"] for subnet in call.cloud.store.find("subnet", network_id=row["id"])]
    return resources.view(row) | {"subnets": subnets}


@routes("GET", "/networks")
def list_networks(call: Call) -> Body:
    body = resources.listed(call, "network", "networks")
    for network in body["networks"]:
        if "id" in network:
            network["subnets"] = [
                row["id"] for row in call.cloud.store.find("subnet", network_id=network["id"])
            ]
    return body


@routes("POST", "/networks", status=201)
def create_network(call: Call) -> Body:
    asked = call.part("network")
    project_id = resources.owner(call, asked)
    if asked.get("router:external") or asked.get("shared"):
        call.require_admin("create_network:shared")
    resources.check_quota(call.cloud, "network", project_id)
    ensure_default_group(call, project_id)
    columns = {
        "name": asked.get("name", ""),
        "admin_state_up": asked.get("admin_state_up", True),
        "status": "ACTIVE",
        "shared": asked.get("shared", False),
        "router:external": asked.get("router:external", False),
        "mtu": asked.get("mtu", 1450),
        "port_security_enabled": asked.get("port_security_enabled", True),
        "availability_zone_hints": asked.get("availability_zone_hints", []),
        "availability_zones": ["nova"],
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
        "description": asked.get("description", ""),
        "qos_policy_id": None,
        "is_default": False,
        "provider:network_type": asked.get("provider:network_type", "vxlan"),
        "provider:physical_network": asked.get("provider:physical_network"),
        "provider:segmentation_id": asked.get(
            "provider:segmentation_id", len(call.cloud.store.find("network")) + 1
        ),
    }
    return {"network": _view(call, resources.create(call, "network", project_id, columns))}


@routes("GET", "/networks/<id>")
def show_network(call: Call) -> Body:
    row = resources.found(call, "network", call.args["id"])
    return {"network": resources.only_fields(call, _view(call, row))}


@routes("PUT", "/networks/<id>")
def update_network(call: Call) -> Body:
    row, asked = resources.owned(call, "network", call.args["id"]), call.part("network")
    columns = resources.settable(asked, "name", "description", "admin_state_up", "shared", "mtu")
    return {"network": _view(call, resources.change(call, "network", row, columns))}


@routes("DELETE", "/networks/<id>", status=204)
def delete_network(call: Call) -> None:
    row = resources.owned(call, "network", call.args["id"])
    ports = call.cloud.store.find("port", network_id=row["id"])
    if any(port["device_owner"] not in _AUTO_DELETED for port in ports):
        raise conflict(
            f"Unable to complete operation on network {row['id']}. "
            "There are one or more ports still in use on the network.",
            kind="NetworkInUse",
        )
    for port in ports:
        call.cloud.store.delete("port", port["id"])
    for subnet in call.cloud.store.find("subnet", network_id=row["id"]):
        call.cloud.store.delete("subnet", subnet["id"])
    call.cloud.store.delete("network", row["id"])


@routes("GET", "/subnets")
def list_subnets(call: Call) -> Body:
    return resources.listed(call, "subnet", "subnets")


@routes("POST", "/subnets", status=201)
def create_subnet(call: Call) -> Body:
    asked = call.part("subnet")
    network = resources.owned(call, "network", resources.required(asked, "network_id"))
    project_id = network["project_id"]
    cidr = addresses.parsed_network(str(resources.required(asked, "cidr")))
    _check_cidr(call, network, cidr)
    gateway = _gateway(asked, cidr)
    resources.check_quota(call.cloud, "subnet", project_id)
    columns = {
        "name": asked.get("name", ""),
        "network_id": network["id"],
        "ip_version": cidr.version,
        "cidr": str(cidr),
        "gateway_ip": gateway,
        "enable_dhcp": asked.get("enable_dhcp", True),
        "dns_nameservers": asked.get("dns_nameservers", []),
        "host_routes": asked.get("host_routes", []),
        "allocation_pools": _pools(asked, cidr, gateway),
        "ipv6_address_mode": asked.get("ipv6_address_mode"),
        "ipv6_ra_mode": asked.get("ipv6_ra_mode"),
        "description": asked.get("description", ""),
        "service_types": [],
        "subnetpool_id": None,
        "dns_publish_fixed_ip": False,
    }
    row = resources.create(call, "subnet", project_id, columns)
    if row["enable_dhcp"]:
        _plug_dhcp(call, network, row)
    return {"subnet": resources.view(row)}


def _check_cidr(call: Call, network: Row, cidr: addresses.Network) -> None:
    if cidr.prefixlen == 0:
        raise bad_request(
            "Invalid input for operation: 0 is not allowed as CIDR prefix length.", kind="InvalidInput"
        )
    for subnet in call.cloud.store.find("subnet", network_id=network["id"]):
        other = ip_network(subnet["cidr"])
        if other.version == cidr.version and other.overlaps(cidr):
            raise bad_request(
                f"Invalid input for operation: Requested subnet with cidr: {cidr} for network: {network['id']} "
                "overlaps with another subnet.",
                kind="InvalidInput",
            )


def _gateway(asked: Body, cidr: addresses.Network) -> str | None:
    if "gateway_ip" not in asked:
        return str(cidr.network_address + 1)
    if asked["gateway_ip"] is None:
        return None
    return str(addresses.parsed_address(asked["gateway_ip"]))


def _pools(asked: Body, cidr: addresses.Network, gateway: str | None) -> list[Body]:
    pools: list[Body] = asked.get("allocation_pools") or addresses.default_pools(cidr, gateway)
    for pool in pools:
        start, end = addresses.parsed_address(pool["start"]), addresses.parsed_address(pool["end"])
        if int(start) > int(end):
            raise bad_request(
                f"The allocation pool {start}-{end} is not valid.", kind="InvalidAllocationPool"
            )
        if start not in cidr or end not in cidr:
            raise bad_request(
                f"The allocation pool {start}-{end} spans beyond the subnet cidr {cidr}.",
                kind="OutOfBoundsAllocationPool",
            )
        if gateway and int(start) <= int(ip_address(gateway)) <= int(end):
            raise conflict(
                f"Gateway ip {gateway} conflicts with allocation pool {start}-{end}.",
                kind="GatewayConflictWithAllocationPools",
            )
    return pools


def _plug_dhcp(call: Call, network: Row, subnet: Row) -> None:
    """The DHCP agent's port: it takes an address of every subnet it serves, which planners of addresses must know."""
    ports = [
        p
        for p in call.cloud.store.find("port", network_id=network["id"])
        if p["device_owner"] == "network:dhcp"
    ]
    try:
        fixed = addresses.assign(call.cloud, network, [{"subnet_id": subnet["id"]}])
    except ApiError:
        return
    if ports:
        resources.change(call, "port", ports[0], {"fixed_ips": ports[0]["fixed_ips"] + fixed})
        return
    columns: dict[str, Any] = {
        "name": "",
        "network_id": network["id"],
        "device_id": f"dhcp-{network['id']}",
        "device_owner": "network:dhcp",
        "fixed_ips": fixed,
        "mac_address": addresses.new_mac(),
        "status": "ACTIVE",
        "admin_state_up": True,
        "security_groups": [],
        "port_security_enabled": False,
        "allowed_address_pairs": [],
        "extra_dhcp_opts": [],
        "binding:host_id": "sandbox",
        "binding:vnic_type": "normal",
    }
    resources.create(call, "port", network["project_id"], columns)


@routes("GET", "/subnets/<id>")
def show_subnet(call: Call) -> Body:
    row = resources.found(call, "subnet", call.args["id"])
    return {"subnet": resources.only_fields(call, resources.view(row))}


@routes("PUT", "/subnets/<id>")
def update_subnet(call: Call) -> Body:
    row, asked = resources.owned(call, "subnet", call.args["id"]), call.part("subnet")
    columns = resources.settable(
        asked,
        "name",
        "description",
        "enable_dhcp",
        "dns_nameservers",
        "host_routes",
        "gateway_ip",
        "allocation_pools",
    )
    return {"subnet": resources.view(resources.change(call, "subnet", row, columns))}


@routes("DELETE", "/subnets/<id>", status=204)
def delete_subnet(call: Call) -> None:
    row = resources.owned(call, "subnet", call.args["id"])
    using = [
        port
        for port in call.cloud.store.find("port", network_id=row["network_id"])
        if any(ip["subnet_id"] == row["id"] for ip in port["fixed_ips"])
    ]
    if any(port["device_owner"] not in _AUTO_DELETED for port in using):
        raise conflict(
            f"Unable to complete operation on subnet {row['id']}: "
            "One or more ports have an IP allocation from this subnet.",
            kind="SubnetInUse",
        )
    for port in using:
        rest = [ip for ip in port["fixed_ips"] if ip["subnet_id"] != row["id"]]
        if rest:
            resources.change(call, "port", port, {"fixed_ips": rest})
        else:
            call.cloud.store.delete("port", port["id"])
    call.cloud.store.delete("subnet", row["id"])
