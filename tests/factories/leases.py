"""Leases at every stage, made by the services themselves on resources that nobody has built."""

from datetime import datetime, timedelta

from govcloud.inventory.models import Resource, Server
from govcloud.leases import notices, services
from govcloud.leases.models import Expiry, Notice, NoticeKind


def ending(resource: Resource, *, at: datetime) -> Resource:
    """Its lease ends at that moment, and that of a server's volumes with it."""
    resource.lease_end = at
    resource.save(update_fields=["lease_end"])
    Resource.objects.filter(volume__server=resource.pk).update(lease_end=at)
    return resource


def found(resource: Resource, *, at: datetime) -> Expiry:
    """A lease that ended a moment ago and has been noticed."""
    ending(resource, at=at - timedelta(minutes=1))
    services.find(at=at)
    return Expiry.objects.get(resource=resource)


def swept(*, at: datetime) -> list[services.Outcome | None]:
    """A sweep of that moment; what came of everything that was due."""
    services.find(at=at)
    notices.announce(at=at)
    return [services.advance(expiry, at=at) for expiry in services.due(at=at)]


def warned(expiry: Expiry) -> datetime:
    """Its department is told in time that it will be taken back; returns when it is."""
    notices.announce(at=expiry.reclaim_at - notices.warning_time())
    return expiry.reclaim_at


def its_grace_is_over(resource: Resource, *, at: datetime) -> Expiry:
    """What follows its end is due now, as its department was told."""
    expiry = Expiry.objects.get(resource=resource)
    begun = at - timedelta(days=30)
    Expiry.objects.filter(pk=expiry.pk).update(counts_from=begun, reclaim_at=at, next_look_at=at)
    Server.objects.filter(resource=resource, suspended_at__gt=begun).update(suspended_at=begun)
    told = Notice.objects.filter(resource=resource, kind=NoticeKind.RECLAIM)
    if not told.filter(lease_end=expiry.lease_end).exists():
        Notice.objects.create(
            resource=resource, kind=NoticeKind.RECLAIM, lease_end=expiry.lease_end, days=7,
            due_at=at, created_at=at - timedelta(days=7),
        )  # fmt: skip
    return Expiry.objects.get(resource=resource)
