"""Telling departments: what is due is found by the dates, a batch at a time, and written once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from govcloud.alone import alone
from govcloud.audit import services as audit
from govcloud.inventory.models import Resource
from govcloud.leases import postings
from govcloud.leases.models import Notice, NoticeKind
from govcloud.leases.queries import let

LEASES = audit.SystemActor("leases")
BATCH = 500
ALONE = 0x676F_6C65  # the advisory lock of whoever goes through the leases


@dataclass(frozen=True, slots=True)
class Due:
    """A notice, and the resources that it is due for, each with ``due_at``."""

    kind: NoticeKind
    days: int
    resources: QuerySet[Resource]


def due(*, at: datetime) -> Iterator[Due]:
    """Warnings that have not been given. Of several that were missed only the last is: it says how little time is left."""
    for days, after in _windows(settings.LEASE_NOTICE_DAYS):
        ends = let().filter(lease_end__gt=at + after, lease_end__lte=at + timedelta(days=days))
        yield _due(NoticeKind.ENDING, days, ends.annotate(due_at=F("lease_end")))
    for days, after in _windows(settings.LEASE_RECLAIM_NOTICE_DAYS):
        goes = let().filter(
            expiries__lease_end=F("lease_end"), expiries__reclaim=None,
            expiries__reclaim_at__gt=at + after, expiries__reclaim_at__lte=at + timedelta(days=days),
        )  # fmt: skip
        yield _due(NoticeKind.RECLAIM, days, goes.annotate(due_at=F("expiries__reclaim_at")))


def _windows(days: Sequence[int]) -> Iterator[tuple[int, timedelta]]:
    """Each number of days, and where the next smaller one takes over."""
    ordered = sorted(set(days))
    for day, smaller in zip(ordered, [0, *ordered], strict=False):
        yield day, timedelta(days=smaller)


def _due(kind: NoticeKind, days: int, resources: QuerySet[Resource]) -> Due:
    told = Notice.objects.filter(
        resource=OuterRef("pk"), kind=kind, days=days, lease_end=OuterRef("lease_end")
    )
    return Due(kind, days, resources.filter(~Exists(told)).order_by("pk"))


def announce(*, at: datetime, tell: Callable[[str, int], None] = lambda _what, _count: None) -> int:
    """Give the warnings that are due; returns how many. Whoever comes while somebody else does it leaves it to them."""
    given = 0
    for warning in due(at=at):
        while count := _announce(warning, at=at):
            given += count
            tell(str(warning.kind.label), count)
            if count < BATCH:
                break
    return given


@transaction.atomic
def _announce(warning: Due, *, at: datetime) -> int:
    if not alone(ALONE):
        return 0
    resources = list(warning.resources[:BATCH])
    write(resources, kind=warning.kind, days=warning.days, at=at)
    return len(resources)


def write(resources: Sequence[Resource], *, kind: NoticeKind, at: datetime, days: int | None = None) -> None:
    """Write the notice for each of them; without days it is of what happens now."""
    Notice.objects.bulk_create(
        Notice(
            resource=resource,
            kind=kind,
            lease_end=end_of(resource),
            days=days,
            due_at=getattr(resource, "due_at", at),
            created_at=at,
        )
        for resource in resources
    )
    entries = [
        audit.Entry(
            subject=resource,
            thread=resource.thread,
            after={"kind": kind, "days": days, "lease_end": resource.lease_end},
        )
        for resource in resources
    ]
    audit.record_many(actor=LEASES, verb="lease.notified", entries=entries, at=at)
    postings.post(resources, kind=kind, at=at)


def end_of(resource: Resource) -> datetime:
    if resource.lease_end is None:
        raise ValueError(f"{resource.uuid} is not let")
    return resource.lease_end
