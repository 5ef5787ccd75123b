"""Rules about backup and disaster recovery (GB/T 20988)."""

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext_lazy as _

from govcloud.catalog.models import Kind
from govcloud.errors import DomainError, Invalid
from govcloud.inventory.models import ResourceKind
from govcloud.orders.changes import ReleaseLine
from govcloud.orders.drafts import BackupDraft, ServerDraft
from govcloud.orders.lines import BackupLine, ServerLine
from govcloud.orders.models import Action, Order, Unit
from govcloud.orders.rules import off_site
from govcloud.orders.rules.standing import Numbered, where
from govcloud.protection.models import Frequency

MINUTES_BETWEEN = {Frequency.DAILY: 24 * 60, Frequency.WEEKLY: 7 * 24 * 60}


class OffSiteBackupMissing(Invalid):
    code = "off-site-backup-missing"
    message = _(
        "A system of MLPS level %(level)s must be backed up off site: order the backup together with the servers."
    )


class OffSiteBackupNeeded(Invalid):
    code = "off-site-backup-needed"
    message = _(
        "“%(name)s” is the off-site backup that a system of MLPS level %(level)s must have while it has servers."
    )


class BackupsProveNoSuchLevel(Invalid):
    code = "dr-level-needs-replication"
    message = _("DR level %(level)s cannot be reached by backups: it needs evidence of replication.")


class LevelIsOffSite(Invalid):
    code = "dr-level-is-off-site"
    message = _("DR level %(level)s means off-site backup.")


class TooSeldom(Invalid):
    code = "backup-too-seldom"
    message = _("DR level %(level)s allows at most %(rpo)s hours of lost data: %(frequency)s is too seldom.")


class CapacityOutOfRange(Invalid):
    code = "backup-capacity-out-of-range"
    message = _("%(capacity)s GB is not possible: backup capacity is 1 to %(maximum)s GB.")


class CapacityTooSmall(Invalid):
    code = "backup-capacity-too-small"
    message = _(
        "%(capacity)s GB cannot hold one full backup of the volumes that it covers, which have %(volumes)s GB."
    )


class SecondBackup(Invalid):
    code = "second-backup-in-order"
    message = _("An order can have one backup: its plan covers every server of the order.")


class BackupInOnePlace(Invalid):
    code = "backup-in-one-place"
    message = _(
        "The backup of an order covers servers on one cloud, and these have none in common: order them separately."
    )


def check(order: Numbered) -> Iterator[DomainError]:
    backups = list(order.of(BackupLine))
    for pointer, backup in backups:
        yield from _level(backup, pointer)
        yield from _capacity(order, backup, pointer)
        yield from _in_one_place(order, pointer)
    for position in _positions(order)[1:]:
        yield SecondBackup(pointers=(f"/items/{position}",))
    granted = any(backup.off_site for _pointer, backup in backups)
    granted = granted or any(draft.off_site for _pointer, draft in order.unresolved_of(BackupDraft))
    yield from _mandatory(order, granted=granted)


def _in_one_place(order: Numbered, pointer: str) -> Iterator[DomainError]:
    places = [order.now.available.get(where(server)) for _pointer, server in order.of(ServerLine)]
    clouds = [place.clouds for place in places if place is not None]
    if clouds and not frozenset.intersection(*clouds):
        yield BackupInOnePlace(pointers=(pointer,))


def _positions(order: Numbered) -> list[int]:
    """Where the order has backups, whether or not their level is known."""
    told = [position for position, line in order.lines if isinstance(line, BackupLine)]
    untold = [position for position, item in order.unresolved if isinstance(item.draft, BackupDraft)]
    return sorted([*told, *untold])


def _level(backup: BackupLine, pointer: str) -> Iterator[DomainError]:
    tier = backup.tier
    if not tier.provable_by_backup:
        yield BackupsProveNoSuchLevel(level=tier.level, pointers=(f"{pointer}/dr_level",))
        return
    if tier.off_site and not backup.off_site:
        yield LevelIsOffSite(level=tier.level, pointers=(f"{pointer}/off_site",))
    if MINUTES_BETWEEN[Frequency(backup.frequency)] > tier.rpo_minutes:
        yield TooSeldom(
            level=tier.level,
            rpo=tier.rpo_minutes // 60,
            frequency=Frequency(backup.frequency).label,
            pointers=(f"{pointer}/frequency",),
        )


def _capacity(order: Numbered, backup: BackupLine, pointer: str) -> Iterator[DomainError]:
    here = (f"{pointer}/capacity_gb",)
    servers = list(order.of(ServerLine))
    volumes = sum(server.volumes_gb for _pointer, server in servers) if servers else order.now.uncovered_gb
    if not 1 <= backup.capacity_gb <= backup.tier.max_gb:
        yield CapacityOutOfRange(capacity=backup.capacity_gb, maximum=backup.tier.max_gb, pointers=here)
    elif backup.capacity_gb < volumes:
        yield CapacityTooSmall(capacity=backup.capacity_gb, volumes=volumes, pointers=here)


def _mandatory(order: Numbered, *, granted: bool) -> Iterator[DomainError]:
    """From level 3 on, servers and an off-site backup come together and go together."""
    level = order.system.mlps_level
    if level < off_site.OFF_SITE_FROM:
        return
    kept = order.now.off_site - order.released
    ordered = any(order.of(ServerLine)) or any(order.unresolved_of(ServerDraft))
    if ordered and not granted and not kept:
        yield OffSiteBackupMissing(level=level, pointers=("/items",))
    if granted or kept or not (order.now.servers - order.released or order.now.relied_on):
        return
    for pointer, line in order.of(ReleaseLine):
        if line.target.kind == ResourceKind.BACKUP and line.target.pk in order.now.off_site:
            yield OffSiteBackupNeeded(name=line.target.name, level=level, pointers=(f"{pointer}/target",))


def require_off_site(order: Order, units: Sequence[Unit]) -> None:
    """What ``_mandatory`` asks, once more of an order that is to be carried out: its system, which is locked, may have changed since.

    Raises OffSiteBackupMissing and OffSiteBackupNeeded.
    """
    system = order.system
    created = [unit.item for unit in units if unit.item.action == Action.CREATE]
    serves = any(item.kind == Kind.SERVER for item in created)
    released = [unit for unit in units if unit.item.action == Action.RELEASE]
    gives_back = [unit for unit in released if unit.item.kind == Kind.BACKUP]
    if system.mlps_level < off_site.OFF_SITE_FROM or not (serves or gives_back):
        return
    if any(item.kind == Kind.BACKUP and item.backup.off_site for item in created):
        return
    going = {unit.resource_id for unit in released}
    if off_site.staying(system, besides=order) - going:
        return
    if serves:
        raise OffSiteBackupMissing(level=system.mlps_level)
    if off_site.servers_of(system) - going or off_site.relied_on(system, besides=order):
        raise OffSiteBackupNeeded(name=gives_back[0].name, level=system.mlps_level)
