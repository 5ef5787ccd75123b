"""Networks, subnets and ports (Neutron v2.0)."""

from collections.abc import Collection, Sequence
from typing import Any

from govcloud.gateways.openstack import models
from govcloud.gateways.openstack.transport import Transport

_SERVICE = "network"


class Network:
    """Everything belongs to the project that we are scoped to."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    # -- networks

    def get_network(self, network_id: str) -> models.Network:
        """A network by its id. Raises ``NotFound``."""
        return network_of(self._transport.get(_SERVICE, f"/networks/{network_id}")["network"])

    def find_networks(
        self, *, name: str | None = None, tag: str | None = None, external: bool | None = None
    ) -> list[models.Network]:
        """The networks that we can see, shared and external ones included."""
        query: dict[str, Any] = {"name": name, "tags": tag, "router:external": external}
        found = self._transport.pages(_SERVICE, "/networks", key="networks", params=given(query))
        return [network_of(body) for body in found]

    def create_network(self, *, name: str, description: str = "") -> models.Network:
        """A network of the project. Raises ``OverQuota``. Names are not unique: look by tag or id."""
        body = {"network": {"name": name, "description": description}}
        return network_of(self._transport.send(_SERVICE, "POST", "/networks", json=body).body["network"])

    def rename_network(self, network_id: str, *, name: str) -> None:
        """Call it something else."""
        body = {"network": {"name": name}}
        self._transport.send(_SERVICE, "PUT", f"/networks/{network_id}", json=body)

    def delete_network(self, network_id: str) -> None:
        """Delete a network and its subnets. Raises ``Conflict`` while a port of somebody is on it."""
        self._transport.send(_SERVICE, "DELETE", f"/networks/{network_id}")

    # -- subnets

    def get_subnet(self, subnet_id: str) -> models.Subnet:
        """A subnet by its id. Raises ``NotFound``."""
        return _subnet(self._transport.get(_SERVICE, f"/subnets/{subnet_id}")["subnet"])

    def find_subnets(self, *, network_id: str | None = None, tag: str | None = None) -> list[models.Subnet]:
        """The subnets of a network, or those with a tag."""
        query = given({"network_id": network_id, "tags": tag})
        return [
            _subnet(body) for body in self._transport.pages(_SERVICE, "/subnets", key="subnets", params=query)
        ]

    def create_subnet(
        self,
        *,
        network_id: str,
        name: str,
        cidr: str,
        gateway: str | None = None,
        dns: Sequence[str] = (),
        pool: tuple[str, str] | None = None,
    ) -> models.Subnet:
        """An IPv4 subnet. ``gateway`` defaults to the first address; ``pool`` bounds what the cloud gives out itself.

        Raises ``Refused`` when it overlaps another subnet of the network.
        """
        body = {
            "network_id": network_id,
            "name": name,
            "ip_version": 4,
            "cidr": cidr,
            "gateway_ip": gateway,
            "dns_nameservers": list(dns) or None,
            "allocation_pools": [{"start": pool[0], "end": pool[1]}] if pool else None,
        }
        answer = self._transport.send(_SERVICE, "POST", "/subnets", json={"subnet": given(body)})
        return _subnet(answer.body["subnet"])

    def delete_subnet(self, subnet_id: str) -> None:
        """Delete a subnet. Raises ``Conflict`` while an address of it is in use."""
        self._transport.send(_SERVICE, "DELETE", f"/subnets/{subnet_id}")

    # -- ports

    def get_port(self, port_id: str) -> models.Port:
        """A port by its id. Raises ``NotFound``."""
        return port_of(self._transport.get(_SERVICE, f"/ports/{port_id}")["port"])

    def find_ports(
        self,
        *,
        name: str | None = None,
        network_id: str | None = None,
        fixed_ip: str | None = None,
        server_id: str | None = None,
        tag: str | None = None,
    ) -> list[models.Port]:
        """The ports that match all that is given."""
        query = given({"name": name, "network_id": network_id, "device_id": server_id, "tags": tag})
        if fixed_ip is not None:
            query["fixed_ips"] = f"ip_address={fixed_ip}"
        return [
            port_of(body) for body in self._transport.pages(_SERVICE, "/ports", key="ports", params=query)
        ]

    def create_port(
        self,
        *,
        name: str,
        network_id: str,
        subnet_id: str,
        fixed_ip: str,
        security_group_ids: Sequence[str] | None = None,
        description: str = "",
    ) -> models.Port:
        """A port with an address that we chose, which nobody else can then have on that subnet.

        Without ``security_group_ids`` it gets the project's default group. Raises ``Conflict`` when the address is
        taken, ``OverQuota``, ``Refused`` when the address is not of the subnet.
        """
        body: dict[str, Any] = {
            "name": name,
            "network_id": network_id,
            "fixed_ips": [{"subnet_id": subnet_id, "ip_address": fixed_ip}],
            "description": description,
        }
        if security_group_ids is not None:
            body["security_groups"] = list(security_group_ids)
        return port_of(self._transport.send(_SERVICE, "POST", "/ports", json={"port": body}).body["port"])

    def set_port_groups(self, port_id: str, *, security_group_ids: Sequence[str]) -> None:
        """Put a port into these security groups and no others."""
        body = {"port": {"security_groups": list(security_group_ids)}}
        self._transport.send(_SERVICE, "PUT", f"/ports/{port_id}", json=body)

    def set_port_address(self, port_id: str, *, subnet_id: str, fixed_ip: str) -> None:
        """Give a port this address and no other. Raises ``Conflict`` when another port has it."""
        body = {"port": {"fixed_ips": [{"subnet_id": subnet_id, "ip_address": fixed_ip}]}}
        self._transport.send(_SERVICE, "PUT", f"/ports/{port_id}", json=body)

    def delete_port(self, port_id: str) -> None:
        """Delete a port. Raises ``Conflict`` for a router's, ``Refused`` (to members) while a server has it."""
        self._transport.send(_SERVICE, "DELETE", f"/ports/{port_id}")

    # -- tags

    def set_tags(self, *, collection: str, resource_id: str, tags: Collection[str]) -> None:
        """Replace the tags of a resource; ``collection`` as in its address: ``networks``, ``ports``, ``floatingips``."""
        body = {"tags": sorted(tags)}
        self._transport.send(_SERVICE, "PUT", f"/{collection}/{resource_id}/tags", json=body)


def given(query: dict[str, Any]) -> dict[str, Any]:
    """Only what was given."""
    return {name: value for name, value in query.items() if value is not None}


def network_of(body: dict[str, Any]) -> models.Network:
    return models.Network(
        id=body["id"],
        name=body["name"],
        status=body["status"],
        project_id=body["project_id"],
        external=body.get("router:external", False),
        shared=body.get("shared", False),
        mtu=body.get("mtu") or 0,
        subnet_ids=tuple(body.get("subnets", ())),
        tags=frozenset(body.get("tags", ())),
    )


def _subnet(body: dict[str, Any]) -> models.Subnet:
    return models.Subnet(
        id=body["id"],
        name=body["name"],
        network_id=body["network_id"],
        cidr=body["cidr"],
        gateway=body.get("gateway_ip"),
        dns=tuple(body.get("dns_nameservers", ())),
        tags=frozenset(body.get("tags", ())),
    )


def port_of(body: dict[str, Any]) -> models.Port:
    return models.Port(
        id=body["id"],
        name=body["name"],
        network_id=body["network_id"],
        status=body["status"],
        mac=body["mac_address"],
        addresses=tuple(address["ip_address"] for address in body["fixed_ips"]),
        device_id=body.get("device_id") or "",
        device_owner=body.get("device_owner") or "",
        security_group_ids=tuple(body.get("security_groups", ())),
        tags=frozenset(body.get("tags", ())),
    )
