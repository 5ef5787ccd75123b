"""Taking a value of the cloud into the record, with what follows from it for quota and billing."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from govcloud.audit import services as audit
from govcloud.catalog.models import CloudFlavor, CloudStorageClass
from govcloud.errors import Conflict
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Network, Power, Resource, ResourceKind, Server, Volume
from govcloud.provisioning import settlement
from govcloud.provisioning.actions.base import claimed
from govcloud.quotas import services as quotas
from govcloud.quotas.ledger import Hold
from govcloud.reconciliation.models import Difference, Finding
from govcloud.reconciliation.vocabulary import Field
from tenants.models import Department

NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,46}[a-z0-9])?")  # as long as an order's own parts get
COUNTED = frozenset({Field.FLAVOR, Field.SIZE})  # what the cloud's own limits follow


class CannotBeAdopted(Conflict):
    code = "cannot-be-adopted"
    message = _(
        "The record cannot take “%(value)s” (%(field)s) from this cloud: nothing of ours is, or may be, called so."
    )


class ClaimedByOrder(Conflict):
    code = "claimed-by-order"
    message = _(
        "“%(name)s” is not counted anew now: %(claim)s. What was changed by hand is taken into the record once that has ended."
    )


class HolderNotInUse(Conflict):
    code = "holder-not-in-use"
    message = _(
        "“%(server)s” is %(status)s: a volume is recorded at it only while it is in use, as it goes by the server's lease from then on."
    )


def changes_demand(finding: Finding) -> bool:
    return _counts(finding.differences.all())


def _counts(differences: Iterable[Difference]) -> bool:
    return any(row.field in COUNTED for row in differences)


def adopt(*, resource: Resource, differences: Sequence[Difference], actor: audit.Actor, at: datetime) -> None:
    """The record as the cloud is, in these respects. More use than before is held and used, less is given back, once.

    Raises CannotBeAdopted for what the catalogue does not know, HolderNotInUse, QuotaExceeded, and ClaimedByOrder for flavor and size while
    an open order is about the resource: what it held was counted from the record as it is.
    """
    if _counts(differences) and (claim := claimed(resource)):
        raise ClaimedByOrder(name=resource.name, claim=claim)
    before_amounts, before_meters = settlement.quota_of(resource), settlement.meters_of(resource)
    for difference in sorted(differences, key=_rank):
        _ADOPTS[Field(difference.field)](_fresh(resource), difference)
    fresh = _fresh(resource)
    _count(fresh.system.department, before_amounts, settlement.quota_of(fresh), at=at)
    if settlement.meters_of(fresh) != before_meters:
        settlement.bill(fresh, at=at)
    audit.record(
        actor=actor, verb="resource.adopted", subject=fresh, at=at, thread=fresh.thread,
        before={row.field: row.expected for row in differences}, after={row.field: row.found for row in differences},
    )  # fmt: skip


def _rank(difference: Difference) -> bool:
    """A size is told in the scale of its class: the class comes first."""
    return difference.field == Field.SIZE


def _fresh(resource: Resource) -> Resource:
    return Resource.objects.with_particulars().get(pk=resource.pk)


def _count(
    department: Department, before: Mapping[str, int], after: Mapping[str, int], *, at: datetime
) -> None:
    source: UUID = uuid4()
    more = {name: after[name] - before[name] for name in after if after[name] > before[name]}
    less = {name: before[name] - after[name] for name in after if after[name] < before[name]}
    if more:
        quotas.hold(department=department, holds=[Hold(source, more)], at=at)
        quotas.commit(source=source, at=at)
    if less:
        quotas.give_back(source=source, department=department, amounts=less, at=at)


def _name(resource: Resource, difference: Difference) -> None:
    """A name of the kind that orders give: playbooks and people go by it."""
    standing = Resource.objects.filter(system=resource.system, released_at=None).exclude(pk=resource.pk)
    if not NAME.fullmatch(difference.found) or standing.filter(name=difference.found).exists():
        raise _cannot(difference)
    Resource.objects.filter(pk=resource.pk).update(name=difference.found)


def _power(resource: Resource, difference: Difference) -> None:
    if difference.found not in Power.values:
        raise _cannot(difference)
    Server.objects.filter(resource=resource).update(power=difference.found)


def _outside_address(resource: Resource, difference: Difference) -> None:
    Network.objects.filter(resource=resource).update(outside_address=difference.found)


def _flavor(resource: Resource, difference: Difference) -> None:
    known = CloudFlavor.objects.filter(cloud=resource.cloud, cloud_name=difference.found).select_related(
        "flavor"
    )
    row = known.first()
    if row is None:
        raise _cannot(difference)
    Server.objects.filter(resource=resource).update(
        flavor=row.flavor, cloud_flavor="", vcpus=row.flavor.vcpus, memory_gb=row.flavor.memory_gb
    )


def _size(resource: Resource, difference: Difference) -> None:
    scale = CloudStorageClass.objects.get(cloud=resource.cloud, storage_class=resource.volume.storage_class)
    size_gb = int(difference.found) * scale.ordered_gb_per_built_gb
    Volume.objects.filter(resource=resource).update(size_gb=size_gb)


def _storage_class(resource: Resource, difference: Difference) -> None:
    known = CloudStorageClass.objects.filter(cloud=resource.cloud, cloud_name=difference.found)
    row = known.first()
    if row is None:
        raise _cannot(difference)
    Volume.objects.filter(resource=resource).update(storage_class=row.storage_class_id, cloud_class="")


def _attached_to(resource: Resource, difference: Difference) -> None:
    server = None
    if difference.found:
        holder = _standing_at(resource, [difference.found]).select_related("server").first()
        if holder is None:
            raise _cannot(difference)
        if holder.status != Status.ACTIVE:
            raise HolderNotInUse(server=holder.name, status=Status(holder.status).label)
        server = holder.server
    Volume.objects.filter(resource=resource).update(server=server)


def holders(finding: Finding) -> QuerySet[Resource]:
    """The servers of ours that a volume has been found at. To be locked with it."""
    found = finding.differences.filter(field=Field.ATTACHED_TO).exclude(found="").values("found")
    return Resource.objects.none() if finding.resource is None else _standing_at(finding.resource, found)


def _standing_at(volume: Resource, ids: Any) -> QuerySet[Resource]:
    """Servers beside it, by their ids in the cloud."""
    servers = Resource.objects.filter(
        kind=ResourceKind.SERVER, cloud=volume.cloud_id, system=volume.system_id, external_id__in=ids
    )
    return servers.exclude(status=Status.RELEASED)


def _cannot(difference: Difference) -> CannotBeAdopted:
    return CannotBeAdopted(value=difference.found, field=str(Field(difference.field).label))


_ADOPTS: Mapping[Field, Callable[[Resource, Difference], None]] = {
    Field.NAME: _name,
    Field.POWER: _power,
    Field.FLAVOR: _flavor,
    Field.SIZE: _size,
    Field.STORAGE_CLASS: _storage_class,
    Field.ATTACHED_TO: _attached_to,
    Field.OUTSIDE_ADDRESS: _outside_address,
}
