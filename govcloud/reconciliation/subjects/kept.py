"""What is kept of volumes: snapshots at the volume's own back end, and backups, which are recovery points to us."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils.timezone import localtime

from govcloud.catalog.models import Cloud
from govcloud.gateways.openstack import errors
from govcloud.gateways.openstack.census import Census, ListedCopy
from govcloud.inventory.lifecycle import STANDING, Status
from govcloud.inventory.models import Resource, Snapshot
from govcloud.protection import keeping
from govcloud.protection.models import LegalHold, RecoveryPoint
from govcloud.provisioning.kinds.compute import UNIT
from govcloud.reconciliation.comparison import LOST, USABLE, Seen, Standing
from govcloud.reconciliation.subjects.base import Subject, marked, standing_at
from govcloud.reconciliation.vocabulary import Field, SubjectKind


class _Kept(Subject):
    """Only a full pass lists them: they are many, and Cinder cannot be asked which have changed."""

    in_every_pass = False

    def _seen(self, row: ListedCopy) -> Seen:
        broken = row.status.startswith("error")
        return Seen(
            kind=self.kind,
            external_id=row.id,
            project_id=row.project_id,
            name=row.name,
            mark=marked([f"gc-{row.metadata.get(UNIT, '')}"], otherwise=row.name),
            at=(row.volume_id,),
            settled=broken or row.status == "available",
            fields={Field.STATE: row.status if broken else USABLE},
        )

    def _standing_one(self, row: ListedCopy) -> Seen:
        """Raises ``NotFound`` for one that the cloud still tells of after its end."""
        if row.status == "deleted":
            raise errors.NotFound(f"{row.id} is deleted", service="block-storage")
        return self._seen(row)


class Snapshots(_Kept):
    """A snapshot is recorded with its volume, and gone with it."""

    kind = SubjectKind.SNAPSHOT

    def pages(self, everything: Census, *, since: datetime | None) -> Iterator[list[Seen]]:  # noqa: ARG002
        return ([self._seen(row) for row in page] for page in everything.snapshots())

    def one(self, everything: Census, external_id: str) -> Seen:
        return self._standing_one(everything.snapshot(external_id))

    def _snapshots(self, cloud: Cloud) -> QuerySet[Snapshot]:
        return Snapshot.objects.filter(volume__resource__cloud=cloud, deleted_at=None)

    def recorded(self, cloud: Cloud, *, before: datetime) -> QuerySet[Any, str]:
        kept = self._snapshots(cloud).filter(volume__resource__status__in=STANDING, taken_at__lt=before)
        return kept.values_list("external_id", flat=True)

    def standing(self, cloud: Cloud, ids: Collection[str]) -> dict[str, Standing | None]:
        """None while its volume is in hand, as it is while the snapshot is taken, deleted or the volume put back to it."""
        rows = self._snapshots(cloud).filter(external_id__in=ids).select_related("volume__resource")
        return {
            row.external_id: standing_at(
                self.kind,
                row.volume.resource,
                row.external_id,
                row.unit,
                {Field.STATE: USABLE},
                name=row.name,
            )
            for row in rows
        }

    def strangers(self, unmarked: Sequence[Seen]) -> list[Seen]:
        """Without those of volumes that are not ours, whose findings tell of them, and those that Cinder makes for as long as
        it backs up a volume that is attached.
        """
        of = {volume for seen in unmarked for volume in seen.at}
        ours = set(Resource.objects.filter(external_id__in=of).values_list("external_id", flat=True))
        its_own = {f"backup-snap-{volume}" for volume in of}
        return [seen for seen in unmarked if ours.issuperset(seen.at) and seen.name not in its_own]


class RecoveryPoints(_Kept):
    """A recovery point outlasts its volume where that was lost: then it may be all there is of it.

    One that is recorded as lost and seen again is different from its record, and can be taken back into it.
    """

    kind = SubjectKind.RECOVERY_POINT

    def pages(self, everything: Census, *, since: datetime | None) -> Iterator[list[Seen]]:  # noqa: ARG002
        return ([self._seen(row) for row in page] for page in everything.backups())

    def one(self, everything: Census, external_id: str) -> Seen:
        return self._standing_one(everything.backup(external_id))

    def recorded(self, cloud: Cloud, *, before: datetime) -> QuerySet[Any, str]:
        points = RecoveryPoint.objects.filter(volume__resource__cloud=cloud, expired_at=None)
        kept = points.filter(taken_at__lt=before)
        return kept.exclude(volume__resource__status=Status.RELEASING).values_list("external_id", flat=True)

    def standing(self, cloud: Cloud, ids: Collection[str]) -> dict[str, Standing | None]:
        """None for one that is being deleted, or is of what is being released. Whatever else is done with a volume leaves its points alone."""
        hold = LegalHold.objects.filter(point=OuterRef("pk"), lifted_at=None).values("placed_at")[:1]
        known = Q(external_id__in=ids, expired_at=None) | Q(external_id__in=ids, lost=True)
        rows: QuerySet[RecoveryPoint] = RecoveryPoint.objects.filter(known, volume__resource__cloud=cloud)
        rows = rows.select_related("volume__resource", "step")
        going = keeping.being_deleted(cloud=cloud, ids=ids)
        found: dict[str, Standing | None] = {}
        for row in rows.annotate(held_since=Subquery(hold)):
            resource = row.volume.resource
            if resource.status == Status.RELEASING or row.external_id in going:
                found[row.external_id] = None
                continue
            fields = {Field.STATE: LOST if row.lost else USABLE}
            if row.held_since is not None:
                fields[Field.LEGAL_HOLD] = _told(row.held_since)
            found[row.external_id] = Standing(
                kind=self.kind,
                external_id=row.external_id,
                resource=resource.pk,
                unit=row.step.unit,
                system=resource.system_id,
                fields=fields,
                name=f"{resource.name} {_told(row.taken_at)}",
                lost=row.lost,
            )
        return found


def _told(at: datetime) -> str:
    return f"{localtime(at):%Y-%m-%d %H:%M}"
