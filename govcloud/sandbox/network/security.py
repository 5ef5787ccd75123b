"""Security groups and their rules; every project has a group `default`."""

from ipaddress import ip_network

from govcloud.sandbox.errors import bad_request, conflict
from govcloud.sandbox.network import resources
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Body, Call, Routes

routes = Routes("network", "/network/v2.0")
_PROTOCOLS = {
    "tcp",
    "udp",
    "icmp",
    "icmpv6",
    "ipv6-icmp",
    "esp",
    "ah",
    "vrrp",
    "sctp",
    "gre",
    "igmp",
    "ospf",
    "any",
}


def ensure_default_group(call: Call, project_id: str) -> Row:
    """The project's default group, made on the first use of the network by the project."""
    for row in call.cloud.store.find("security_group", project_id=project_id):
        if row["name"] == "default":
            return row
    row = _new_group(call, project_id, "default", "Default security group")
    for ethertype in ("IPv4", "IPv6"):
        _new_rule(call, row, {"direction": "ingress", "ethertype": ethertype, "remote_group_id": row["id"]})
    return row


def _new_group(call: Call, project_id: str, name: str, description: str) -> Row:
    row = resources.create(
        call,
        "security_group",
        project_id,
        {"name": name, "description": description, "stateful": True, "shared": False},
    )
    for ethertype in ("IPv4", "IPv6"):
        _new_rule(call, row, {"direction": "egress", "ethertype": ethertype})
    return row


def _new_rule(call: Call, group: Row, asked: Body, *, project_id: str = "") -> Row:
    """A rule of the group's project, or of whoever asks for it: not necessarily the same."""
    columns = {
        "security_group_id": group["id"],
        "direction": asked["direction"],
        "ethertype": asked.get("ethertype", "IPv4"),
        "protocol": asked.get("protocol"),
        "port_range_min": asked.get("port_range_min"),
        "port_range_max": asked.get("port_range_max"),
        "remote_ip_prefix": asked.get("remote_ip_prefix"),
        "remote_group_id": asked.get("remote_group_id"),
        "remote_address_group_id": None,
        "normalized_cidr": asked.get("remote_ip_prefix"),
        "description": asked.get("description", ""),
        "belongs_to_default_sg": group["name"] == "default",
    }
    return resources.create(call, "security_group_rule", project_id or group["project_id"], columns)


def _group_view(call: Call, row: Row) -> Body:
    rules = call.cloud.store.find("security_group_rule", security_group_id=row["id"])
    return resources.view(row) | {"security_group_rules": [resources.view(rule) for rule in rules]}


@routes("GET", "/security-groups")
def list_groups(call: Call) -> Body:
    ensure_default_group(call, call.project)
    body = resources.listed(call, "security_group", "security_groups")
    for group in body["security_groups"]:
        row = call.cloud.store.get("security_group", group.get("id", ""))
        if row is not None:
            group.update(resources.only_fields(call, _group_view(call, row)))
    return body


@routes("POST", "/security-groups", status=201)
def create_group(call: Call) -> Body:
    asked = call.part("security_group")
    project_id = resources.owner(call, asked)
    ensure_default_group(call, project_id)
    if asked.get("name") == "default":
        raise conflict("Default security group already exists.", kind="SecurityGroupDefaultAlreadyExists")
    resources.check_quota(call.cloud, "security_group", project_id)
    resources.check_quota(call.cloud, "security_group_rule", project_id, more=2)
    row = _new_group(call, project_id, asked.get("name", ""), asked.get("description", ""))
    return {"security_group": _group_view(call, row)}


@routes("GET", "/security-groups/<id>")
def show_group(call: Call) -> Body:
    return {"security_group": _group_view(call, resources.found(call, "security_group", call.args["id"]))}


@routes("PUT", "/security-groups/<id>")
def update_group(call: Call) -> Body:
    row, asked = resources.owned(call, "security_group", call.args["id"]), call.part("security_group")
    if row["name"] == "default" and asked.get("name", "default") != "default":
        raise conflict(
            "Updating default security group not allowed.", kind="SecurityGroupCannotUpdateDefault"
        )
    columns = resources.settable(asked, "name", "description", "stateful")
    return {"security_group": _group_view(call, resources.change(call, "security_group", row, columns))}


@routes("DELETE", "/security-groups/<id>", status=204)
def delete_group(call: Call) -> None:
    row = resources.owned(call, "security_group", call.args["id"])
    ports = call.cloud.store.find("port", project_id=row["project_id"])
    if any(row["id"] in port["security_groups"] for port in ports):
        raise conflict(f"Security Group {row['id']} in use.", kind="SecurityGroupInUse")
    if row["name"] == "default" and not call.caller.is_admin:
        raise conflict(
            "Insufficient rights for removing default security group.",
            kind="SecurityGroupCannotRemoveDefault",
        )
    for rule in call.cloud.store.find("security_group_rule", security_group_id=row["id"]):
        call.cloud.store.delete("security_group_rule", rule["id"])
    call.cloud.store.delete("security_group", row["id"])


@routes("GET", "/security-group-rules")
def list_rules(call: Call) -> Body:
    return resources.listed(call, "security_group_rule", "security_group_rules")


@routes("POST", "/security-group-rules", status=201)
def create_rule(call: Call) -> Body:
    asked = call.part("security_group_rule")
    group = resources.owned(call, "security_group", resources.required(asked, "security_group_id"))
    asked["ethertype"] = asked.get("ethertype") or "IPv4"
    _check_rule(asked)
    for rule in call.cloud.store.find("security_group_rule", security_group_id=group["id"]):
        if _through(rule) == _through(asked):
            raise conflict(
                f"Security group rule already exists. Rule id is {rule['id']}.",
                kind="SecurityGroupRuleExists",
            )
    project_id = resources.owner(call, asked)
    resources.check_quota(call.cloud, "security_group_rule", project_id)
    return {"security_group_rule": resources.view(_new_rule(call, group, asked, project_id=project_id))}


_RULE_IDENTITY = (
    "direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id",
)  # fmt: skip
_ANYWHERE = {"0.0.0.0/0", "::/0"}


def _through(rule: Row) -> list[object]:
    """What a rule lets through: a range of everybody is the same as none."""
    values = [rule.get(key) for key in _RULE_IDENTITY]
    return [None if value in _ANYWHERE else value for value in values]


def _check_rule(asked: Body) -> None:
    if asked.get("direction") not in {"ingress", "egress"}:
        raise bad_request(
            f"Invalid input for direction. Reason: '{asked.get('direction')}' is not in ['ingress', 'egress'].",
            kind="HTTPBadRequest",
        )
    protocol, low, high = asked.get("protocol"), asked.get("port_range_min"), asked.get("port_range_max")
    if protocol is not None and str(protocol) not in _PROTOCOLS and not str(protocol).isdigit():
        raise bad_request(
            f"Security group rule protocol {protocol} not supported.", kind="SecurityGroupRuleInvalidProtocol"
        )
    if protocol is None and (low is not None or high is not None):
        raise bad_request(
            "Must also specify protocol if port range is given.",
            kind="SecurityGroupProtocolRequiredWithPorts",
        )
    if protocol in {"tcp", "udp"} and low is not None and high is not None and int(low) > int(high):
        raise bad_request(
            "For TCP/UDP protocols, port_range_min must be <= port_range_max",
            kind="SecurityGroupInvalidPortRange",
        )
    if prefix := asked.get("remote_ip_prefix"):
        _check_prefix(prefix, asked["ethertype"])


def _check_prefix(prefix: str, ethertype: str) -> None:
    try:
        network = ip_network(prefix, strict=False)
    except ValueError as error:
        raise bad_request(
            f"Invalid input for remote_ip_prefix. Reason: '{prefix}' is not a valid IP subnet.",
            kind="HTTPBadRequest",
        ) from error
    if f"IPv{network.version}" != ethertype:
        raise bad_request(
            f"Conflicting value ethertype {ethertype} for CIDR {prefix}",
            kind="SecurityGroupRuleParameterConflict",
        )


@routes("GET", "/security-group-rules/<id>")
def show_rule(call: Call) -> Body:
    row = resources.found(call, "security_group_rule", call.args["id"])
    return {"security_group_rule": resources.view(row)}


@routes("DELETE", "/security-group-rules/<id>", status=204)
def delete_rule(call: Call) -> None:
    row = resources.found(call, "security_group_rule", call.args["id"])
    if not call.sees(
        row
    ):  # one that an operator made in a group of ours: listed to us, and not there when we delete it
        raise resources.missing("security_group_rule", row["id"])
    call.cloud.store.delete("security_group_rule", row["id"])
