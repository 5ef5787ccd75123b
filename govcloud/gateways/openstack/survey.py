"""What is in one project, whoever built it: for the operators' credentials, which need no role there.

Where the census tells only what a comparison needs, this tells what a thing is: the size of a server, the image it was
made from, the addresses of its ports. A project takes as many calls as it has pages of each kind, not one for each thing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from govcloud.gateways.openstack import models
from govcloud.gateways.openstack.census import PAGE
from govcloud.gateways.openstack.network import network_of, port_of
from govcloud.gateways.openstack.transport import Transport

_FLAVOR_NAMED: Final = "2.47"  # a server tells its flavor's name and size, even when the flavor is gone


@dataclass(frozen=True, slots=True)
class SurveyedServer:
    """``image_id`` is empty for one that boots from a volume."""

    id: str
    project_id: str
    name: str
    status: str
    task_state: str | None
    zone: str
    flavor_name: str
    vcpus: int
    memory_mib: int
    image_id: str
    volume_ids: tuple[str, ...]
    tags: frozenset[str]

    @property
    def deleted(self) -> bool:
        return self.status in {"DELETED", "SOFT_DELETED"}


@dataclass(frozen=True, slots=True)
class SurveyedVolume:
    """``image_id`` and ``image_name`` are of the image that was written to it, as they were called then."""

    id: str
    project_id: str
    name: str
    status: str
    zone: str
    size_gib: int
    volume_type: str
    bootable: bool
    image_id: str
    image_name: str
    metadata: dict[str, str]
    devices: dict[str, str]  # as what each server has it


@dataclass(frozen=True, slots=True)
class SurveyedSubnet:
    id: str
    network_id: str
    ip_version: int
    cidr: str
    gateway: str


class Survey:
    """Each list comes in pages, so that whoever reads it can say how far it is."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def servers(self, project_id: str) -> Iterator[list[SurveyedServer]]:
        query = {"all_tenants": 1, "project_id": project_id}
        pages = self._pages("compute", "/servers/detail", "servers", query, microversion=_FLAVOR_NAMED)
        return ([_server(body) for body in page] for page in pages)

    def volumes(self, project_id: str) -> Iterator[list[SurveyedVolume]]:
        query = {"all_tenants": 1, "project_id": project_id}
        pages = self._pages("block-storage", "/volumes/detail", "volumes", query)
        return ([_volume(body) for body in page] for page in pages)

    def snapshots(self, project_id: str) -> Iterator[list[str]]:
        """The ids of the volumes that they are of, once for each."""
        query = {"all_tenants": 1, "project_id": project_id}
        pages = self._pages("block-storage", "/snapshots", "snapshots", query)
        return ([body["volume_id"] for body in page] for page in pages)

    def networks(self, project_id: str) -> Iterator[list[models.Network]]:
        pages = self._pages("network", "/networks", "networks", {"project_id": project_id})
        return ([network_of(body) for body in page] for page in pages)

    def subnets(self, project_id: str) -> Iterator[list[SurveyedSubnet]]:
        pages = self._pages("network", "/subnets", "subnets", {"project_id": project_id})
        return ([_subnet(body) for body in page] for page in pages)

    def ports(self, project_id: str) -> Iterator[list[models.Port]]:
        pages = self._pages("network", "/ports", "ports", {"project_id": project_id})
        return ([port_of(body) for body in page] for page in pages)

    # -- one of them; each raises NotFound

    def server(self, server_id: str) -> SurveyedServer:
        path = f"/servers/{server_id}"
        return _server(self._transport.get("compute", path, microversion=_FLAVOR_NAMED)["server"])

    def volume(self, volume_id: str) -> SurveyedVolume:
        return _volume(self._transport.get("block-storage", f"/volumes/{volume_id}")["volume"])

    def _pages(
        self, service: str, path: str, key: str, query: dict[str, Any], *, microversion: str | None = None
    ) -> Iterator[Any]:
        params = {**query, "limit": PAGE}
        return self._transport.whole_pages(service, path, key=key, params=params, microversion=microversion)


def _server(body: dict[str, Any]) -> SurveyedServer:
    flavor = body.get("flavor") or {}
    return SurveyedServer(
        id=body["id"],
        project_id=body["tenant_id"],
        name=body.get("name") or "",
        status=body["status"],
        task_state=body.get("OS-EXT-STS:task_state"),
        zone=body.get("OS-EXT-AZ:availability_zone") or "",
        flavor_name=flavor.get("original_name") or "",
        vcpus=flavor.get("vcpus") or 0,
        memory_mib=flavor.get("ram") or 0,
        image_id=(body.get("image") or {}).get("id") or "",
        volume_ids=tuple(
            sorted(volume["id"] for volume in body.get("os-extended-volumes:volumes_attached", ()))
        ),
        tags=frozenset(body.get("tags", ())),
    )


def _volume(body: dict[str, Any]) -> SurveyedVolume:
    image = body.get("volume_image_metadata") or {}
    return SurveyedVolume(
        id=body["id"],
        project_id=body["os-vol-tenant-attr:tenant_id"],
        name=body.get("name") or "",
        status=body["status"],
        zone=body.get("availability_zone") or "",
        size_gib=body["size"],
        volume_type=body.get("volume_type") or "",
        bootable=str(body.get("bootable", "false")).lower() == "true",
        image_id=image.get("image_id") or "",
        image_name=image.get("image_name") or "",
        metadata=models.text_map(body.get("metadata")),
        devices={held["server_id"]: held.get("device") or "" for held in body.get("attachments", ())},
    )


def _subnet(body: dict[str, Any]) -> SurveyedSubnet:
    return SurveyedSubnet(
        id=body["id"],
        network_id=body["network_id"],
        ip_version=body["ip_version"],
        cidr=body["cidr"],
        gateway=body.get("gateway_ip") or "",
    )
