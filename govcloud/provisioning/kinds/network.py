"""A system's network: the network, its subnet with the range we chose, and who may reach its servers."""

from ipaddress import ip_network
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from govcloud.catalog.networks import taken_by_cloud
from govcloud.gateways.openstack import errors, models
from govcloud.gateways.openstack.security import SecurityGroups
from govcloud.inventory import reach
from govcloud.inventory import services as inventory
from govcloud.inventory.models import AddressBlock, Network, Protocol, SecurityRule
from govcloud.provisioning import settlement
from govcloud.provisioning.context import ENGINE, Context, mark_of
from govcloud.provisioning.kinds.base import Gone, Kind, Landing, Made, Ready, Sight, Skipped
from tenants.models import System, User

SSH = 22
Through = tuple[str, int | None, int | None, str]  # protocol, first and last port, from where


class NetworkKind(Kind):
    name = "network"
    title = _("Building the network")
    removal_title = _("Deleting the network")
    landing = Landing.OPEN  # names are not unique in Neutron
    generations = 2

    def find(self, context: Context) -> str | None:
        found = context.project.network.find_networks(name=context.mark)
        return found[0].id if found else None

    def create(self, context: Context) -> Made:
        network = context.project.network.create_network(name=context.mark, description=context.step.label)
        return Made(network.id)

    def look(self, context: Context, external_id: str) -> Sight:
        try:
            network = context.project.network.get_network(external_id)
        except errors.NotFound:
            return Gone()
        if context.step.desired == "present" and context.mark not in network.tags:
            context.project.network.set_tags(
                collection="networks", resource_id=external_id, tags=tags_of(context)
            )
        return Ready({"name": network.name, "mtu": network.mtu})

    def remove(self, context: Context, external_id: str) -> None:
        context.project.network.delete_network(external_id)

    def forget(self, context: Context) -> None:
        settlement.absent(context=context)
        AddressBlock.objects.filter(unit=context.target, released_at=None).update(released_at=context.at)


class SubnetKind(Kind):
    name = "subnet"
    title = _("Building the network")
    removal_title = _("Deleting the network")
    landing = Landing.LOCKED  # Neutron refuses a second subnet of an overlapping range on one network
    generations = 2

    def find(self, context: Context) -> str | None:
        found = context.project.network.find_subnets(network_id=context.sibling("network").external_id)
        return found[0].id if found else None

    def create(self, context: Context) -> Made:
        """The cloud gives out none of the addresses that servers get: it would take one of them at random."""
        subnet = context.project.network.create_subnet(
            network_id=context.sibling("network").external_id,
            name=context.mark,
            cidr=context.state["cidr"],
            gateway=str(ip_network(context.state["cidr"])[1]),
            dns=context.state["dns"],
            pool=taken_by_cloud(context.state["cidr"]),
        )
        return Made(subnet.id)

    def look(self, context: Context, external_id: str) -> Sight:
        try:
            subnet = context.project.network.get_subnet(external_id)
        except errors.NotFound:
            return Gone()
        return Ready({"cidr": subnet.cidr, "gateway": subnet.gateway})

    def remove(self, context: Context, external_id: str) -> None:
        context.project.network.delete_subnet(external_id)


class SecurityGroupKind(Kind):
    """Servers of the network reach each other; SSH is open to where the cloud says guests are managed from."""

    name = "security_group"
    title = _("Setting who may reach the servers")
    removal_title = _("Removing the rules of who may reach the servers")
    landing = Landing.OPEN
    generations = 2

    def find(self, context: Context) -> str | None:
        found = context.project.security_groups.find_groups(name=context.mark)
        return found[0].id if found else None

    def create(self, context: Context) -> Made | Skipped:
        return Made(
            context.project.security_groups.create_group(name=context.mark, description=context.step.label).id
        )

    def look(self, context: Context, external_id: str) -> Sight:
        groups = context.project.security_groups
        try:
            groups.get_group(external_id)
        except errors.NotFound:
            return Gone()
        if context.step.desired == "absent":
            return Ready()
        let_in_what_it_is_for(
            groups, external_id, cidr=context.state["cidr"], management=context.cloud_row.management_cidr
        )
        return Ready()

    def remove(self, context: Context, external_id: str) -> None:
        context.project.security_groups.delete_group(external_id)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        """The network is complete with its group."""
        network, subnet = context.sibling("network"), context.sibling("subnet")
        inventory.record_network(
            common=context.recorded(external_id=network.external_id),
            cidr=subnet.outputs["cidr"],
            gateway=subnet.outputs["gateway"],
            subnet_id=subnet.external_id,
            security_group_id=context.step.external_id,
        )
        settlement.built(unit=context.step.unit, at=context.at)


def own_rules(*, cidr: str, management: str) -> tuple[Through, ...]:
    """What a network's group lets in from the beginning: its servers each other, and us where we manage them from."""
    managed_from = str(ip_network(management, strict=False)) if management else cidr
    return (Protocol.ANY, None, None, cidr), (Protocol.TCP, SSH, SSH, managed_from)


def let_in_what_it_is_for(groups: SecurityGroups, group_id: str, *, cidr: str, management: str) -> None:
    """Give a network's group those of its own rules that it does not have."""
    have = {lets_through(rule) for rule in groups.find_rules(group_id=group_id)}
    for rule in own_rules(cidr=cidr, management=management):
        if rule not in have:
            protocol, port_min, port_max, remote = rule
            groups.create_rule(
                group_id=group_id,
                protocol=None if protocol == Protocol.ANY else protocol,
                port_min=port_min,
                port_max=port_max,
                remote=remote,
            )


class SecurityRuleKind(Kind):
    """A rule of the network's group. One that is there already is taken for ours: it lets the same through.

    Neutron looks for a duplicate before it writes, without a lock: two requests at once can both be taken. Hence open.
    """

    name = "security_rule"
    title = _("Opening the network")
    removal_title = _("Closing the network")
    landing = Landing.OPEN

    def find(self, context: Context) -> str | None:
        rules = context.project.security_groups.find_rules(group_id=self._group_id(context))
        return next((rule.id for rule in rules if lets_through(rule) == self._wanted(context)), None)

    def create(self, context: Context) -> Made:
        found = self.find(context)
        if found is None:
            state = context.state
            protocol = None if state["protocol"] == Protocol.ANY else state["protocol"]
            version = ip_network(state["remote"]).version
            found = context.project.security_groups.create_rule(
                group_id=self._group_id(context),
                protocol="ipv6-icmp" if protocol == Protocol.ICMP and version == 6 else protocol,
                port_min=state["port_min"],
                port_max=state["port_max"],
                remote=state["remote"],
                ethertype=f"IPv{version}",
                description=context.mark,
            ).id
        return Made(found)

    def look(self, context: Context, external_id: str) -> Sight:
        """As operators: a rule that they made by hand, and that was taken for ours, belongs to a project of theirs."""
        try:
            context.cloud.security_groups.get_rule(external_id)
        except errors.NotFound:
            return Gone()
        return Ready()

    def remove(self, context: Context, external_id: str) -> None:
        """As they look."""
        context.cloud.security_groups.delete_rule(external_id)

    def record(self, context: Context, outputs: dict[str, Any]) -> None:  # noqa: ARG002
        state = context.state
        reach.record_rule(
            network=self._network(context),
            unit=context.step.unit,
            protocol=state["protocol"],
            port_min=state["port_min"],
            port_max=state["port_max"],
            remote=state["remote"],
            description=state["description"],
            external_id=context.step.external_id,
            added_by=User.objects.get(uuid=state["added_by"]),
            actor=ENGINE,
            at=context.at,
        )

    def forget(self, context: Context) -> None:
        unit = context.state.get("rule", context.step.unit)
        rules = SecurityRule.objects.select_related("network__resource").filter(unit=unit, removed_at=None)
        for rule in rules:
            reach.rule_removed(rule=rule, actor=ENGINE, at=context.at)

    def _wanted(self, context: Context) -> Through:
        state = context.state
        return state["protocol"], state["port_min"], state["port_max"], state["remote"]

    def _group_id(self, context: Context) -> str:
        return self._network(context).security_group_id

    def _network(self, context: Context) -> Network:
        return Network.objects.select_related("resource").get(resource__unit=context.state["network"])


def lets_through(rule: models.SecurityRule) -> Through | None:
    """What a rule lets in, in our words; None for what goes out or comes from a group."""
    if rule.direction != "ingress" or rule.remote_group_id or rule.remote_address_group_id:
        return None
    anywhere = "0.0.0.0/0" if rule.ethertype == "IPv4" else "::/0"
    protocol = _PROTOCOLS.get(rule.protocol or "any", rule.protocol or "any")
    return protocol, rule.port_min, rule.port_max, str(ip_network(rule.remote or anywhere, strict=False))


_PROTOCOLS = {
    "ipv6-icmp": Protocol.ICMP, "icmpv6": Protocol.ICMP, "1": Protocol.ICMP, "58": Protocol.ICMP, "6": Protocol.TCP,
    "17": Protocol.UDP,
}  # fmt: skip
"""Neutron keeps names and numbers as they were given, and takes them for the same."""


def tags_of(context: Context) -> list[str]:
    """What everything we make carries: whose it is, and for which order it was made."""
    return tags_for(unit=context.step.unit, system=context.operation.system, thread=context.operation.thread)


def tags_for(*, unit: UUID, system: System, thread: UUID | None) -> list[str]:
    order = [] if thread is None else [f"thread-{thread}"]
    return ["govcloud", mark_of(unit), f"system-{system.code}", *order]
