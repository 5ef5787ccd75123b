"""How long a resource is let to its system, and what a server is while its lease has ended.

A volume that a server has goes by its server's lease, whatever its own date says.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from govcloud import lifecycle
from govcloud.audit import services as audit
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Power, Resource, Server
from govcloud.periods import months_after

LONGEST_MONTHS = 12
LEASE_ENDED = "lease-ended"
"""Why a server is suspended, as its audit event says it."""


def end_of(at: datetime, *, months: int) -> datetime:
    """Of a lease that begins now."""
    return months_after(at, months, timezone.get_default_timezone())


def latest_end(*, at: datetime) -> datetime:
    """No lease ends later than this, however often it is extended."""
    return end_of(at, months=LONGEST_MONTHS)


def extended(lease_end: datetime, *, months: int, at: datetime) -> datetime:
    """Months are added to what is left of a lease; one that has ended is counted from now."""
    return end_of(max(lease_end, at), months=months)


def with_server(server: Resource) -> QuerySet[Resource]:
    """The volumes that go by a server's lease."""
    return Resource.objects.filter(volume__server=server.pk, released_at=None)


def extend(
    *, resource: Resource, to: datetime, actor: audit.Actor, thread: UUID | None, at: datetime
) -> None:
    """Let a resource until then, and the volumes that go by its lease; what is let for longer by now stays so."""
    row = _locked(resource)
    to = max(to, row.lease_end or to)
    _set_end(row, to, actor=actor, thread=thread, at=at)
    with_server(resource).filter(Q(lease_end__lt=to) | Q(lease_end=None)).update(lease_end=to)


def take_back(
    *,
    resource: Resource,
    extended_to: datetime,
    to: datetime,
    volumes: Mapping[str, str | None],
    actor: audit.Actor,
    thread: UUID | None,
    at: datetime,
) -> None:
    """Undo an extension: the lease ends when it did before, and those of ``volumes`` (units) when each did (ISO 8601).

    What somebody else has extended since stays so.
    """
    row = _locked(resource)
    if row.lease_end == extended_to:
        _set_end(row, to, actor=actor, thread=thread, at=at)
    for unit, end in volumes.items():
        Resource.objects.filter(unit=unit, lease_end=extended_to).update(
            lease_end=datetime.fromisoformat(end) if end else None
        )


def _locked(resource: Resource) -> Resource:
    """As it is now: what a caller has read may have been renewed since."""
    return Resource.objects.select_for_update(no_key=True).get(pk=resource.pk)


def _set_end(row: Resource, to: datetime, *, actor: audit.Actor, thread: UUID | None, at: datetime) -> None:
    """Of a locked row."""
    before, row.lease_end = row.lease_end, to
    row.save(update_fields=["lease_end"])
    audit.record(
        actor=actor, verb="resource.renewed", subject=row, at=at, thread=thread,
        before={"lease_end": before}, after={"lease_end": to},
    )  # fmt: skip


def suspend(*, server: Server, actor: audit.Actor, thread: UUID | None, at: datetime) -> None:
    """It has been stopped, because its lease has ended. Raises WrongState for one that nobody has in hand."""
    lifecycle.transition(
        server.resource, Status.SUSPENDED, actor=actor, at=at, thread=thread, reason=LEASE_ENDED
    )
    server.suspended_at = at
    server.save(update_fields=["suspended_at"])


def mend(*, resource: Resource, actor: audit.Actor, thread: UUID | None, at: datetime) -> None:
    """Take something in hand to put it right, be it suspended: the operation gives it back as it was. Raises WrongState."""
    lifecycle.transition(resource, Status.CHANGING, actor=actor, at=at, thread=thread)


def standing_as(resource: Resource) -> Status:
    """What it is when nothing is being done with it."""
    suspended = Server.objects.filter(resource=resource, suspended_at__isnull=False)
    return Status.SUSPENDED if suspended.exists() else Status.ACTIVE


def resume(*, server: Server, actor: audit.Actor, thread: UUID | None, at: datetime) -> None:
    """Its lease has been extended, and it is as it was before. Raises WrongState for one that is not suspended."""
    lifecycle.transition(server.resource, Status.ACTIVE, actor=actor, at=at, thread=thread)
    forget_suspension(server)


def prepare_suspension(server: Server) -> None:
    """Remember what it is to be again, as it is recorded this very moment; before it is stopped."""
    Server.objects.filter(pk=server.pk).update(power_before=F("power"))


def forget_suspension(server: Server) -> None:
    server.suspended_at, server.power_before = None, ""
    server.save(update_fields=["suspended_at", "power_before"])


def power_after(server: Server) -> Power:
    """What a suspended server is to be again when its lease is extended."""
    return Power(server.power_before or Power.RUNNING)
