"""How a network's servers are reached from outside it: its router, its rules, its servers' floating addresses.

Written when the cloud has confirmed it, in the step's transaction; a floating address is reserved before.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.errors import Conflict
from govcloud.inventory.models import Address, FloatingAddress, Network, Resource, SecurityRule, Server
from tenants.models import User


class NotConnected(Conflict):
    code = "network-not-connected"
    message = _(
        "Nothing leads out of the network “%(network)s”, on which “%(server)s” is: connect it to the outside first."
    )


class HasAddress(Conflict):
    code = "server-has-floating-address"
    message = _("“%(server)s” has a floating address already, or is about to get one.")


class OnNoNetwork(Conflict):
    code = "server-on-no-network"
    message = _("“%(server)s” is on no network that is managed here.")


def network_of(server: Resource, *, pointer: str = "/target") -> Network:
    """The network of the address by which a server is managed, which is where a floating address leads to.

    Raises OnNoNetwork for a server that was built elsewhere.
    """
    block = Address.objects.filter(unit=server.unit, released_at=None).values("block__unit")
    network = Network.objects.select_related("resource").filter(resource__unit__in=block).first()
    if network is None:
        raise OnNoNetwork(server=server.name, pointers=(pointer,))
    return network


def has_address(server: Resource) -> bool:
    """One that is only reserved as well."""
    return FloatingAddress.objects.filter(server=server.pk, released_at=None).exists()


def require_reachable(server: Resource, network: Network, *, pointer: str) -> None:
    """Raises HasAddress and NotConnected: why the server cannot be given a floating address through its network."""
    if has_address(server):
        raise HasAddress(server=server.name, pointers=(pointer,))
    if not network.router_id:
        raise NotConnected(network=network.resource.name, server=server.name, pointers=(pointer,))


def reserve_address(*, server: Resource, unit: UUID, at: datetime) -> FloatingAddress:
    """For a server that shall have one, whose network nobody disconnects meanwhile.

    Raises OnNoNetwork, HasAddress and NotConnected.
    """
    network = _held(network_of(server))
    require_reachable(server, network, pointer="/target")
    return FloatingAddress.objects.create(unit=unit, server=server.server, network=network, reserved_at=at)


def being_moved(*, given: FloatingAddress, to: Resource) -> None:
    """From the request on it counts as leading through the other server's network, which stays connected for it.

    Raises NotConnected.
    """
    network = _held(network_of(to, pointer="/server"))
    if not network.router_id:
        raise NotConnected(network=network.resource.name, server=to.name, pointers=("/server",))
    given.network = network
    given.save(update_fields=["network"])


def _held(network: Network) -> Network:
    """Locked, and as it is now."""
    Resource.objects.select_for_update(no_key=True).get(pk=network.pk)
    network.refresh_from_db()
    return network


def address_given(
    *, given: FloatingAddress, address: str, external_id: str, actor: audit.Actor, at: datetime
) -> None:
    if given.given_at is not None:
        return
    given.address, given.external_id, given.given_at = address, external_id, at
    given.save(update_fields=["address", "external_id", "given_at"])
    _tell("floating_address.given", given.server, actor, at, after={"address": address})


def address_moved(*, given: FloatingAddress, to: Server, actor: audit.Actor, at: datetime) -> None:
    """Where it leads now; also back to where it led, when a move was called off."""
    before, network = given.server, network_of(to.resource)
    if (before.pk, given.network_id) == (to.pk, network.pk):
        return
    given.server, given.network = to, network
    given.save(update_fields=["server", "network"])
    if before.pk == to.pk:
        return
    _tell(
        "floating_address.moved", to, actor, at,
        before={"server": before.resource.name}, after={"server": to.resource.name, "address": given.address},
    )  # fmt: skip


def address_released(*, given: FloatingAddress, actor: audit.Actor, at: datetime) -> None:
    given.released_at = at
    given.save(update_fields=["released_at"])
    _tell("floating_address.released", given.server, actor, at, before={"address": given.address})


def address_made_again(*, given: FloatingAddress, external_id: str, actor: audit.Actor, at: datetime) -> None:
    """The same address under another id of the cloud's, after it had been missing there."""
    before, given.external_id = given.external_id, external_id
    given.save(update_fields=["external_id"])
    _tell(
        "floating_address.made_again", given.server, actor, at,
        before={"external_id": before}, after={"external_id": external_id, "address": given.address},
    )  # fmt: skip


def addresses_leading_to(network: Resource) -> QuerySet[FloatingAddress]:
    """Those in force, reserved ones included."""
    return FloatingAddress.objects.filter(network=network.pk, released_at=None)


def connected(
    *,
    network: Network,
    router_id: str,
    external_network_id: str,
    outside_address: str | None,
    actor: audit.Actor,
    at: datetime,
) -> None:
    network.router_id, network.external_network_id = router_id, external_network_id
    network.outside_address = outside_address
    network.save(update_fields=["router_id", "external_network_id", "outside_address"])
    after = {"router": router_id, "outside_address": outside_address}
    _tell("network.connected", network, actor, at, after=after)


def being_disconnected(network: Network) -> None:
    """From the request on, no floating address is led through it; the cloud has yet to confirm."""
    network.router_id, network.external_network_id, network.outside_address = "", "", None
    network.save(update_fields=["router_id", "external_network_id", "outside_address"])


def disconnected(*, network: Network, router_id: str, actor: audit.Actor, at: datetime) -> None:
    being_disconnected(network)
    _tell("network.disconnected", network, actor, at, before={"router": router_id})


def record_rule(
    *,
    network: Network,
    unit: UUID,
    protocol: str,
    port_min: int | None,
    port_max: int | None,
    remote: str,
    description: str,
    external_id: str,
    added_by: User,
    actor: audit.Actor,
    at: datetime,
) -> SecurityRule:
    """Idempotent by ``unit``."""
    rule, fresh = SecurityRule.objects.get_or_create(
        unit=unit,
        defaults={
            "network": network, "protocol": protocol, "port_min": port_min, "port_max": port_max, "remote": remote,
            "description": description, "external_id": external_id, "added_by": added_by, "added_at": at,
        },
    )  # fmt: skip
    if fresh:
        _tell("security_rule.added", network, actor, at, after=_told(rule))
    return rule


def rule_made_again(*, rule: SecurityRule, external_id: str, actor: audit.Actor, at: datetime) -> None:
    """The same rule under another id of the cloud's, after it had been missing there."""
    before, rule.external_id = rule.external_id, external_id
    rule.save(update_fields=["external_id"])
    _tell(
        "security_rule.made_again", rule.network, actor, at, before={"external_id": before}, after=_told(rule)
    )


def rule_removed(*, rule: SecurityRule, actor: audit.Actor, at: datetime) -> None:
    rule.removed_at = at
    rule.save(update_fields=["removed_at"])
    _tell("security_rule.removed", rule.network, actor, at, before=_told(rule))


def _told(rule: SecurityRule) -> dict[str, Any]:
    return {
        "protocol": rule.protocol, "port_min": rule.port_min, "port_max": rule.port_max, "remote": rule.remote,
        "external_id": rule.external_id,
    }  # fmt: skip


def _tell(
    verb: str,
    of: Server | Network,
    actor: audit.Actor,
    at: datetime,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    resource = of.resource
    audit.record(
        actor=actor, verb=verb, subject=resource, at=at, thread=resource.thread, before=before, after=after
    )
