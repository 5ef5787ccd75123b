"""What a cloud holds that carries our mark, read through the gateway from any cloud that ``clouds.yaml`` names."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from govcloud.gateways import openstack
from govcloud.gateways.openstack import errors
from govcloud.gateways.openstack.models import Phase
from govcloud.inventory.containers import GIB
from govcloud.inventory.models import Power, Project
from govcloud.protection.kinds import SOURCE
from govcloud.provisioning.kinds import objects
from govcloud.provisioning.kinds.compute import UNIT
from govcloud.provisioning.kinds.tenancy import MEMBER
from govcloud.provisioning.models import Step

MARK = "gc-"
POWERS = {"ACTIVE": Power.RUNNING, "SHUTOFF": Power.STOPPED, "ERROR": Power.BROKEN}


@dataclass(frozen=True, slots=True)
class Thing:
    """Something in the cloud that carries our mark."""

    kind: str
    unit: str
    id: str
    held_by: frozenset[str] = (
        frozenset()
    )  # the servers that a volume or a port is attached to; the port an address leads to
    size_gb: int = 0  # of a volume, or what a container may hold
    type: str = ""  # of a volume, by its name on the cloud
    image: str = ""  # that was written to a volume, by its name on the cloud
    power: str = ""  # of a server: running, stopped, or what else the cloud says
    flavor: str = ""  # of a server, by its name on the cloud
    rebuilds: int = 0  # of a server, those that the cloud has carried out
    of: str = ""  # the volume that a snapshot or a backup is of
    holds: str = ""  # of a volume, the backup that was written over it last, as far as the cloud says

    def __str__(self) -> str:
        return f"{self.kind} {self.id} of unit {self.unit}"


def things_in(project: Project) -> Iterator[Thing]:
    """All that carries our mark in a project, except what is being deleted already."""
    cloud = _entered(project)
    yield from _servers_in(cloud)
    yield from _storage_in(project, cloud)
    yield from _network_in(cloud)
    yield from _rules_in(cloud)
    yield from _containers_in(project, cloud)


def _servers_in(cloud: openstack.Cloud) -> Iterator[Thing]:
    flavors = {each.id: each.name for each in cloud.compute.flavors()}
    asked = {str(unit) for unit in Step.objects.filter(kind="rebuild").values_list("unit", flat=True)}
    for server in cloud.compute.find_servers():
        mark = next((tag for tag in server.tags if _unit(tag)), "")
        if mark and server.phase is not Phase.GONE and server.task_state != "deleting":
            power = POWERS.get(server.status, server.status)
            yield Thing(
                "server",
                _unit(mark),
                server.id,
                power=power,
                flavor=flavors.get(server.flavor_id, server.flavor_id),
                rebuilds=_rebuilds(cloud, server.id) if _unit(mark) in asked else 0,
            )


def _rebuilds(cloud: openstack.Cloud, server_id: str) -> int:
    asked = [each.request_id for each in cloud.compute.actions(server_id) if each.name == "rebuild"]
    acts = (
        cloud.compute.get_action(server_id, request_id=each) for each in asked
    )  # the list tells no results
    return sum(each.finished and not each.failed for each in acts)


def _storage_in(project: Project, cloud: openstack.Cloud) -> Iterator[Thing]:
    """What is on a volume, the survey tells alone; it is the operators'."""
    operators = openstack.connect(cloud=project.cloud.profile)
    for volume in (each for page in operators.survey.volumes(project.external_id) for each in page):
        if UNIT in volume.metadata and volume.status != "deleting":
            yield Thing(
                "volume",
                volume.metadata[UNIT],
                volume.id,
                frozenset(volume.devices),
                volume.size_gib,
                volume.volume_type,
                volume.image_name,
                holds=volume.metadata.get(SOURCE, ""),
            )
    for snapshot in cloud.snapshots.find_snapshots():
        if UNIT in snapshot.metadata and snapshot.status != "deleting":
            yield Thing("snapshot", snapshot.metadata[UNIT], snapshot.id, of=snapshot.volume_id)
    for backup in cloud.backups.find_backups():
        if UNIT in backup.metadata and backup.status != "deleting":
            yield Thing(
                "backup", backup.metadata[UNIT], backup.id, size_gb=backup.size_gib, of=backup.volume_id
            )


def _network_in(cloud: openstack.Cloud) -> Iterator[Thing]:
    for port in cloud.network.find_ports():  # those that were taken over keep the name that they had
        mark = next((each for each in (port.name, *sorted(port.tags)) if _unit(each)), "")
        if mark:
            yield Thing("port", _unit(mark), port.id, frozenset(filter(None, [port.device_id])))
    named = (
        ("network", cloud.network.find_networks()),
        ("subnet", cloud.network.find_subnets()),
        ("security_group", cloud.security_groups.find_groups()),
        ("router", cloud.routing.find_routers()),
    )
    for kind, found in named:
        for each in found:
            if _unit(each.name):
                yield Thing(kind, _unit(each.name), each.id)
    for address in cloud.routing.find_floating_ips():
        if _unit(address.description):
            held_by = frozenset(filter(None, [address.port_id]))
            yield Thing("floating_address", _unit(address.description), address.id, held_by)


def _rules_in(cloud: openstack.Cloud) -> Iterator[Thing]:
    """Those that departments have asked for: they carry our mark, and what a network is built with does not."""
    for group in cloud.security_groups.find_groups():
        if _unit(group.name):
            for rule in cloud.security_groups.find_rules(group_id=group.id):
                unit = _unit(rule.description.split(" ")[0])
                if unit:
                    yield Thing("security_rule", unit, rule.id)


def _containers_in(project: Project, cloud: openstack.Cloud) -> Iterator[Thing]:
    """Of all that were ever asked for: their names are known, and nothing else can have one of them."""
    asked = Step.objects.filter(kind="container", operation__system=project.system_id)
    for state in asked.filter(desired_state__has_key="cloud_name").values_list("desired_state", flat=True):
        with suppress(errors.NotFound):
            found = cloud.objects.get_container(state["cloud_name"])
            yield Thing(
                "container",
                found.metadata.get(objects.UNIT, ""),
                found.name,
                size_gb=(found.quota_bytes or 0) // GIB,
            )


def _entered(project: Project) -> openstack.Cloud:
    """The project stays when an order is called off before we were let in, and so do we stay outside: let ourselves in."""
    operators = openstack.connect(cloud=project.cloud.profile)
    role = operators.identity.find_role(name=MEMBER)
    if role is not None:
        operators.identity.grant_role(project_id=project.external_id, role_id=role, user_id=operators.user_id)
    return openstack.connect(cloud=project.cloud.profile, project_id=project.external_id)


def _unit(mark: str) -> str:
    """The unit in a name or tag of ours; empty for what is somebody else's."""
    try:
        return str(UUID(mark.removeprefix(MARK))) if mark.startswith(MARK) else ""
    except ValueError:
        return ""
