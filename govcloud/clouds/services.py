"""The register of clouds: entered, changed, enabled, disabled and retired, with what the catalogue is called there."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from ipaddress import IPv4Network, ip_network
from typing import Any, ClassVar, Final

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud, Zone
from govcloud.catalog.networks import LONGEST_PREFIX
from govcloud.clouds.models import AvailabilityZone, CloudCredential
from govcloud.errors import Conflict, DomainError, Invalid, Invalids
from govcloud.gateways import openstack
from govcloud.lifecycle import transition
from tenants.models import NetworkZone

EDITABLE: Final = (
    "name", "name_en", "profile", "mlps_level", "management_cidr", "online_extend", "retyping", "backup_zone",
    "build_width", "sizes_must_match",
)  # fmt: skip


class CloudCodeTaken(Conflict):
    code = "cloud-code-taken"
    message = _("A cloud with the code %(given)s is registered already.")


class UnknownProfile(Invalid):
    code = "unknown-profile"
    message = _("clouds.yaml names no cloud “%(given)s”.")


class ProfileAndCredentials(Conflict):
    code = "profile-and-credentials"
    message = _(
        "A cloud is signed in to by its profile in clouds.yaml or with credentials that are stored, not by both."
    )


class NoWayIn(Conflict):
    code = "cloud-without-credentials"
    message = _(
        "The cloud has neither a profile in clouds.yaml nor stored credentials: give it one of them first."
    )


class BadRange(Invalid):
    code = "bad-address-range"
    message = _("“%(given)s” is no IPv4 range with room for networks of /%(prefix)s.")


class NetworkTooSmall(Invalid):
    """``longest`` among its parameters is the longest prefix that is possible, in bits."""

    code = "network-too-small"
    message = _(
        "Networks of /%(given)s have no address for a server; /%(longest)s is the smallest that does."
    )


class LevelOutOfRange(Invalid):
    code = "mlps-level-out-of-range"
    message = _("MLPS levels are 1 to 5, not %(given)s.")


class NamedTwice(Invalid):
    code = "named-twice"
    message = _("“%(given)s” is named more than once.")


class ZoneInUse(Conflict):
    """``code`` among its parameters is that of the zone."""

    code = "zone-in-use"
    message = _("“%(zone)s” cannot be left out while something is in it; things there: %(count)s.")


class CloudRetired(Conflict):
    code = "cloud-retired"
    message = _("The cloud %(name)s has been retired; nothing about it can be changed.")


class CloudChanged(Conflict):
    """The cloud was changed since it was read."""

    code = "cloud-changed"
    message = _("The cloud has been changed since you read it: it is at version %(version)s now.")
    status: ClassVar[int] = 412


class CloudNotEmpty(Conflict):
    code = "cloud-not-empty"
    message = _(
        "The cloud still holds %(resources)s resources and %(backups)s backups, and %(operations)s operations are under way there: it cannot be retired."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkZoneDraft:
    zone: str
    address_pool: str  # CIDR
    network_prefix: int = 26
    dns_servers: str = ""
    external_network: str = ""  # empty: the only one the cloud has


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailabilityZoneDraft:
    code: str
    name: str
    name_en: str = ""
    compute_zone: str = ""
    volume_zone: str = ""
    mlps_level: int = 3


def register(
    *,
    code: str,
    name: str,
    site: str,
    actor: audit.Actor,
    at: datetime,
    zones: Sequence[NetworkZoneDraft] = (),
    availability_zones: Sequence[AvailabilityZoneDraft] = (),
    **particulars: Any,
) -> Cloud:
    """Enter a cloud, disabled until somebody enables it. ``particulars`` are columns of EDITABLE.

    Raises Invalids with all that is wrong, and CloudCodeTaken.
    """
    errors = _wrong(particulars, zones, availability_zones)
    if errors:
        raise Invalids(errors)
    with transaction.atomic():
        cloud, fresh = Cloud.objects.get_or_create(
            code=code, defaults={**particulars, "name": name, "site": site, "status": CloudStatus.DISABLED}
        )
        if not fresh:
            raise CloudCodeTaken(given=code, pointers=("/code",))
        _set_zones(cloud, zones)
        _set_availability_zones(cloud, availability_zones, at=at)
        audit.record(actor=actor, verb="cloud.registered", subject=cloud, at=at, after=_told(cloud))
    return cloud


def change(
    *,
    cloud: Cloud,
    changes: Mapping[str, Any],
    expected_version: int,
    actor: audit.Actor,
    at: datetime,
    zones: Sequence[NetworkZoneDraft] | None = None,
    availability_zones: Sequence[AvailabilityZoneDraft] | None = None,
) -> Cloud:
    """Change what is named; zones that are given replace those there are.

    Raises Invalids, ProfileAndCredentials, ZoneInUse, CloudRetired and CloudChanged.
    """
    errors = _wrong(changes, zones or (), availability_zones or ())
    if errors:
        raise Invalids(errors)
    with transaction.atomic():
        cloud = locked(cloud, expected_version=expected_version)
        before = _told(cloud)
        if changes.get("profile") and CloudCredential.objects.filter(cloud=cloud).exists():
            raise ProfileAndCredentials(pointers=("/profile",))
        for column in EDITABLE:
            setattr(cloud, column, changes.get(column, getattr(cloud, column)))
        cloud.version += 1
        cloud.save(update_fields=[*EDITABLE, "version"])
        if zones is not None:
            _set_zones(cloud, zones)
        if availability_zones is not None:
            _set_availability_zones(cloud, availability_zones, at=at)
        audit.record(
            actor=actor, verb="cloud.changed", subject=cloud, at=at, before=before, after=_told(cloud)
        )
    return cloud


def enable(*, cloud: Cloud, actor: audit.Actor, at: datetime) -> Cloud:
    """From now on things are placed there. Raises NoWayIn and WrongState."""
    with transaction.atomic():
        cloud = Cloud.objects.select_for_update().get(pk=cloud.pk)
        if cloud.status == CloudStatus.DISABLED:
            require_way_in(cloud)
        transition(cloud, CloudStatus.ENABLED, actor=actor, at=at)
    return cloud


def require_way_in(cloud: Cloud) -> None:
    """Raises NoWayIn while nobody has said how it is signed in to."""
    if not cloud.profile and not CloudCredential.objects.filter(cloud=cloud).exists():
        raise NoWayIn


def disable(*, cloud: Cloud, reason: str, actor: audit.Actor, at: datetime) -> Cloud:
    """Nothing new is placed there; what stands and what is under way is looked after as before. Raises WrongState."""
    transition(cloud, CloudStatus.DISABLED, actor=actor, at=at, reason=reason)
    return cloud


def retire(*, cloud: Cloud, reason: str, actor: audit.Actor, at: datetime) -> Cloud:
    """For good. Its credentials are destroyed. Raises CloudNotEmpty with the counts, and WrongState."""
    with transaction.atomic():
        cloud = Cloud.objects.select_for_update().get(pk=cloud.pk)
        standing = cloud.resources.filter(released_at=None).count()
        backups = cloud.resources.filter(
            volume__recovery_points__isnull=False, volume__recovery_points__expired_at=None
        ).count()
        under_way = cloud.operations.filter(finished_at=None).count()
        if standing or backups or under_way:
            raise CloudNotEmpty(resources=standing, backups=backups, operations=under_way)
        transition(cloud, CloudStatus.RETIRED, actor=actor, at=at, reason=reason)
        CloudCredential.objects.filter(cloud=cloud).delete()
    return cloud


def require_not_retired(cloud: Cloud) -> None:
    """As it is now, whatever the row that is given says; whoever would retire it waits for the transaction. Raises CloudRetired.

    The lock is the one that a row with a reference to the cloud takes when it is committed, which is too late to refuse.
    """
    table = connection.ops.quote_name(Cloud._meta.db_table)  # noqa: SLF001
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT status FROM {table} WHERE id = %s FOR KEY SHARE", [cloud.pk])  # noqa: S608  no input
        (status,) = cursor.fetchone()
    if status == CloudStatus.RETIRED:
        raise CloudRetired(name=cloud.code)


def locked(cloud: Cloud, *, expected_version: int) -> Cloud:
    """The cloud for this transaction alone. Raises CloudRetired, and CloudChanged when somebody was quicker."""
    cloud = Cloud.objects.select_for_update().get(pk=cloud.pk)
    if cloud.status == CloudStatus.RETIRED:
        raise CloudRetired(name=cloud.code)
    if cloud.version != expected_version:
        raise CloudChanged(version=cloud.version)
    return cloud


def _wrong(
    particulars: Mapping[str, Any],
    zones: Sequence[NetworkZoneDraft],
    availability_zones: Sequence[AvailabilityZoneDraft],
) -> list[DomainError]:
    errors: list[DomainError] = []
    profile = particulars.get("profile")
    if profile and profile not in _profiles():
        errors.append(UnknownProfile(given=profile, pointers=("/profile",)))
    cidr = particulars.get("management_cidr")
    if cidr and not is_range(cidr):
        errors.append(BadRange(given=cidr, prefix=32, pointers=("/management_cidr",)))
    levels = [("/mlps_level", particulars.get("mlps_level", 1))]
    levels += [
        (f"/availability_zones/{n}/mlps_level", az.mlps_level) for n, az in enumerate(availability_zones)
    ]
    errors += [LevelOutOfRange(given=g, pointers=(p,)) for p, g in levels if not 1 <= g <= 5]
    for number, draft in enumerate(zones):
        if draft.network_prefix > LONGEST_PREFIX:
            errors.append(
                NetworkTooSmall(
                    given=draft.network_prefix, longest=LONGEST_PREFIX,
                    pointers=(f"/zones/{number}/network_prefix",),
                )
            )  # fmt: skip
        if not is_range(draft.address_pool, room_for=draft.network_prefix):
            pointer = f"/zones/{number}/address_pool"
            errors.append(
                BadRange(given=draft.address_pool, prefix=draft.network_prefix, pointers=(pointer,))
            )
    errors += _twice("/zones", [draft.zone for draft in zones])
    errors += _twice("/availability_zones", [draft.code for draft in availability_zones])
    return errors


def _profiles() -> frozenset[str]:
    try:
        return openstack.profiles()
    except openstack.errors.Misconfigured:
        return frozenset()


def is_range(given: str, *, room_for: int = 32) -> bool:
    """Whether it is an IPv4 range with room for a network of that prefix."""
    try:
        network = ip_network(given)
    except ValueError:
        return False
    return isinstance(network, IPv4Network) and network.prefixlen <= room_for <= 32


def _twice(pointer: str, names: Sequence[str]) -> list[DomainError]:
    return [
        NamedTwice(given=name, pointers=(f"{pointer}/{number}",))
        for number, name in enumerate(names)
        if name in names[:number]
    ]


def _set_zones(cloud: Cloud, drafts: Sequence[NetworkZoneDraft]) -> None:
    """Raises ZoneInUse for a zone that is left out although something is in it."""
    for zone in cloud.zones.exclude(zone__in=[draft.zone for draft in drafts]):
        count = cloud.resources.filter(zone=zone.zone, released_at=None).count()
        if count:
            label = NetworkZone(zone.zone).label
            raise ZoneInUse(zone=label, code=zone.zone, count=count, pointers=("/zones",))
        zone.delete()
    for draft in drafts:
        Zone.objects.update_or_create(cloud=cloud, zone=draft.zone, defaults=asdict(draft))


def _set_availability_zones(cloud: Cloud, drafts: Sequence[AvailabilityZoneDraft], *, at: datetime) -> None:
    """Raises ZoneInUse for one that is left out although something stands in it, or is being built there."""
    for zone in cloud.availability_zones.exclude(code__in=[draft.code for draft in drafts]):
        at_work = cloud.operations.filter(
            finished_at=None, steps__desired_state__availability_zone=zone.code
        ).distinct()
        count = zone.resources.filter(released_at=None).count() + at_work.count()
        if count:
            raise ZoneInUse(zone=zone.name, code=zone.code, count=count, pointers=("/availability_zones",))
        zone.retired_at = at
        zone.save(update_fields=["retired_at"])
    for draft in drafts:
        AvailabilityZone.every.update_or_create(
            cloud=cloud, code=draft.code, defaults={**asdict(draft), "retired_at": None}
        )


def _told(cloud: Cloud) -> dict[str, Any]:
    """For the audit trail; credentials are no part of it."""
    return {
        **{column: getattr(cloud, column) for column in ("code", "site", *EDITABLE)},
        "zones": {zone.zone: zone.address_pool for zone in cloud.zones.order_by("zone")},
        "availability_zones": list(cloud.availability_zones.values_list("code", flat=True)),
    }
