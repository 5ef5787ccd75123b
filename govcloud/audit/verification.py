"""Verifying the chain of seals against the events as they are now."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from govcloud.audit.models import Event, Seal
from govcloud.audit.sealing import ALGORITHMS, COLUMNS, LATE, event_digest, seal_digest, unsealed

Row = Mapping[str, Any]

SEAL = ("number", "at", "algorithm", "previous", "digest", "events")
ENTRY = ("entries__position", "entries__digest", "entries__event_id")
EVENT = {f"entries__event__{column}": column for column in COLUMNS}


class Damage(models.TextChoices):
    EVENT_CHANGED = "event-changed", _("the event is not as it was sealed")
    EVENT_MISSING = "event-missing", _("the sealed event is gone")
    ENTRY_MISSING = "entry-missing", _("the seal has fewer events than it was made of")
    SEAL_CHANGED = "seal-changed", _("the seal is not as it was made")
    SEAL_MISSING = "seal-missing", _("the seal is gone")
    ANCHOR_DIFFERS = "anchor-differs", _("the seal is not the one that was kept elsewhere")


@dataclass(frozen=True, slots=True)
class Anchor:
    """A seal's number and digest as kept outside of this database."""

    seal: int
    digest: str


@dataclass(frozen=True, slots=True)
class Breach:
    """The first record that is not what it was: a seal, and the place and id of an event in it where it is one."""

    damage: Damage
    seal: int
    position: int | None = None
    event: int | None = None
    event_uuid: UUID | None = None

    def __str__(self) -> str:
        place = f", place {self.position}" if self.position is not None else ""
        event = f", event {self.event}" if self.event is not None else ""
        return f"seal {self.seal}{place}{event}: {self.damage.label}"


@dataclass(frozen=True, slots=True)
class Verification:
    """How far the chain holds, and the seal it ends with, worth keeping elsewhere."""

    seals: int
    events: int
    waiting: int  # events not sealed yet
    waiting_seconds: float  # how long the oldest of them has been
    last: Anchor | None
    breach: Breach | None

    @property
    def intact(self) -> bool:
        return self.breach is None

    @property
    def late(self) -> bool:
        """Whether sealing has stopped: what waits for too long can be changed, and no seal shows it."""
        return self.waiting_seconds > LATE.total_seconds()


def verify(*, anchors: Collection[Anchor] = ()) -> Verification:
    """Recompute every digest from the first seal on, in one pass; stops at the first breach."""
    seals = events = 0
    last: Anchor | None = None
    breach: Breach | None = None
    for seal, entries in sealed():
        breach = _breach(seal, entries, last, anchors)
        if breach is not None:
            break
        seals, events, last = seals + 1, events + seal.events, Anchor(seal.number, seal.digest)
    if breach is None and any(seals < anchor.seal for anchor in anchors):
        breach = Breach(Damage.SEAL_MISSING, seals + 1)
    waiting = Event.objects.filter(sealed=None).count()
    return Verification(seals, events, waiting, unsealed(), last, breach)


def sealed(*, first: int = 1, last: int | None = None) -> Iterator[tuple[Seal, list[Row]]]:
    """Each seal, from the first to the last named, with its entries and their events; what is gone of an entry reads None."""
    seals = Seal.objects.filter(number__gte=first)
    if last is not None:
        seals = seals.filter(number__lte=last)
    rows = seals.order_by("number", "entries__position").values(*SEAL, *ENTRY, *EVENT)
    for _number, group in groupby(rows.iterator(chunk_size=5_000), key=itemgetter("number")):
        entries = list(group)
        yield Seal(**{column: entries[0][column] for column in SEAL}), entries


def _breach(
    seal: Seal, entries: list[Row], last: Anchor | None, anchors: Collection[Anchor]
) -> Breach | None:
    expected = last.seal + 1 if last else 1
    if seal.number != expected:
        return Breach(Damage.SEAL_MISSING, expected)
    if seal.algorithm not in ALGORITHMS or seal.previous != (last.digest if last else ""):
        return Breach(Damage.SEAL_CHANGED, seal.number)
    found = _broken_entry(seal, entries)
    if found is not None:
        return found
    if seal.digest != seal_digest(seal, (entry["entries__digest"] for entry in entries)):
        return Breach(Damage.SEAL_CHANGED, seal.number)
    if any(anchor.seal == seal.number and anchor.digest != seal.digest for anchor in anchors):
        return Breach(Damage.ANCHOR_DIFFERS, seal.number)
    return None


def _broken_entry(seal: Seal, entries: Iterable[Row]) -> Breach | None:
    """The first event of the seal that is changed or gone."""
    place = 0
    for place, entry in enumerate(entries, start=1):
        if entry["entries__position"] != place:
            return Breach(Damage.ENTRY_MISSING, seal.number, place)
        pk = entry["entries__event_id"]
        if entry["entries__event__uuid"] is None:  # its id is that of the entry, there or not
            return Breach(Damage.EVENT_MISSING, seal.number, place, pk)
        event = {column: entry[name] for name, column in EVENT.items()}
        if event_digest(event, seal.algorithm) != entry["entries__digest"]:
            return Breach(Damage.EVENT_CHANGED, seal.number, place, pk, event["uuid"])
    if place < seal.events:
        return Breach(Damage.ENTRY_MISSING, seal.number, place + 1)
    return None


def anchored(text: str) -> Anchor:
    """An anchor as written down, ``NUMBER:DIGEST``. Raises ValueError when it is not one."""
    number, _colon, digest = text.partition(":")
    found = Anchor(int(number), digest)
    if found.seal < 1:
        raise ValueError("seals are counted from 1: nothing would be held against it")
    return found
