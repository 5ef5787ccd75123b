"""How a server comes to be: checked and reserved at once, plugged and started a little later."""

import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.compute import history, hosts, quota
from govcloud.sandbox.compute.flavors import find_flavor
from govcloud.sandbox.compute.keypairs import find_keypair
from govcloud.sandbox.compute.states import RUNNING, fail
from govcloud.sandbox.errors import ApiError, bad_request, conflict
from govcloud.sandbox.network import ports
from govcloud.sandbox.store import Row
from govcloud.sandbox.timeline import transition
from govcloud.sandbox.volume import attachments, volumes
from govcloud.sandbox.web import Body, Call, internal

_NO_HOST = "No valid host was found. There are not enough hosts available."
_TAGS = (2, 52)
_NETWORKS_REQUIRED = (2, 37)


@dataclass(frozen=True)
class _Plan:
    """What a request for a server asks for, checked."""

    flavor: Row
    image_id: str
    disks: list[Body]
    networks: list[Body]
    public_key: str | None


def build(call: Call, asked: Body) -> Row:
    """Accept a server: its volumes are reserved before the answer, in one step nobody can come between.

    Raises:
        ApiError: 400 for what does not exist or is not available, 403 over quota, 409 for a port in use.

    """
    _check_shape(call, asked)
    plan = _plan(call, asked)
    more = {"instances": 1, "cores": plan.flavor["vcpus"], "ram": plan.flavor["ram"]}
    quota.check(call.cloud, call.project, more)
    server_id = str(uuid.uuid4())
    reserved = _reserve(call, plan.disks, server_id)
    row = call.cloud.new("server", _columns(call, asked, plan, server_id), at=call.now)
    for attachment, disk in reserved:
        kept = {"delete_on_termination": bool(disk.get("delete_on_termination")), "tag": disk.get("tag")}
        call.cloud.change("attachment", attachment, at=call.now, **kept)
    _start(call, row)
    return row


def _check_shape(call: Call, asked: Body) -> None:
    for name in ("name", "flavorRef"):
        if not asked.get(name):
            raise bad_request(
                f"Invalid input for field/attribute server. Value: {asked}. '{name}' is a required property"
            )
    if "networks" not in asked and call.version >= _NETWORKS_REQUIRED:
        raise bad_request("Invalid input for field/attribute server. 'networks' is a required property")
    if "tags" in asked and call.version < _TAGS:
        raise bad_request(
            "Invalid input for field/attribute server. Additional properties are not allowed ('tags' was unexpected)"
        )
    for tag in asked.get("tags", []):
        if not 1 <= len(tag) <= 60 or "," in tag or "/" in tag:
            raise bad_request(
                f"Invalid input for field/attribute tags. Value: {tag}. '{tag}' does not match '^[^,/]*$'"
            )


def _plan(call: Call, asked: Body) -> _Plan:
    flavor = find_flavor(call, str(asked["flavorRef"]).rsplit("/", 1)[-1])
    if flavor is None:
        raise bad_request(f"Flavor {asked['flavorRef']} could not be found.")
    public_key = None
    if key_name := asked.get("key_name"):
        keypair = find_keypair(call, key_name)
        if keypair is None:
            raise bad_request("Invalid key_name provided.")
        public_key = keypair["public_key"]
    disks = asked.get("block_device_mapping_v2") or []
    image_id = str(asked.get("imageRef") or "")
    _check_image(call, image_id, disks)
    return _Plan(flavor, image_id, _checked_disks(call, disks), _checked_networks(call, asked), public_key)


def _check_image(call: Call, image_id: str, disks: list[Body]) -> None:
    boots = any(str(disk.get("boot_index")) == "0" for disk in disks)
    if image_id and call.cloud.store.get("image", image_id) is None:
        raise bad_request("Can not find requested image")
    if not image_id and not boots:
        raise bad_request(
            "Block Device Mapping is Invalid: Boot sequence for the instance and image/block device mapping "
            "combination is not valid."
        )


def _checked_disks(call: Call, disks: list[Body]) -> list[Body]:
    for disk in disks:
        if disk.get("source_type") == "volume":
            volume = call.cloud.store.get("volume", str(disk.get("uuid")))
            if volume is None or not call.sees(volume):
                raise bad_request(
                    f"Block Device Mapping is Invalid: failed to get volume {disk.get('uuid')}."
                )
            if str(disk.get("boot_index")) == "0" and not volume["bootable"]:
                raise bad_request(f"Block Device {volume['id']} is not bootable.")
        elif disk.get("source_type") == "image":
            image_id = str(disk.get("uuid"))
            if call.cloud.store.get("image", image_id) is None:
                raise bad_request(f"Block Device Mapping is Invalid: failed to get image {image_id}.")
    return disks


def _checked_networks(call: Call, asked: Body) -> list[Body]:
    wanted = asked.get("networks", "auto")
    if wanted == "none":
        return []
    if wanted == "auto" or not wanted:
        own = call.cloud.store.find("network", project_id=call.project)
        if len(own) > 1:
            raise conflict(
                "More than one possible network found. Specify network ID(s) to select which one(s) to connect to."
            )
        return [{"uuid": row["id"]} for row in own]
    for entry in wanted:
        if entry.get("port"):
            _check_port(call, entry["port"])
        else:
            _check_network(call, entry)
    return list(wanted)


def _check_port(call: Call, port_id: str) -> None:
    port = call.cloud.store.get("port", port_id)
    if port is None or not call.sees(port):
        raise bad_request(f"Port id {port_id} could not be found.")
    if port["device_id"]:
        raise conflict(f"Port {port_id} is still in use.")
    if not port["fixed_ips"]:
        raise bad_request(f"Port {port_id} requires a FixedIP in order to be used.")


def _check_network(call: Call, entry: Body) -> None:
    network = call.cloud.store.get("network", str(entry.get("uuid")))
    if network is None or not (call.sees(network) or network["shared"]):
        raise bad_request(f"Network {entry.get('uuid')} could not be found.")
    if not call.cloud.store.find("subnet", network_id=network["id"]):
        raise bad_request(f"Network {network['id']} requires a subnet in order to boot instances on.")
    if address := entry.get("fixed_ip"):
        for port in call.cloud.store.find("port", network_id=network["id"]):
            if any(ip["ip_address"] == address for ip in port["fixed_ips"]):
                raise bad_request(
                    f"Fixed IP address {address} is already in use on instance {port['device_id']}."
                )


def _reserve(call: Call, disks: list[Body], server_id: str) -> list[tuple[Row, Body]]:
    """Reserve every volume named, or none."""
    reserved: list[tuple[Row, Body]] = []
    try:
        for disk in disks:
            if disk.get("source_type") == "volume":
                volume = volumes.found(call, disk["uuid"])
                attachment = attachments.reserve(call.cloud, volume, server_id=server_id, at=call.now)
                reserved.append((attachment, disk))
    except ApiError as error:
        for attachment, _ in reserved:
            attachments.release(call.cloud, attachment, at=call.now)
        raise told_by_cinder(error, call.request_id) from error
    return reserved


def told_by_cinder(error: ApiError, request_id: str) -> ApiError:
    """Cinder's refusal in the words with which Nova passes it on."""
    return bad_request(f"Invalid input received: {error.message} (HTTP 400) (Request-ID: {request_id})")


def _columns(call: Call, asked: Body, plan: _Plan, server_id: str) -> Row:
    zone = str(asked.get("availability_zone") or "").split(":")[0]
    return {
        "id": server_id,
        "project_id": call.project,
        "user_id": call.caller.user_id,
        "name": asked["name"],
        "description": asked.get("description"),
        "hostname": asked.get("hostname") or _hostname(asked["name"]),
        "vm_state": "building",
        "task_state": "scheduling",
        "power_state": 0,
        "flavor": plan.flavor,
        "old_flavor": None,
        "image_id": plan.image_id,
        "metadata": asked.get("metadata") or {},
        "tags": sorted(set(asked.get("tags") or [])),
        "key_name": asked.get("key_name"),
        "public_key": plan.public_key,
        "user_data": asked.get("user_data"),
        "config_drive": bool(asked.get("config_drive")),
        "availability_zone": zone or "nova",
        "pinned_zone": zone or None,
        "networks": plan.networks,
        "disks": plan.disks,
        "own_ports": [],
        "host": None,
        "fault": None,
        "locked": False,
        "locked_reason": None,
        "launched_at": None,
        "terminated_at": None,
        "deleted": False,
    }


def _hostname(name: str) -> str:
    """Nova's host name for a server's name: what is no letter, digit, dot or dash is dropped."""
    cleaned = re.sub(r"[^0-9a-z.-]", "", re.sub(r"[ _]", "-", name.lower())).strip(".-")
    return cleaned[:63] or "server"


def _start(call: Call, row: Row) -> None:
    seconds = call.cloud.timing.build_seconds
    args = {"server_id": row["id"], "action_id": history.record(call, row, "create")}
    if call.outcome == "stuck":
        return
    if call.outcome == "build_error":
        message = call.outcome_message or _NO_HOST
        call.cloud.timeline.schedule("server.fail", call.now, seconds=seconds, message=message, **args)
        return
    call.cloud.timeline.schedule("server.plug", call.now, seconds=seconds / 3, **args)


def _building(cloud: Cloud, args: dict[str, Any]) -> Row | None:
    row = cloud.store.get("server", args["server_id"])
    return (
        row
        if row and not row["deleted"] and row["vm_state"] == "building" and row["task_state"] != "deleting"
        else None
    )


def _give_up(cloud: Cloud, row: Row, args: dict[str, Any], message: str, *, at: datetime) -> None:
    fail(cloud, row, message, at=at)
    history.finish(cloud, args["action_id"], at=at, failed=True)


@transition("server.fail")
def _fail(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    if row := _building(cloud, args):
        _give_up(cloud, row, args, args["message"], at=at)


@transition("server.plug")
def _plug(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    """Find a host, make or bind the ports, make the volumes Nova itself makes."""
    row = _building(cloud, args)
    if row is None:
        return
    host = hosts.choose(cloud, row["flavor"], zone=row["availability_zone"])
    if host is None:
        _give_up(cloud, row, args, _NO_HOST, at=at)
        return
    cloud.change("server", row, at=at, host=host, task_state="networking")
    call = internal(cloud, service="network", project_id=row["project_id"], user_id=row["user_id"], at=at)
    try:
        for entry in row["networks"]:
            _connect(call, row, entry)
        for disk in row["disks"]:
            _make_volume(call, row, disk)
    except ApiError as error:
        _give_up(cloud, row, args, f"Build of instance {row['id']} aborted: {error.message}", at=at)
        return
    cloud.change("server", row, at=at, task_state="spawning")
    cloud.timeline.schedule("server.start", at, seconds=cloud.timing.build_seconds * 2 / 3, **args)


def _connect(call: Call, row: Row, entry: Body) -> None:
    if entry.get("port"):
        port = call.cloud.store.get("port", entry["port"])
        if port is None or port["device_id"]:
            raise conflict(f"Port {entry['port']} is still in use.")
    else:
        fixed = [{"ip_address": entry["fixed_ip"]}] if entry.get("fixed_ip") else None
        asked = {"network_id": entry["uuid"], "fixed_ips": fixed}
        port = ports.create_port(call, asked, project_id=row["project_id"])
        row["own_ports"].append(port["id"])
    ports.bind(call.cloud, port, server_id=row["id"], zone=row["availability_zone"], at=call.now)


def _make_volume(call: Call, row: Row, disk: Body) -> None:
    """The volume of a disk whose source is an image or nothing, and whose destination is a volume."""
    if disk.get("destination_type") != "volume" or disk.get("source_type") not in {
        "image",
        "blank",
        "snapshot",
    }:
        return
    asked: Body = {"size": disk.get("volume_size"), "name": "", "volume_type": disk.get("volume_type")}
    asked |= {"image": {"imageRef": disk.get("uuid")}, "snapshot": {"snapshot_id": disk.get("uuid")}}.get(
        disk["source_type"], {}
    )
    volume = volumes.create(call, asked, project_id=row["project_id"])
    call.cloud.change("volume", volume, at=call.now, status="available", bootable=volume["will_boot"])
    attachment = attachments.reserve(call.cloud, volume, server_id=row["id"], at=call.now)
    attachment["delete_on_termination"] = bool(disk.get("delete_on_termination"))
    call.cloud.store.save("attachment", attachment)


@transition("server.start")
def _run(cloud: Cloud, at: datetime, args: dict[str, Any]) -> None:
    row = _building(cloud, args)
    if row is None:
        return
    for attachment in cloud.store.find("attachment", server_id=row["id"]):
        if attachment["status"] == "reserved":
            attachments.complete(cloud, attachment, device=next_device(cloud, row), at=at)
    moment = at.isoformat(timespec="microseconds")
    cloud.change(
        "server", row, at=at, vm_state="active", task_state=None, power_state=RUNNING, launched_at=moment
    )
    history.finish(cloud, args["action_id"], at=at)


def next_device(cloud: Cloud, server: Row) -> str:
    """The first free device name; a server from an image has its root on vda without a volume."""
    used = {row["device"] for row in cloud.store.find("attachment", server_id=server["id"])}
    if server["image_id"]:
        used.add("/dev/vda")
    return next(name for letter in "abcdefghijklmnopqrstuvwxyz" if (name := f"/dev/vd{letter}") not in used)
