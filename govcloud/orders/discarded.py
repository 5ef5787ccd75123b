"""Files that are kept for nothing: those of failed uploads, which no row names, and those of drafts that were thrown away.

What an order was ever submitted with stays, and so does whatever else is with an order that was submitted.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction

from govcloud.alone import alone
from govcloud.audit.services import Entry, SystemActor, record, record_many
from govcloud.orders.attachments import path_of, told_of
from govcloud.orders.lifecycle import Status
from govcloud.orders.models import Attachment, Order

log = structlog.get_logger(__name__)

SWEEPER = SystemActor("attachments")
ALONE = 0x676F_6174  # the advisory lock of whoever removes files
OLD = timedelta(days=1)  # an upload takes minutes: what is younger may be one whose row is still to come
AT_ONCE = 500  # files that are told of in one event
MOST_UNNAMED = 100  # more than these, and more than there are rows, is no crash of ours but another installation's directory


@dataclass(frozen=True, slots=True)
class Left:
    """A file in the store that no row names."""

    uuid: UUID
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Swept:
    """How many files were removed; or would be."""

    unnamed: int
    discarded: int


def unnamed(*, now: datetime) -> Iterator[Left]:
    """Files in the store, older than a day by the machine's own clock, that no row names. Whatever else is there is not ours."""
    for some in _in_parts(_old_files(now - OLD)):
        named = set(
            Attachment.objects.filter(uuid__in=[each.uuid for each in some]).values_list("uuid", flat=True)
        )
        yield from (each for each in some if each.uuid not in named)


def thrown_away(*, at: datetime) -> list[Order]:
    """Withdrawn orders that were never submitted, as long ago as is kept, and still have files."""
    until = at - settings.DISCARDED_FILES_KEPT
    rows = Order.objects.filter(
        status=Status.WITHDRAWN, finished_at__lt=until, revisions=None, case=None, attachments__isnull=False
    )
    return list(rows.distinct().order_by("pk"))


def sweep(*, now: datetime, at: datetime, whatever: bool = False) -> Swept:
    """Remove both kinds, audited; a second one at the same time does nothing. ``now`` is the machine's own time, by which files are
    stamped, ``at`` that of the service.

    Where far too many files have no row, none of them is removed unless ``whatever``: the directory may be another's, or the
    database an older one.
    """
    with transaction.atomic():
        if not alone(ALONE):
            return Swept(0, 0)
        found = list(unnamed(now=now))
        if len(found) > max(MOST_UNNAMED, Attachment.objects.count()) and not whatever:
            log.error("files without rows are left: is ATTACHMENT_DIR this installation's?", files=len(found))
            found = []
        for some in _in_parts(found):
            _remove_unnamed(some, at=at)
        discarded = sum(_discard(order, at=at) for order in thrown_away(at=at))
    return Swept(len(found), discarded)


def _remove_unnamed(files: Sequence[Left], *, at: datetime) -> None:
    record(
        actor=SWEEPER, verb="attachment.swept", subject=None, at=at,
        after={"files": [str(each.uuid) for each in files], "size": sum(each.size for each in files)},
    )  # fmt: skip
    _unlink([each.uuid for each in files])


def _discard(order: Order, *, at: datetime) -> int:
    """Its files, for good: nothing is added to or taken out of an order that is withdrawn."""
    rows = list(order.attachments.all())
    entries = [
        Entry(order, {}, before=told_of(row), label=row.name, thread=order.uuid, reason="draft-discarded")
        for row in rows
    ]
    record_many(actor=SWEEPER, verb="attachment.removed", entries=entries, at=at)
    order.attachments.all().delete()
    _unlink([row.uuid for row in rows])
    return len(rows)


def _unlink(uuids: Sequence[UUID]) -> None:
    """Once it is certain that no row names them; what a crash leaves of them is found the next time."""

    def unlink() -> None:
        for uuid in uuids:
            path_of(uuid).unlink(missing_ok=True)

    transaction.on_commit(unlink)


def _in_parts(files: Iterable[Left]) -> Iterator[tuple[Left, ...]]:
    rest = iter(files)
    while some := tuple(islice(rest, AT_ONCE)):
        yield some


def _old_files(before: datetime) -> Iterator[Left]:
    root = Path(settings.ATTACHMENT_DIR)
    if not root.is_dir():
        return
    for folder in sorted(root.iterdir()):
        if not folder.is_dir():
            continue
        with os.scandir(folder) as entries:
            for entry in entries:
                uuid = _uuid_of(Path(entry.path))
                if uuid is None or not entry.is_file(follow_symlinks=False):
                    continue
                found = entry.stat(follow_symlinks=False)
                if found.st_mtime < before.timestamp():
                    yield Left(uuid, found.st_size)


def _uuid_of(path: Path) -> UUID | None:
    """The id that it is kept under; None of what is not kept as attachments are."""
    try:
        uuid = UUID(hex=path.name)
    except ValueError:
        return None
    return uuid if path_of(uuid) == path else None
