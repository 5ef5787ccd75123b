"""Sealing: events are hashed in batches, and each batch with the one before it.

What has been sealed cannot be changed, removed or put in between without the chain showing it, and the record is
named. What the chain cannot show is its own end being cut off: keep a seal's number and digest somewhere else, and
verify against it (``anchor``).

An event is sealed once every transaction that could still come before it is over: those below the oldest one running
(``pg_snapshot_xmin``). So nothing ever appears behind a seal.

What ``pg_restore`` brought into another cluster names transactions of the old one. The new one counts from near zero and
might reach them in years, so what is above all that has ended here (``pg_snapshot_xmax``) is over as well. That is safe: the
events are read with the very snapshot whose numbers they are compared with, and nothing of a transaction that had not ended
by then is seen in it, whether it began before, between or after. It is read and sealed another time, by the rule above. Only
what we wrote ourselves is seen earlier, and is left out. All numbers are xid8, with their epoch: none comes twice in a cluster.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models, transaction
from django.db.models.functions import Now

from govcloud.alone import alone
from govcloud.audit.models import Event, Seal, SealedEvent

ALGORITHMS: Mapping[str, Callable[[], hashes.HashAlgorithm]] = {"sm3": hashes.SM3, "sha256": hashes.SHA256}
"""By the name that is stored with a seal: SM3 (GB/T 32905) where national algorithms are asked for, else SHA-256."""

COLUMNS = tuple(field.attname for field in Event._meta.concrete_fields)  # noqa: SLF001
"""Everything there is of an event goes into its digest."""

BATCH = 10_000
SEALER = 0x676F_7673  # the advisory lock that one sealer holds
LATE = timedelta(hours=1)  # an event that waits longer tells that sealing has stopped


class OldestRunning(models.Func):
    """The oldest transaction still running: every one below it has committed or is gone for good."""

    template = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    output_field = models.BigIntegerField()


class FirstUnseen(models.Func):
    """One above the last transaction that has ended: an event of it or of a later one that is seen was not written here."""

    template = "pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    output_field = models.BigIntegerField()


class Ours(models.Func):
    """The transaction that asks, 0 as long as it has written nothing."""

    template = "coalesce(pg_current_xact_id_if_assigned()::text::bigint, 0)"
    output_field = models.BigIntegerField()


def seal(*, at: datetime, algorithm: str | None = None, limit: int = BATCH) -> Seal | None:
    """Seal the oldest unsealed events, ``limit`` at most; None when there are none or somebody else is sealing.

    Raises ImproperlyConfigured for an algorithm (``settings.AUDIT_HASH`` by default) that there is not.
    """
    name = algorithm or settings.AUDIT_HASH
    if name not in ALGORITHMS:
        raise ImproperlyConfigured(f"AUDIT_HASH: {name} is none of {', '.join(ALGORITHMS)}")
    with transaction.atomic():
        if not alone(SEALER):
            return None
        events = list(_waiting().values(*COLUMNS)[:limit])
        return _write(events, name, at) if events else None


def _waiting() -> models.QuerySet[Event]:
    elsewhere = models.Q(transaction__gte=FirstUnseen()) & ~models.Q(transaction=Ours())
    over = models.Q(transaction__lt=OldestRunning()) | elsewhere
    return Event.objects.filter(over, sealed=None).order_by("transaction", "id")


def unsealed() -> float:
    """Seconds for which the oldest event without a seal has been waiting; 0 when there is none.

    By the database's own clock, with which events are stamped: the demo's is moved by months.
    """
    oldest = Event.objects.filter(sealed=None).order_by("id").values("id")[:1]  # by two indexes alone
    row = Event.objects.filter(id=models.Subquery(oldest)).annotate(age=Now() - models.F("recorded_at"))
    age = row.values_list("age", flat=True).first()
    return max(age.total_seconds(), 0.0) if age else 0.0


def _write(events: Sequence[Mapping[str, Any]], algorithm: str, at: datetime) -> Seal:
    last = Seal.objects.order_by("-number").first()
    digests = [event_digest(event, algorithm) for event in events]
    draft = Seal(
        number=last.number + 1 if last else 1,
        at=at,
        algorithm=algorithm,
        previous=last.digest if last else "",
        events=len(events),
    )
    draft.digest = seal_digest(draft, digests)
    draft.save(force_insert=True)
    SealedEvent.objects.bulk_create(
        (
            SealedEvent(event_id=event["id"], seal=draft, position=position, digest=digest)
            for position, (event, digest) in enumerate(zip(events, digests, strict=True), start=1)
        ),
        batch_size=2_000,
    )
    return draft


def event_digest(event: Mapping[str, Any], algorithm: str) -> str:
    """Hex digest over the canonical JSON of all the event's columns."""
    return hexdigest(algorithm, canonical({column: event[column] for column in COLUMNS}))


def seal_digest(seal: Seal, digests: Iterable[str]) -> str:
    """Hex digest over everything the seal says, the digest of the seal before it, and those of its events in order."""
    columns = {
        "number": seal.number,
        "at": seal.at,
        "algorithm": seal.algorithm,
        "previous": seal.previous,
        "events": seal.events,
        "digests": list(digests),
    }
    return hexdigest(seal.algorithm, canonical(columns))


def canonical(value: Mapping[str, Any]) -> bytes:
    """JSON in one form only: keys sorted, no spaces, UTF-8, instants in UTC to the microsecond."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
    return text.encode()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value)


def hexdigest(algorithm: str, content: bytes) -> str:
    """The content's digest by the algorithm of that name, in lower-case hexadecimal."""
    digest = hashes.Hash(ALGORITHMS[algorithm]())
    digest.update(content)
    return digest.finalize().hex()
