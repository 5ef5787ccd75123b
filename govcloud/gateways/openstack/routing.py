"""Routers and floating addresses (Neutron v2.0)."""

from typing import Any

from govcloud.gateways.openstack import models
from govcloud.gateways.openstack.network import given
from govcloud.gateways.openstack.transport import Transport

_SERVICE = "network"


class Routing:
    """Ways out of a project's networks."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    # -- routers

    def find_routers(self, *, name: str | None = None, tag: str | None = None) -> list[models.Router]:
        """The routers of our project."""
        query = given({"name": name, "tags": tag, "project_id": self._transport.project_id})
        return [
            _router(body) for body in self._transport.pages(_SERVICE, "/routers", key="routers", params=query)
        ]

    def get_router(self, router_id: str) -> models.Router:
        """A router by its id. Raises ``NotFound``."""
        return _router(self._transport.get(_SERVICE, f"/routers/{router_id}")["router"])

    def create_router(self, *, name: str, external_network_id: str | None = None) -> models.Router:
        """A router, with a leg in an external network if one is given. Raises ``OverQuota``."""
        body: dict[str, Any] = {"name": name}
        if external_network_id is not None:
            body["external_gateway_info"] = {"network_id": external_network_id}
        return _router(
            self._transport.send(_SERVICE, "POST", "/routers", json={"router": body}).body["router"]
        )

    def set_gateway(self, router_id: str, *, external_network_id: str) -> None:
        """Lead the router to an external network, under an address that the cloud chooses.

        Raises ``Conflict`` when it leads to another one by which floating addresses come in.
        """
        self._change_router(router_id, {"external_gateway_info": {"network_id": external_network_id}})

    def enable_router(self, router_id: str) -> None:
        """Let it forward traffic again."""
        self._change_router(router_id, {"admin_state_up": True})

    def _change_router(self, router_id: str, change: dict[str, Any]) -> None:
        self._transport.send(_SERVICE, "PUT", f"/routers/{router_id}", json={"router": change})

    def add_router_subnet(self, *, router_id: str, subnet_id: str) -> str:
        """Give the router the gateway address of a subnet; the id of the port that has it.

        Raises ``Conflict`` when somebody else has it, ``Refused`` when the router is on the subnet already.
        """
        path, body = f"/routers/{router_id}/add_router_interface", {"subnet_id": subnet_id}
        port_id: str = self._transport.send(_SERVICE, "PUT", path, json=body).body["port_id"]
        return port_id

    def remove_router_subnet(self, *, router_id: str, subnet_id: str) -> None:
        """Take the router off a subnet.

        Raises ``Conflict`` while a floating address leads through it, ``NotFound`` when it is not on it.
        """
        body = {"subnet_id": subnet_id}
        self._transport.send(_SERVICE, "PUT", f"/routers/{router_id}/remove_router_interface", json=body)

    def delete_router(self, router_id: str) -> None:
        """Delete a router. Raises ``Conflict`` while it has a subnet."""
        self._transport.send(_SERVICE, "DELETE", f"/routers/{router_id}")

    # -- floating addresses

    def get_floating_ip(self, floating_ip_id: str) -> models.FloatingIp:
        """A floating address by its id. Raises ``NotFound``."""
        body = self._transport.get(_SERVICE, f"/floatingips/{floating_ip_id}")
        return _floating_ip(body["floatingip"])

    def find_floating_ips(
        self,
        *,
        address: str | None = None,
        port_id: str | None = None,
        tag: str | None = None,
        description: str | None = None,
    ) -> list[models.FloatingIp]:
        """The floating addresses of our project that match all that is given."""
        query = {
            "floating_ip_address": address,
            "port_id": port_id,
            "tags": tag,
            "description": description,
            "project_id": self._transport.project_id,
        }
        found = self._transport.pages(_SERVICE, "/floatingips", key="floatingips", params=given(query))
        return [_floating_ip(body) for body in found]

    def create_floating_ip(
        self,
        *,
        external_network_id: str,
        port_id: str | None = None,
        description: str = "",
        address: str | None = None,
        project_id: str | None = None,
    ) -> models.FloatingIp:
        """An address of an external network, bound to a port if one is given: of several requests for one port one wins.

        Only operators may name the ``address``, or a project that is not their own. Raises ``OverQuota``, ``NotFound`` when no router leads from the port's subnet to that network, ``Conflict``
        when the port has one already, somebody has the address or the network has none left.
        """
        body = {
            "floating_network_id": external_network_id,
            "port_id": port_id,
            "description": description,
            "floating_ip_address": address,
            "project_id": project_id,
        }
        answer = self._transport.send(_SERVICE, "POST", "/floatingips", json={"floatingip": given(body)})
        return _floating_ip(answer.body["floatingip"])

    def bind_floating_ip(self, floating_ip_id: str, *, port_id: str | None) -> models.FloatingIp:
        """Bind a floating address to a port, or to none. Raises ``Conflict`` when the port has another."""
        change = {"floatingip": {"port_id": port_id}}
        answer = self._transport.send(_SERVICE, "PUT", f"/floatingips/{floating_ip_id}", json=change)
        return _floating_ip(answer.body["floatingip"])

    def delete_floating_ip(self, floating_ip_id: str) -> None:
        """Give a floating address back."""
        self._transport.send(_SERVICE, "DELETE", f"/floatingips/{floating_ip_id}")


def _router(body: dict[str, Any]) -> models.Router:
    outside = body.get("external_gateway_info") or {}
    return models.Router(
        id=body["id"],
        name=body["name"],
        status=body["status"],
        external_network_id=outside.get("network_id"),
        outside_addresses=tuple(each["ip_address"] for each in outside.get("external_fixed_ips", ())),
        tags=frozenset(body.get("tags", ())),
    )


def _floating_ip(body: dict[str, Any]) -> models.FloatingIp:
    return models.FloatingIp(
        id=body["id"],
        address=body["floating_ip_address"],
        status=body["status"],
        port_id=body.get("port_id"),
        fixed_address=body.get("fixed_ip_address"),
        network_id=body["floating_network_id"],
        description=body.get("description") or "",
        tags=frozenset(body.get("tags", ())),
    )
