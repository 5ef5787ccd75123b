"""The rules of placement, in their order. Pure: facts go in, a decision with its reasons comes out (docs/clouds.md)."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db import models

from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.clouds.models import AvailabilityZone, Maintenance
from govcloud.gateways.openstack.models import HostRoom
from govcloud.gateways.openstack.resource_classes import VCPU


class Verdict(models.TextChoices):
    """Why a cloud, or a part of one, was taken (the first four) or not."""

    NETWORK_THERE = "network_there"
    SYSTEM_THERE = "system_there"
    ONLY_ONE = "only_one"
    MOST_ROOM = "most_room"
    DISABLED = "disabled"
    OTHER_SITE = "other_site"
    OTHER_ZONE = "other_zone"  # of the extranet
    LEVEL_TOO_HIGH = "level_too_high"
    NETWORK_ELSEWHERE = "network_elsewhere"
    BACKUP_ELSEWHERE = "backup_elsewhere"
    BACKUP_WAITS = "backup_waits"  # for its own place, and with it the servers that it covers
    LACKS = "lacks"
    OTHER_SIZE = "other_size"  # than in the catalogue
    MAINTENANCE = "maintenance"
    FULL = "full"
    NO_HOST = "no_host"  # has room for servers of the size, or not enough have
    NO_ADDRESSES = "no_addresses"  # left in the zone's pool for another network
    DOWN = "down"  # not taken while another can be
    SYSTEM_ELSEWHERE = "system_elsewhere"
    OTHER_PART = "other_part"
    LESS_ROOM = "less_room"


TAKEN = frozenset({Verdict.NETWORK_THERE, Verdict.SYSTEM_THERE, Verdict.ONLY_ONE, Verdict.MOST_ROOM})
PASSING = (
    Verdict.BACKUP_WAITS,
    Verdict.MAINTENANCE,
    Verdict.FULL,
    Verdict.NO_HOST,
    Verdict.NO_ADDRESSES,
    Verdict.OTHER_SIZE,
    Verdict.LACKS,
    Verdict.DISABLED,
    Verdict.LEVEL_TOO_HIGH,
)
"""What keeps things waiting, the likeliest to end by itself first: of several, the first is what people are told."""


NOT_BEST = frozenset(
    {Verdict.DOWN, Verdict.SYSTEM_ELSEWHERE, Verdict.OTHER_PART, Verdict.LESS_ROOM}
)  # but possible


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What shall be built in one place. ``network`` is the one it goes to, if that is there already: its cloud and name.

    ``bound_to`` are the clouds (primary keys) on which the order's backup can be, or is; None: any.
    """

    zone: str
    site: str
    mlps_level: int
    network: tuple[int, str] | None = None
    bound_to: Collection[int] | None = None
    backup_waits: bool = False  # the order's backup covers it and has no place yet


Takes = Mapping[str, int]
"""What one server takes of a hypervisor, by resource class as a ``HostRoom``; nothing of which it takes nothing is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What is left, promises subtracted: of resource classes (memory in MiB) where they are known, and GiB of storage by the cloud's
    name of a class, None where nobody says.

    ``hosts`` are the hypervisors, and ``largest_free`` what the emptiest pool of a class has, promises not subtracted: nobody knows
    on which of them what is promised will be.
    """

    vcpus_total: int
    free: Mapping[str, int] = field(default_factory=dict)
    storage_free: Mapping[str, Decimal | None] = field(default_factory=dict)
    largest_free: Mapping[str, Decimal | None] = field(default_factory=dict)
    hosts: Sequence[HostRoom] = ()

    @property
    def vcpus_free(self) -> int:
        """Shared ones; below zero where more is promised than there is."""
        return self.free.get(VCPU, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a cloud, or of one availability zone of it, for what is wanted.

    ``things`` counts what the system has there; ``lacks`` is the code of something wanted that the cloud has no name for,
    ``other_size`` of something that must not be built there, as the cloud has it in another size than the catalogue;
    ``storage`` the GiB to build, by the cloud's name of the class, ``largest`` those of its largest volume; ``room`` is None where nobody has looked lately;
    ``has_ranges`` tells whether the zone's pool has ranges left for all new networks. ``servers`` are what one of a flavor takes there
    and how many of it are wanted, as far as that is known.
    """

    cloud: Cloud
    part: AvailabilityZone | None = None
    zones: frozenset[str]
    things: int = 0
    things_in_part: int = 0
    usable: bool = True
    lacks: str = ""
    other_size: str = ""
    maintenance: Maintenance | None = None
    has_ranges: bool = True
    storage: Mapping[str, int] = field(default_factory=dict)
    largest: Mapping[str, int] = field(default_factory=dict)
    servers: Sequence[tuple[Takes, int]] = ()
    room: Room | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """``subject`` is what the verdict is about: a network's name, a thing's code, a maintenance's reason."""

    facts: Facts
    verdict: Verdict
    subject: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """``taken`` is None while nothing can take what is wanted; ``others`` come with why each was not taken."""

    taken: Judged | None
    others: tuple[Judged, ...]

    @property
    def obstacle(self) -> Judged | None:
        """What is in the way, while nothing is taken."""
        ranked = [each for verdict in PASSING for each in self.others if each.verdict == verdict]
        return ranked[0] if ranked else next(iter(self.others), None)

    @property
    def possible(self) -> frozenset[int]:
        """The clouds (primary keys) that can take it now."""
        refused = [each for each in self.others if each.verdict in NOT_BEST]
        return frozenset(each.facts.cloud.pk for each in [*([self.taken] if self.taken else []), *refused])

    @property
    def conceivable(self) -> frozenset[int]:
        """With those that can once what is in the way has passed."""
        passing = frozenset(each.facts.cloud.pk for each in self.others if each.verdict in PASSING)
        return self.possible | passing


def weigh(candidates: Iterable[Facts], wanted: Wanted) -> Decision:
    """Those that cannot take it are told why; of the others the best is taken.

    Best is: one that answers; where the system's things are; the most free vCPUs; then by code.
    """
    refused, possible = [], []
    for facts in candidates:
        no = _obstacle(facts, wanted)
        if no is None:
            possible.append(facts)
        else:
            refused.append(no)
    if not possible:
        return Decision(None, tuple(refused))
    best, *rest = sorted(possible, key=_rank)
    others = [Judged(facts=facts, verdict=_second(facts, best)) for facts in rest]
    return Decision(_reason(best, rest, wanted), (*others, *refused))


def _obstacle(facts: Facts, wanted: Wanted) -> Judged | None:  # noqa: C901, PLR0911  one return for each rule, in order
    cloud, part = facts.cloud, facts.part

    def no(verdict: Verdict, subject: str = "", until: datetime | None = None) -> Judged:
        return Judged(facts=facts, verdict=verdict, subject=subject, until=until)

    if wanted.network is not None and wanted.network[0] != cloud.pk:
        return no(Verdict.NETWORK_ELSEWHERE, wanted.network[1])
    if wanted.network is None and cloud.site != wanted.site:
        return no(Verdict.OTHER_SITE)
    if wanted.network is None and wanted.zone not in facts.zones:
        return no(Verdict.OTHER_ZONE)
    if wanted.bound_to is not None and cloud.pk not in wanted.bound_to:
        return no(Verdict.BACKUP_ELSEWHERE)
    if wanted.backup_waits:
        return no(Verdict.BACKUP_WAITS)
    if wanted.mlps_level > min(cloud.mlps_level, part.mlps_level if part is not None else cloud.mlps_level):
        return no(Verdict.LEVEL_TOO_HIGH, str(wanted.mlps_level))
    if cloud.status != CloudStatus.ENABLED:
        return no(Verdict.DISABLED)
    if facts.lacks:
        return no(Verdict.LACKS, facts.lacks)
    if facts.other_size:
        return no(Verdict.OTHER_SIZE, facts.other_size)
    if facts.maintenance is not None:
        return no(Verdict.MAINTENANCE, facts.maintenance.reason, facts.maintenance.ends_at)
    if not facts.has_ranges:
        return no(Verdict.NO_ADDRESSES)
    shortage = _shortage(facts)
    return no(*shortage) if shortage is not None else None


def _shortage(facts: Facts) -> tuple[Verdict, str] | None:
    """Of room; none where nobody has looked."""
    if facts.room is None:
        return None
    if short := _short_of(facts, facts.room):
        return Verdict.FULL, short
    return None if _find_hosts(facts.servers, facts.room.hosts) else (Verdict.NO_HOST, "")


def _find_hosts(servers: Sequence[tuple[Takes, int]], hosts: Sequence[HostRoom]) -> bool:
    """Whether the servers of each flavor find room, taken by itself; a server is on one hypervisor, whatever is free on others."""
    return not hosts or all(
        sum(_find_room(host, takes) for host in hosts) >= count for takes, count in servers if takes
    )


def _find_room(host: HostRoom, takes: Takes) -> int:
    """How many servers that take so much find room on a hypervisor. What it has nothing of, it does not name."""
    if any(amount > host.get(resource, (0, 0))[1] for resource, amount in takes.items()):
        return 0
    return min(host[resource][0] // amount for resource, amount in takes.items())


def taken_together(servers: Iterable[tuple[Takes, int]]) -> Counter[str]:
    """What all of the servers take, by resource class."""
    taken: Counter[str] = Counter()
    for takes, count in servers:
        for resource, amount in takes.items():
            taken[resource] += amount * count
    return taken


def _short_of(facts: Facts, room: Room) -> str:
    """What there is too little of; nothing where nobody knows."""
    for wanted, left in (
        (taken_together(facts.servers), room.free),
        (facts.storage, room.storage_free),
        (facts.largest, room.largest_free),
    ):
        for name, amount in wanted.items():
            free = left.get(name)
            if free is not None and amount > free:
                return name
    return ""


def _rank(facts: Facts) -> tuple[bool, int, int, int, str, str]:
    free = facts.room.vcpus_free if facts.room is not None else 0
    part = facts.part.code if facts.part is not None else ""
    return (not facts.usable, -facts.things, -facts.things_in_part, -free, facts.cloud.code, part)


def _second(facts: Facts, best: Facts) -> Verdict:
    if not facts.usable and best.usable:
        return Verdict.DOWN
    if facts.cloud.pk == best.cloud.pk:
        return Verdict.OTHER_PART
    return Verdict.SYSTEM_ELSEWHERE if best.things > facts.things else Verdict.LESS_ROOM


def _reason(best: Facts, rest: Sequence[Facts], wanted: Wanted) -> Judged:
    if wanted.network is not None:
        return Judged(facts=best, verdict=Verdict.NETWORK_THERE, subject=wanted.network[1])
    if best.things:
        return Judged(facts=best, verdict=Verdict.SYSTEM_THERE)
    elsewhere = any(facts.cloud.pk != best.cloud.pk for facts in rest)
    return Judged(facts=best, verdict=Verdict.MOST_ROOM if elsewhere else Verdict.ONLY_ONE)
