"""How far records and clouds have been compared, for those who run it; nothing that belongs to a department. Two queries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Max, Min, Q
from django.db.models.functions import Coalesce

from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.reconciliation.lifecycle import FindingStatus, SweepStatus
from govcloud.reconciliation.models import Extent, Finding
from govcloud.reconciliation.vocabulary import FindingKind

PASSES_MISSED = 2
"""So many whole passes in a row that did not come to their end are somebody's business; one may meet a cloud that is down."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A cloud, and since when nothing is known of what people change there: the beginning of the last whole pass that was
    carried out, else the first request for one.
    """

    cloud: Cloud
    since: datetime
    age_seconds: float

    @property
    def overdue(self) -> bool:
        return timedelta(seconds=self.age_seconds) > PASSES_MISSED * settings.RECONCILE_FULL_EVERY


def compared(*, at: datetime) -> list[Compared]:
    """Of every cloud that is compared and for which a pass was ever asked for, by code."""
    whole = Q(sweeps__extent=Extent.FULL, sweeps__status=SweepStatus.DONE)
    rows = (
        Cloud.objects.exclude(status=CloudStatus.RETIRED)
        .annotate(since=Coalesce(Max("sweeps__started_at", filter=whole), Min("sweeps__requested_at")))
        .exclude(since=None)
        .order_by("code")
    )
    return [Compared(cloud, cloud.since, (at - cloud.since).total_seconds()) for cloud in rows]


def open_findings() -> Mapping[FindingKind, int]:
    """How many wait for a person, of every kind."""
    counted = (
        Finding.objects.filter(status=FindingStatus.OPEN).order_by().values_list("kind").annotate(Count("pk"))
    )
    found = dict(counted)
    return {kind: found.get(kind, 0) for kind in FindingKind}
