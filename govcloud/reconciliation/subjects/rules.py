"""Who is let into the networks: security groups with what they were built with, and the rules that were added since."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from ipaddress import ip_network
from typing import Any

from django.db.models import QuerySet

from govcloud.catalog.models import Cloud
from govcloud.gateways.openstack import models
from govcloud.gateways.openstack.census import Census, ListedGroup
from govcloud.inventory.lifecycle import STANDING
from govcloud.inventory.models import Address, Network, Protocol, ResourceKind, SecurityRule
from govcloud.provisioning.context import mark_of
from govcloud.provisioning.kinds.network import lets_through, own_rules
from govcloud.reconciliation.comparison import Home, Seen, Standing
from govcloud.reconciliation.subjects.base import Subject, home_of, marked, resources_of, standing_at
from govcloud.reconciliation.vocabulary import Field, SubjectKind

ALL = "*"


class SecurityGroups(Subject):
    """A network's group is recorded with the network; what it was built with is put back when it is missing."""

    kind = SubjectKind.SECURITY_GROUP

    def pages(self, everything: Census, *, since: datetime | None) -> Iterator[list[Seen]]:  # noqa: ARG002
        return (self._all_seen(page) for page in everything.security_groups())

    def one(self, everything: Census, external_id: str) -> Seen:
        (seen,) = self._all_seen([everything.security_group(external_id)])
        return seen

    def _all_seen(self, groups: Sequence[ListedGroup]) -> list[Seen]:
        networks = _by_group([group.id for group in groups])
        return [self._seen(group, networks.get(group.id)) for group in groups]

    def _seen(self, row: ListedGroup, network: Network | None) -> Seen:
        fields = {Field.NAME: row.name}
        if network is not None:
            lets_in = {_named(_through(rule)) for rule in row.rules if rule.direction == "ingress"}
            fields[Field.LET_IN] = ", ".join(each for each in _own(network) if each in lets_in)
        return Seen(
            kind=self.kind,
            external_id=row.id,
            project_id=row.project_id,
            name=row.name,
            mark=marked(row.tags, otherwise=row.name),
            fields=fields,
        )

    def recorded(self, cloud: Cloud, *, before: datetime) -> QuerySet[Any, str]:
        active = resources_of(cloud, ResourceKind.NETWORK).filter(status__in=STANDING, built_at__lt=before)
        return active.values_list("network__security_group_id", flat=True)

    def standing(self, cloud: Cloud, ids: Collection[str]) -> dict[str, Standing | None]:
        rows = resources_of(cloud, ResourceKind.NETWORK).filter(network__security_group_id__in=ids)
        found: dict[str, Standing | None] = {}
        for resource in rows.select_related("network", "cloud"):
            group_id, mark = resource.network.security_group_id, mark_of(resource.unit)
            fields = {Field.NAME: mark, Field.LET_IN: ", ".join(_own(resource.network))}
            found[group_id] = standing_at(self.kind, resource, group_id, resource.unit, fields, name=mark)
        return found

    def strangers(self, unmarked: Sequence[Seen]) -> list[Seen]:
        """Without the one that Neutron makes in every project, and those that ports of ours were taken over with."""
        unknown = [seen for seen in unmarked if seen.name != "default"]
        kept = Address.objects.filter(
            released_at=None, security_groups__overlap=[seen.external_id for seen in unknown]
        )
        in_use = {
            group for groups in kept.values_list("security_groups", flat=True) for group in groups or ()
        }
        return [seen for seen in unknown if seen.external_id not in in_use]


class SecurityRules(Subject):
    """Rules that let something into a network of ours. Neutron never changes one: it is there or it is not.

    They come with their groups. One that an operator made may belong to a project of theirs: it counts by its group.
    """

    kind = SubjectKind.SECURITY_RULE

    def pages(self, everything: Census, *, since: datetime | None) -> Iterator[list[Seen]]:  # noqa: ARG002
        """In groups of ours, without those that let out, where everything is open anyway."""
        for page in everything.security_groups():
            networks = _by_group([group.id for group in page])
            yield [
                replace(self._seen(rule), project_id=group.project_id)
                for group in page
                if group.id in networks
                for rule in group.rules
                if rule.direction == "ingress"
            ]

    def one(self, everything: Census, external_id: str) -> Seen:
        return self._seen(everything.security_rule(external_id))

    def _seen(self, row: models.SecurityRule) -> Seen:
        fields = _through(row)
        return Seen(
            kind=self.kind,
            external_id=row.id,
            project_id=row.project_id,
            name=_named(fields),
            mark=marked([row.description]),
            at=(row.group_id,),
            fields=fields,
        )

    def _rules(self, cloud: Cloud) -> QuerySet[SecurityRule]:
        return SecurityRule.objects.filter(network__resource__cloud=cloud, removed_at=None)

    def recorded(self, cloud: Cloud, *, before: datetime) -> QuerySet[Any, str]:
        rules = self._rules(cloud).filter(network__resource__status__in=STANDING, added_at__lt=before)
        return rules.values_list("external_id", flat=True)

    def standing(self, cloud: Cloud, ids: Collection[str]) -> dict[str, Standing | None]:
        rows = self._rules(cloud).filter(external_id__in=ids).select_related("network__resource")
        found: dict[str, Standing | None] = {}
        for row in rows:
            fields = _told(row.protocol, row.port_min, row.port_max, row.remote)
            found[row.external_id] = standing_at(
                self.kind, row.network.resource, row.external_id, row.unit, fields, name=_named(fields)
            )
        return found

    def strangers(self, unmarked: Sequence[Seen]) -> list[Seen]:
        """In groups of our networks, without what these were built with and what only lets in the network itself."""
        networks = _by_group([seen.at[0] for seen in unmarked])
        return [
            seen
            for seen in unmarked
            if (network := networks.get(seen.at[0])) is not None and not _is_its_own(seen, network)
        ]

    def homes(self, cloud: Cloud, unknown: Sequence[Seen]) -> dict[str, Home]:  # noqa: ARG002
        networks = _by_group([seen.at[0] for seen in unknown])
        return {
            seen.external_id: home_of(networks[seen.at[0]].resource)
            for seen in unknown
            if seen.at[0] in networks
        }


def _by_group(ids: Collection[str]) -> dict[str, Network]:
    """The networks of ours that these groups are the groups of."""
    rows = Network.objects.filter(security_group_id__in=ids, resource__released_at=None)
    return {row.security_group_id: row for row in rows.select_related("resource__cloud")}


def _own(network: Network) -> list[str]:
    """What the group was built with, in the words of findings."""
    rules = own_rules(cidr=network.cidr, management=network.resource.cloud.management_cidr)
    return [_named(_told(*rule)) for rule in rules]


def _is_its_own(seen: Seen, network: Network) -> bool:
    """As it was built, or from the network itself, whose servers reach each other anyway."""
    origin = seen.fields[Field.ORIGIN]
    if seen.name in _own(network) or origin == _group(network.security_group_id):
        return True
    if is_a_group(origin):
        return False
    remote, within = ip_network(origin), ip_network(network.cidr)
    return remote.version == within.version and remote.subnet_of(within)  # type: ignore[arg-type]


def _told(protocol: str, port_min: int | None, port_max: int | None, origin: str) -> dict[Field, str]:
    """What a rule lets in, as findings say it. ``*`` is all ports; of ICMP they are its type and code."""
    if port_min is None:
        ports = ALL
    else:
        ports = str(port_min) if port_max in {None, port_min} else f"{port_min}-{port_max}"
    return {Field.PROTOCOL: protocol, Field.OPEN_PORTS: ports, Field.ORIGIN: origin}


def _named(fields: Mapping[Field, str]) -> str:
    return " ".join(fields.values())


def _through(rule: models.SecurityRule) -> dict[Field, str]:
    """Of one that lets in, from a range or from a group."""
    origin = _group(rule.remote_group_id or rule.remote_address_group_id or "")
    return _told(
        *(lets_through(rule) or (rule.protocol or Protocol.ANY, rule.port_min, rule.port_max, origin))
    )


_GROUP = "group "


def _group(group_id: str) -> str:
    return f"{_GROUP}{group_id}"


def is_a_group(origin: str) -> bool:
    """Of servers or of addresses, and no range."""
    return origin.startswith(_GROUP)
