"""What a resource has in particular, each with what can be done about it: rules, interfaces, login keys, credentials."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext as _

from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import (
    Access,
    Address,
    AddressBlock,
    LoginKey,
    Protocol,
    Resource,
    ResourceKind,
    SecurityRule,
)
from govcloud.portal.resource.forms import Formed, Sent, formed
from govcloud.portal.writing.offers import Option
from govcloud.provisioning.actions.login_keys import keys_of, mark_of
from govcloud.provisioning.actions.objects import MOST_CREDENTIALS
from govcloud.provisioning.actions.requests import Possibility
from govcloud.provisioning.actions.rules import RULES

MOST_NETWORKS = 100
REVOKED = 10  # credentials that are shown after those in force

Possibilities = Mapping[str, Possibility]


@dataclass(frozen=True, slots=True)
class Part:
    """``add`` is the form for one more; ``remove`` tells why no row can be taken away, if none can.

    ``mark`` tells whether a list that is set as a whole is still the one that was read.
    """

    template: str
    rows: Sequence[Any]
    add: Formed
    remove: Possibility
    sent: Sent | None = None
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    row: SecurityRule
    told: str  # which one it is
    ports: str
    origin: str
    warning: str


@dataclass(frozen=True, slots=True)
class Interface:
    network: Resource
    address: str
    manages: bool
    warning: str


@dataclass(frozen=True, slots=True)
class Key:
    fingerprint: str
    kind: str
    comment: str
    line: str


def parts(
    resource: Resource, possibilities: Iterable[Possibility], *, sent: Mapping[str, Sent]
) -> Iterator[Part]:
    """``sent`` is what was refused just now, by action."""
    can = {possibility.action.name: possibility for possibility in possibilities}
    if can:
        yield from (part(resource, can, sent) for part in PARTS.get(resource.kind, ()))


def _rules(resource: Resource, can: Possibilities, sent: Mapping[str, Sent]) -> Part:
    found = SecurityRule.objects.filter(network=resource.pk, removed_at=None).select_related("added_by")
    networks = _networks(resource)
    names = {each.network.cidr: each.name for each in networks if each.cloud_id == resource.cloud_id}
    others = [_option(each) for each in networks if each.pk != resource.pk]
    protocols = [Option(value, str(label)) for value, label in Protocol.choices]
    return Part(
        "portal/resource/rules.html",
        [_rule(row, names) for row in found[:RULES]],
        formed(can["add-rule"], {"protocols": protocols, "networks": others}, sent),
        can["remove-rule"],
    )


def _rule(row: SecurityRule, names: Mapping[str, str]) -> Rule:
    ports, origin = _ports(row), _origin(row.remote, names)
    what = " ".join(filter(None, (row.get_protocol_display(), ports)))
    warning = _(
        "Its servers can then no longer be reached by %(what)s from %(origin)s, unless another rule lets that in."
    )
    told = {"what": what, "origin": origin}
    return Rule(row, _("%(what)s from %(origin)s") % told, ports, origin, warning % told)


def _ports(row: SecurityRule) -> str:
    if row.protocol not in {Protocol.TCP, Protocol.UDP}:
        return ""
    if row.port_min is None:
        return _("all ports")
    return str(row.port_min) if row.port_min == row.port_max else f"{row.port_min}–{row.port_max}"


def _origin(remote: str, names: Mapping[str, str]) -> str:
    """Who is let in, in words; ``names`` are those of the system's networks by their ranges."""
    if remote in names:
        return _("the network “%(network)s” of the system") % {"network": names[remote]}
    if remote.endswith("/0"):
        return _("everybody (IPv6)") if ":" in remote else _("everybody (IPv4)")
    return _("the addresses %(range)s") % {"range": remote}


def _interfaces(resource: Resource, can: Possibilities, sent: Mapping[str, Sent]) -> Part:
    given = Address.objects.filter(Q(unit=resource.unit) | Q(server=resource.pk), released_at=None)
    held = {each.block.unit: each for each in given.select_related("block").order_by("pk")[:MOST_NETWORKS]}
    on = {each.unit: each for each in Resource.objects.filter(unit__in=held)}
    rows = [_interface(resource, address, on[unit]) for unit, address in held.items() if unit in on]
    free = [_option(each) for each in _networks(resource) if each.unit not in held and _takes(each, resource)]
    add = formed(can["add-interface"], {"networks": free}, sent)
    if not add.refusal and not free and not add.open:
        add = Formed(add.action, _("the system has no other network in use in its zone"))
    return Part("portal/resource/interfaces.html", rows, add, can["remove-interface"])


def _interface(server: Resource, address: Address, network: Resource) -> Interface:
    warning = _("Nothing reaches it at %(address)s any more, and it leaves “%(network)s”.")
    told = {"address": address.address, "network": network.name}
    return Interface(network, address.address, address.unit == server.unit, warning % told)


def _takes(network: Any, server: Resource) -> bool:
    """Whether a server can be put onto it, as the action checks."""
    here = (network.cloud_id, network.zone) == (server.cloud_id, server.zone)
    return bool(here and network.status == Status.ACTIVE and network.ours)


def _networks(resource: Resource) -> list[Resource]:
    """Of its system, each with whether its addresses are ours to give."""
    block = AddressBlock.objects.filter(unit=OuterRef("unit"), released_at=None)
    found = Resource.objects.filter(
        system=resource.system_id, kind=ResourceKind.NETWORK, released_at=None
    ).select_related("network")
    return list(found.annotate(ours=Exists(block)).order_by("name", "pk")[:MOST_NETWORKS])


def _option(network: Resource) -> Option:
    return Option(str(network.uuid), f"{network.name} ({network.network.cidr})")


def _login_keys(resource: Resource, can: Possibilities, sent: Mapping[str, Sent]) -> Part:
    possibility = can["set-login-keys"]
    rows = keys_of(resource)
    return Part(
        "portal/resource/login_keys.html",
        [_key(row) for row in rows],
        Formed(possibility.action, possibility.refusal),
        possibility,
        sent.get(possibility.action.name),
        mark_of(rows),
    )


def _key(row: LoginKey) -> Key:
    kind, _blob, comment = [*row.public_key.split(maxsplit=2), "", "", ""][:3]
    return Key(row.fingerprint, kind, comment, row.public_key)


def _credentials(resource: Resource, can: Possibilities, sent: Mapping[str, Sent]) -> Part:
    rows = resource.container.credentials.select_related("issued_by")
    latest_last = rows.order_by(F("revoked_at").desc(nulls_first=True), "issued_at", "pk")
    access = [Option(value, str(label)) for value, label in Access.choices]
    return Part(
        "portal/resource/credentials.html",
        list(latest_last[: MOST_CREDENTIALS + REVOKED]),
        formed(can["issue-credential"], {"access": access}, sent),
        can["revoke-credential"],
    )


PARTS: Mapping[str, Sequence[Callable[[Resource, Possibilities, Mapping[str, Sent]], Part]]] = {
    ResourceKind.NETWORK: (_rules,),
    ResourceKind.SERVER: (_interfaces, _login_keys),
    ResourceKind.CONTAINER: (_credentials,),
}
