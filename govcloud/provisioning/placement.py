"""Where things are built: every cloud and each of its parts is judged, and the best of those that can take them is taken.

What is judged is in ``weighing``; here the facts are read. Advice about room is not a reservation: two placements at the
same moment may count the same room, and the cloud itself decides.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.utils.translation import gettext_lazy as _

from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import (
    Cloud,
    CloudStorageClass,
    Flavor,
    Image,
    Keeps,
    Offerable,
    Site,
    StorageClass,
    Zone,
)
from govcloud.catalog.networks import addresses_in, free_ranges
from govcloud.clouds.models import (
    USABLE,
    AvailabilityZone,
    HealthState,
    Maintenance,
    Measure,
    ObjectStorage,
    SizeDifference,
    Sold,
)
from govcloud.clouds.names import TABLES
from govcloud.errors import Conflict
from govcloud.gateways.openstack.resource_classes import MEMORY_MB, VCPU
from govcloud.inventory.models import AddressBlock, Resource
from govcloud.provisioning import capacity
from govcloud.provisioning.capacity import Capacity, Promised
from govcloud.provisioning.weighing import Decision, Facts, Room, Takes, Wanted, taken_together, weigh
from tenants.models import System


class NoCloudForZone(Conflict):
    code = "no-cloud-for-zone"
    message = _("No cloud takes orders for the %(zone)s at present.")


KINDS: Mapping[type[Offerable], Sold] = {
    Flavor: Sold.FLAVOR, Image: Sold.IMAGE, StorageClass: Sold.STORAGE_CLASS,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Where:
    """What decides on the clouds that come into question: a zone at a site, or what is there already.

    ``network`` is the primary key of the network that servers are put on, of the server that a volume is attached to, or of
    the volume that is moved.
    """

    zone: str
    site: str = Site.MAIN
    network: int | None = None


@dataclass(frozen=True, slots=True)
class Availability:
    """The clouds that come into question and what can be had on them, by primary key."""

    clouds: frozenset[int]
    flavors: frozenset[int]
    images: frozenset[int]
    storage_classes: frozenset[int]
    servers_on_a_network: int  # that the largest of new networks there has addresses for

    def has(self, thing: Offerable) -> bool:
        """Whether one of them has it; things that no cloud needs a name for are everywhere."""
        match thing:
            case Flavor():
                return thing.pk in self.flavors
            case Image():
                return thing.pk in self.images
            case StorageClass():
                return thing.pk in self.storage_classes
            case _:
                return True


def availability(*, system: System, where: Where) -> Availability | None:
    """What can be ordered there, whatever is full or under maintenance just now; None where no cloud takes it. One query.

    What a cloud has in another size than the catalogue does not count where its sizes must match.
    """
    of_networks = Zone.objects.filter(cloud=OuterRef("pk"), zone=where.zone).values("network_prefix")
    found = _with_names(_in_question(system, where), in_size=True)
    clouds = list(found.annotate(prefix=Subquery(of_networks[:1])))
    if not clouds:
        return None
    prefixes = [cloud.prefix for cloud in clouds if cloud.prefix is not None]
    return Availability(
        clouds=frozenset(cloud.pk for cloud in clouds),
        flavors=frozenset().union(*(cloud.has_flavors for cloud in clouds)),
        images=frozenset().union(*(cloud.has_images for cloud in clouds)),
        storage_classes=frozenset().union(*(cloud.has_classes for cloud in clouds)),
        servers_on_a_network=max(map(addresses_in, prefixes), default=0),
    )


def _in_question(system: System, where: Where) -> QuerySet[Cloud]:
    parts = AvailabilityZone.objects.filter(cloud=OuterRef("pk"))
    high_enough = parts.filter(mlps_level__gte=system.mlps_level)
    clouds = Cloud.objects.filter(
        ~Exists(parts) | Exists(high_enough),
        status=CloudStatus.ENABLED,
        mlps_level__gte=system.mlps_level,
    )
    if where.network is not None:
        return clouds.filter(resources=where.network)
    return clouds.filter(site=where.site, zones__zone=where.zone)


def on_cloud(cloud: int, thing: Offerable) -> bool:
    """Whether a cloud (by its primary key) has a flavor, an image or a storage class; in the catalogue's size where that must be."""
    kind = KINDS[type(thing)]
    _names, _things, field = TABLES[kind]
    return _in_size(kind).filter(cloud=cloud, **{field: thing.pk}).exists()


def flavors_on(clouds: Collection[int], flavors: Collection[int]) -> frozenset[tuple[int, int]]:
    """Which of the flavors each of the clouds has (by primary keys, the cloud's first), as ``on_cloud`` has it."""
    known = _in_size(Sold.FLAVOR).filter(cloud__in=clouds, flavor__in=flavors)
    return frozenset(known.values_list("cloud_id", "flavor_id"))


def _in_size(kind: Sold) -> QuerySet[Any]:
    """The names behind which the cloud has what the catalogue sells, as far as that must be."""
    names, _things, field = TABLES[kind]
    differing = SizeDifference.objects.filter(
        cloud=OuterRef("cloud"), cloud__sizes_must_match=True, kind=kind, code=OuterRef(f"{field}__code")
    )
    known: QuerySet[Any] = names.objects.filter(~Exists(differing))
    return known


def _with_names(clouds: QuerySet[Cloud], *, in_size: bool = False) -> QuerySet[Any]:
    """Adds ``has_flavors``, ``has_images`` and ``has_classes``, lists of primary keys; of what is ``in_size`` if that is asked.

    Where the last look found no object store, no class of object storage can be had, whatever name it was given there.
    """

    def here(kind: Sold) -> QuerySet[Any]:
        names = _in_size(kind) if in_size else TABLES[kind][0].objects
        return names.filter(cloud=OuterRef("pk"))

    classes = here(Sold.STORAGE_CLASS).exclude(
        storage_class__keeps=Keeps.OBJECT, cloud__health__object_storage=ObjectStorage.ABSENT
    )
    return clouds.annotate(
        has_flavors=ArraySubquery(here(Sold.FLAVOR).values("flavor_id")),
        has_images=ArraySubquery(here(Sold.IMAGE).values("image_id")),
        has_classes=ArraySubquery(classes.values("storage_class_id")),
    )


def _with_differences(clouds: QuerySet[Cloud]) -> QuerySet[Any]:
    """Adds ``differences``, what the last comparison found to be other than in the catalogue; none where sizes need not match."""
    differences = SizeDifference.objects.filter(cloud=OuterRef("pk"), cloud__sizes_must_match=True)
    return clouds.annotate(
        differences=ArraySubquery(
            differences.values(row=JSONObject(kind="kind", code="code", measure="measure"))
        )
    )


def _with_ranges(clouds: QuerySet[Cloud]) -> QuerySet[Any]:
    """Adds ``ranges``, those that are given to networks, in their order."""
    given = AddressBlock.objects.filter(cloud=OuterRef("pk"), released_at=None).order_by("first")
    return clouds.annotate(ranges=ArraySubquery(given.values(row=JSONObject(first="first", last="last"))))


@dataclass(slots=True)
class Need:
    """What shall be built in one place: how many servers of each flavor, how many GB of each storage class of volumes, how many
    networks.

    Of object storage only the classes: what an object store has left is told by nobody. ``largest`` is the size of the largest volume
    of each class, in GB.
    """

    flavors: Counter[Flavor] = field(default_factory=Counter)
    images: set[Image] = field(default_factory=set)
    storage: Counter[StorageClass] = field(default_factory=Counter)
    largest: dict[StorageClass, int] = field(default_factory=dict)
    object_classes: set[StorageClass] = field(default_factory=set)
    networks: int = 0

    def add(self, other: "Need") -> None:
        """What takes room of it, to be built in the same place."""
        self.flavors.update(other.flavors)
        self.storage.update(other.storage)

    @property
    def servers(self) -> Counter[str]:
        """How many by the code of their flavor, as what is promised is counted."""
        return Counter({flavor.code: count for flavor, count in self.flavors.items()})

    @property
    def things(self) -> list[Offerable]:
        return [*self.flavors, *self.images, *self.storage, *self.object_classes]


def decide(
    *,
    system: System,
    where: Where,
    need: Need,
    at: datetime,
    beside: Collection[int] = (),
    taking: Mapping[int, Need] | None = None,
    bound_to: Collection[int] | None = None,
    backup_waits: bool = False,
) -> Decision:
    """Where to build it. ``beside`` are clouds (primary keys) on which other things of the same order go, and ``taking`` what of those
    is not begun and will take room there; ``bound_to`` are those it can be on, because of the order's backup, which ``backup_waits``
    says has no place yet.

    Asks no cloud: what the regular looks found is what counts.
    """
    network = None
    if where.network is not None:
        found = Resource.objects.get(pk=where.network)
        network = (found.cloud_id, found.name)
    wanted = Wanted(
        zone=where.zone,
        site=where.site,
        mlps_level=system.mlps_level,
        network=network,
        bound_to=bound_to,
        backup_waits=backup_waits,
    )
    return weigh(_candidates(system, where.zone, need, at=at, beside=beside, taking=taking or {}), wanted)


def _candidates(
    system: System,
    zone: str,
    need: Need,
    *,
    at: datetime,
    beside: Collection[int],
    taking: Mapping[int, Need],
) -> Iterator[Facts]:
    """Every cloud that is not retired, or each of its availability zones where it has some."""
    judged = _with_differences(_with_names(Cloud.objects.exclude(status=CloudStatus.RETIRED)))
    if need.networks:
        judged = _with_ranges(judged)
    clouds = list(judged.select_related("health").prefetch_related("zones", "availability_zones"))
    known, promised = capacity.stored(clouds, at=at), capacity.promised(clouds)
    maintenances = {row.cloud_id: row for row in Maintenance.objects.in_force(at=at)}
    things, in_parts = _things(system)
    scales: dict[int, dict[int, CloudStorageClass]] = defaultdict(dict)
    for row in CloudStorageClass.objects.filter(cloud__in=clouds):
        scales[row.cloud_id][row.storage_class_id] = row
    for cloud in clouds:
        storage, largest = _built(need, scales[cloud.pk]), _largest_built(need, scales[cloud.pk])
        found, ahead = known.get(cloud.pk), promised[cloud.pk]
        if cloud.pk in taking:
            ahead = _with(ahead, taking[cloud.pk], scales[cloud.pk])
        together, room = _together(found, storage), _room(found, ahead, storage)
        has_ranges = _has_ranges(cloud, zone, need.networks)
        for part in cloud.availability_zones.all() or (None,):
            yield Facts(
                cloud=cloud,
                part=part,
                zones=frozenset(zone.zone for zone in cloud.zones.all()),
                things=things[cloud.pk] + (cloud.pk in beside),
                things_in_part=in_parts[part.pk] if part is not None else 0,
                usable=_state(cloud) in USABLE,
                lacks=_lacks(cloud, need),
                other_size=_other_size(cloud, need),
                maintenance=maintenances.get(cloud.pk),
                has_ranges=has_ranges,
                storage=together,
                largest=largest,
                servers=_servers(found, need.servers),
                room=room,
            )


def _built(need: Need, scales: Mapping[int, CloudStorageClass]) -> Counter[str]:
    """The GiB of it by the cloud's own name of the class; ``scales`` are the cloud's names, by the primary key of the class."""
    storage: Counter[str] = Counter()
    for storage_class, size_gb in need.storage.items():
        scale = scales.get(storage_class.pk)
        if scale is not None:
            storage[scale.cloud_name] += scale.built_gb(size_gb)
    return storage


def _largest_built(need: Need, scales: Mapping[int, CloudStorageClass]) -> dict[str, int]:
    """Those of its largest volume of each class, likewise."""
    largest: dict[str, int] = {}
    for storage_class in need.storage:
        scale = scales.get(storage_class.pk)
        if scale is not None:
            largest_gb = scale.built_gb(need.largest.get(storage_class, 0))
            largest[scale.cloud_name] = max(largest_gb, largest.get(scale.cloud_name, 0))
    return largest


def _with(promised: Promised, taken: Need, scales: Mapping[int, CloudStorageClass]) -> Promised:
    """What is promised and what is about to be, of servers and storage."""
    return replace(
        promised,
        servers=taken.servers + Counter(promised.servers),
        storage=_built(taken, scales) + Counter(promised.storage),
    )


def _has_ranges(cloud: Any, zone: str, networks: int) -> bool:
    """Whether its pool for the zone has ranges left for so many networks; a cloud without the zone is judged for that."""
    pool = next((each for each in cloud.zones.all() if each.zone == zone), None)
    if pool is None or not networks:
        return True
    free = free_ranges(
        pool.address_pool, pool.network_prefix, [(row["first"], row["last"]) for row in cloud.ranges]
    )
    return sum(1 for _range in islice(free, networks)) == networks


def _state(cloud: Cloud) -> str:
    health = getattr(cloud, "health", None)
    return HealthState.UNKNOWN if health is None else health.state


def _lacks(cloud: Any, need: Need) -> str:
    """What it has no name for, or nothing under the name although its sizes must match."""
    names: Mapping[type[Offerable], list[int]] = {
        Flavor: cloud.has_flavors, Image: cloud.has_images, StorageClass: cloud.has_classes,
    }  # fmt: skip
    missing = {(row["kind"], row["code"]) for row in cloud.differences if row["measure"] == Measure.MISSING}
    return next(
        (
            thing.code
            for thing in need.things
            if thing.pk not in names[type(thing)] or (KINDS[type(thing)], thing.code) in missing
        ),
        "",
    )


def _other_size(cloud: Any, need: Need) -> str:
    differing = {(row["kind"], row["code"]) for row in cloud.differences}
    return next((thing.code for thing in need.things if (KINDS[type(thing)], thing.code) in differing), "")


def _things(system: System) -> tuple[Counter[int], Counter[int]]:
    """How many things the system has on each cloud, and how many in each availability zone."""
    standing = Resource.objects.filter(system=system, released_at=None)
    places = list(standing.values_list("cloud", "availability_zone"))
    homes = Counter(cloud for cloud, _part in places)
    homes.update(set(system.projects.values_list("cloud", flat=True)))
    return homes, Counter(part for _cloud, part in places if part is not None)


def _servers(known: Capacity | None, flavors: Mapping[str, int]) -> list[tuple[Takes, int]]:
    """How many take how much; without those whose flavors nobody has looked at there."""
    takes = known.flavors if known is not None else {}
    return [(takes[code], count) for code, count in flavors.items() if code in takes]


def _room(known: Capacity | None, promised: Promised, names: Collection[str]) -> Room | None:
    if known is None:
        return None
    free: Counter[str] = Counter()
    for host in known.hosts:
        for resource, (left, _at_most) in host.items():
            free[resource] += left
    free[VCPU] = known.vcpus_total - known.vcpus_used
    free[MEMORY_MB] = (known.memory_gb_total - known.memory_gb_used) * 1024
    for resource, taken in taken_together(_servers(known, promised.servers)).items():
        if resource in free:
            free[resource] -= taken
    return Room(
        vcpus_total=known.vcpus_total,
        free=free,
        hosts=known.hosts,
        largest_free={name: _largest(known, name) for name in names},
        storage_free={name: _free(known, promised, name) for name in names},
    )


def _together(known: Capacity | None, storage: Mapping[str, int]) -> Mapping[str, int]:
    """What is wanted of a class with what is wanted of others that can be on its pools only: all of it has to find room there."""
    if known is None:
        return storage
    pools = {name: _pools(known, name) for name in storage}
    return {
        name: sum(size for other, size in storage.items() if pools[other] <= pools[name]) for name in storage
    }


def _free(known: Capacity, promised: Promised, name: str) -> Decimal | None:
    """What its pools have, less what is promised of the classes that can be on these only."""
    left = _left(known, name)
    if not left:
        return None
    pools = _pools(known, name)
    taken = sum(size for other, size in promised.storage.items() if _pools(known, other) <= pools)
    return sum(left, Decimal()) - taken


def _largest(known: Capacity, name: str) -> Decimal | None:
    """What the emptiest of its pools has: a volume is on one of them."""
    return max(_left(known, name), default=None)


def _left(known: Capacity, name: str) -> list[Decimal]:
    """What each of its pools has; nothing where there are none, or one of them does not say."""
    told = [known.storage[pool][1] for pool in _pools(known, name)]
    left = [size for size in told if size is not None]
    return left if len(left) == len(told) else []


def _pools(known: Capacity, name: str) -> frozenset[str]:
    """On which the volumes of a class are: the cloud tells, else a name does (``host@ssd#ssd``); without either it may be any."""
    named = frozenset(pool for pool in known.storage if name in re.split("[@#]", pool))
    return known.pools_of.get(name) or named or frozenset(known.storage)
