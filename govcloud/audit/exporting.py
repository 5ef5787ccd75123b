"""Taking the sealed trail off the machine: whole seals in files, one after the other, each of which proves itself.

The database can be rewritten by whoever owns it, chain and all; a file that has left the machine cannot. The last seal in
the files is the anchor that the database is verified against.

An export is written down before its file is delivered, so that one that was interrupted is delivered again under the same
name and with the same bytes.
"""

import gzip
import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from govcloud.alone import alone_meanwhile
from govcloud.audit import sealing, services
from govcloud.audit.models import Export, Seal
from govcloud.audit.verification import SEAL, sealed
from govcloud.errors import Conflict, Unavailable
from govcloud.gateways import deliveries

log = structlog.get_logger(__name__)

FORMAT = "govcloud-audit-1"
EXPORTER = 0x676F_7665  # the advisory lock that one exporter holds
MOST_SEALS = 50_000  # in one file

Told = Callable[[int], None]


class ExportNotConfigured(Conflict):
    code = "audit-export-not-configured"
    message = _("Nobody has said where the audit trail is to be exported to (AUDIT_EXPORT_TO).")


class ExportNotDelivered(Unavailable):
    code = "audit-export-not-delivered"
    message = _("The export could not be delivered: %(reason)s. It is tried again with the same file.")


class NothingToExport(Conflict):
    code = "audit-nothing-to-export"
    message = _("Everything that is sealed has been exported already, or an export is under way.")


def destination() -> deliveries.Destination | None:
    """Where exports go. Raises ValueError for a setting that leads nowhere."""
    if not settings.AUDIT_EXPORT_TO:
        return None
    return deliveries.destination(
        settings.AUDIT_EXPORT_TO,
        key_file=settings.AUDIT_EXPORT_KEY_FILE,
        known_hosts=settings.AUDIT_EXPORT_KNOWN_HOSTS,
    )


def due(*, at: datetime) -> bool:
    """Whether the last export is as old as one may be, or was not delivered; never where there is nowhere to export to."""
    if not settings.AUDIT_EXPORT_TO:
        return False
    last = Export.objects.order_by("-number").first()
    return last is None or last.delivered_at is None or at - last.at >= settings.AUDIT_EXPORT_EVERY


def export(*, actor: services.Actor, at: datetime, told: Told | None = None) -> Export | None:
    """Write all seals since the last export into one file and deliver it; None when there are none, or somebody else is at it.

    ``told`` hears how many events have been written so far. Raises ExportNotConfigured, and ExportNotDelivered: the next call goes
    on with the same file then.
    """
    to = destination()
    if to is None:
        raise ExportNotConfigured
    with alone_meanwhile(EXPORTER) as ours:
        return _export(to, actor, at, told or _nobody) if ours else None


def _export(to: deliveries.Destination, actor: services.Actor, at: datetime, told: Told) -> Export | None:
    row = _unfinished() or _begun(at)
    if row is None:
        return None
    with deliveries.spooled(row.file) as path:
        row.size, row.digest = _write(path, row, told)
        _deliver(path, to)
    return _delivered(row, deliveries.described(to), actor, at)


def unexported(*, at: datetime) -> float:
    """Seconds for which the oldest seal that no delivered file has has been waiting; 0 when there is none."""
    last = Export.objects.exclude(delivered_at=None).order_by("-number").first()
    waiting = Seal.objects.filter(number__gt=last.last_seal if last else 0).order_by("number")
    oldest = waiting.values_list("at", flat=True).first()
    return max((at - oldest).total_seconds(), 0.0) if oldest else 0.0


def _deliver(path: Path, to: deliveries.Destination) -> None:
    try:
        deliveries.deliver(path, to=to)
    except deliveries.NotDelivered as failure:
        raise ExportNotDelivered(reason=str(failure)) from failure


def _unfinished() -> Export | None:
    return Export.objects.filter(delivered_at=None).order_by("number").first()


def _begun(at: datetime) -> Export | None:
    last = Export.objects.order_by("-number").first()
    first = last.last_seal + 1 if last else 1
    seals = Seal.objects.filter(number__gte=first).order_by("number")[:MOST_SEALS]
    found = list(seals.values_list("number", "events"))
    if not found:
        return None
    until = found[-1][0]
    return Export.objects.create(
        number=last.number + 1 if last else 1, at=at, first_seal=first, last_seal=until,
        events=sum(events for _number, events in found), file=f"audit-{first:09d}-{until:09d}.jsonl.gz",
    )  # fmt: skip


def _delivered(row: Export, to: str, actor: services.Actor, at: datetime) -> Export:
    with transaction.atomic():
        row.delivered_at, row.destination = at, to
        row.save(update_fields=["size", "digest", "delivered_at", "destination"])
        services.record(
            actor=actor, verb="audit.exported", subject=None, label=row.file, at=at,
            after={"seals": [row.first_seal, row.last_seal], "events": row.events, "sha256": row.digest},
        )  # fmt: skip
    log.info("audit exported", file=row.file, events=row.events)
    return row


def _write(path: Path, row: Export, told: Told) -> tuple[int, str]:
    """The file's size in bytes and its SHA-256; the same rows give the same bytes."""
    with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as packed:
        for line in _lines(row, told):
            packed.write(sealing.canonical(line) + b"\n")
    content = path.read_bytes()
    return len(content), hashlib.sha256(content).hexdigest()


def _lines(row: Export, told: Told) -> Iterator[dict[str, Any]]:
    before = Seal.objects.filter(number=row.first_seal - 1).values_list("digest", flat=True).first()
    yield {
        "format": FORMAT,
        "first_seal": row.first_seal,
        "last_seal": row.last_seal,
        "previous": before or "",
    }
    written = 0
    for seal, entries in sealed(first=row.first_seal, last=row.last_seal):
        yield {"seal": {column: getattr(seal, column) for column in SEAL}}
        for entry in entries:
            event = {column: entry[f"entries__event__{column}"] for column in sealing.COLUMNS}
            yield {"event": event, "digest": entry["entries__digest"]}
        written += len(entries)
        told(written)


def _nobody(_written: int) -> None:
    """Nobody watches."""
