"""Where the parts of an order go: decided when it is approved, kept with the reasons, and decided again for what waits."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Max, Min, Prefetch, QuerySet
from django.utils.translation import gettext as _

from govcloud.audit import services as audit
from govcloud.catalog.models import Cloud, Kind, Site
from govcloud.clouds.models import AvailabilityZone
from govcloud.orders.models import Action, Order, Placement, Unit, Weighed
from govcloud.periods import wall_clock
from govcloud.provisioning import placement
from govcloud.provisioning.placement import Need, Where
from govcloud.provisioning.weighing import PASSING, TAKEN, Decision, Judged, Verdict
from govcloud.quotas import services as quotas
from tenants.models import NetworkZone
from tenants.naming import name_of


@dataclass(slots=True)
class Part:
    """What goes to one place: networks of a zone and site with their servers and these servers' backup."""

    where: Where
    units: list[Unit] = field(default_factory=list)

    @property
    def has_backup(self) -> bool:
        return any(unit.item.kind == Kind.BACKUP for unit in self.units)

    @property
    def need(self) -> Need:
        need = Need()
        for unit in self.units:
            if unit.item.kind == Kind.SERVER and unit.volume is None:
                need.flavors[unit.item.server.flavor] += 1
                need.images.add(unit.item.server.image)
            elif unit.item.kind == Kind.NETWORK:
                need.networks += 1
            elif unit.item.kind == Kind.CONTAINER:
                need.object_classes.add(unit.item.container.storage_class)
            elif unit.volume is not None:
                held, size_gb = unit.volume.storage_class, unit.volume.size_gb
                need.storage[held] += size_gb
                need.largest[held] = max(size_gb, need.largest.get(held, 0))
        return need


@dataclass(slots=True)
class Delivery:
    """What is built together on a cloud; ``number`` is that of the first placement, of which no other delivery is made."""

    cloud: Cloud
    number: int
    units: list[Unit] = field(default_factory=list)
    availability_zones: dict[int, str] = field(default_factory=dict)  # codes, by the unit's primary key

    def add(self, units: list[Unit], part: AvailabilityZone | None) -> None:
        self.units += units
        if part is not None:
            self.availability_zones.update((unit.pk, part.code) for unit in units)


def parts(units: Iterable[Unit]) -> list[Part]:
    """The units that are created, by place. The order's backup goes where its servers are, or stays with what it has waited with."""
    found: dict[Where, Part] = {}
    backups = []
    for unit in units:
        if unit.item.kind == Kind.BACKUP:
            backups.append(unit)
        else:
            where = _where(unit)
            found.setdefault(where, Part(where)).units.append(unit)
    for unit in backups:
        with_it = (part for part in found.values() if _waited_together(part, unit))
        with_servers = (part for part in found.values() if part.need.flavors)
        where = Where(zone=unit.item.zone)
        part = next(with_it, None) or next(with_servers, None) or found.setdefault(where, Part(where))
        part.units.append(unit)
    return list(found.values())


def _waited_together(part: Part, unit: Unit) -> bool:
    return unit.placement_id is not None and unit.placement_id == part.units[0].placement_id


def _where(unit: Unit) -> Where:
    item = unit.item
    if item.kind == Kind.VOLUME and unit.volume is not None and unit.volume.server is not None:
        return Where(zone=item.zone, network=unit.volume.server.pk)
    if item.kind != Kind.SERVER:
        return Where(zone=item.zone, site=item.site)
    spec = item.server
    if spec.network is not None:
        return Where(zone=item.zone, network=spec.network.pk)
    return Where(zone=item.zone, site=spec.network_item.site if spec.network_item is not None else Site.MAIN)


def decide(
    order: Order, found: Sequence[Part], *, at: datetime, among: Sequence[Part] | None = None
) -> Iterator[tuple[Part, Decision]]:
    """Each part's place, that of the backup first: every server that it covers has to be on its cloud.

    So it goes where all of them can be, and they wait while it does. Later parts go beside earlier ones where they can, into the
    room that those leave. ``among`` are all the parts without a place, where these are not all of them. Writes nothing.
    """
    decided_before = Unit.objects.filter(
        item__order=order, item__action=Action.CREATE, placement__isnull=False, placement__called_off_at=None
    )
    kinds: set[tuple[int | None, str]] = set(
        decided_before.order_by().values_list("placement__cloud", "item__kind")
    )
    beside = {cloud for cloud, _kind in kinds if cloud is not None}
    bound_to = [cloud for cloud, kind in kinds if kind == Kind.BACKUP and cloud is not None] or None
    waits = (None, Kind.BACKUP) in kinds
    taking: dict[int, Need] = {}  # by cloud: nothing of it is begun before all is decided
    for part in sorted(found, key=lambda part: not part.has_backup):
        if part.has_backup:
            decision = _with_all_servers(order, part, among or found, beside=beside, at=at)
            waits = decision.taken is None
        else:
            covered = bool(part.need.flavors)
            decision = placement.decide(
                system=order.system, where=part.where, need=part.need, at=at, beside=beside, taking=taking,
                bound_to=bound_to if covered else None, backup_waits=waits and covered,
            )  # fmt: skip
        if decision.taken is not None:
            cloud = decision.taken.facts.cloud.pk
            beside.add(cloud)
            taking.setdefault(cloud, Need()).add(part.need)
            bound_to = [cloud] if part.has_backup else bound_to
        yield part, decision


def _with_all_servers(
    order: Order, backup: Part, parts: Iterable[Part], *, beside: Collection[int], at: datetime
) -> Decision:
    """The place of the part with the backup: where all that it covers can be now, else where that can be one day."""

    def judged(
        part: Part, bound_to: Collection[int] | None = None, taking: Mapping[int, Need] | None = None
    ) -> Decision:
        return placement.decide(
            system=order.system, where=part.where, need=part.need, at=at, beside=beside, bound_to=bound_to,
            taking=taking,
        )  # fmt: skip

    covered = [part for part in parts if part is not backup and not part.has_backup and part.need.flavors]
    if not covered:
        return judged(backup)
    others = [judged(part) for part in covered]
    now = frozenset.intersection(*(each.possible for each in others))
    one_day = frozenset.intersection(*(each.conceivable for each in others))
    rest = Need()
    for part in covered:
        rest.add(part.need)
    decision = judged(backup, now, dict.fromkeys(now, rest))
    if decision.taken is None:
        decision = judged(backup, now)
    return decision if decision.taken is not None else judged(backup, one_day or None)


def keep(
    order: Order, part: Part, decision: Decision, *, row: Placement | None, actor: audit.Actor, at: datetime
) -> Placement:
    """Write the decision down; over an earlier one (``row``) for a part that waited."""
    waited = row is not None
    if row is None:
        row = Placement(order=order, position=order.placements.count(), first_decided_at=at)
    for column, value in {**_columns(part, decision), "decided_at": at}.items():
        setattr(row, column, value)
    row.save()
    if waited:
        row.weighed.all().delete()
    Weighed.objects.bulk_create(_row(row, rank, each) for rank, each in enumerate(_in_order(decision)))
    Unit.objects.filter(pk__in=[unit.pk for unit in part.units]).update(placement=row)
    if decision.taken is not None:
        _tell(order, row, decision, verb="order.placed", actor=actor, at=at)
    elif not waited:
        _tell(order, row, decision, verb="order.placement_waits", actor=actor, at=at)
    return row


def _columns(part: Part, decision: Decision) -> dict[str, Any]:
    facts = decision.taken.facts if decision.taken is not None else None
    return {
        "zone": part.where.zone,
        "site": part.where.site,
        "network_id": part.where.network,
        "cloud": facts.cloud if facts is not None else None,
        "availability_zone": facts.part if facts is not None else None,
    }


def _in_order(decision: Decision) -> list[Judged]:
    return [*([decision.taken] if decision.taken is not None else []), *decision.others]


def _row(row: Placement, rank: int, judged: Judged) -> Weighed:
    facts = judged.facts
    return Weighed(
        placement=row,
        rank=rank,
        cloud=facts.cloud,
        availability_zone=facts.part,
        verdict=judged.verdict,
        subject=judged.subject[:300],
        until=judged.until,
        vcpus_total=facts.room.vcpus_total if facts.room is not None else None,
        vcpus_free=facts.room.vcpus_free if facts.room is not None else None,
    )


def _tell(
    order: Order, row: Placement, decision: Decision, *, verb: str, actor: audit.Actor, at: datetime
) -> None:
    reason = decision.taken or decision.obstacle
    audit.record(
        actor=actor,
        verb=verb,
        subject=order,
        at=at,
        thread=order.uuid,
        after={
            "zone": row.zone,
            "site": row.site,
            "cloud": row.cloud.code if row.cloud is not None else None,
            "availability_zone": row.availability_zone.code if row.availability_zone is not None else None,
            "why": str(reason.verdict) if reason is not None else None,
        },
    )


def call_off(
    order: Order, *, actor: audit.Actor, reason: str, at: datetime, going: Collection[int] | None = None
) -> None:
    """What waits for a place is not built any more, or these units of it (primary keys); what it held is free at once."""
    units = Unit.objects.filter(placement__in=order.placements.waiting()).order_by("pk")
    if going is not None:
        units = units.filter(pk__in=going)
    found = list(units)
    if not found:
        return
    quotas.unhold_all(sources=[unit.uuid for unit in found], at=at)
    _set_apart(order, found, at=at)
    audit.record(
        actor=actor, verb="order.placement_called_off", subject=order, at=at, thread=order.uuid, reason=reason,
        after={"units": [unit.name for unit in found]},
    )  # fmt: skip


def _set_apart(order: Order, going: Sequence[Unit], *, at: datetime) -> None:
    """A placement of which all goes is called off; of another what goes becomes one of its own, and the rest waits on."""
    for row in order.placements.waiting():
        of_row = [unit.pk for unit in going if unit.placement_id == row.pk]
        if not of_row:
            continue
        if not row.units.exclude(pk__in=of_row).exists():
            row.called_off_at = at
            row.save(update_fields=["called_off_at"])
            continue
        last = order.placements.aggregate(last=Max("position"))["last"]
        apart = Placement.objects.create(
            order=order, position=last + 1, zone=row.zone, site=row.site, network=row.network,
            first_decided_at=row.first_decided_at, decided_at=row.decided_at, called_off_at=at,
        )  # fmt: skip
        Unit.objects.filter(pk__in=of_row).update(placement=apart)


# -- as it is shown


@dataclass(frozen=True, slots=True)
class Shown:
    """A placement with its units (uuids) and everything that was judged, the place that was taken first."""

    row: Placement
    units: list[UUID]
    weighed: list[Weighed]

    @property
    def why(self) -> str:
        """Why it goes where it goes, or why it waits, in the reader's language."""
        if self.row.called_off_at is not None:
            return _("It was called off while it waited.")
        if self.row.cloud is not None:
            return told(next(each for each in self.weighed if each.verdict in TAKEN))
        ranked = [each for verdict in PASSING for each in self.weighed if each.verdict == verdict]
        obstacle = next(iter(ranked or self.weighed), None)
        if obstacle is None:
            return _("It waits: no cloud can take it at present. It starts by itself once one can.")
        return _("It waits: %(why)s. It starts by itself once that has passed.") % {"why": told(obstacle)}


def decided(order: Order) -> list[Shown]:
    """The order's placements as they were decided. Three queries."""
    return _shown(order.placements.all())


def waiting(order: Order) -> list[Shown]:
    """Those that have no place yet. One query where there are none."""
    return _shown(order.placements.waiting())


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many parts of orders have no place on any cloud yet, and since when the first of them has none."""

    parts: int
    since: datetime | None


def backlog() -> Backlog:
    """Of the whole installation. One query."""
    found = Placement.objects.waiting().aggregate(parts=Count("pk"), since=Min("first_decided_at"))
    return Backlog(**found)


def longest_waiting(orders: QuerySet[Order], *, most: int) -> list[Shown]:
    """The parts of these orders that have waited longest for a place. Three queries."""
    rows = Placement.objects.waiting().filter(order__in=orders).select_related("order")
    return _shown(rows.order_by("first_decided_at", "pk")[:most])


def _shown(placements: QuerySet[Placement]) -> list[Shown]:
    rows = placements.select_related("cloud", "availability_zone").prefetch_related(
        "units",
        Prefetch("weighed", Weighed.objects.select_related("cloud", "availability_zone", "placement")),
    )
    return [Shown(row, [unit.uuid for unit in row.units.all()], list(row.weighed.all())) for row in rows]


def foreseen(order: Order, units: Iterable[Unit], *, at: datetime) -> list[Shown]:
    """Where its units would go if it were approved now. Writes nothing."""
    shown = []
    for position, (part, decision) in enumerate(decide(order, parts(units), at=at)):
        row = Placement(
            order=order, position=position, first_decided_at=at, decided_at=at, **_columns(part, decision)
        )
        weighed = [_row(row, rank, judged) for rank, judged in enumerate(_in_order(decision))]
        shown.append(Shown(row, [unit.uuid for unit in part.units], weighed))
    return shown


# -- in people's words


def told(weighed: Weighed) -> str:
    """One candidate with its reason, in the reader's language."""
    where = _place(weighed.cloud, weighed.availability_zone)
    room = ""
    if weighed.vcpus_free is not None and weighed.vcpus_total is not None:
        counted = {"free": f"{weighed.vcpus_free:,}", "total": f"{weighed.vcpus_total:,}"}
        room = _("; %(free)s of %(total)s vCPUs free") % counted
    return _("%(where)s: %(why)s%(room)s") % {"where": where, "why": _why(weighed), "room": room}


def _place(cloud: Cloud, part: AvailabilityZone | None) -> str:
    words = [str(Site(cloud.site).label), str(name_of(cloud))]
    if part is not None:
        words.append(_("zone %(name)s") % {"name": name_of(part)})
    return _(", ").join(words)


def _why(weighed: Weighed) -> str:
    verdict, placed = Verdict(weighed.verdict), weighed.placement
    about = {
        "subject": weighed.subject,
        "zone": NetworkZone(placed.zone).label,
        "site": Site(placed.site).label,
        "until": wall_clock(weighed.until) if weighed.until is not None else "",
    }
    return _reasons()[verdict] % about


def _reasons() -> dict[Verdict, str]:
    return {
        Verdict.NETWORK_THERE: _("%(subject)s is there"),
        Verdict.SYSTEM_THERE: _("the system's other things are there"),
        Verdict.ONLY_ONE: _("no other comes into question"),
        Verdict.MOST_ROOM: _("it has the most room"),
        Verdict.DISABLED: _("takes nothing new at present"),
        Verdict.OTHER_SITE: _("is not the %(site)s"),
        Verdict.OTHER_ZONE: _("does not offer the %(zone)s"),
        Verdict.LEVEL_TOO_HIGH: _("takes no systems of MLPS level %(subject)s"),
        Verdict.NETWORK_ELSEWHERE: _("%(subject)s is elsewhere"),
        Verdict.BACKUP_ELSEWHERE: _("the backup of this order is elsewhere"),
        Verdict.BACKUP_WAITS: _("the backup of this order has no place yet"),
        Verdict.LACKS: _("does not have “%(subject)s”"),
        Verdict.OTHER_SIZE: _("does not have “%(subject)s” in the catalogue's size"),
        Verdict.MAINTENANCE: _("is under maintenance until %(until)s (%(subject)s)"),
        Verdict.FULL: _("has not enough room left"),
        Verdict.NO_HOST: _("has no hosts with enough room for servers of this size"),
        Verdict.NO_ADDRESSES: _("has no addresses left for another network in the %(zone)s"),
        Verdict.DOWN: _("does not answer as it should"),
        Verdict.SYSTEM_ELSEWHERE: _("the system's other things are elsewhere"),
        Verdict.OTHER_PART: _("another zone of the same cloud comes first"),
        Verdict.LESS_ROOM: _("has less room"),
    }
