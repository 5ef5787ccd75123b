"""Leases at every stage, made by the services themselves on resources that nobody has built."""

from datetime import datetime, timedelta

from govcloud.inventory.models import Resource
from govcloud.leases import notices, services
from govcloud.leases.models import Expiry


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


def its_grace_is_over(resource: Resource, *, at: datetime) -> Expiry:
    """What follows its end is due now."""
    Expiry.objects.filter(resource=resource).update(reclaim_at=at, next_look_at=at)
    return Expiry.objects.get(resource=resource)
