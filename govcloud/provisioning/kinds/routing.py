"""Ways out of a system's networks and into them: routers, and floating addresses of servers."""

import contextlib
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import Zone
from govcloud.gateways.openstack import errors
from govcloud.inventory import reach
from govcloud.inventory.models import Address, FloatingAddress, Network, Resource
from govcloud.provisioning import settlement
from govcloud.provisioning.context import ENGINE, Context
from govcloud.provisioning.kinds.base import Broken, Gone, Kind, Landing, Made, Ready, Sight, Skipped
from govcloud.provisioning.kinds.network import tags_of


class RouterKind(Kind):
    """A network's own: nobody else's traffic depends on it, so it goes when the network is disconnected or released."""

    name = "router"
    title = _("Building the way out of the network")
    removal_title = _("Removing the way out of the network")
    landing = Landing.OPEN  # names are not unique in Neutron
    generations = 2

    def find(self, context: Context) -> str | None:
        found = context.project.routing.find_routers(name=context.mark)
        return found[0].id if found else None

    def create(self, context: Context) -> Made:
        outside = _external_network(context)
        router = context.project.routing.create_router(name=context.mark, external_network_id=outside)
        return Made(router.id)

    def look(self, context: Context, external_id: str) -> Sight:
        try:
            router = context.project.routing.get_router(external_id)
        except errors.NotFound:
            return Gone()
        if context.step.desired == "present" and context.mark not in router.tags:
            context.project.network.set_tags(
                collection="routers", resource_id=external_id, tags=tags_of(context)
            )
        if router.external_network_id is None:
            return Broken("the router leads nowhere")
        return Ready({"external_network": router.external_network_id, "addresses": router.outside_addresses})

    def remove(self, context: Context, external_id: str) -> None:
        context.project.routing.delete_router(external_id)


def _external_network(context: Context) -> str:
    """Raises ``Misconfigured`` when it is not clear which of the cloud's external networks is meant."""
    network = _network(context)
    name = Zone.objects.get(cloud=context.cloud_row, zone=network.resource.zone).external_network or None
    found = context.project.network.find_networks(name=name, external=True)
    if len(found) != 1:
        told = f"the cloud has {len(found)} external networks" + (f" called {name!r}" if name else "")
        raise errors.Misconfigured(f"{told}: the network zone has to name one", service="network")
    return found[0].id


class RouterInterfaceKind(Kind):
    """The router on the network's gateway address, which only one port can have: that is the lock.

    Its ``external_id`` is the subnet's, by which it is taken off again.
    """

    name = "router_interface"
    title = _("Connecting the network to the outside")
    removal_title = _("Disconnecting the network from the outside")
    landing = Landing.LOCKED

    def find(self, context: Context) -> str | None:
        return _network(context).subnet_id if self._port(context) is not None else None

    def create(self, context: Context) -> Made:
        port, subnet = self._port(context), _network(context).subnet_id
        if port is None:
            port = context.project.routing.add_router_subnet(router_id=_router_id(context), subnet_id=subnet)
        context.remember({"port_id": port})
        return Made(subnet)

    def look(self, context: Context, external_id: str) -> Sight:  # noqa: ARG002
        """By the port's own id, where that is known, before the list of ports, which may not show yet what was just made."""
        noted = context.step.outputs.get("port_id")
        if noted is not None:
            with contextlib.suppress(errors.NotFound):
                return Ready({"port_id": context.project.network.get_port(noted).id})
        port = self._port(context)
        return Gone() if port is None else Ready({"port_id": port})

    def _port(self, context: Context) -> str | None:
        """The id of the router's port on the network."""
        network = _network(context).resource.external_id
        ports = context.project.network.find_ports(server_id=_router_id(context), network_id=network)
        return ports[0].id if ports else None

    def remove(self, context: Context, external_id: str) -> None:
        context.project.routing.remove_router_subnet(router_id=_router_id(context), subnet_id=external_id)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        router = context.sibling("router")
        addresses = router.outputs["addresses"]
        reach.connected(
            network=_network(context),
            router_id=router.external_id,
            external_network_id=router.outputs["external_network"],
            outside_address=addresses[0] if addresses else None,
            actor=ENGINE,
            at=context.at,
        )

    def forget(self, context: Context) -> None:
        """A connection that was called off had not been recorded."""
        if "router" in context.state:
            network, router = _network(context), context.state["router"]
            reach.disconnected(network=network, router_id=router, actor=ENGINE, at=context.at)


def _network(context: Context) -> Network:
    return Network.objects.select_related("resource").get(resource__unit=context.state["network"])


def _router_id(context: Context) -> str:
    """The one that is taken down, or the one built a step before."""
    named: str = context.state.get("router", "")
    return named or context.sibling("router").external_id


class FloatingAddressKind(Kind):
    """An address of the external network, bound to the server's port in the request that makes it.

    The port is the lock: Neutron binds one floating address of an external network to an address of a port (a unique
    constraint of its tables), and takes back what it began for the loser. The description is the mark, as tags cannot be
    given in that request.
    """

    name = "floating_address"
    title = _("Giving the server a floating address")
    removal_title = _("Giving back the floating address")
    landing = Landing.LOCKED
    generations = 2

    def find(self, context: Context) -> str | None:
        found = context.project.routing.find_floating_ips(description=context.mark)
        return next((each.id for each in found if each.description == context.mark), None)

    def create(self, context: Context) -> Made | Skipped:
        reserved = _reserved(context)
        made = context.project.routing.create_floating_ip(
            external_network_id=reserved.network.external_network_id,
            port_id=_port_id(reserved.server.resource),
            description=context.mark,
        )
        return Made(made.id)

    def look(self, context: Context, external_id: str) -> Sight:
        try:
            found = context.project.routing.get_floating_ip(external_id)
        except errors.NotFound:
            return Gone()
        if context.step.desired == "present" and context.mark not in found.tags:
            context.project.network.set_tags(
                collection="floatingips", resource_id=external_id, tags=tags_of(context)
            )
        if found.status == "ERROR":
            return Broken("the address went to ERROR")
        return Ready({"address": found.address})

    def remove(self, context: Context, external_id: str) -> None:
        context.project.routing.delete_floating_ip(external_id)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:
        settlement.address_given(
            context=context,
            given=_reserved(context),
            address=outputs["address"],
            external_id=context.step.external_id,
        )

    def forget(self, context: Context) -> None:
        settlement.address_absent(context=context, given=_reserved(context))


class FloatingMoveKind(Kind):
    """A floating address on another server's port. The same request again changes nothing, but one that lands late would
    undo an undoing: hence not repeatable.
    """

    name = "floating_move"
    title = _("Moving the floating address")
    landing = Landing.LOCKED
    asked_again_on_retry = True

    def find(self, context: Context) -> str | None:
        external_id = _reserved(context).external_id
        return external_id if self._is_at(context, context.state["to"]) else None

    def create(self, context: Context) -> Made:
        external_id = _reserved(context).external_id
        self._bind(context, context.state["to"])
        return Made(external_id)

    def look(self, context: Context, external_id: str) -> Sight:  # noqa: ARG002
        try:
            return Ready() if self._is_at(context, context.state["to"]) else Gone()
        except errors.NotFound:
            return Gone()  # deleted by hand

    def remove(self, context: Context, external_id: str) -> None:
        """Back to where it was; to nowhere, if the port that it was at has vanished: it stays its server's by the record, and
        a pass finds that it leads there no more.
        """
        try:
            self._bind(context, context.state["from"])
        except errors.NotFound:
            context.project.routing.bind_floating_ip(external_id, port_id=None)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        self._record(context, context.state["to"])

    def forget(self, context: Context) -> None:
        self._record(context, context.state["from"])

    def _record(self, context: Context, unit: str) -> None:
        settlement.address_moved(context=context, given=_reserved(context), to=context.resource(unit).server)

    def _bind(self, context: Context, unit: str) -> None:
        context.project.routing.bind_floating_ip(
            _reserved(context).external_id, port_id=_port_id(context.resource(unit))
        )

    def _is_at(self, context: Context, unit: str) -> bool:
        found = context.project.routing.get_floating_ip(_reserved(context).external_id)
        return found.port_id == _port_id(context.resource(unit))


def _reserved(context: Context) -> FloatingAddress:
    """What the step makes, or what it names as another's (a release, a move)."""
    unit = UUID(context.state["floating"]) if "floating" in context.state else context.step.unit
    rows = FloatingAddress.objects.select_related("server__resource__system__department", "network__resource")
    return rows.get(unit=unit)


def _port_id(server: Resource) -> str:
    return Address.objects.get(unit=server.unit).port_id
