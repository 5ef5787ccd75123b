"""What is in a project, read page by page and kept: by one worker at a time, and again by another when that one dies."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from govcloud import lifecycle
from govcloud.audit import services as audit
from govcloud.clouds import access
from govcloud.gateways import openstack
from govcloud.gateways.openstack import errors, models
from govcloud.gateways.openstack.survey import SurveyedServer, SurveyedSubnet, SurveyedVolume
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Address, Network, Project, Resource, ResourceKind, VolumeRole
from govcloud.provisioning import demand
from govcloud.provisioning.kinds.compute import UNIT
from govcloud.provisioning.models import Step
from govcloud.reconciliation.subjects import marked
from govcloud.takeover import judging
from govcloud.takeover.assessment import boots_from
from govcloud.takeover.lifecycle import OURS, CandidateStatus, TakeoverStatus
from govcloud.takeover.models import Besides, Candidate, Port, Takeover
from govcloud.takeover.vocabulary import Counted

log = structlog.get_logger(__name__)

SURVEYOR = audit.SystemActor("takeover")
LEASE = timedelta(minutes=5)  # longer than any one page takes
BATCH = 500

Progress = Callable[[str, int], None]
"""Told of what is being read, and how many of it were."""
T = TypeVar("T")


class SurveyLost(Exception):
    """Somebody took this survey for dead and began it anew."""


def due(*, at: datetime) -> QuerySet[Takeover]:
    """What waits to be surveyed, or was being surveyed by a worker that has not been heard of since."""
    dead = Q(status=TakeoverStatus.SURVEYING, lease_until__lte=at)
    return Takeover.objects.filter(Q(status=TakeoverStatus.DUE) | dead).order_by("pk")


def take(takeover: Takeover, *, at: datetime) -> Takeover | None:
    """Begin it; None when somebody else has."""
    with transaction.atomic():
        rows = due(at=at).select_for_update(skip_locked=True, of=("self",)).select_related("cloud")
        taken = rows.filter(pk=takeover.pk).first()
        if taken is None:
            return None
        if taken.status == TakeoverStatus.SURVEYING:
            lifecycle.transition(
                taken,
                TakeoverStatus.DUE,
                actor=SURVEYOR,
                at=at,
                thread=taken.uuid,
                reason="its worker is gone",
            )
        lifecycle.transition(
            taken, TakeoverStatus.SURVEYING, actor=SURVEYOR, at=at, thread=taken.uuid, lease_until=at + LEASE
        )
    return taken


def carry_out(
    takeover: Takeover, *, clock: Callable[[], datetime], progress: Progress = lambda _what, _count: None
) -> None:
    """Read the project and keep what is in it. A cloud that does not answer ends it as failed; what was known stays.

    So does a fault of ours, which is raised besides.
    """
    reading = _Reading(takeover, clock, progress)
    try:
        with openstack.recording(reading.count):
            found = reading.read()
        with transaction.atomic():
            reading.end(
                TakeoverStatus.SURVEYED, failure="", surveyed_at=reading.began_at, api_calls=reading.calls,
                project_name=found.name or takeover.project_name,
            )  # fmt: skip
            _keep(takeover, found, at=clock())
    except SurveyLost:
        log.warning("survey lost", takeover=str(takeover.uuid))
    except errors.CloudError as error:
        log.warning("survey failed", takeover=str(takeover.uuid), reason=str(error))
        reading.fail(str(error))
    except Exception as error:
        reading.fail(type(error).__name__)
        raise


@dataclass(slots=True)
class Found:
    """What a project holds, by the cloud's own words; ``name`` is empty for one that is gone."""

    name: str = ""
    servers: list[SurveyedServer] = field(default_factory=list)
    volumes: list[SurveyedVolume] = field(default_factory=list)
    snapshots: Counter[str] = field(default_factory=Counter)  # by volume
    networks: list[models.Network] = field(default_factory=list)
    subnets: list[SurveyedSubnet] = field(default_factory=list)
    ports: list[models.Port] = field(default_factory=list)
    images: Mapping[str, str] = field(default_factory=dict)  # names by id
    used: Mapping[str, Mapping[str, models.QuotaUse]] = field(default_factory=dict)


class _Reading:
    def __init__(self, takeover: Takeover, clock: Callable[[], datetime], progress: Progress) -> None:
        self.takeover, self.clock, self.progress = takeover, clock, progress
        self.began_at, self.lease, self.calls = clock(), takeover.lease_until, 0

    def count(self, exchange: openstack.Exchange) -> None:  # noqa: ARG002
        self.calls += 1

    def read(self) -> Found:
        """Raises ``CloudError`` and SurveyLost."""
        cloud = access.connect(cloud=self.takeover.cloud, timeout=settings.CLOUD_API_TIMEOUT)
        project = self.takeover.project_id
        return Found(
            name=self._name(cloud),
            servers=[
                each for each in self._all("servers", cloud.survey.servers(project)) if not each.deleted
            ],
            volumes=list(self._all("volumes", cloud.survey.volumes(project))),
            snapshots=Counter(self._all("snapshots", cloud.survey.snapshots(project))),
            networks=list(self._all("networks", cloud.survey.networks(project))),
            subnets=list(self._all("subnets", cloud.survey.subnets(project))),
            ports=list(self._all("ports", cloud.survey.ports(project))),
            images={image.id: image.name for image in cloud.images.find_images()},
            used={
                "compute": cloud.quotas.compute(project),
                "volume": cloud.quotas.volume(project),
                "network": cloud.quotas.network(project),
            },
        )

    def _name(self, cloud: openstack.Cloud) -> str:
        with suppress(errors.NotFound):
            return cloud.identity.get_project(self.takeover.project_id).name
        return ""

    def _all(self, what: str, pages: Iterable[list[T]]) -> Iterator[T]:
        for page in pages:
            until = self.clock() + LEASE
            if not self._mine().update(lease_until=until):
                raise SurveyLost
            self.lease = until
            self.progress(what, len(page))
            yield from page

    def _mine(self) -> QuerySet[Takeover]:
        return Takeover.objects.filter(
            pk=self.takeover.pk, status=TakeoverStatus.SURVEYING, lease_until=self.lease
        )

    def fail(self, failure: str) -> None:
        """Nothing, where somebody else has begun it anew meanwhile."""
        with suppress(SurveyLost), transaction.atomic():
            self.takeover.refresh_from_db(fields=["status"])  # what was taken back may have moved it
            self.end(TakeoverStatus.FAILED, failure=failure)

    def end(self, status: TakeoverStatus, **changes: Any) -> None:
        """Raises SurveyLost."""
        if self._mine().select_for_update().first() is None:
            raise SurveyLost
        lifecycle.transition(
            self.takeover, status, actor=SURVEYOR, at=self.clock(), thread=self.takeover.uuid,
            reason=changes["failure"], lease_until=None, **changes,
        )  # fmt: skip


def _keep(takeover: Takeover, found: Found, *, at: datetime) -> None:
    known = {each.external_id: each for each in takeover.candidates.select_for_update().order_by("pk")}
    fresh, changed = [], []
    seen: set[str] = set()
    booted = _booted(found)
    for columns in (*_servers(found, booted), *_volumes(found, booted), *_networks(found)):
        seen.add(columns["external_id"])
        candidate = known.get(columns["external_id"])
        if candidate is None:
            fresh.append(Candidate(takeover=takeover, cloud=takeover.cloud, **columns))
        elif candidate.status not in OURS:
            if candidate.status == CandidateStatus.GONE:
                _moved(candidate, CandidateStatus.OPEN, at=at)
            for name, value in columns.items():
                setattr(candidate, name, value)
            changed.append(candidate)
    Candidate.objects.bulk_create(fresh, batch_size=BATCH)
    if changed:
        Candidate.objects.bulk_update(changed, list(_FACTS), batch_size=BATCH)
    for candidate in known.values():
        if candidate.external_id not in seen and _is_over(candidate):
            _moved(candidate, CandidateStatus.GONE, at=at)
    takeover.ports.all().delete()
    Port.objects.bulk_create((_port(takeover, each) for each in found.ports), batch_size=BATCH)
    _free_addresses(takeover, found, at=at)
    takeover.besides.all().delete()
    Besides.objects.bulk_create(
        Besides(takeover=takeover, counted=name, amount=amount)
        for name, amount in _besides(found, _granted(takeover), routers=_routers(takeover))
        if amount > 0
    )
    judging.judge(takeover)


def _free_addresses(takeover: Takeover, found: Found, *, at: datetime) -> None:
    """Addresses of networks of ours that were kept as ports of others had them, and which no port has any more.

    What is given to a server of ours, or is about to be, has a port of ours, or a step that names its unit.
    """
    networks = Resource.objects.filter(
        cloud=takeover.cloud, kind=ResourceKind.NETWORK, external_id__in=[each.id for each in found.networks]
    ).exclude(status=Status.RELEASED)
    of_nobody = Address.objects.filter(
        ~Exists(Step.objects.filter(unit=OuterRef("unit"))),
        ~Exists(Resource.objects.filter(unit=OuterRef("unit"))),
        block__unit__in=networks.values("unit"), block__released_at=None, port_id="", server=None, released_at=None,
    )  # fmt: skip
    held = [address for port in found.ports for address in port.addresses]
    of_nobody.exclude(address__in=held).update(released_at=at)


def _is_over(candidate: Candidate) -> bool:
    """What is recorded and vanished is for the reconciler to find."""
    released = candidate.resource is not None and candidate.resource.status == Status.RELEASED
    return candidate.status == CandidateStatus.OPEN or (
        candidate.status == CandidateStatus.TAKEN and released
    )


def _moved(candidate: Candidate, to: CandidateStatus, *, at: datetime) -> None:
    lifecycle.transition(candidate, to, actor=SURVEYOR, at=at, thread=candidate.takeover.uuid)


Columns = dict[str, Any]
_FACTS = (
    "found_name", "mark", "cloud_status", "availability_zone", "flavor_name", "vcpus", "memory_mib", "image_name",
    "volume_type", "size_gib", "held_by", "boots", "snapshots", "cidr", "gateway", "subnet_id", "subnets",
)  # fmt: skip


def _servers(found: Found, booted: Mapping[str, SurveyedVolume]) -> Iterator[Columns]:
    for server in found.servers:
        boots = booted.get(server.id)
        image, name = (server.image_id, "") if boots is None else (boots.image_id, boots.image_name)
        yield {
            "kind": ResourceKind.SERVER,
            "external_id": server.id,
            "found_name": server.name,
            "mark": marked(server.tags),
            "cloud_status": server.status if server.task_state is None else server.task_state,
            "availability_zone": server.zone,
            "flavor_name": server.flavor_name,
            "vcpus": server.vcpus,
            "memory_mib": server.memory_mib,
            "image_name": found.images.get(image) or name or image,
        }


def _booted(found: Found) -> dict[str, SurveyedVolume]:
    """The volume that a server boots from, by the server's id."""
    held: dict[str, list[SurveyedVolume]] = {}
    for volume in found.volumes:
        for server in volume.devices:
            held.setdefault(server, []).append(volume)
    return {
        server.id: boots
        for server in found.servers
        if not server.image_id and (boots := boots_from(server.id, held.get(server.id, []))) is not None
    }


def _volumes(found: Found, booted: Mapping[str, SurveyedVolume]) -> Iterator[Columns]:
    system = {volume.id for volume in booted.values()}
    for volume in found.volumes:
        yield {
            "kind": ResourceKind.VOLUME,
            "external_id": volume.id,
            "found_name": volume.name,
            "mark": _unit(volume.metadata.get(UNIT, "")),
            "cloud_status": volume.status,
            "availability_zone": volume.zone,
            "volume_type": volume.volume_type,
            "size_gib": volume.size_gib,
            "held_by": sorted(volume.devices),
            "boots": VolumeRole.SYSTEM if volume.id in system else VolumeRole.DATA,
            "snapshots": found.snapshots[volume.id],
        }


def _networks(found: Found) -> Iterator[Columns]:
    by_network: dict[str, list[SurveyedSubnet]] = {}
    for each in found.subnets:
        by_network.setdefault(each.network_id, []).append(each)
    for network in found.networks:
        subnets = by_network.get(network.id, [])
        subnet = next((each for each in subnets if each.ip_version == 4), None)
        yield {
            "kind": ResourceKind.NETWORK,
            "external_id": network.id,
            "found_name": network.name,
            "mark": marked(network.tags, otherwise=network.name),
            "cloud_status": "shared" if network.shared or network.external else network.status,
            "cidr": subnet.cidr if subnet else "",
            "gateway": subnet.gateway if subnet else "",
            "subnet_id": subnet.id if subnet else "",
            "subnets": len(subnets),
        }


def _port(takeover: Takeover, port: models.Port) -> Port:
    of_server = port.device_owner.startswith("compute:")
    return Port(
        takeover=takeover,
        external_id=port.id,
        network_id=port.network_id,
        held_by=port.device_id if of_server else "",
        addresses=list(port.addresses),
        security_groups=sorted(port.security_group_ids),
    )


def _unit(text: str) -> UUID | None:
    return marked([f"gc-{text}"])


def _granted(takeover: Takeover) -> demand.Demand:
    """What the system has been granted in the project already."""
    project = Project.objects.filter(cloud=takeover.cloud, external_id=takeover.project_id).first()
    return demand.Demand() if project is None else demand.granted(system=project.system, cloud=takeover.cloud)


def _routers(takeover: Takeover) -> int:
    """How many of the project's are networks' of ours."""
    of_project = {"resource__external_id__in": takeover.candidates.values("external_id")}
    networks = Network.objects.filter(resource__cloud=takeover.cloud, **of_project).exclude(router_id="")
    return networks.exclude(resource__status=Status.RELEASED).count()


def _besides(found: Found, granted: demand.Demand, *, routers: int) -> Iterator[tuple[Counted, int]]:
    """What the cloud counts in the project less what the candidates, and what we have granted it, explain."""
    used = {name: use.used for uses in found.used.values() for name, use in uses.items()}
    servers = {server.id for server in found.servers}
    explained = {
        Counted.SERVERS: ("instances", len(servers)),
        Counted.VCPUS: ("cores", sum(server.vcpus for server in found.servers)),
        Counted.MEMORY_MIB: ("ram", sum(server.memory_mib for server in found.servers)),
        Counted.VOLUMES: ("volumes", len(found.volumes)),
        Counted.VOLUME_GIB: ("gigabytes", sum(volume.size_gib for volume in found.volumes)),
        Counted.SNAPSHOTS: ("snapshots", granted.snapshots),
        Counted.BACKUPS: ("backups", granted.backups),
        Counted.BACKUP_GIB: ("backup_gigabytes", granted.backup_gib),
        Counted.SUBNETS: ("subnet", len(found.networks)),
        Counted.PORTS: ("port", sum(port.device_id in servers for port in found.ports)),
        Counted.SECURITY_GROUPS: ("security_group", granted.networks + 1),
        Counted.SECURITY_GROUP_RULES: ("security_group_rule", granted.networks * 10),
        Counted.ROUTERS: ("router", routers),
        Counted.ADDRESSES: ("floatingip", granted.addresses),
    }
    for counted, (limit, amount) in explained.items():
        yield counted, used.get(limit, 0) - amount
