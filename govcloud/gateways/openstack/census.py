"""Everything of one kind that stands in a cloud, whoever it belongs to, page by page: for the operators' credentials.

Lists are lean: what a comparison with our records needs and no more. Nova and Cinder can be asked for what has changed
since an instant of *their* clock (``changed_since``); Neutron cannot. Nova then lists deleted servers as well, Cinder
does not list deleted volumes. What is not in a list need not be gone: Nova leaves out the servers of a cell that is down.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from govcloud.gateways.openstack import errors, models
from govcloud.gateways.openstack.network import given
from govcloud.gateways.openstack.security import rule_of
from govcloud.gateways.openstack.transport import Transport

PAGE: Final = 1_000
"""The most that Nova and Cinder put on a page as they are installed."""

_FLAVOR_NAMED: Final = "2.47"  # a server tells its flavor's name, even when the flavor is gone
_MARKED_BACKUPS: Final = "3.43"  # a backup tells its metadata
_CHANGED_VOLUMES: Final = "3.60"  # volumes can be filtered by their time of change

_LEGS: Final = (
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
)
"""Whose ports are a router's on its subnets: a plain, a distributed, a highly available one's."""


@dataclass(frozen=True, slots=True)
class ListedServer:
    id: str
    project_id: str
    name: str
    status: str
    task_state: str | None
    flavor_name: str
    tags: frozenset[str]
    updated_at: datetime | None

    @property
    def deleted(self) -> bool:
        return self.status in {"DELETED", "SOFT_DELETED"}


@dataclass(frozen=True, slots=True)
class ListedVolume:
    id: str
    project_id: str
    name: str
    status: str
    size_gib: int
    volume_type: str
    metadata: dict[str, str]
    server_ids: tuple[str, ...]
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class ListedCopy:
    """A snapshot or a backup of a volume."""

    id: str
    project_id: str
    name: str
    status: str
    volume_id: str
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class ListedPort:
    id: str
    project_id: str
    name: str
    network_id: str
    device_id: str
    device_owner: str
    addresses: tuple[str, ...]
    security_group_ids: tuple[str, ...]
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class ListedThing:
    """A network."""

    id: str
    project_id: str
    name: str
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class ListedGroup:
    """A security group with its rules, which need not belong to the same project; by id, as the cloud keeps no order."""

    id: str
    project_id: str
    name: str
    tags: frozenset[str]
    rules: tuple[models.SecurityRule, ...]


@dataclass(frozen=True, slots=True)
class ListedRouter:
    """``external_network_id`` is empty for one that leads nowhere; ``subnet_ids`` are those it has a leg on."""

    id: str
    project_id: str
    name: str
    status: str
    enabled: bool
    external_network_id: str
    outside_addresses: tuple[str, ...]
    subnet_ids: tuple[str, ...]
    tags: frozenset[str]


@dataclass(frozen=True, slots=True)
class ListedFloatingIp:
    """``port_id`` is empty for one that leads nowhere."""

    id: str
    project_id: str
    address: str
    network_id: str
    port_id: str
    status: str
    description: str
    tags: frozenset[str]


class Census:
    """Each list comes in pages, so that whoever reads it holds one at a time."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def servers(self, *, changed_since: datetime | None = None) -> Iterator[list[ListedServer]]:
        """With ``changed_since`` those that changed, were made or were deleted since then."""
        query = given({"all_tenants": 1, "changes-since": _stamp(changed_since)})
        pages = self._pages("compute", "/servers/detail", "servers", query, _FLAVOR_NAMED)
        return ([_server(body) for body in page] for page in pages)

    def volumes(self, *, changed_since: datetime | None = None) -> Iterator[list[ListedVolume]]:
        """With ``changed_since`` those that changed or were made since then."""
        since = _stamp(changed_since)
        query = given({"all_tenants": 1, "updated_at": f"gte:{since[:-1]}" if since else None})
        pages = self._pages("block-storage", "/volumes/detail", "volumes", query, _CHANGED_VOLUMES)
        return ([_volume(body) for body in page] for page in pages)

    def snapshots(self) -> Iterator[list[ListedCopy]]:
        """Cinder cannot be asked which of them have changed, nor which backups."""
        pages = self._pages("block-storage", "/snapshots/detail", "snapshots", {"all_tenants": 1})
        return ([_snapshot(body) for body in page] for page in pages)

    def backups(self) -> Iterator[list[ListedCopy]]:
        pages = self._pages(
            "block-storage", "/backups/detail", "backups", {"all_tenants": 1}, _MARKED_BACKUPS
        )
        return ([_backup(body) for body in page] for page in pages)

    def ports(self) -> Iterator[list[ListedPort]]:
        fields = (
            "id", "project_id", "name", "network_id", "device_id", "device_owner", "fixed_ips", "security_groups", "tags",
        )  # fmt: skip
        pages = self._pages("network", "/ports", "ports", {"fields": fields})
        return ([_port(body) for body in page] for page in pages)

    def networks(self) -> Iterator[list[ListedThing]]:
        fields = {"fields": ("id", "project_id", "name", "tags")}
        pages = self._pages("network", "/networks", "networks", fields)
        return ([_thing(body) for body in page] for page in pages)

    def security_groups(self) -> Iterator[list[ListedGroup]]:
        """With their rules, which takes fewer calls than to list these by themselves."""
        fields = {"fields": ("id", "project_id", "name", "tags", "security_group_rules")}
        pages = self._pages("network", "/security-groups", "security_groups", fields)
        return ([_group(body) for body in page] for page in pages)

    def routers(self) -> Iterator[list[ListedRouter]]:
        """After one look at the ports by which all of them are on their subnets. None where the cloud has no such thing."""
        fields = ("id", "project_id", "name", "status", "admin_state_up", "external_gateway_info", "tags")
        legs = self._legs({"device_owner": _LEGS})
        pages = self._pages("network", "/routers", "routers", {"fields": fields})
        for page in _if_there_is(pages):
            yield [_router(body, legs.get(body["id"], set())) for body in page]

    def floating_ips(self) -> Iterator[list[ListedFloatingIp]]:
        """None where the cloud has no such thing."""
        fields = (
            "id", "project_id", "floating_ip_address", "floating_network_id", "port_id", "status", "description", "tags",
        )  # fmt: skip
        pages = self._pages("network", "/floatingips", "floatingips", {"fields": fields})
        for page in _if_there_is(pages):
            yield [_floating_ip(body) for body in page]

    # -- one of them, as the list would show it; each raises NotFound

    def server(self, server_id: str) -> ListedServer:
        path = f"/servers/{server_id}"
        return _server(self._transport.get("compute", path, microversion=_FLAVOR_NAMED)["server"])

    def volume(self, volume_id: str) -> ListedVolume:
        return _volume(self._transport.get("block-storage", f"/volumes/{volume_id}")["volume"])

    def snapshot(self, snapshot_id: str) -> ListedCopy:
        return _snapshot(self._transport.get("block-storage", f"/snapshots/{snapshot_id}")["snapshot"])

    def backup(self, backup_id: str) -> ListedCopy:
        path = f"/backups/{backup_id}"
        return _backup(self._transport.get("block-storage", path, microversion=_MARKED_BACKUPS)["backup"])

    def port(self, port_id: str) -> ListedPort:
        return _port(self._transport.get("network", f"/ports/{port_id}")["port"])

    def network(self, network_id: str) -> ListedThing:
        return _thing(self._transport.get("network", f"/networks/{network_id}")["network"])

    def security_group(self, group_id: str) -> ListedGroup:
        body = self._transport.get("network", f"/security-groups/{group_id}")
        return _group(body["security_group"])

    def security_rule(self, rule_id: str) -> models.SecurityRule:
        body = self._transport.get("network", f"/security-group-rules/{rule_id}")
        return rule_of(body["security_group_rule"])

    def router(self, router_id: str) -> ListedRouter:
        body = self._transport.get("network", f"/routers/{router_id}")["router"]
        legs = self._legs({"device_owner": _LEGS, "device_id": router_id})
        return _router(body, legs.get(router_id, set()))

    def floating_ip(self, floating_ip_id: str) -> ListedFloatingIp:
        body = self._transport.get("network", f"/floatingips/{floating_ip_id}")
        return _floating_ip(body["floatingip"])

    def _legs(self, query: dict[str, Any]) -> dict[str, set[str]]:
        """The subnets that each router has a leg on."""
        found: dict[str, set[str]] = {}
        for page in self._pages(
            "network", "/ports", "ports", {**query, "fields": ("id", "device_id", "fixed_ips")}
        ):
            for body in page:
                subnets = {each["subnet_id"] for each in body["fixed_ips"]}
                found.setdefault(body["device_id"], set()).update(subnets)
        return found

    def _pages(
        self, service: str, path: str, key: str, query: dict[str, Any], microversion: str | None = None
    ) -> Iterator[Sequence[dict[str, Any]]]:
        query = {**query, "limit": PAGE}
        return self._transport.whole_pages(service, path, key=key, params=query, microversion=microversion)


def _if_there_is(
    pages: Iterator[Sequence[dict[str, Any]]],
) -> Iterator[Sequence[dict[str, Any]]]:
    """No page where the cloud has no such thing. A later page that is not found has lost the row that it begins behind: raises
    ``NotFound``, for half a list must not be taken for the whole.
    """
    try:
        first = next(pages)
    except (errors.NotFound, StopIteration):
        return
    yield first
    yield from pages


def _stamp(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def _server(body: dict[str, Any]) -> ListedServer:
    return ListedServer(
        id=body["id"],
        project_id=body["tenant_id"],
        name=body.get("name") or "",
        status=body["status"],
        task_state=body.get("OS-EXT-STS:task_state"),
        flavor_name=(body.get("flavor") or {}).get("original_name") or "",
        tags=frozenset(body.get("tags", ())),
        updated_at=models.moment(body.get("updated")),
    )


def _volume(body: dict[str, Any]) -> ListedVolume:
    return ListedVolume(
        id=body["id"],
        project_id=body["os-vol-tenant-attr:tenant_id"],
        name=body.get("name") or "",
        status=body["status"],
        size_gib=body["size"],
        volume_type=body.get("volume_type") or "",
        metadata=models.text_map(body.get("metadata")),
        server_ids=tuple(sorted(held["server_id"] for held in body.get("attachments", ()))),
        updated_at=models.moment(body.get("updated_at") or body.get("created_at")),
    )


def _snapshot(body: dict[str, Any]) -> ListedCopy:
    return _copy(body, project_id=body["os-extended-snapshot-attributes:project_id"])


def _backup(body: dict[str, Any]) -> ListedCopy:
    return _copy(body, project_id=body["os-backup-project-attr:project_id"])


def _copy(body: dict[str, Any], *, project_id: str) -> ListedCopy:
    return ListedCopy(
        id=body["id"],
        project_id=project_id,
        name=body.get("name") or "",
        status=body["status"],
        volume_id=body["volume_id"],
        metadata=models.text_map(body.get("metadata")),
    )


def _port(body: dict[str, Any]) -> ListedPort:
    return ListedPort(
        id=body["id"],
        project_id=body["project_id"],
        name=body["name"],
        network_id=body["network_id"],
        device_id=body.get("device_id") or "",
        device_owner=body.get("device_owner") or "",
        addresses=tuple(address["ip_address"] for address in body["fixed_ips"]),
        security_group_ids=tuple(sorted(body.get("security_groups", ()))),
        tags=frozenset(body.get("tags", ())),
    )


def _group(body: dict[str, Any]) -> ListedGroup:
    return ListedGroup(
        id=body["id"],
        project_id=body["project_id"],
        name=body["name"],
        tags=frozenset(body.get("tags", ())),
        rules=tuple(sorted(map(rule_of, body["security_group_rules"]), key=lambda rule: rule.id)),
    )


def _thing(body: dict[str, Any]) -> ListedThing:
    return ListedThing(body["id"], body["project_id"], body["name"], frozenset(body.get("tags", ())))


def _router(body: dict[str, Any], subnet_ids: set[str]) -> ListedRouter:
    outside = body.get("external_gateway_info") or {}
    return ListedRouter(
        id=body["id"],
        project_id=body["project_id"],
        name=body["name"],
        status=body["status"],
        enabled=body["admin_state_up"],
        external_network_id=outside.get("network_id") or "",
        outside_addresses=tuple(each["ip_address"] for each in outside.get("external_fixed_ips", ())),
        subnet_ids=tuple(sorted(subnet_ids)),
        tags=frozenset(body.get("tags", ())),
    )


def _floating_ip(body: dict[str, Any]) -> ListedFloatingIp:
    return ListedFloatingIp(
        id=body["id"],
        project_id=body["project_id"],
        address=body["floating_ip_address"],
        network_id=body["floating_network_id"],
        port_id=body.get("port_id") or "",
        status=body["status"],
        description=body.get("description") or "",
        tags=frozenset(body.get("tags", ())),
    )
