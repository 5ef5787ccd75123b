"""A server as each microversion shows it."""

import hashlib

from govcloud.sandbox.compute.states import status_of
from govcloud.sandbox.store import Row
from govcloud.sandbox.web import Body, Call, stamp

_PROGRESS = {"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"}


def links(call: Call, kind: str, row_id: str) -> list[Body]:
    """`self` and `bookmark`."""
    return [
        {"rel": "self", "href": call.link(f"/compute/v2.1/{kind}/{row_id}")},
        {"rel": "bookmark", "href": call.link(f"/compute/{kind}/{row_id}")},
    ]


def summary(call: Call, row: Row) -> Body:
    """Id, name and links."""
    return {"id": row["id"], "name": row["name"], "links": links(call, "servers", row["id"])}


def detail(call: Call, row: Row) -> Body:
    """Everything a show or a detailed list has."""
    status = status_of(row)
    shown = summary(call, row) | {
        "status": status,
        "tenant_id": row["project_id"],
        "user_id": row["user_id"],
        "metadata": {} if row["deleted"] else row["metadata"],
        "created": stamp(row["created_at"]),
        "updated": stamp(row["updated_at"] or row["created_at"]),
        "flavor": _flavor(call, row),
        "image": _image(call, row),
        "addresses": _addresses(call, row),
        "accessIPv4": "",
        "accessIPv6": "",
        "hostId": hashlib.sha224((row["project_id"] + row["host"]).encode()).hexdigest()
        if row["host"]
        else "",
        "key_name": row["key_name"],
        "config_drive": "True" if row["config_drive"] else "",
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": row["availability_zone"] if row["host"] else "",
        "OS-EXT-STS:power_state": row["power_state"],
        "OS-EXT-STS:task_state": row["task_state"],
        "OS-EXT-STS:vm_state": row["vm_state"],
        "OS-SRV-USG:launched_at": stamp(row["launched_at"], form="micro"),
        "OS-SRV-USG:terminated_at": stamp(row["terminated_at"], form="micro"),
        "os-extended-volumes:volumes_attached": _volumes(call, row),
    }
    if groups := _security_groups(call, row):
        shown["security_groups"] = groups
    if status in _PROGRESS:
        shown["progress"] = 100 if status == "ACTIVE" else 0
    if row["fault"] and status in {"ERROR", "DELETED"}:
        shown["fault"] = row["fault"] | {"created": stamp(row["fault"]["created"])}
    return shown | _by_version(call, row) | (_for_admins(row) if call.caller.is_admin else {})


def _by_version(call: Call, row: Row) -> Body:
    versions: tuple[tuple[tuple[int, int], Body], ...] = (
        ((2, 9), {"locked": row["locked"]}),
        ((2, 19), {"description": row["description"]}),
        ((2, 26), {"tags": [] if row["deleted"] else row["tags"]}),
        ((2, 63), {"trusted_image_certificates": None}),
        ((2, 71), {"server_groups": []}),
        ((2, 73), {"locked_reason": row["locked_reason"]}),
        ((2, 96), {"pinned_availability_zone": row["pinned_zone"]}),
        ((2, 100), {"scheduler_hints": {}}),
    )
    shown: Body = {}
    for version, part in versions:
        if call.version >= version:
            shown |= part
    return shown


def _for_admins(row: Row) -> Body:
    prefix = "OS-EXT-SRV-ATTR:"
    values = {
        "host": row["host"],
        "hypervisor_hostname": row["host"],
        "instance_name": f"instance-{row['id'][:8]}",
        "hostname": row["hostname"],
        "kernel_id": "",
        "ramdisk_id": "",
        "launch_index": 0,
        "reservation_id": f"r-{row['id'][:8]}",
        "root_device_name": "/dev/vda",
        "user_data": row["user_data"],
    }
    shown: Body = {prefix + key: value for key, value in values.items()}
    return shown | {"host_status": "UP" if row["host"] else ""}


def _flavor(call: Call, row: Row) -> Body:
    flavor = row["flavor"]
    if call.version < (2, 47):
        return {"id": flavor["id"], "links": links(call, "flavors", flavor["id"])[1:]}
    return {
        "vcpus": flavor["vcpus"],
        "ram": flavor["ram"],
        "disk": flavor["disk"],
        "ephemeral": 0,
        "swap": 0,
        "original_name": flavor["name"],
        "extra_specs": flavor["extra_specs"],
    }


def _image(call: Call, row: Row) -> Body | str:
    if not row["image_id"]:
        return ""
    return {"id": row["image_id"], "links": links(call, "images", row["image_id"])[1:]}


def _addresses(call: Call, row: Row) -> Body:
    found: dict[str, list[Body]] = {}
    for port in call.cloud.store.find("port", device_id=row["id"]):
        network = call.cloud.store.get("network", port["network_id"])
        entries = found.setdefault(network["name"] if network else port["network_id"], [])
        for ip in port["fixed_ips"]:
            entries.append(_address(port, ip["ip_address"], "fixed"))
        for floating in call.cloud.store.find("floatingip", port_id=port["id"]):
            entries.append(_address(port, floating["floating_ip_address"], "floating"))
    return found


def _address(port: Row, address: str, kind: str) -> Body:
    return {
        "addr": address,
        "version": 6 if ":" in address else 4,
        "OS-EXT-IPS:type": kind,
        "OS-EXT-IPS-MAC:mac_addr": port["mac_address"],
    }


def _security_groups(call: Call, row: Row) -> list[Body]:
    ids = [i for port in call.cloud.store.find("port", device_id=row["id"]) for i in port["security_groups"]]
    groups = [call.cloud.store.get("security_group", group_id) for group_id in ids]
    return [{"name": group["name"]} for group in groups if group]


def _volumes(call: Call, row: Row) -> list[Body]:
    attachments = call.cloud.store.find("attachment", server_id=row["id"])
    if call.version < (2, 3):
        return [{"id": a["volume_id"]} for a in attachments]
    return [{"id": a["volume_id"], "delete_on_termination": a["delete_on_termination"]} for a in attachments]
