"""What orders build: servers, volumes, their ports, and networks."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from govcloud.catalog.models import Cloud, CloudFlavor, CloudStorageClass
from govcloud.gateways.openstack import census
from govcloud.gateways.openstack.census import Census
from govcloud.inventory.lifecycle import STANDING
from govcloud.inventory.models import Address, Network, Power, Resource, ResourceKind
from govcloud.provisioning.context import mark_of
from govcloud.provisioning.kinds.compute import UNIT
from govcloud.reconciliation.comparison import USABLE, Seen, Standing
from govcloud.reconciliation.subjects.base import Subject, marked, resources_of, standing_of
from govcloud.reconciliation.vocabulary import Field, SubjectKind

_POWER = {"ACTIVE": "running", "SHUTOFF": "stopped"}
_MOVING = frozenset(
    {"BUILD", "REBUILD", "REBOOT", "HARD_REBOOT", "RESIZE", "REVERT_RESIZE", "MIGRATING", "UNKNOWN"}
)
_AT_REST = frozenset({"available", "in-use", "backing-up", "maintenance"})


class Servers(Subject):
    kind = SubjectKind.SERVER

    def pages(self, everything: Census, *, since: datetime | None) -> Iterator[list[Seen]]:
        return ([self._seen(row) for row in page] for page in everything.servers(changed_since=since))

    def one(self, everything: Census, external_id: str) -> Seen:
        return self._seen(everything.server(external_id))

    def _seen(self, row: census.ListedServer) -> Seen:
        fields = {Field.NAME: row.name, Field.FLAVOR: row.flavor_name, Field.STATE: USABLE}
        if row.status == "ERROR":
            fields[Field.STATE] = "error"
        else:
            fields[Field.POWER] = _POWER.get(row.status, row.status.lower())
        mark = marked(row.tags)
        fields[Field.MARK] = mark_of(mark) if mark else ""
        return Seen(
            kind=self.kind,
            external_id=row.id,
            project_id=row.project_id,
            name=row.name,
            mark=mark,
            settled=row.task_state is None and row.status not in _MOVING,
            deleted=row.deleted,
            changed_at=row.updated_at,
            fields=fields,
        )

    def recorded(self, cloud: Cloud, *, before: datetime) -> QuerySet[Any, str]:
        active = resources_of(cloud, ResourceKind.SERVER).filter(status__in=STANDING, built_at__lt=before)
        return active.values_list("external_id", flat=True)

    def standing(self, cloud: Cloud, ids: Collection[str]) -> dict[str, Standing | None]:
        flavors = dict(CloudFlavor.objects.filter(cloud=cloud).values_list("flavor_id", "cloud_name"))
        rows = resources_of(cloud, ResourceKind.SERVER).filter(external_id__in=ids)
        found: dict[str, Standing | None] = {}
        for row in rows.values("pk", "unit", "system_id", "external_id", "name", "status", "server__flavor_id", "server__cloud_flavor", "server__power"):  # fmt: skip
            fields = {Field.NAME: row["name"], Field.POWER: row["server__power"]}
            if row["server__power"] != Power.BROKEN:  # which is known to be in error
                fields[Field.STATE] = USABLE
            flavor = row["server__cloud_flavor"] or flavors.get(row["server__flavor_id"])
            if flavor:
                fields[Field.FLAVOR] = flavor
            fields[Field.MARK] = mark_of(row["unit"])
            found[row["external_id"]] = standing_of(self.kind, row, fields)
        return found


class Volumes(Subject):
    kind = SubjectKind.VOLUME

    def pages(self, everything: Census, *, since: datetime | None) -> Iterator[list[Seen]]:
        return ([self._seen(row) for row in page] for page in everything.volumes(changed_since=since))

    def one(self, everything: Census, external_id: str) -> Seen:
        return self._seen(everything.volume(external_id))

    def _seen(self, row: census.ListedVolume) -> Seen:
        broken = row.status.startswith("error")
        unit = row.metadata.get(UNIT, "")
        holders = ",".join(row.server_ids)
        fields = {
            Field.NAME: row.name,
            Field.STATE: row.status if broken else USABLE,
            Field.MARK: unit,
            Field.SIZE: str(row.size_gib),
            Field.STORAGE_CLASS: row.volume_type,
            Field.ATTACHED_TO: holders,
        }
        return Seen(
            kind=self.kind,
            external_id=row.id,
            project_id=row.project_id,
            name=row.name,
            mark=marked([f"gc-{unit}"]),
            held_by=holders,
            settled=broken or row.status in _AT_REST,
            changed_at=row.updated_at,
            fields=fields,
        )

    def recorded(self, cloud: Cloud, *, before: datetime) -> QuerySet[Any, str]:
        active = resources_of(cloud, ResourceKind.VOLUME).filter(status__in=STANDING, built_at__lt=before)
        return active.values_list("external_id", flat=True)

    def standing(self, cloud: Cloud, ids: Collection[str]) -> dict[str, Standing | None]:
        classes = {each.storage_class_id: each for each in CloudStorageClass.objects.filter(cloud=cloud)}
        rows = resources_of(cloud, ResourceKind.VOLUME).filter(external_id__in=ids)
        found: dict[str, Standing | None] = {}
        for row in rows.values(
            "pk", "unit", "system_id", "external_id", "name", "status", "volume__storage_class_id", "volume__cloud_class",
            "volume__size_gb", "volume__server__resource__external_id", "volume__server__power",
        ):  # fmt: skip
            fields = {Field.NAME: row["name"], Field.STATE: USABLE, Field.MARK: str(row["unit"])}
            if (scale := classes.get(row["volume__storage_class_id"])) is not None:
                fields[Field.SIZE] = str(scale.built_gb(row["volume__size_gb"]))
                fields[Field.STORAGE_CLASS] = row["volume__cloud_class"] or scale.cloud_name
            if (
                row["volume__server__power"] != Power.BROKEN
            ):  # a failed rebuild leaves them reserved, which no list tells
                fields[Field.ATTACHED_TO] = row["volume__server__resource__external_id"] or ""
            found[row["external_id"]] = standing_of(self.kind, row, fields)
        return found


class Ports(Subject):
    """A port is recorded as an address of its server; what it stands on is the server's record.

    A server's first carries the server's mark, further ones carry their own and name their server.
    """

    kind = SubjectKind.PORT

    def pages(self, everything: Census, *, since: datetime | None) -> Iterator[list[Seen]]:  # noqa: ARG002
        """Without the network's own: of DHCP, of routers."""
        return (
            [self._seen(row) for row in page if not row.device_owner.startswith("network:")]
            for page in everything.ports()
        )

    def one(self, everything: Census, external_id: str) -> Seen:
        return self._seen(everything.port(external_id))

    def _seen(self, row: census.ListedPort) -> Seen:
        mark = marked(row.tags, otherwise=row.name)
        return Seen(
            kind=self.kind,
            external_id=row.id,
            project_id=row.project_id,
            name=row.name,
            mark=mark,
            held_by=row.device_id,
            fields={
                Field.MARK: mark_of(mark) if mark else "",
                Field.ATTACHED_TO: row.device_id,
                Field.ADDRESS: ",".join(row.addresses),
                Field.SECURITY_GROUP: ",".join(row.security_group_ids),
            },
        )

    def _addresses(self, cloud: Cloud) -> QuerySet[Address]:
        return Address.objects.filter(block__cloud=cloud, released_at=None).exclude(port_id="")

    def recorded(self, cloud: Cloud, *, before: datetime) -> QuerySet[Any, str]:
        servers = resources_of(cloud, ResourceKind.SERVER).filter(status__in=STANDING, built_at__lt=before)
        theirs = Q(unit__in=servers.values("unit")) | Q(server__in=servers.values("pk"))
        return self._addresses(cloud).filter(theirs).values_list("port_id", flat=True)

    def standing(self, cloud: Cloud, ids: Collection[str]) -> dict[str, Standing | None]:
        group = Network.objects.filter(resource__unit=OuterRef("block__unit")).values("security_group_id")[:1]
        rows = list(
            self._addresses(cloud)
            .filter(port_id__in=ids)
            .annotate(security_group=Subquery(group))
            .values("unit", "server", "port_id", "address", "security_groups", "security_group")
        )
        firsts = [row["unit"] for row in rows if row["server"] is None]
        further = [row["server"] for row in rows if row["server"] is not None]
        servers = {
            key: server
            for server in resources_of(cloud, ResourceKind.SERVER)
            .filter(Q(unit__in=firsts) | Q(pk__in=further))
            .values("pk", "unit", "system_id", "external_id", "status")
            for key in (server["unit"], server["pk"])
        }
        found: dict[str, Standing | None] = {}
        for row in rows:
            server = servers.get(row["unit"] if row["server"] is None else row["server"])
            if server is None:  # its server is not recorded (yet)
                found[row["port_id"]] = None
                continue
            groups = row["security_groups"]
            marked_after = row["unit"] if groups is None else server["unit"]  # as ``Address`` has it
            fields = {
                Field.MARK: mark_of(marked_after),
                Field.ATTACHED_TO: server["external_id"],
                Field.ADDRESS: row["address"],
            }
            if groups is not None:
                fields[Field.SECURITY_GROUP] = ",".join(sorted(groups))
            elif row["security_group"]:
                fields[Field.SECURITY_GROUP] = row["security_group"]
            its_own = {"external_id": row["port_id"], "unit": row["unit"]}
            found[row["port_id"]] = standing_of(self.kind, {**server, **its_own}, fields)
        return found

    def strangers(self, unmarked: Sequence[Seen]) -> list[Seen]:
        """Without those of servers that are not ours: they go with their server."""
        holders = {seen.held_by for seen in unmarked if seen.held_by}
        ours = set(Resource.objects.filter(external_id__in=holders).values_list("external_id", flat=True))
        return [seen for seen in unmarked if not seen.held_by or seen.held_by in ours]


class Networks(Subject):
    kind = SubjectKind.NETWORK

    def pages(self, everything: Census, *, since: datetime | None) -> Iterator[list[Seen]]:  # noqa: ARG002
        return ([self._seen(row) for row in page] for page in everything.networks())

    def one(self, everything: Census, external_id: str) -> Seen:
        return self._seen(everything.network(external_id))

    def _seen(self, row: census.ListedThing) -> Seen:
        tag = marked(row.tags)
        return Seen(
            kind=self.kind,
            external_id=row.id,
            project_id=row.project_id,
            name=row.name,
            mark=marked(row.tags, otherwise=row.name),
            fields={Field.NAME: row.name, Field.MARK: mark_of(tag) if tag else ""},
        )

    def recorded(self, cloud: Cloud, *, before: datetime) -> QuerySet[Any, str]:
        active = resources_of(cloud, ResourceKind.NETWORK).filter(status__in=STANDING, built_at__lt=before)
        return active.values_list("external_id", flat=True)

    def standing(self, cloud: Cloud, ids: Collection[str]) -> dict[str, Standing | None]:
        rows = resources_of(cloud, ResourceKind.NETWORK).filter(external_id__in=ids)
        found: dict[str, Standing | None] = {}
        for row in rows.values("pk", "unit", "system_id", "status", "external_id"):
            fields = {Field.NAME: mark_of(row["unit"]), Field.MARK: mark_of(row["unit"])}
            found[row["external_id"]] = standing_of(self.kind, row, fields)
        return found
