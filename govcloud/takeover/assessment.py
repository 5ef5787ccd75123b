"""What each thing of a project would become, and why it cannot. Pure: reads rows that are given, writes and asks nothing."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from uuid import UUID

from govcloud.catalog.models import CloudStorageClass, Flavor, Image, StorageClass
from govcloud.gateways.openstack.survey import SurveyedVolume
from govcloud.inventory.models import ResourceKind
from govcloud.takeover.models import Candidate, Port
from govcloud.takeover.vocabulary import Obstacle

RUNNING_OR_STOPPED = frozenset({"ACTIVE", "SHUTOFF"})
AT_REST = frozenset({"available", "in-use"})
LONGEST = 40  # of a name that we choose, so that a number can follow


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What the catalogue and the record say about one cloud. Keys are names and ids of the cloud.

    ``networks`` are those of the takeover's own system. ``known_marks`` are units of ours of which nothing is in use:
    what carries one was given up, or has survived its record.
    """

    flavors: Mapping[str, Flavor]
    images: Mapping[str, Image]
    storage_classes: Mapping[str, StorageClass]
    scales: Mapping[int, CloudStorageClass]
    owned: Collection[str]
    networks: Collection[str]
    known_marks: Collection[UUID]
    parts: Mapping[str, int]
    """The highest MLPS level that each availability zone takes; empty: the cloud has none."""
    level: int  # of the system; 0 while there is none
    ranges: Sequence[tuple[int, int]]


def assess(candidates: Sequence[Candidate], ports: Sequence[Port], known: Knowledge) -> None:
    """Fill in what each would become and its obstacles. What cannot come along holds back what cannot be without it."""
    by_id = {each.external_id: each for each in candidates}
    interfaces: dict[str, list[Port]] = {}
    for port in ports:
        interfaces.setdefault(port.held_by, []).append(port)
    volumes: dict[str, list[Candidate]] = {}
    for each in candidates:
        each.obstacles = _ownership(each, known)
        for server in each.held_by:
            volumes.setdefault(server, []).append(each)
    for each in _of(candidates, ResourceKind.NETWORK):
        each.obstacles += _network(each, known)
    for each in _of(candidates, ResourceKind.VOLUME):
        each.obstacles += _volume(each, known)
    for each in _of(candidates, ResourceKind.SERVER):
        each.obstacles += _server(each, known)
        each.obstacles += _interfaces(interfaces.get(each.external_id, []), by_id, known)
        if any(volume.obstacles for volume in volumes.get(each.external_id, [])):
            each.obstacles.append(Obstacle.VOLUME_STAYS)
    for each in _of(candidates, ResourceKind.VOLUME):
        holders = [by_id.get(server) for server in each.held_by]
        if any(holder is None or holder.obstacles for holder in holders) and not each.obstacles:
            each.obstacles.append(Obstacle.SERVER_STAYS)


def _of(candidates: Sequence[Candidate], kind: ResourceKind) -> list[Candidate]:
    return [each for each in candidates if each.kind == kind]


def _ownership(candidate: Candidate, known: Knowledge) -> list[str]:
    if candidate.external_id in known.owned:
        return [Obstacle.ALREADY_OWNED]
    if candidate.mark is not None and candidate.mark not in known.known_marks:
        return [Obstacle.OWNED_ELSEWHERE]
    return []


def _network(network: Candidate, known: Knowledge) -> list[str]:
    if network.subnets != 1 or not network.cidr or not network.gateway:
        return [Obstacle.SUBNETS]
    if network.external_id in known.owned:
        return []
    block = ip_network(network.cidr)
    first, last = int(block[0]), int(block[-1])
    overlaps = any(first <= taken_to and last >= taken_from for taken_from, taken_to in known.ranges)
    shared = [Obstacle.SHARED_NETWORK] if network.cloud_status == "shared" else []
    return [*shared, *([Obstacle.RANGE_TAKEN] if overlaps else [])]


def _volume(volume: Candidate, known: Knowledge) -> list[str]:
    found: list[str] = []
    volume.storage_class = known.storage_classes.get(volume.volume_type)
    scale = None if volume.storage_class is None else known.scales.get(volume.storage_class.pk)
    if scale is None:
        volume.storage_class = None
        found.append(Obstacle.CLASS_UNKNOWN)
    volume.size_gb = 0 if scale is None else volume.size_gib * scale.ordered_gb_per_built_gb
    if volume.cloud_status not in AT_REST:
        found.append(Obstacle.NOT_AT_REST)
    if len(volume.held_by) > 1:
        found.append(Obstacle.SHARED_VOLUME)
    if volume.snapshots:
        found.append(Obstacle.HAS_SNAPSHOTS)
    return found


def _server(server: Candidate, known: Knowledge) -> list[str]:
    found: list[str] = []
    if server.cloud_status not in RUNNING_OR_STOPPED:
        found.append(Obstacle.NOT_AT_REST)
    server.flavor = flavor = known.flavors.get(server.flavor_name)
    if flavor is None:
        found.append(Obstacle.FLAVOR_UNKNOWN)
    elif (flavor.vcpus, flavor.memory_gb * 1024) != (server.vcpus, server.memory_mib):
        found.append(Obstacle.FLAVOR_DIFFERS)
    server.image = known.images.get(server.image_name)
    if server.image is None:
        found.append(Obstacle.IMAGE_UNKNOWN)
    if known.parts and server.availability_zone not in known.parts:
        found.append(Obstacle.PART_UNKNOWN)
    elif known.level > known.parts.get(server.availability_zone, known.level):
        found.append(Obstacle.PART_TOO_LOW)
    return found


def _interfaces(ports: Sequence[Port], by_id: Mapping[str, Candidate], known: Knowledge) -> list[str]:
    found: list[str] = []
    coming = {
        port.network_id
        for port in ports
        if port.network_id in known.networks
        or ((network := by_id.get(port.network_id)) is not None and not network.obstacles)
    }
    if not coming:
        found.append(Obstacle.NO_NETWORK)
    elif any(port.network_id not in coming for port in ports):
        found.append(Obstacle.FOREIGN_NETWORK)
    if any(len(port.addresses) != 1 or ":" in port.addresses[0] for port in ports):
        found.append(Obstacle.SEVERAL_ADDRESSES)
    return found


def name_for(found: str, kind: str, taken: Collection[str]) -> str:
    """A name as orders give them, as close to the cloud's as can be, that is not taken."""
    plain = re.sub(r"[^a-z0-9]+", "-", found.lower()).strip("-")[:LONGEST].strip("-")
    if not plain[:1].isalpha():
        plain = f"{kind}-{plain}".strip("-")[:LONGEST].strip("-")
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain}-{number}"
    return name


def boots_from(server_id: str, volumes: Sequence[SurveyedVolume]) -> SurveyedVolume | None:
    """Of a server's volumes the one that it boots from: of those that can be booted the first that it has."""
    bootable = [volume for volume in volumes if volume.bootable]
    return min(bootable, key=lambda volume: (volume.devices[server_id], volume.id), default=None)
