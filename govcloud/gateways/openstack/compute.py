"""Servers and what they are made of (Nova v2.1).

Nova has no client token, and a server's name is neither unique nor an exact filter. Two things stand in for them: tags,
set in the very request that creates a server, and the volume it boots from, which Cinder lets only one request reserve.
"""

import base64
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from govcloud.gateways.openstack import models, resource_classes
from govcloud.gateways.openstack.network import given
from govcloud.gateways.openstack.transport import Transport

_SERVICE: Final = "compute"
_READ: Final = (
    "2.26"  # tags are shown and can be filtered; from 2.47 on a server no longer tells its flavor's id
)
_CREATE: Final = "2.52"  # tags at create
_USAGE: Final = "2.40"  # usage in pages
_CONSOLE: Final = "2.6"
_REIMAGE: Final = "2.93"  # a server that boots from a volume gets a new image on it
_ACTIONS: Final = "2.58"  # an action's events are shown to members too
_FLAVOR_PROPERTIES: Final = "2.61"  # a flavor tells its extra specs


class Compute:
    """Servers of the project that we are scoped to."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    # -- servers

    def get_server(self, server_id: str) -> models.Server:
        """A server by its id. Raises ``NotFound`` once it is deleted: the only proof of absence there is.

        A server can be in ``ERROR`` for a moment before its ``fault`` is written: read it once more.
        """
        return _server(self._transport.get(_SERVICE, f"/servers/{server_id}", microversion=_READ)["server"])

    def find_servers(self, *, tag: str | None = None) -> list[models.Server]:
        """The project's servers, or those with a tag. Servers of a cell that is down are silently left out."""
        found = self._transport.pages(
            _SERVICE, "/servers/detail", key="servers", params=given({"tags": tag}), microversion=_READ
        )
        return [_server(body) for body in found]

    def create_server_from_volume(
        self,
        *,
        name: str,
        flavor_id: str,
        volume_id: str,
        port_ids: Sequence[str],
        tags: Collection[str],
        metadata: Mapping[str, str] | None = None,
        key_name: str | None = None,
        user_data: bytes | None = None,
        zone: str | None = None,
        config_drive: bool | None = None,
    ) -> models.Accepted:
        """A server that boots from a volume which outlives it.

        The cloud reserves the volume before it accepts: of two requests with the same volume one is taken and the
        other raises ``Conflict``. Raises ``OverQuota``. The administrator's password in the answer is dropped here.
        """
        body = {
            "name": name,
            "flavorRef": flavor_id,
            "block_device_mapping_v2": [_boots_from(volume_id)],
            "networks": [{"port": port_id} for port_id in port_ids],
            "tags": sorted(tags),
            "metadata": dict(metadata or {}),
            "key_name": key_name,
            "user_data": base64.b64encode(user_data).decode() if user_data else None,
            "availability_zone": zone,
            "config_drive": config_drive,
        }
        answer = self._transport.send(
            _SERVICE, "POST", "/servers", json={"server": given(body)}, microversion=_CREATE
        )
        return models.Accepted(answer.body["server"]["id"], answer.request_id)

    def delete_server(self, server_id: str) -> None:
        """Begin to delete a server; its volumes stay. Raises ``NotFound`` when it is gone."""
        self._transport.send(_SERVICE, "DELETE", f"/servers/{server_id}")

    def force_delete_server(self, server_id: str) -> None:
        """Delete at once what a cloud with ``reclaim_instance_interval`` keeps for a while. Raises ``NotFound`` when it is gone."""
        self._transport.send(_SERVICE, "POST", f"/servers/{server_id}/action", json={"forceDelete": None})

    def set_tags(self, server_id: str, tags: Collection[str]) -> None:
        """Replace a server's tags."""
        body = {"tags": sorted(tags)}
        self._transport.send(_SERVICE, "PUT", f"/servers/{server_id}/tags", json=body, microversion=_READ)

    # -- what can be done to a server; each raises Conflict while the server's state forbids it

    def start_server(self, server_id: str) -> str:
        """Power on. Like the others below, gives the request's id."""
        return self._act(server_id, {"os-start": None})

    def stop_server(self, server_id: str) -> str:
        """Ask the guest to shut down, then cut its power."""
        return self._act(server_id, {"os-stop": None})

    def reboot_server(self, server_id: str, *, hard: bool = False) -> str:
        """Restart the guest; ``hard`` cuts its power."""
        return self._act(server_id, {"reboot": {"type": "HARD" if hard else "SOFT"}})

    def resize_server(self, server_id: str, *, flavor_id: str) -> str:
        """Move to another flavor; it then waits in ``VERIFY_RESIZE``. Raises ``OverQuota``.

        Where no host has room the server goes back to ``ACTIVE`` without a fault: ``get_action`` tells.
        """
        return self._act(server_id, {"resize": {"flavorRef": flavor_id}})

    def confirm_resize(self, server_id: str) -> str:
        """Keep the new flavor."""
        return self._act(server_id, {"confirmResize": None})

    def revert_resize(self, server_id: str) -> str:
        """Go back to the old flavor."""
        return self._act(server_id, {"revertResize": None})

    def rename_server(self, server_id: str, *, name: str) -> None:
        """Call it something else; the guest's own host name stays. The cloud keeps no record of this request."""
        path = f"/servers/{server_id}"
        self._transport.send(_SERVICE, "PUT", path, json={"server": {"name": name}}, microversion=_READ)

    def rebuild_server(self, server_id: str, *, image_id: str, key_name: str | None = None) -> str:
        """Write the image anew onto the volume that it boots from. Id, addresses and data volumes stay.

        The new guest lets in the key ``key_name``; without one, the key that the server was created with, whatever has
        become of it. Raises ``Conflict`` while its state forbids it, ``Refused`` for an image that is not there or larger
        than the volume, or a key that is not there. What it answers holds a password for the guest, which is dropped here.
        """
        body = given({"imageRef": image_id, "key_name": key_name})
        return self._act(server_id, {"rebuild": body}, microversion=_REIMAGE)

    def actions(self, server_id: str) -> list[models.ServerAction]:
        """What was asked of a server, the latest first, without how each went on. The record outlives the server."""
        path = f"/servers/{server_id}/os-instance-actions"
        found = self._transport.pages(_SERVICE, path, key="instanceActions", microversion=_ACTIONS)
        return [_action(body) for body in found]

    def get_action(self, server_id: str, *, request_id: str) -> models.ServerAction:
        """How the request with this id went on. Raises ``NotFound`` where the server knows of no such request."""
        path = f"/servers/{server_id}/os-instance-actions/{request_id}"
        return _action(self._transport.get(_SERVICE, path, microversion=_ACTIONS)["instanceAction"])

    def console_output(self, server_id: str, *, lines: int = 200) -> str:
        """The end of the guest's serial console. Raises ``Conflict`` before it has one."""
        path = f"/servers/{server_id}/action"
        answer = self._transport.send(_SERVICE, "POST", path, json={"os-getConsoleOutput": {"length": lines}})
        return str(answer.body.get("output") or "")

    def console_url(self, server_id: str) -> str:
        """A short-lived address of the server's screen in a browser. It is a secret."""
        path = f"/servers/{server_id}/remote-consoles"
        body = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
        answer = self._transport.send(_SERVICE, "POST", path, json=body, microversion=_CONSOLE)
        return str(answer.body["remote_console"]["url"])

    # -- interfaces of a server

    def interfaces(self, server_id: str) -> dict[str, str]:
        """The ids of its ports, and the network of each."""
        found = self._transport.get(_SERVICE, f"/servers/{server_id}/os-interface")["interfaceAttachments"]
        return {body["port_id"]: body["net_id"] for body in found}

    def add_interface(self, server_id: str, *, port_id: str) -> None:
        """Plug a port into a server. Raises ``Conflict`` when a server has the port, or the server's state forbids it."""
        body = {"interfaceAttachment": {"port_id": port_id}}
        self._transport.send(_SERVICE, "POST", f"/servers/{server_id}/os-interface", json=body)

    def remove_interface(self, server_id: str, *, port_id: str) -> None:
        """Begin to unplug a port, which stays. Raises ``NotFound`` when the server does not have it, ``Conflict``."""
        self._transport.send(_SERVICE, "DELETE", f"/servers/{server_id}/os-interface/{port_id}")

    # -- volumes of a server

    def attach_volume(self, server_id: str, *, volume_id: str) -> models.VolumeAttachment:
        """Begin to attach a volume. Raises ``Conflict`` when the volume is not available or the server not ready."""
        body = {"volumeAttachment": {"volumeId": volume_id}}
        path = f"/servers/{server_id}/os-volume_attachments"
        return _held(
            server_id, self._transport.send(_SERVICE, "POST", path, json=body).body["volumeAttachment"]
        )

    def detach_volume(self, server_id: str, *, volume_id: str) -> None:
        """Begin to detach a volume. Raises ``NotFound`` when it is not attached there."""
        self._transport.send(_SERVICE, "DELETE", f"/servers/{server_id}/os-volume_attachments/{volume_id}")

    def volume_attachments(self, server_id: str) -> list[models.VolumeAttachment]:
        """The volumes of a server as Nova knows them, the boot volume included."""
        path = f"/servers/{server_id}/os-volume_attachments"
        found = self._transport.pages(_SERVICE, path, key="volumeAttachments")
        return [_held(server_id, body) for body in found]

    # -- flavors, keys, limits, usage

    def flavors(self) -> list[models.Flavor]:
        """The flavors that the project may use."""
        pages = self._transport.pages(
            _SERVICE, "/flavors/detail", key="flavors", microversion=_FLAVOR_PROPERTIES
        )
        return [_flavor(body) for body in pages]

    def zones(self) -> dict[str, bool]:
        """The availability zones, and whether each is available."""
        found = self._transport.get(_SERVICE, "/os-availability-zone")["availabilityZoneInfo"]
        return {zone["zoneName"]: bool(zone["zoneState"]["available"]) for zone in found}

    def find_keypair(self, name: str) -> models.Keypair | None:
        """Our user's key of this name (keys belong to users, not to projects), or ``None``."""
        found = self._transport.pages(_SERVICE, "/os-keypairs", key="keypairs")
        return next((_keypair(item["keypair"]) for item in found if item["keypair"]["name"] == name), None)

    def create_keypair(self, *, name: str, public_key: str) -> models.Keypair:
        """Register a public key; the private one never goes to the cloud. Raises ``Conflict`` when the name is taken."""
        body = {"keypair": {"name": name, "public_key": public_key}}
        return _keypair(self._transport.send(_SERVICE, "POST", "/os-keypairs", json=body).body["keypair"])

    def delete_keypair(self, name: str) -> None:
        """Forget a public key; servers made with it keep it."""
        self._transport.send(_SERVICE, "DELETE", f"/os-keypairs/{name}")

    def limits(self) -> dict[str, int]:
        """The project's absolute limits and use as Nova names them (``maxTotalCores``, ``totalCoresUsed``, …)."""
        return dict(self._transport.get(_SERVICE, "/limits")["limits"]["absolute"])

    def usage(self, project_id: str, *, start: datetime, end: datetime) -> list[models.ServerUsage]:
        """What Nova counts for a project in ``[start, end)``: one record per server that lived in it."""
        query = {"start": _naive(start), "end": _naive(end)}
        path = f"/os-simple-tenant-usage/{project_id}"
        records: list[models.ServerUsage] = []
        while True:
            body = self._transport.get(_SERVICE, path, params=query, microversion=_USAGE)
            page = body.get("tenant_usage", {}).get("server_usages", [])
            records += [_usage(item) for item in page]
            if not page or not body.get("tenant_usage_links"):
                return records
            query["marker"] = page[-1]["instance_id"]

    def _act(self, server_id: str, action: dict[str, Any], *, microversion: str | None = None) -> str:
        path = f"/servers/{server_id}/action"
        return self._transport.send(_SERVICE, "POST", path, json=action, microversion=microversion).request_id


def _boots_from(volume_id: str) -> dict[str, Any]:
    return {
        "boot_index": 0,
        "uuid": volume_id,
        "source_type": "volume",
        "destination_type": "volume",
        "delete_on_termination": False,
    }


def _naive(at: datetime) -> str:
    """Nova reads times without an offset, as UTC."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


def _server(body: dict[str, Any]) -> models.Server:
    return models.Server(
        id=body["id"],
        name=body["name"],
        status=body["status"],
        task_state=body.get("OS-EXT-STS:task_state"),
        power_state=body.get("OS-EXT-STS:power_state") or 0,
        flavor_id=(body.get("flavor") or {}).get("id") or "",
        zone=body.get("OS-EXT-AZ:availability_zone") or "",
        addresses={
            network: tuple(address["addr"] for address in addresses)
            for network, addresses in (body.get("addresses") or {}).items()
        },
        volume_ids=tuple(volume["id"] for volume in body.get("os-extended-volumes:volumes_attached", ())),
        key_name=body.get("key_name"),
        tags=frozenset(body.get("tags", ())),
        metadata=models.text_map(body.get("metadata")),
        fault=_fault(body.get("fault")),
        created_at=models.moment(body.get("created")),
        launched_at=models.moment(body.get("OS-SRV-USG:launched_at")),
    )


def _fault(body: dict[str, Any] | None) -> models.Fault | None:
    if not body:
        return None
    return models.Fault(body.get("code") or 0, body.get("message") or "", models.moment(body.get("created")))


def _action(body: dict[str, Any]) -> models.ServerAction:
    results = [event.get("result") for event in body.get("events", ())]
    return models.ServerAction(
        name=body["action"],
        request_id=body["request_id"],
        message=body.get("message") or "",
        finished=bool(results) and None not in results,
        failed=body.get("message") == "Error" or "Error" in results,
        started_at=models.moment(body.get("start_time")),
    )


def _flavor(body: dict[str, Any]) -> models.Flavor:
    return models.Flavor(
        id=body["id"],
        name=body["name"],
        vcpus=body["vcpus"],
        memory_mib=body["ram"],
        disk_gib=body["disk"],
        takes=resource_classes.taken_by(
            vcpus=body["vcpus"], memory_mib=body["ram"], properties=body.get("extra_specs") or {}
        ),
    )


def _keypair(body: dict[str, Any]) -> models.Keypair:
    return models.Keypair(body["name"], body["public_key"], body.get("fingerprint") or "")


def _held(server_id: str, body: dict[str, Any]) -> models.VolumeAttachment:
    return models.VolumeAttachment(body["volumeId"], server_id, body.get("device"))


def _usage(body: dict[str, Any]) -> models.ServerUsage:
    return models.ServerUsage(
        server_id=body["instance_id"],
        name=body["name"],
        flavor_name=body["flavor"],
        vcpus=body["vcpus"],
        memory_mib=body["memory_mb"],
        disk_gib=body["local_gb"],
        hours=Decimal(str(body["hours"])),
        started_at=models.moment(body.get("started_at")),
        ended_at=models.moment(body.get("ended_at")),
        state=body["state"],
    )
