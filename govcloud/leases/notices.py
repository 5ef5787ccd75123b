"""Telling departments: what is due is found by the dates, a batch at a time, and written once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from govcloud.alone import alone
from govcloud.audit import services as audit
from govcloud.inventory.models import Resource, ResourceKind
from govcloud.leases import postings
from govcloud.leases.models import Expiry, Notice, NoticeKind
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
    first: bool = False  # of those that tell of taking back: it comes no sooner after it than these days


def due(*, at: datetime) -> Iterator[Due]:
    """Warnings that have not been given. Of several that were missed only the last is: it says how little time is left.

    The first that tells of taking back is never missed: given late, it moves the date.
    """
    for days, after in _windows(settings.LEASE_NOTICE_DAYS):
        ends = let().filter(lease_end__gt=at + after, lease_end__lte=at + timedelta(days=days))
        yield _due(NoticeKind.ENDING, days, ends.annotate(due_at=F("lease_end")))
    if settings.LEASE_RECLAIM_NOTICE_DAYS:
        yield from _of_taking_back(at=at)


def _of_taking_back(*, at: datetime) -> Iterator[Due]:
    """A server that is still to be stopped is not told of: its grace has not begun."""
    stopped = ~Q(kind=ResourceKind.SERVER) | Q(expiries__suspension__isnull=False)
    goes = let().filter(stopped, expiries__lease_end=F("lease_end"), expiries__reclaim=None)
    goes = goes.annotate(due_at=F("expiries__reclaim_at"), counts_from=F("expiries__counts_from"))
    told = Notice.objects.filter(
        resource=OuterRef("pk"), kind=NoticeKind.RECLAIM,
        lease_end=OuterRef("lease_end"), created_at__gte=OuterRef("counts_from"),
    )  # fmt: skip
    soonest = at + warning_time()
    unwarned = goes.filter(~Exists(told), due_at__lte=soonest).order_by("pk")
    yield Due(NoticeKind.RECLAIM, warning_time().days, unwarned, first=True)
    for days, after in _windows(settings.LEASE_RECLAIM_NOTICE_DAYS)[:-1]:
        warned = goes.filter(Exists(told), ~Exists(told.filter(days=days)))
        soon = warned.filter(due_at__gt=at + after, due_at__lte=at + timedelta(days=days))
        yield Due(NoticeKind.RECLAIM, days, soon.order_by("pk"))


def warning_time() -> timedelta:
    """How long before something is taken back its department is told at the latest."""
    return timedelta(days=max(settings.LEASE_RECLAIM_NOTICE_DAYS, default=0))


def soonest(expiry: Expiry, *, at: datetime) -> datetime:
    """Before this nothing may be taken back, by what its department was told in the grace that goes on; now, if all was told in time."""
    told = Notice.objects.filter(
        resource=expiry.resource_id, kind=NoticeKind.RECLAIM,
        lease_end=expiry.lease_end, created_at__gte=expiry.counts_from,
    )  # fmt: skip
    first = told.order_by("created_at").values_list("created_at", flat=True).first()
    return max(at, (first or at) + warning_time())


def _windows(days: Sequence[int]) -> list[tuple[int, timedelta]]:
    """Each number of days, the smallest first, and where the next smaller one takes over."""
    ordered = sorted(set(days))
    return [(day, timedelta(days=smaller)) for day, smaller in zip(ordered, [0, *ordered], strict=False)]


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
    if warning.first:
        _move(resources, no_sooner_than=at + timedelta(days=warning.days))
    write(resources, kind=warning.kind, days=warning.days, at=at)
    return len(resources)


def _move(resources: Sequence[Resource], *, no_sooner_than: datetime) -> None:
    """What comes too soon after its notice comes later, and the notice says so. In one order, as others may move the same dates."""
    rows = Expiry.objects.filter(resource__in=resources, lease_end=F("resource__lease_end"), reclaim=None)
    expiries = list(rows.select_for_update(of=("self",), no_key=True).order_by("pk"))
    for expiry in expiries:
        expiry.reclaim_at = max(expiry.reclaim_at, no_sooner_than)
    Expiry.objects.bulk_update(expiries, ["reclaim_at"])
    dates = {expiry.resource_id: expiry.reclaim_at for expiry in expiries}
    for resource in resources:
        vars(resource)["due_at"] = dates.get(resource.pk, no_sooner_than)


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
