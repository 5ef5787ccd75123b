"""What rules need to know of everything outside the order, read in a handful of queries."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeGuard, TypeVar

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.fields.json import KeyTextTransform
from django.utils import timezone

from govcloud.catalog.models import Delivery, Kind, Offering
from govcloud.inventory import reach
from govcloud.inventory import services as inventory
from govcloud.inventory.models import Address, FloatingAddress, Resource, ResourceKind
from govcloud.orders.changes import LimitLine, QuotaLine, ReleaseLine, ResizeLine, RetypeLine
from govcloud.orders.drafts import ItemDraft, ReleaseDraft
from govcloud.orders.lifecycle import OPEN, Status
from govcloud.orders.lines import BackupLine, Line, NetworkLine, ServerLine, StorageLine, Unresolved
from govcloud.orders.models import Action, Order, Unit
from govcloud.orders.rules import off_site
from govcloud.protection import holds
from govcloud.protection import services as protection
from govcloud.protection.models import RecoveryPoint
from govcloud.provisioning import placement
from govcloud.provisioning.lifecycle import FINISHED
from govcloud.provisioning.models import Step
from govcloud.provisioning.placement import Availability, Where
from govcloud.quotas import limits
from govcloud.quotas.limits import Foreseen
from govcloud.quotas.models import Dimension
from tenants.models import System

L = TypeVar("L", bound=Line)
D = TypeVar("D", bound=ItemDraft)


@dataclass(frozen=True, slots=True)
class Standing:
    """As things stand when the order is judged.

    ``taken`` are names that the system's resources and open orders have; ``busy`` the resources that another open
    order changes, renews or releases, ``unfinished`` those that one has built and not handed over; ``guests`` the servers on each network that is to be released (all by primary key).
    ``at`` is the moment itself, ``today`` its date by the local time zone.
    """

    at: datetime
    today: date
    offerings: Mapping[str, Offering]  # by kind
    available: Mapping[Where, Availability | None]  # None where no cloud takes it
    taken: frozenset[str]
    busy: frozenset[int]
    unfinished: frozenset[int]
    off_site: frozenset[int]  # off-site backup allowances in force; empty if the order has one itself
    servers: frozenset[int]  # in use; empty unless a backup is to be released
    guests: Mapping[int, frozenset[int]]
    receiving: frozenset[int] = (
        frozenset()
    )  # servers that are to be released and that open orders give a volume
    bringing: Mapping[int, int] = field(
        default_factory=dict
    )  # data volumes that other open orders are to give each server that gets some
    awaited: Mapping[int, int] = field(
        default_factory=dict
    )  # servers that open orders are to put on each network
    leading: Mapping[int, tuple[FloatingAddress, ...]] = field(
        default_factory=dict
    )  # floating addresses that lead to servers on each network that is to be released
    relied_on: bool = (
        False  # whether another open order brings servers that need the off-site backups there are
    )
    uncovered_gb: int = 0  # of the system's servers, that a backup ordered by itself would cover
    flavors: frozenset[tuple[int, int]] = (
        frozenset()
    )  # cloud and flavor, of those that resizes name and can have
    held: tuple[
        RecoveryPoint, ...
    ] = ()  # recovery points under a legal hold, of volumes that are to be released
    limits: Mapping[Dimension, Foreseen] = field(
        default_factory=dict
    )  # of the department's quota, where the order is to change it
    addresses: Mapping[int, int] = field(
        default_factory=dict
    )  # left for servers on each network that the order puts some on
    held_containers: frozenset[int] = (
        frozenset()
    )  # under a legal hold, of those that are to be released or get another quota


@dataclass(frozen=True, slots=True)
class Numbered:
    """An order under judgement."""

    system: System
    lines: tuple[tuple[int, Line], ...]
    now: Standing
    unresolved: tuple[tuple[int, Unresolved], ...] = ()

    def of(self, kind: type[L]) -> Iterator[tuple[str, L]]:
        """The lines of one kind, each with the JSON pointer of its item."""
        for position, line in self.lines:
            if isinstance(line, kind):
                yield f"/items/{position}", line

    def unresolved_of(self, kind: type[D]) -> Iterator[tuple[str, D]]:
        """The drafts of one kind of which there is no line, each with the JSON pointer of its item."""
        for position, item in self.unresolved:
            if isinstance(item.draft, kind):
                yield f"/items/{position}", item.draft

    @property
    def only_releases(self) -> bool:
        lines = all(line.action == Action.RELEASE for _position, line in self.lines)
        return lines and all(isinstance(item.draft, ReleaseDraft) for _position, item in self.unresolved)

    @property
    def only_limits(self) -> bool:
        """Whether it is about the department's quota and nothing of the system."""
        return not self.unresolved and all(isinstance(line, LimitLine) for _position, line in self.lines)

    @property
    def released(self) -> frozenset[int]:
        return frozenset(line.target.pk for _pointer, line in self.of(ReleaseLine))


def standing(
    *,
    system: System,
    lines: Sequence[Line],
    order: Order | None,
    offerings: Mapping[str, Offering],
    at: datetime,
) -> Standing:
    """Read what the lines make necessary; ``order`` is the one being judged: its own rows are not held against it."""
    placed = [line for line in lines if line.action == Action.CREATE and line.kind != Kind.BACKUP]
    places = {where(line) for line in placed} | {
        where(line) for line in lines if isinstance(line, RetypeLine)
    }
    return Standing(
        at=at,
        today=timezone.localdate(at, timezone.get_default_timezone()),
        offerings=offerings,
        available={each: placement.availability(system=system, where=each) for each in places},
        taken=_taken(system, [line for line in lines if allowed(line, offerings)], order),
        busy=_busy(system, lines, order),
        receiving=_receiving(lines, order),
        unfinished=_unfinished(system, lines),
        off_site=_off_site(system, lines, order),
        servers=_servers(system, lines),
        relied_on=_relied_on(system, lines, order),
        guests=_guests(lines),
        bringing=_bringing(lines, order),
        awaited=_awaited(lines, order),
        addresses=_addresses(lines),
        leading=_leading(lines),
        uncovered_gb=_uncovered_gb(system, lines),
        flavors=_flavors(lines),
        held=_held(lines),
        held_containers=_held_containers(lines),
        limits=_limits(system, lines),
    )


def where(line: Line) -> Where:
    """What decides on the place of a line; servers go where their network goes, or is, and volumes where their server is."""
    match line:
        case ServerLine(network=Resource() as network):
            return Where(zone=line.zone, network=network.pk)
        case StorageLine(server=Resource() as server):
            return Where(zone=line.zone, network=server.pk)
        case RetypeLine():
            return Where(zone=line.zone, network=line.target.pk)
        case NetworkLine() | ServerLine():
            return Where(zone=line.zone, site=line.site)
        case _:
            return Where(zone=line.zone)


def allowed(line: Line, offerings: Mapping[str, Offering]) -> bool:
    """Whether there may be as many: of others, which are refused, the parts are not even counted out."""
    offering = offerings.get(line.kind)
    return offering is not None and line.quantity <= offering.max_quantity


def catalogued() -> dict[str, Offering]:
    """The line of the catalogue under which each kind is written down: the one it is offered by now, else the last that it was.

    What stands can be changed and given back after its offering has been retired.
    """
    last_first = F("retired_at").asc(nulls_last=True)
    offerings = Offering.objects.filter(delivery=Delivery.AUTOMATIC).order_by(last_first, "-code")
    return {offering.kind: offering for offering in offerings}


def offered(catalogue: Mapping[str, Offering]) -> dict[str, Offering]:
    """What of it can be ordered anew."""
    return {kind: offering for kind, offering in catalogue.items() if offering.retired_at is None}


def _off_site(system: System, lines: Sequence[Line], order: Order | None) -> frozenset[int]:
    """Those that no other open order gives back. Not asked for where the order brings one: whether there is another makes no
    difference then.
    """
    if any(isinstance(line, BackupLine) and line.off_site for line in lines):
        return frozenset()
    return off_site.staying(system, besides=order)


def _servers(system: System, lines: Sequence[Line]) -> frozenset[int]:
    """Asked for only when a backup goes, which servers may need."""
    if not _gives_back_a_backup(lines):
        return frozenset()
    return off_site.servers_of(system)


def _relied_on(system: System, lines: Sequence[Line], order: Order | None) -> bool:
    """As ``_servers``."""
    return _gives_back_a_backup(lines) and off_site.relied_on(system, besides=order)


def _gives_back_a_backup(lines: Sequence[Line]) -> bool:
    return any(line.action == Action.RELEASE and line.kind == Kind.BACKUP for line in lines)


def _busy(system: System, lines: Sequence[Line], order: Order | None) -> frozenset[int]:
    """Also the volumes of a server that is being released: every resource concerned has a unit."""
    if all(line.action == Action.CREATE and not _attached(line) for line in lines):
        return frozenset()
    units = Unit.objects.filter(
        item__order__system=system, item__order__status__in=OPEN, resource__isnull=False
    )
    units = units.exclude(item__action=Action.CREATE)
    if order is not None:
        units = units.exclude(item__order=order)
    return frozenset(units.values_list("resource_id", flat=True))


def _unfinished(system: System, lines: Sequence[Line]) -> frozenset[int]:
    """What an open order has built and has further steps for: released under its hands, it could never end."""
    if all(line.action == Action.CREATE for line in lines):
        return frozenset()
    units = Unit.objects.filter(
        item__order__system=system, item__order__status=Status.FULFILLING, item__action=Action.CREATE
    )
    built = Resource.objects.filter(system=system, unit__in=units.values("uuid"))
    return frozenset(built.values_list("pk", flat=True))


def _held(lines: Sequence[Line]) -> tuple[RecoveryPoint, ...]:
    going = [volume for line in lines if isinstance(line, ReleaseLine) for volume in line.all_volumes()]
    return tuple(holds.held_points(going)) if going else ()


def _held_containers(lines: Sequence[Line]) -> frozenset[int]:
    named = [line.target.container for line in lines if _releases(line, ResourceKind.CONTAINER)]
    named += [line.container for line in lines if isinstance(line, QuotaLine)]
    return frozenset(holds.held_containers(named)) if named else frozenset()


def _releases(line: Line, kind: ResourceKind) -> TypeGuard[ReleaseLine]:
    return isinstance(line, ReleaseLine) and line.target.kind == kind


def _attached(line: Line) -> bool:
    """Whether what is created hangs on something that is there."""
    match line:
        case StorageLine(server=Resource()) | ServerLine(network=Resource()):
            return True
        case _:
            return False


def _taken(system: System, lines: Sequence[Line], order: Order | None) -> frozenset[str]:
    wanted = {part.name for line in lines if line.action == Action.CREATE for part in line.parts()}
    return names_taken(system=system, wanted=wanted, order=order) if wanted else frozenset()


NAMING = ("rename", "server_takeover", "volume_takeover", "network_takeover")
"""Kinds of steps that give something the name in their desired state."""


def names_taken(*, system: System, wanted: Collection[str], order: Order | None = None) -> frozenset[str]:
    """Which of the names the system has, has ordered (but for ``order``), or is giving to what is renamed or taken over."""
    built = Resource.objects.filter(system=system, released_at=None, name__in=wanted).values_list("name")
    planned = Unit.objects.filter(
        item__order__system=system, item__order__status__in=OPEN, item__action=Action.CREATE, name__in=wanted
    )
    if order is not None:
        planned = planned.exclude(item__order=order)
    renaming = Step.objects.filter(
        operation__system=system, kind__in=NAMING, desired_state__name__in=list(wanted)
    ).exclude(state__in=FINISHED)
    names = renaming.annotate(new_name=KeyTextTransform("name", "desired_state")).values_list("new_name")
    return frozenset(name for (name,) in built.union(planned.values_list("name"), names))


def _uncovered_gb(system: System, lines: Sequence[Line]) -> int:
    kinds = {line.kind for line in lines if line.action == Action.CREATE}
    if Kind.BACKUP not in kinds or Kind.SERVER in kinds:
        return 0
    return protection.uncovered(system=system).aggregate(total=Sum("size_gb"))["total"] or 0


def _receiving(lines: Sequence[Line], order: Order | None) -> frozenset[int]:
    servers = [line.target for line in lines if isinstance(line, ReleaseLine)]
    servers = [server for server in servers if server.kind == ResourceKind.SERVER]
    if not servers:
        return frozenset()
    units = Unit.objects.filter(volume__server__in=servers, item__order__status__in=OPEN)
    if order is not None:
        units = units.exclude(item__order=order)
    return frozenset(units.values_list("volume__server", flat=True))


def _bringing(lines: Sequence[Line], order: Order | None) -> dict[int, int]:
    """What has been built already is with the server, and counted there."""
    servers = {line.server for line in lines if isinstance(line, StorageLine) and line.server is not None}
    if not servers:
        return {}
    there = Resource.objects.filter(volume__server__in=[server.pk for server in servers])
    units = Unit.objects.filter(
        volume__server__in=servers, item__action=Action.CREATE, item__order__status__in=OPEN
    ).exclude(uuid__in=there.values("unit"))
    if order is not None:
        units = units.exclude(item__order=order)
    return dict(units.values_list("volume__server").annotate(Count("pk")).order_by())


def _awaited(lines: Sequence[Line], order: Order | None) -> dict[int, int]:
    networks = [line.target for line in lines if isinstance(line, ReleaseLine)]
    networks = [network for network in networks if network.kind == ResourceKind.NETWORK]
    if not networks:
        return {}
    units = Unit.objects.filter(
        item__server__network__in=networks, item__order__status__in=OPEN, server=None, resource=None
    )
    if order is not None:
        units = units.exclude(item__order=order)
    return dict(units.values_list("item__server__network").annotate(Count("pk")).order_by())


def _addresses(lines: Sequence[Line]) -> dict[int, int]:
    networks = {line.network for line in lines if isinstance(line, ServerLine) and line.network is not None}
    return inventory.addresses_left(networks) if networks else {}


def _guests(lines: Sequence[Line]) -> dict[int, frozenset[int]]:
    """Servers are known to be on a network by their addresses in its range."""
    networks = [
        line.target
        for line in lines
        if isinstance(line, ReleaseLine) and line.target.kind == ResourceKind.NETWORK
    ]
    return {network.pk: guests_on(network) for network in networks}


def guests_on(network: Resource) -> frozenset[int]:
    """Primary keys of the servers that are on a network, by whichever of their interfaces."""
    on_it = Q(unit__in=_given(network).values("unit")) | Q(pk__in=_given(network).values("server"))
    return frozenset(Resource.objects.filter(on_it, released_at=None).values_list("pk", flat=True))


def _leading(lines: Sequence[Line]) -> dict[int, tuple[FloatingAddress, ...]]:
    released = [line.target for line in lines if isinstance(line, ReleaseLine)]
    networks = [each for each in released if each.kind == ResourceKind.NETWORK]
    return {
        network.pk: tuple(reach.addresses_leading_to(network).select_related("server__resource"))
        for network in networks
    }


def _limits(system: System, lines: Sequence[Line]) -> dict[Dimension, Foreseen]:
    dimensions = {line.dimension for line in lines if isinstance(line, LimitLine)}
    return limits.foresee(department=system.department, dimensions=dimensions) if dimensions else {}


def _given(network: Resource) -> QuerySet[Address]:
    return Address.objects.filter(block__unit=network.unit, released_at=None)


def _flavors(lines: Sequence[Line]) -> frozenset[tuple[int, int]]:
    """A server is resized on the cloud where it stands, wherever new ones would be built."""
    resizes = [line for line in lines if isinstance(line, ResizeLine)]
    if not resizes:
        return frozenset()
    clouds = {line.target.cloud_id for line in resizes}
    return placement.flavors_on(clouds, {line.flavor.pk for line in resizes})
