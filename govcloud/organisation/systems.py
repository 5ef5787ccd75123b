"""Systems as they change, while things of theirs stand and run, and their end."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from govcloud.audit import refusals
from govcloud.audit import services as audit
from govcloud.errors import Conflict, DomainError, Invalid, Invalids
from govcloud.inventory.models import Resource, ResourceKind
from govcloud.orders.lifecycle import EDITABLE as FILLED_IN
from govcloud.orders.lifecycle import OPEN
from govcloud.orders.models import Order
from govcloud.orders.rules import off_site
from govcloud.orders.rules.of_systems import requirements
from govcloud.organisation import standing
from govcloud.organisation.policies import REGISTRARS, needs_owner
from tenants import owners
from tenants.models import System, User
from tenants.naming import name_of
from tenants.owners import Owner
from tenants.policies import require
from tenants.services import open_unit, require_in_service, wrong_with

EDITABLE: Final = (
    "name", "name_en", "mlps_level", "filing_number", "cryptography_assessed_on", "zone", "dr_level", "data_class",
    "service_scope", "authority",
)  # fmt: skip
TEXTS: Final = ("name", "name_en", "filing_number")
OWNER_READ = "system.owner_read"


class SystemChanged(Conflict):
    """It was changed since it was read."""

    code = "system-changed"
    message = _("The system has been changed since you read it: it is at version %(version)s now.")
    status: ClassVar[int] = 412


class ZoneFixed(Conflict):
    code = "zone-fixed"
    message = _(
        "The zone cannot change while something stands in it: %(resources)s resources and %(orders)s open orders. "
        "Build anew in the other zone under another system, or release what stands."
    )


class CloudsTooLow(Conflict):
    code = "clouds-below-mlps-level"
    message = _(
        "%(count)s resources stand where systems of MLPS level %(level)s are not taken (%(clouds)s): they have to be moved first."
    )


class OffSiteBackupFirst(Conflict):
    code = "off-site-backup-first"
    message = _(
        "A running system of MLPS level %(level)s must be backed up off site: order the backup before its level is raised."
    )


class NoSuchAuthority(Invalid):
    code = "no-such-authority"
    message = _("There is no unit with the credit code “%(given)s” that could be the competent authority.")


class SystemNotEmpty(Conflict):
    code = "system-not-empty"
    message = _("%(system)s cannot be retired yet: it has %(standing)s.")


@dataclass(frozen=True, slots=True)
class Told:
    """A system in words for the audit trail. Of its owner only whether somebody else answers for it now."""

    columns: dict[str, Any]

    @classmethod
    def of(cls, system: System) -> "Told":
        columns = {name: getattr(system, name) for name in EDITABLE if name != "authority"}
        return cls({**columns, "authority": str(system.authority.uuid) if system.authority else None})


def change(
    *,
    system: System,
    changes: Mapping[str, Any],
    expected_version: int,
    actor: audit.Actor,
    at: datetime,
    owner: Owner | None = None,
) -> System:
    """Change what is named of EDITABLE, and its owner if one is given (an empty one removes it).

    A system of which things stand is held to what its next order would ask: a filing number, a cryptography assessment, an
    off-site backup, clouds that take its level; only giving way is always possible. Raises Invalids with everything
    that is wrong, ZoneFixed, CloudsTooLow, OffSiteBackupFirst, SystemRetired, UnitClosed and SystemChanged; and RoleMissing when
    anybody but the centre's registrars lowers a level.
    """
    with transaction.atomic():
        current = locked(system)
        if current.version != expected_version:
            raise SystemChanged(version=current.version)
        before, zone, level, dr_level = Told.of(current), current.zone, current.mlps_level, current.dr_level
        for name in EDITABLE:
            given = changes.get(name, getattr(current, name))
            setattr(current, name, given.strip() if name in TEXTS else given)
        errors = [*wrong_with(current, at=at), *owners.wrong_with(owner or Owner())]
        if errors:
            raise Invalids(errors)
        lowered = current.mlps_level < level or current.dr_level < dr_level
        if lowered and isinstance(actor, User):  # the way of its orders would be shorter
            require(actor, *REGISTRARS, at=at)
        if "authority" in changes and current.authority is not None:
            open_unit(current.authority, pointer="/authority")
        if current.zone != zone:
            _require_nothing_there(current)
        _require_what_orders_ask(current, raised=current.mlps_level > level, changes=changes, at=at)
        return _written(current, before, owner, actor=actor, at=at)


def admits_to_owner(*, system: System, actor: User, at: datetime) -> bool:
    """Whether the actor may read who answers for it in full. That they asked is told either way."""
    if not needs_owner(system=system, actor=actor, at=at):
        refusals.refuse(actor=actor, verb=OWNER_READ, subject=system, at=at, reason="forbidden")
        return False
    with transaction.atomic():
        audit.record(actor=actor, verb=OWNER_READ, subject=system, at=at)
    return True


def _written(
    current: System, before: Told, owner: Owner | None, *, actor: audit.Actor, at: datetime
) -> System:
    after = Told.of(current).columns
    changed = [name for name in after if after[name] != before.columns[name]]
    other_owner = owner is not None and owners.keep(current, owner)
    if not changed and not other_owner:
        return current
    current.version += 1
    current.save(update_fields=[*EDITABLE, "version"])
    audit.record(
        actor=actor, verb="system.changed", subject=current, at=at,
        before={name: before.columns[name] for name in changed},
        after={name: after[name] for name in changed} | ({"owner": "replaced"} if other_owner else {}),
    )  # fmt: skip
    return current


def retire(*, system: System, reason: str, actor: audit.Actor, at: datetime) -> System:
    """For good, once nothing of it stands or is on its way. Its owner's particulars are deleted.

    Raises SystemNotEmpty and SystemRetired.
    """
    with transaction.atomic():
        current = locked(system)
        left = standing.of_system(current)
        if left:
            raise SystemNotEmpty(system=name_of(current), standing=left.told())
        owners.keep(current, Owner())
        current.retired_at, current.version = at, current.version + 1
        current.save(update_fields=["retired_at", "version"])
        audit.record(
            actor=actor, verb="system.retired", subject=current, at=at,
            before={"retired": False}, after={"retired": True}, reason=reason,
        )  # fmt: skip
    return current


def locked(system: System) -> System:
    """As it is now; nothing is ordered for it meanwhile (orders lock their system too). Raises SystemRetired."""
    rows = System.objects.select_for_update(of=("self",), no_key=True).select_related(
        "department", "authority"
    )
    current = rows.get(pk=system.pk)
    require_in_service(current)
    return current


def _require_nothing_there(system: System) -> None:
    resources = Resource.objects.filter(system=system, released_at=None).count()
    orders = Order.objects.filter(system=system, status__in=OPEN | FILLED_IN).count()
    if resources or orders:
        raise ZoneFixed(resources=resources, orders=orders, pointers=("/zone",))


def _require_what_orders_ask(
    system: System, *, raised: bool, changes: Mapping[str, Any], at: datetime
) -> None:
    """Only of what is being changed: a system that lacks something already may still get another name."""
    touched = {"mlps_level", "filing_number", "cryptography_assessed_on"} & changes.keys()
    here = Resource.objects.filter(system=system, released_at=None)
    if not touched or not here.exists():
        return
    errors = list(_unmet(system, touched, at=at))
    if errors:
        raise Invalids(errors)
    if raised:
        _require_places(system, here.exclude(kind=ResourceKind.BACKUP))
        _require_off_site_backup(system, here)


def _unmet(system: System, touched: set[str], *, at: datetime) -> Iterator[DomainError]:
    for error in requirements(system, at=at):
        if "mlps_level" in touched or {pointer.strip("/") for pointer in error.pointers} & touched:
            yield error


def _require_places(system: System, here: Any) -> None:
    level = system.mlps_level
    low = here.filter(Q(cloud__mlps_level__lt=level) | Q(availability_zone__mlps_level__lt=level))
    places = sorted(set(low.values_list("cloud__code", flat=True)))
    if places:
        raise CloudsTooLow(
            count=low.count(), level=level, clouds=_(", ").join(places), pointers=("/mlps_level",)
        )


def _require_off_site_backup(system: System, here: Any) -> None:
    if system.mlps_level < off_site.OFF_SITE_FROM or not here.filter(kind=ResourceKind.SERVER).exists():
        return
    if not off_site.staying(system):
        raise OffSiteBackupFirst(level=system.mlps_level, pointers=("/mlps_level",))
