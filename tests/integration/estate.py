"""A whole estate at once: what one order built, many times over, in the sandbox's memory and in our records.

The sandbox keeps its rows in one SQLite file, which is read and written here while it does not run.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.db import connection

from govcloud.inventory.models import (
    Address,
    AddressBlock,
    Network,
    Project,
    Resource,
    Server,
    Volume,
)
from govcloud.provisioning import demand
from govcloud.provisioning.kinds.tenancy import LIMITS
from govcloud.quotas.models import QuotaAccount
from govcloud.reconciliation import balances
from tenants.models import System
from tests.factories.orders import Scene
from tests.factories.tenants import SystemFactory

Row = dict[str, Any]
FURTHER = 100  # one server in so many has a second interface
LONG_AGO = datetime.now(UTC) - timedelta(days=30)
CLONED = (
    "network",
    "subnet",
    "security_group",
    "security_group_rule",
    "port",
    "server",
    "volume",
    "attachment",
)


@dataclass(slots=True)
class Estate:
    """What was made: our servers' records by name, and the rows of the cloud by the record they belong to."""

    servers: list[Resource] = field(default_factory=list)
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)  # by kind and id
    ports: dict[UUID, str] = field(default_factory=dict)  # by the server's unit
    further: dict[UUID, str] = field(default_factory=dict)  # the second ports of those that have two
    volumes: dict[int, list[Resource]] = field(default_factory=dict)  # by the server's key

    def row(self, kind: str, external_id: str) -> Row:
        return self.rows[kind, external_id]


def template(state: Path, project_id: str) -> dict[str, list[Row]]:
    """The rows of a project, by kind."""
    with sqlite3.connect(state / "cloud.sqlite") as file:
        stored = [(kind, json.loads(body)) for kind, body in file.execute("SELECT kind, body FROM objects")]
    found: dict[str, list[Row]] = {kind: [] for kind in CLONED}
    for kind, row in stored:
        if kind in CLONED and row.get("project_id") == project_id and row.get("name") != "default":
            found[kind].append(row)
    found["port"] = [row for row in found["port"] if not row["device_owner"].startswith("network:")]
    (group,) = found["security_group"]
    found["security_group_rule"] = [
        row for row in found["security_group_rule"] if row["security_group_id"] == group["id"]
    ]
    found["project"] = [row for kind, row in stored if kind == "project" and row["id"] == project_id]
    return found


def write(state: Path, rows: Iterable[tuple[str, Row]]) -> None:
    with sqlite3.connect(state / "cloud.sqlite") as file:
        file.executemany(
            "INSERT OR REPLACE INTO objects VALUES (?, ?, ?)",
            ((kind, row["id"], json.dumps(row)) for kind, row in rows),
        )


def grown(on: Scene, state: Path, *, servers: int, per_system: int) -> Estate:
    """The one server of the scene's system with all it needs, so many times over, so many to a system of their own."""
    model = template(state, Project.objects.get(system=on.system).external_id)
    estate = Estate()
    for first in range(0, servers, per_system):
        system = SystemFactory(department=on.department, level_3=True)
        _Cloning(on, model, estate, system).carry_out(range(first, min(first + per_system, servers)))
    _count(on)
    write(state, ((kind, row) for (kind, _id), row in estate.rows.items()))
    with (
        connection.cursor() as cursor
    ):  # autovacuum may have come while nobody else saw the rows, and found none
        cursor.execute("ANALYZE")
    return estate


class _Cloning:
    """One system's part of it."""

    def __init__(self, on: Scene, model: dict[str, list[Row]], estate: Estate, system: System) -> None:
        self.on, self.model, self.estate, self.system = on, model, estate, system
        self.project = uuid4().hex
        self.network = Resource.objects.select_related("network").get(kind="network", system=on.system)
        self.server = Resource.objects.select_related("server").get(kind="server", system=on.system)
        self.held = list(Resource.objects.filter(volume__server=self.server.server).select_related("volume"))

    def carry_out(self, numbers: range) -> None:
        Project.objects.create(system=self.system, cloud=self.on.catalogue.cloud, external_id=self.project)
        self._cloud("project", self.model["project"][0], id=self.project, name=f"gc-{self.system.code}")
        block = self._network()
        servers = [self._resource(self.server, f"s-{number}") for number in numbers]
        Resource.objects.bulk_create(servers)
        details = [self._particulars(self.server.server, each) for each in servers]
        Server.objects.bulk_create(details)
        volumes = [
            (held, server, self._resource(held, f"{server.resource.name}-{held.name}"))
            for server in details for held in self.held
        ]  # fmt: skip
        Resource.objects.bulk_create(volume for _held, _server, volume in volumes)
        Volume.objects.bulk_create(
            self._particulars(held.volume, volume, server=server) for held, server, volume in volumes
        )
        for number, server in enumerate(servers):
            self._server(server, f"10.99.{number // 250}.{number % 250 + 1}")
        for held, server, volume in volumes:
            self.estate.volumes.setdefault(server.pk, []).append(volume)
            self._volume(held, server.resource, volume)
        Address.objects.bulk_create(
            Address(
                block=block, unit=server.unit, port_id=self.estate.ports[server.unit],
                address=f"10.99.{number // 250}.{number % 250 + 1}",
            )
            for number, server in enumerate(servers)
        )  # fmt: skip
        Address.objects.bulk_create(
            self._further(server, block, f"10.99.{128 + number // 250}.{number % 250 + 1}")
            for number, server in zip(numbers, details, strict=True)
            if number % FURTHER == 0
        )
        self.estate.servers += servers
        self._limits()

    # -- records

    def _resource(self, like: Resource, name: str) -> Resource:
        copy = _copied(
            like, uuid=uuid4(), unit=uuid4(), name=name, system=self.system, external_id=str(uuid4())
        )
        copy.built_at = LONG_AGO
        return copy

    def _particulars(self, like: Any, resource: Resource, **columns: Any) -> Any:
        return _copied(like, pk=resource.pk, resource=resource, **columns)

    def _network(self) -> AddressBlock:
        resource = self._resource(self.network, "net")
        resource.save()
        self.resource_of_network = resource
        subnet, group = str(uuid4()), str(uuid4())
        self.group = group
        Network.objects.bulk_create(
            [self._particulars(self.network.network, resource, subnet_id=subnet, security_group_id=group)]
        )
        mark = f"gc-{resource.unit}"
        self._cloud("network", self.model["network"][0], id=resource.external_id, name=mark, tags=[mark])
        self._cloud("subnet", self.model["subnet"][0], id=subnet, network_id=resource.external_id)
        self._cloud("security_group", self.model["security_group"][0], id=group, name=mark)
        for rule in self.model["security_group_rule"]:
            self._cloud("security_group_rule", rule, id=str(uuid4()), security_group_id=group)
        last = AddressBlock.objects.order_by("-last").values_list("last", flat=True).first() or 0
        return AddressBlock.objects.create(
            cloud=self.on.catalogue.cloud,
            unit=resource.unit,
            cidr="10.99.0.0/16",
            first=last + 1,
            last=last + 2,
        )

    # -- the cloud

    def _cloud(self, kind: str, like: Row, **columns: Any) -> Row:
        row = deepcopy(like) | columns
        if "project_id" in row:
            row["project_id"] = self.project
        for name in ("created_at", "updated_at"):
            if row.get(name):
                row[name] = LONG_AGO.isoformat(timespec="microseconds")
        self.estate.rows[kind, row["id"]] = row
        return row

    def _server(self, server: Resource, address: str) -> None:
        mark = f"gc-{server.unit}"
        self._cloud("server", self.model["server"][0], id=server.external_id, name=server.name, tags=[mark])
        self.estate.ports[server.unit] = self._port(server, mark, address)

    def _further(self, server: Server, block: AddressBlock, address: str) -> Address:
        """On the same network: what is compared does not ask which."""
        unit = uuid4()
        port = self._port(server.resource, f"gc-{unit}", address)
        self.estate.further[server.resource.unit] = port
        return Address(block=block, unit=unit, server=server, port_id=port, address=address)

    def _port(self, server: Resource, mark: str, address: str) -> str:
        port = self._cloud(
            "port", self.model["port"][0], id=str(uuid4()), name=mark, tags=[mark], device_id=server.external_id,
            network_id=self.resource_of_network.external_id, security_groups=[self.group],
            fixed_ips=[{"subnet_id": self.resource_of_network.network.subnet_id, "ip_address": address}],
        )  # fmt: skip
        found: str = port["id"]
        return found

    def _volume(self, held: Resource, server: Resource, volume: Resource) -> None:
        like = next(row for row in self.model["volume"] if row["id"] == held.external_id)
        metadata = like["metadata"] | {"govcloud_unit": str(volume.unit)}
        self._cloud("volume", like, id=volume.external_id, name=volume.name, metadata=metadata)
        attachment = next(row for row in self.model["attachment"] if row["volume_id"] == held.external_id)
        self._cloud(
            "attachment",
            attachment,
            id=str(uuid4()),
            volume_id=volume.external_id,
            server_id=server.external_id,
        )

    def _limits(self) -> None:
        granted = demand.of(system=self.system, cloud=self.on.catalogue.cloud)
        for service, kind in LIMITS.items():
            row = {"id": self.project, "limits": dict(kind.limits(granted))}
            self.estate.rows[f"{service}_quota", self.project] = row


def _copied(like: Any, **columns: Any) -> Any:
    """An unsaved row with the columns of another."""
    copied = type(like)(
        **{
            each.attname: getattr(like, each.attname)
            for each in like._meta.concrete_fields
            if not each.primary_key
        }
    )
    for name, value in columns.items():
        setattr(copied, name, value)
    return copied


def _count(on: Scene) -> None:
    """The ledger as if all of it had been ordered."""
    standing = balances._standing()
    for account in QuotaAccount.objects.filter(department=on.department):
        account.used = standing[on.department.pk, account.dimension]
        account.save(update_fields=["used"])


def drifted(estate: Estate, *, every: int) -> Iterator[tuple[str, Row, tuple[str, str, str, str]]]:
    """One thing in so many servers changed, in turn in each of the ways; with the finding that it must lead to."""
    ways = (
        _renamed, _unmarked, _resized, _stopped, _grown, _detached, _regrouped, _deleted, _foreign, _opened,
        _regrouped_further, _unplugged,
    )  # fmt: skip
    for number, server in enumerate(estate.servers[::every]):
        yield ways[number % len(ways)](estate, server)


Change = tuple[str, Row, tuple[str, str, str, str]]


def _renamed(estate: Estate, server: Resource) -> Change:
    row = estate.row("server", server.external_id) | {"name": "renamed"}
    return "server", row, ("drifted", "server", row["id"], "set_back")


def _unmarked(estate: Estate, server: Resource) -> Change:
    row = estate.row("server", server.external_id) | {"tags": ["other"]}
    return "server", row, ("drifted", "server", row["id"], "set_back")


def _resized(estate: Estate, server: Resource) -> Change:
    row = estate.row("server", server.external_id)
    row = row | {"flavor": row["flavor"] | {"name": "g.8c32g"}}
    return "server", row, ("drifted", "server", row["id"], "adopt")


def _stopped(estate: Estate, server: Resource) -> Change:
    row = estate.row("server", server.external_id) | {"vm_state": "stopped", "power_state": 4}
    return "server", row, ("drifted", "server", row["id"], "adopt")


def _grown(estate: Estate, server: Resource) -> Change:
    row = estate.row("volume", estate.volumes[server.pk][0].external_id)
    return "volume", row | {"size": row["size"] + 1}, ("drifted", "volume", row["id"], "adopt")


def _detached(estate: Estate, server: Resource) -> Change:
    volume = estate.volumes[server.pk][1].external_id
    held = next(
        row for (kind, _id), row in estate.rows.items() if kind == "attachment" and row["volume_id"] == volume
    )
    return "attachment", held | {"status": "detached"}, ("drifted", "volume", volume, "set_back")


def _regrouped(estate: Estate, server: Resource) -> Change:
    row = estate.row("port", estate.ports[server.unit]) | {"security_groups": []}
    return "port", row, ("drifted", "port", row["id"], "set_back")


def _regrouped_further(estate: Estate, server: Resource) -> Change:
    row = estate.row("port", estate.further[server.unit]) | {"security_groups": []}
    return "port", row, ("drifted", "port", row["id"], "set_back")


def _unplugged(estate: Estate, server: Resource) -> Change:
    row = estate.row("port", estate.further[server.unit]) | {"device_id": "", "device_owner": ""}
    return "port", row, ("drifted", "port", row["id"], "set_back")


def _deleted(estate: Estate, server: Resource) -> Change:
    row = estate.row("server", server.external_id) | {"deleted": True, "vm_state": "deleted"}
    return "server", row, ("missing", "server", row["id"], "mark_lost")


def _foreign(estate: Estate, server: Resource) -> Change:
    row = estate.row("server", server.external_id) | {"id": str(uuid4()), "name": "by-hand", "tags": []}
    return "server", row, ("foreign", "server", row["id"], "decide")


def _opened(estate: Estate, server: Resource) -> Change:
    (group,) = estate.row("port", estate.ports[server.unit])["security_groups"]
    like = next(
        row
        for (kind, _id), row in estate.rows.items()
        if kind == "security_group_rule"
        and row["security_group_id"] == group
        and row["direction"] == "ingress"
    )
    row = like | {
        "id": str(uuid4()), "protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0",
    }  # fmt: skip
    return "security_group_rule", row, ("foreign", "security_rule", row["id"], "clear_away")
