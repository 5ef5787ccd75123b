"""Who may reach the servers of a network from outside it: what its department opens, and closes again.

What the network was built with stays: its servers reach each other, and the centre reaches them to configure them.
Outwards everything is open, as Neutron makes groups.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network
from typing import Generic, TypeVar
from uuid import UUID, uuid4

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from govcloud.errors import Conflict, Invalid
from govcloud.inventory.models import Protocol, Resource, ResourceKind, SecurityRule
from govcloud.provisioning.actions.base import Action
from govcloud.provisioning.lifecycle import Desired
from govcloud.provisioning.services import StepSpec
from tenants.models import Role, User

RULES = 50  # of a network at a time
LAST_PORT = 65_535
SSH = 22
MANAGEMENT_PORTS = {SSH: "SSH", 23: "Telnet", 3389: "RDP", 5900: "VNC"}
"""By which whole servers are taken over: never open to everybody."""

WIDEST = {4: 8, 6: 16}
"""The shortest prefix that is not everybody, by IP version: half of the Internet is as bad as all of it."""


class BadPorts(Invalid):
    code = "bad-ports"
    message = _(
        "TCP and UDP take one port, or a first and a last one, from 1 to %(last)s; other protocols have no ports."
    )


class BadRemoteRange(Invalid):
    code = "bad-remote-range"
    message = _("“%(remote)s” is not a range of addresses, such as 10.20.0.0/16 or 2001:db8::/32.")
    inside = _(
        "“%(remote)s” is an address inside of a range: write %(range)s for the whole range, or %(alone)s for this address alone."
    )

    @property
    def detail(self) -> str:
        return str(self.inside) % self.params if "range" in self.params else super().detail


class OneOrigin(Invalid):
    code = "one-origin"
    message = _("A rule lets in either a range of addresses or a network of the system.")


class NoSuchOrigin(Invalid):
    """Also for another system's network: both answer alike."""

    code = "no-such-origin"
    message = _("The system has no network with the id %(network)s.")


class OpenToEverybody(Conflict):
    code = "management-port-open-to-everybody"
    message = ngettext_lazy(
        "%(ports)s is for managing servers and is never opened to as many as %(remote)s: "
        "name the range that they are managed from.",
        "%(ports)s are for managing servers and are never opened to as many as %(remote)s: "
        "name the range that they are managed from.",
        "count",
    )


class OpenAlready(Conflict):
    code = "open-already"
    message = _("The network “%(network)s” lets this in already.")


class NoSuchRule(Invalid):
    code = "no-such-rule"
    message = _("The network has no rule with the id %(rule)s.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRule:
    """``remote`` is a range, ``network`` a network of the system: one of the two. One port is its own last."""

    protocol: str
    port_min: int | None = None
    port_max: int | None = None
    remote: str = ""
    network: UUID | None = None
    description: str = ""

    @property
    def last_port(self) -> int | None:
        return self.port_min if self.port_max is None else self.port_max


@dataclass(frozen=True, slots=True, kw_only=True)
class OfRule:
    rule: UUID


P = TypeVar("P")


class _RuleAction(Action[P], Generic[P]):
    resource_kind = ResourceKind.NETWORK
    roles = (Role.APPLICANT, Role.CLOUD_ADMIN)
    leaves_it_as_ordered = True


class AddRule(_RuleAction[NewRule]):
    name = "add-rule"
    title = _("open the network to somebody")

    def refusal(self, resource: Resource) -> str | Promise | None:
        return _("it has %(most)s rules") % {"most": RULES} if _rules(resource).count() >= RULES else None

    def check(self, resource: Resource, parameters: NewRule) -> None:
        """Raises BadPorts, OneOrigin, BadRemoteRange, NoSuchOrigin, OpenToEverybody, OpenAlready."""
        _ports(parameters)
        remote = _origin(resource, parameters)
        _not_everybody(parameters, remote)
        same = _rules(resource).filter(
            protocol=parameters.protocol,
            port_min=parameters.port_min,
            port_max=parameters.last_port,
            remote=str(remote),
        )
        if same.exists() or _inside(remote, resource.network.cidr) or _is_ours(resource, parameters, remote):
            raise OpenAlready(network=resource.name)

    def begin(
        self, resource: Resource, parameters: NewRule, steps: Sequence[StepSpec], *, actor: User, at: datetime
    ) -> None:
        del resource, parameters, at
        added = next(step for step in steps if step.kind == "security_rule")
        added.desired_state["added_by"] = str(actor.uuid)

    def plan(self, resource: Resource, parameters: NewRule, *, key: str) -> list[StepSpec]:
        limits = room(resource, f"{key}:room")
        state = {
            "network": str(resource.unit), "protocol": parameters.protocol, "port_min": parameters.port_min,
            "port_max": parameters.last_port, "remote": str(_origin(resource, parameters)),
            "description": parameters.description,
        }  # fmt: skip
        added = StepSpec(
            key=f"{key}:security_rule", kind="security_rule", label=resource.name, unit=uuid4(), desired_state=state,
            needs=(limits.key,),
        )  # fmt: skip
        return [limits, added]


class RemoveRule(_RuleAction[OfRule]):
    name = "remove-rule"
    title = _("close again what the network was opened to")

    def refusal(self, resource: Resource) -> str | Promise | None:
        return None if _rules(resource).exists() else _("it has been opened to nobody")

    def check(self, resource: Resource, parameters: OfRule) -> None:
        """Raises NoSuchRule."""
        if not _rules(resource).filter(uuid=parameters.rule).exists():
            raise NoSuchRule(rule=parameters.rule, pointers=("/rule",))

    def plan(self, resource: Resource, parameters: OfRule, *, key: str) -> list[StepSpec]:
        rule = _rules(resource).get(uuid=parameters.rule)
        removed = StepSpec(
            key=f"{key}:security_rule", kind="security_rule", label=resource.name, unit=uuid4(),
            desired=Desired.ABSENT, external_id=rule.external_id,
            desired_state={"network": str(resource.unit), "rule": str(rule.unit)},
        )  # fmt: skip
        return [removed, room(resource, f"{key}:room", removed.key)]


def room(resource: Resource, key: str, *needs: str) -> StepSpec:
    """The cloud's own limits for networks: before what needs room, after what gives it back."""
    return StepSpec.limits("network_quota", key=key, system=resource.system.uuid, needs=needs)


def _rules(resource: Resource) -> QuerySet[SecurityRule]:
    return SecurityRule.objects.filter(network=resource.pk, removed_at=None)


def _is_ours(resource: Resource, rule: NewRule, remote: IPv4Network | IPv6Network) -> bool:
    """Whether the network was built with it, for us: it would be taken for the department's, and away with its rule."""
    ours = resource.cloud.management_cidr
    if not ours or (rule.protocol, rule.port_min, rule.last_port) != (Protocol.TCP, SSH, SSH):
        return False
    return remote == ip_network(ours, strict=False)


def _ports(rule: NewRule) -> None:
    """Raises BadPorts. TCP and UDP without ports mean all of them."""
    first, last = rule.port_min, rule.last_port
    if first is None and last is None:
        return
    has_ports = rule.protocol in {Protocol.TCP, Protocol.UDP}
    if not has_ports or first is None or last is None or not 1 <= first <= last <= LAST_PORT:
        raise BadPorts(last=LAST_PORT, pointers=("/port_min",))


def _origin(resource: Resource, rule: NewRule) -> IPv4Network | IPv6Network:
    """Raises OneOrigin, BadRemoteRange, NoSuchOrigin."""
    if (rule.network is None) is (rule.remote == ""):
        raise OneOrigin(pointers=("/remote",))
    if rule.network is None:
        if "%" in rule.remote:  # the scope of a link means nothing elsewhere
            raise BadRemoteRange(remote=rule.remote, pointers=("/remote",))
        return _range_of(rule.remote)
    networks = Resource.objects.filter(system=resource.system_id, kind=ResourceKind.NETWORK, released_at=None)
    found = networks.select_related("network").filter(uuid=rule.network).first()
    if found is None:
        raise NoSuchOrigin(network=rule.network, pointers=("/network",))
    return ip_network(found.network.cidr)


def _range_of(remote: str) -> IPv4Network | IPv6Network:
    """Raises BadRemoteRange, which tells what may have been meant by an address with a prefix."""
    try:
        return ip_network(remote)
    except ValueError as error:
        told = {}
        with suppress(ValueError):
            meant = ip_interface(remote)
            told = {"range": str(meant.network), "alone": str(ip_network(meant.ip))}
        raise BadRemoteRange(remote=remote, pointers=("/remote",), **told) from error


def _not_everybody(rule: NewRule, remote: IPv4Network | IPv6Network) -> None:
    """Raises OpenToEverybody, which names the ports."""
    if remote.prefixlen >= WIDEST[remote.version] or rule.protocol not in {Protocol.TCP, Protocol.ANY}:
        return
    first, last = rule.port_min or 1, rule.last_port or LAST_PORT
    hit = [f"{name} ({port})" for port, name in MANAGEMENT_PORTS.items() if first <= port <= last]
    if hit:
        raise OpenToEverybody(
            ports=_(", ").join(hit), count=len(hit), remote=str(remote), pointers=("/remote",)
        )


def _inside(remote: IPv4Network | IPv6Network, cidr: str) -> bool:
    """Whether it is of the network itself, whose servers reach each other anyway."""
    own = ip_network(cidr)
    return remote.version == own.version and remote.subnet_of(own)  # type: ignore[arg-type]
