"""Ports: the addresses machines have."""

from datetime import datetime

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.errors import ApiError, conflict
from govcloud.sandbox.network import addresses, resources
from govcloud.sandbox.network.security import ensure_default_group
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Body, Call, Routes

routes = Routes("network", "/network/v2.0")


@routes("GET", "/ports")
def list_ports(call: Call) -> Body:
    return resources.listed(call, "port", "ports")


@routes("POST", "/ports", status=201)
def create_ports(call: Call) -> Body:
    """One port, or several at once."""
    if "ports" in call.json:
        return {"ports": [resources.view(create_port(call, asked)) for asked in call.json["ports"]]}
    return {"port": resources.view(create_port(call, call.part("port")))}


def create_port(call: Call, asked: Body, *, project_id: str | None = None) -> Row:
    """Make a port with the addresses asked for, or the next free one.

    Raises:
        ApiError: 404 network or security group, 400 address outside, 409 address or MAC in use, 409 over quota.

    """
    network = resources.found(call, "network", resources.required(asked, "network_id"))
    owner = project_id or resources.owner(call, asked)
    groups = asked.get("security_groups")
    if groups is None:
        groups = [ensure_default_group(call, owner)["id"]] if asked.get("port_security_enabled", True) else []
    for group in groups:
        resources.found(call, "security_group", group)
    mac = _mac(call, network, asked)
    resources.check_quota(call.cloud, "port", owner)
    columns = {
        "name": asked.get("name", ""),
        "network_id": network["id"],
        "admin_state_up": asked.get("admin_state_up", True),
        "status": "DOWN",
        "mac_address": mac,
        "fixed_ips": addresses.assign(call.cloud, network, asked.get("fixed_ips")),
        "device_id": asked.get("device_id", ""),
        "device_owner": asked.get("device_owner", ""),
        "security_groups": groups,
        "port_security_enabled": asked.get("port_security_enabled", True),
        "allowed_address_pairs": asked.get("allowed_address_pairs", []),
        "extra_dhcp_opts": asked.get("extra_dhcp_opts", []),
        "description": asked.get("description", ""),
        "binding:vnic_type": "normal",
        "binding:host_id": "",
        "binding:vif_type": "unbound",
        "binding:profile": {},
        "binding:vif_details": {},
        "dns_name": asked.get("dns_name", ""),
        "dns_assignment": [],
        "qos_policy_id": None,
        "tags": asked.get("tags", []),
    }
    return resources.create(call, "port", owner, columns)


def _mac(call: Call, network: Row, asked: Body) -> str:
    """The hardware address asked for, or a new one; 409 when it is in use on the network."""
    mac = asked.get("mac_address") or addresses.new_mac()
    if any(port["mac_address"] == mac for port in call.cloud.store.find("port", network_id=network["id"])):
        raise conflict(
            f"Unable to complete operation for network {network['id']}. The mac address {mac} is in use.",
            kind="MacAddressInUse",
        )
    return str(mac)


@routes("GET", "/ports/<id>")
def show_port(call: Call) -> Body:
    row = resources.found(call, "port", call.args["id"])
    return {"port": resources.only_fields(call, resources.view(row))}


@routes("PUT", "/ports/<id>")
def update_port(call: Call) -> Body:
    row, asked = resources.owned(call, "port", call.args["id"]), call.part("port")
    columns = resources.settable(
        asked,
        "name", "description", "admin_state_up", "device_id", "device_owner", "security_groups",
        "port_security_enabled", "allowed_address_pairs", "dns_name",
    )  # fmt: skip
    for group in columns.get("security_groups", []):
        resources.found(call, "security_group", group)
    if "fixed_ips" in asked and asked["fixed_ips"] != row["fixed_ips"]:
        columns["fixed_ips"] = _moved(call, row, asked["fixed_ips"])
    return {"port": resources.view(resources.change(call, "port", row, columns))}


def _moved(call: Call, row: Row, wanted: list[Body]) -> list[Body]:
    kept = {ip["ip_address"]: ip for ip in row["fixed_ips"]}
    network = resources.found(call, "network", row["network_id"])
    new = [entry for entry in wanted if entry.get("ip_address") not in kept]
    chosen = addresses.assign(call.cloud, network, new)
    return [kept[entry["ip_address"]] for entry in wanted if entry.get("ip_address") in kept] + chosen


@routes("DELETE", "/ports/<id>", status=204)
def delete_port(call: Call) -> None:
    row = resources.owned(call, "port", call.args["id"])
    if row["device_owner"] in {"network:router_interface", "network:router_gateway", "network:floatingip"}:
        raise conflict(
            f"Port {row['id']} cannot be deleted directly via the port API: has device owner {row['device_owner']}.",
            kind="ServicePortInUse",
        )
    if row["device_owner"].startswith("compute:") and not call.caller.is_admin:
        raise ApiError(403, "rule:delete_port is disallowed by policy", kind="PolicyNotAuthorized")
    remove(call.cloud, row, at=call.now)


def remove(cloud: Cloud, row: Row, *, at: datetime) -> None:
    """Delete a port and let go of its floating addresses."""
    for address in cloud.store.find("floatingip", port_id=row["id"]):
        cloud.change(
            "floatingip", address, at=at, port_id=None, fixed_ip_address=None, router_id=None, status="DOWN"
        )
    cloud.store.delete("port", row["id"])


def bind(cloud: Cloud, row: Row, *, server_id: str, zone: str, at: datetime) -> None:
    """Give the port to a server."""
    columns = {
        "device_id": server_id,
        "device_owner": f"compute:{zone}",
        "status": "ACTIVE",
        "binding:host_id": "sandbox-compute-1",
        "binding:vif_type": "ovs",
    }
    cloud.change("port", row, at=at, **columns)


def unbind(cloud: Cloud, row: Row, *, at: datetime) -> None:
    """Take the port from its server; the port stays."""
    columns = {
        "device_id": "",
        "device_owner": "",
        "status": "DOWN",
        "binding:host_id": "",
        "binding:vif_type": "unbound",
    }
    cloud.change("port", row, at=at, **columns)
