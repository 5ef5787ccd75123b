"""How networks and servers are reached from outside: routers and floating addresses.

A router on a network of ours that nobody recorded, or a floating address that leads to a server of ours, lets somebody in.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from govcloud.catalog.models import Cloud
from govcloud.gateways.openstack.census import Census, ListedFloatingIp, ListedRouter
from govcloud.inventory.lifecycle import STANDING
from govcloud.inventory.models import Address, FloatingAddress, Resource, ResourceKind
from govcloud.provisioning.context import mark_of
from govcloud.reconciliation.comparison import DISABLED, USABLE, Home, Seen, Standing
from govcloud.reconciliation.subjects.base import Subject, home_of, marked, resources_of, standing_at
from govcloud.reconciliation.vocabulary import Field, SubjectKind


class Routers(Subject):
    """A network's router is recorded with the network: where it leads, and on which subnet it is.

    One that is on several subnets is held by them: taken down for one, it would be missed on the others.
    """

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
            mark=marked(row.tags, otherwise=row.name),
            held_by=",".join(row.subnet_ids) if len(row.subnet_ids) > 1 else "",
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
            found[network.router_id] = standing_at(
                self.kind, resource, network.router_id, resource.unit, fields, name=resource.name
            )
        return found

    def homes(self, cloud: Cloud, unknown: Sequence[Seen]) -> dict[str, Home]:
        subnets = {subnet for seen in unknown for subnet in seen.at}
        rows = resources_of(cloud, ResourceKind.NETWORK).filter(network__subnet_id__in=subnets)
        networks = {row.network.subnet_id: row for row in rows.select_related("network")}
        return {
            seen.external_id: home_of(networks[subnet])
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
        mark = marked(row.tags, otherwise=row.description)
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
            found[row.external_id] = standing_at(
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
            seen.external_id: home_of(server)
            for seen in unknown
            for port in seen.at
            if (server := by_port.get(port)) is not None
        }
