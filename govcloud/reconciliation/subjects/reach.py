"""How networks and servers are reached from outside: security rules, routers, floating addresses.

A rule that stands in a group of ours without being recorded lets somebody in; so does a router on a network, or a floating
address that leads to a server. That is told at once and is to be taken out.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from ipaddress import ip_network
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from govcloud.catalog.models import Cloud
from govcloud.gateways.openstack import models
from govcloud.gateways.openstack.census import Census, ListedFloatingIp, ListedRouter
from govcloud.inventory.lifecycle import STANDING
from govcloud.inventory.models import (
    Address,
    FloatingAddress,
    Network,
    Project,
    Protocol,
    Resource,
    ResourceKind,
    SecurityRule,
)
from govcloud.provisioning.context import mark_of
from govcloud.provisioning.kinds.network import SSH, lets_through
from govcloud.reconciliation.comparison import DISABLED, USABLE, Home, Seen, Standing
from govcloud.reconciliation.subjects.base import Subject, marked, resources_of
from govcloud.reconciliation.vocabulary import Field, SubjectKind

ALL = "*"


class SecurityRules(Subject):
    """Rules that let something into a network of ours. Neutron never changes one: it is there or it is not."""

    kind = SubjectKind.SECURITY_RULE

    def pages(self, everything: Census, *, since: datetime | None) -> Iterator[list[Seen]]:  # noqa: ARG002
        """In groups of ours, without those that let out, where everything is open anyway.

        A rule that an operator made carries the operator's project, whoever has the group: it counts by its group.
        """
        for page in everything.security_rules():
            seen = [self._seen(row) for row in page if row.direction == "ingress"]
            projects = _projects(_by_group(seen))
            yield [replace(each, project_id=projects[each.at[0]]) for each in seen if each.at[0] in projects]

    def one(self, everything: Census, external_id: str) -> Seen:
        return self._seen(everything.security_rule(external_id))

    def _seen(self, row: models.SecurityRule) -> Seen:
        fields = _told(*(lets_through(row) or _from_a_group(row)))
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
            found[row.external_id] = _at(
                self.kind, row.network.resource, row.external_id, row.unit, fields, name=_named(fields)
            )
        return found

    def strangers(self, unmarked: Sequence[Seen]) -> list[Seen]:
        """In groups of our networks, without what these were built with and what only lets in the network itself."""
        networks = _by_group(unmarked)
        return [
            seen
            for seen in unmarked
            if (network := networks.get(seen.at[0])) is not None and not _its_own(seen, network)
        ]

    def homes(self, cloud: Cloud, unknown: Sequence[Seen]) -> dict[str, Home]:  # noqa: ARG002
        networks = _by_group(unknown)
        return {
            seen.external_id: _home(networks[seen.at[0]].resource)
            for seen in unknown
            if seen.at[0] in networks
        }


def _by_group(rules: Sequence[Seen]) -> dict[str, Network]:
    rows = Network.objects.filter(
        security_group_id__in={seen.at[0] for seen in rules}, resource__released_at=None
    )
    return {row.security_group_id: row for row in rows.select_related("resource__cloud")}


def _projects(networks: Mapping[str, Network]) -> dict[str, str]:
    """The ids of the projects that groups of ours are in."""
    systems = {row.resource.system_id for row in networks.values()}
    rows = Project.objects.filter(system__in=systems).values_list("system_id", "cloud_id", "external_id")
    known = {(system, cloud): external_id for system, cloud, external_id in rows}
    homes = {group: (row.resource.system_id, row.resource.cloud_id) for group, row in networks.items()}
    return {group: known[home] for group, home in homes.items() if home in known}


def _its_own(seen: Seen, network: Network) -> bool:
    protocol, ports, origin = (seen.fields[name] for name in (Field.PROTOCOL, Field.OPEN_PORTS, Field.ORIGIN))
    if origin == _group(network.security_group_id):
        return True
    try:
        remote, within = ip_network(origin), ip_network(network.cidr)
    except ValueError:
        return False
    if remote.version == within.version and remote.subnet_of(within):  # type: ignore[arg-type]
        return True
    ours = network.resource.cloud.management_cidr
    if not ours or (protocol, ports) != (Protocol.TCP, str(SSH)):
        return False
    return remote == ip_network(ours, strict=False)


def _told(protocol: str, port_min: int | None, port_max: int | None, origin: str) -> dict[Field, str]:
    """What a rule lets in, as findings say it. ``*`` is all ports."""
    if port_min is None and port_max is None:
        ports = ALL
    else:
        ports = str(port_min) if port_min == port_max else f"{port_min}-{port_max}"
    return {Field.PROTOCOL: protocol, Field.OPEN_PORTS: ports, Field.ORIGIN: origin}


def _named(fields: Mapping[Field, str]) -> str:
    return " ".join(fields.values())


def _from_a_group(row: models.SecurityRule) -> tuple[str, int | None, int | None, str]:
    origin = row.remote_group_id or row.remote_address_group_id or ""
    return row.protocol or Protocol.ANY, row.port_min, row.port_max, _group(origin)


def _group(group_id: str) -> str:
    return f"group {group_id}"


class Routers(Subject):
    """A network's router is recorded with the network: where it leads, and on which subnet it is."""

    kind = SubjectKind.ROUTER

    def pages(self, everything: Census, *, since: datetime | None) -> Iterator[list[Seen]]:  # noqa: ARG002
        return ([self._seen(row) for row in page] for page in everything.routers())

    def one(self, everything: Census, external_id: str) -> Seen:
        return self._seen(everything.router(external_id))

    def _seen(self, row: ListedRouter) -> Seen:
        fields = {
            Field.STATE: "error" if row.status == "ERROR" else USABLE if row.enabled else DISABLED,
            Field.EXTERNAL_NETWORK: row.external_network_id,
            Field.ON_SUBNETS: ",".join(row.subnet_ids),
        }
        if row.outside_addresses:
            fields[Field.OUTSIDE_ADDRESS] = _plain(row.outside_addresses)
        return Seen(
            kind=self.kind,
            external_id=row.id,
            project_id=row.project_id,
            name=row.name,
            mark=marked([*row.tags, row.name]),
            at=row.subnet_ids,
            settled=row.status != "ALLOCATING",
            fields=fields,
        )

    def _networks(self, cloud: Cloud) -> QuerySet[Resource]:
        return resources_of(cloud, ResourceKind.NETWORK).exclude(network__router_id="")

    def recorded(self, cloud: Cloud, *, before: datetime) -> QuerySet[Any, str]:
        active = self._networks(cloud).filter(status__in=STANDING, built_at__lt=before)
        return active.values_list("network__router_id", flat=True)

    def standing(self, cloud: Cloud, ids: Collection[str]) -> dict[str, Standing | None]:
        found: dict[str, Standing | None] = {}
        for resource in self._networks(cloud).filter(network__router_id__in=ids).select_related("network"):
            network = resource.network
            fields = {
                Field.STATE: USABLE,
                Field.EXTERNAL_NETWORK: network.external_network_id,
                Field.ON_SUBNETS: network.subnet_id,
            }
            if network.outside_address:
                fields[Field.OUTSIDE_ADDRESS] = network.outside_address
            found[network.router_id] = _at(
                self.kind, resource, network.router_id, resource.unit, fields, name=resource.name
            )
        return found

    def homes(self, cloud: Cloud, unknown: Sequence[Seen]) -> dict[str, Home]:
        subnets = {subnet for seen in unknown for subnet in seen.at}
        rows = resources_of(cloud, ResourceKind.NETWORK).filter(network__subnet_id__in=subnets)
        networks = {row.network.subnet_id: row for row in rows.select_related("network")}
        return {
            seen.external_id: _home(networks[subnet])
            for seen in unknown
            for subnet in seen.at
            if subnet in networks
        }


def _plain(addresses: Sequence[str]) -> str:
    """The one that people use: IPv4 where there is one."""
    return next((each for each in addresses if ":" not in each), addresses[0])


class FloatingAddresses(Subject):
    """A floating address leads to the first address of its server."""

    kind = SubjectKind.FLOATING_ADDRESS

    def pages(self, everything: Census, *, since: datetime | None) -> Iterator[list[Seen]]:  # noqa: ARG002
        return ([self._seen(row) for row in page] for page in everything.floating_ips())

    def one(self, everything: Census, external_id: str) -> Seen:
        return self._seen(everything.floating_ip(external_id))

    def _seen(self, row: ListedFloatingIp) -> Seen:
        mark = marked([*row.tags, row.description])
        return Seen(
            kind=self.kind,
            external_id=row.id,
            project_id=row.project_id,
            name=row.address,
            mark=mark,
            at=(row.port_id,) if row.port_id else (),
            fields={
                Field.STATE: "error" if row.status == "ERROR" else USABLE,
                Field.MARK: mark_of(mark) if mark else "",
                Field.ADDRESS: row.address,
                Field.EXTERNAL_NETWORK: row.network_id,
                Field.LEADS_TO: row.port_id,
            },
        )

    def _given(self, cloud: Cloud) -> QuerySet[FloatingAddress]:
        return FloatingAddress.objects.filter(
            server__resource__cloud=cloud, given_at__isnull=False, released_at=None
        )

    def recorded(self, cloud: Cloud, *, before: datetime) -> QuerySet[Any, str]:
        given = self._given(cloud).filter(server__resource__status__in=STANDING, given_at__lt=before)
        return given.values_list("external_id", flat=True)

    def standing(self, cloud: Cloud, ids: Collection[str]) -> dict[str, Standing | None]:
        first = Address.objects.filter(unit=OuterRef("server__resource__unit"), released_at=None)
        rows = self._given(cloud).filter(external_id__in=ids).select_related("server__resource")
        found: dict[str, Standing | None] = {}
        for row in rows.annotate(port=Subquery(first.values("port_id")[:1])):
            fields = {Field.STATE: USABLE, Field.MARK: mark_of(row.unit), Field.ADDRESS: str(row.address)}
            if row.port:
                fields[Field.LEADS_TO] = row.port
            found[row.external_id] = _at(
                self.kind, row.server.resource, row.external_id, row.unit, fields, name=str(row)
            )
        return found

    def homes(self, cloud: Cloud, unknown: Sequence[Seen]) -> dict[str, Home]:
        """At the server of the port that it leads to, its first or a further one."""
        ports = {port for seen in unknown for port in seen.at}
        rows = list(
            Address.objects.filter(port_id__in=ports, released_at=None).select_related("server__resource")
        )
        units = {row.unit if row.server is None else row.server.resource.unit for row in rows}
        servers = {row.unit: row for row in resources_of(cloud, ResourceKind.SERVER).filter(unit__in=units)}
        by_port = {
            row.port_id: servers.get(row.unit if row.server is None else row.server.resource.unit)
            for row in rows
        }
        return {
            seen.external_id: _home(server)
            for seen in unknown
            for port in seen.at
            if (server := by_port.get(port)) is not None
        }


def _at(
    kind: SubjectKind,
    resource: Resource,
    external_id: str,
    unit: UUID,
    fields: Mapping[Field, str],
    *,
    name: str,
) -> Standing | None:
    """Recorded with a resource; None while that is in hand."""
    if resource.status not in STANDING:
        return None
    return Standing(
        kind=kind,
        external_id=external_id,
        resource=resource.pk,
        unit=unit,
        system=resource.system_id,
        fields=fields,
        name=name,
    )


def _home(resource: Resource) -> Home:
    return Home(resource=resource.pk, unit=resource.unit, at_rest=resource.status in STANDING)
