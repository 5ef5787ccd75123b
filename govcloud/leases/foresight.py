"""What a sweep would do now. It keeps nothing locked: things can have changed when the sweep comes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction

from govcloud.inventory.models import Resource, ResourceKind
from govcloud.leases import notices, obstacles, services
from govcloud.leases.models import Expiry
from govcloud.leases.obstacles import Found


@dataclass(frozen=True, slots=True)
class Foreseen:
    what: str  # "suspend", "take back", "let it rest", "warn, 7 days"
    resource: Resource
    reclaim_at: datetime | None = None
    waits_for: str = ""


def foresee(*, at: datetime) -> Iterator[Foreseen]:
    """Warnings, then leases that have just ended, then those that have and for which something is due."""
    for warning in notices.due(at=at):
        for resource in warning.resources.select_related("system"):
            yield Foreseen(f"warn ({warning.kind}), {warning.days} days", resource)
    for resource in services.run_out(at=at).select_related("system__department", "server"):
        yield _ended(resource, at + settings.LEASE_GRACE)
    due = Expiry.objects.in_force().due(at=at).filter(reclaim=None)
    for expiry in due.select_related("resource__system__department", "resource__server", "resource__backup"):
        resource = expiry.resource
        if resource.kind == ResourceKind.SERVER and expiry.suspension_id is None:
            yield _ended(resource, expiry.reclaim_at)
        elif expiry.reclaim_at <= at:
            found = _to_reclaim(resource)
            what = "let it rest" if services.rests(expiry, found, at=at) else "take back"
            yield Foreseen(what, resource, expiry.reclaim_at, _told(found))


def _ended(resource: Resource, reclaim_at: datetime) -> Foreseen:
    if resource.kind != ResourceKind.SERVER:
        return Foreseen("begin its grace", resource, reclaim_at)
    return Foreseen("suspend", resource, reclaim_at, _told(obstacles.to_suspension(resource)))


def _to_reclaim(resource: Resource) -> Found | None:
    with transaction.atomic():  # it looks at legal holds under a lock
        return obstacles.to_reclaim(resource)


def _told(found: Found | None) -> str:
    return f"{found.obstacle} {found.detail}".strip() if found else ""
