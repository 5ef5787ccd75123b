"""A lease that has ended, on the page of what was let: when it is taken back, and to when that can be put off."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from govcloud.inventory.models import Resource
from govcloud.leases import services
from govcloud.leases.models import Expiry
from govcloud.leases.policies import POSTPONERS
from govcloud.portal.leases.rows import waits_for
from tenants.models import User
from tenants.policies import scope_of

UNTIL = "until"
AS_BROWSERS_SEND = "%Y-%m-%dT%H:%M"
TO_FILL_IN = timedelta(minutes=15)
"""How long the first minute that a form offers is still to come, if it is not sent at once."""
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Ended:
    """Taking back can be put off to ``first`` at the earliest, a whole minute as browsers have them, and to ``latest`` at most."""

    expiry: Expiry
    waits_for: str
    may_postpone: bool
    first: datetime
    latest: datetime
    typed: Mapping[str, str]

    @property
    def within(self) -> tuple[str, str] | None:
        """The bounds as a browser has them; None when it has been put off as far as can be."""
        if self.first > self.latest:
            return None
        first, last = (
            timezone.localtime(each).strftime(AS_BROWSERS_SEND) for each in (self.first, self.latest)
        )
        return first, last


def ended(found: Resource, actor: User, *, at: datetime, typed: Mapping[str, str]) -> Ended | None:
    """What follows the end of the resource's lease; None while it lasts, and once it is being taken back."""
    expiry = expiry_of(found) if found.lease_end is not None and found.lease_end <= at else None
    if expiry is None:
        return None
    earliest, latest = services.postponable(expiry, at=at)
    may = scope_of(actor, at=at).holds_any(POSTPONERS)
    first = _minute_after(max(earliest, at + TO_FILL_IN))
    return Ended(expiry, waits_for(expiry), may, first, latest, typed if UNTIL in typed else {})


def _minute_after(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0) + MINUTE


def expiry_of(found: Resource) -> Expiry | None:
    """The one that counts, of what is not being taken back yet."""
    rows = Expiry.objects.in_force().filter(resource=found, reclaim=None)
    return rows.select_related("postponed_by").first()
