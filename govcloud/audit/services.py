"""Recording events. Called inside the transaction that makes the change, so that one cannot be without the other."""

import contextlib
import contextvars
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Protocol
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.db.models import NOT_PROVIDED

from govcloud.audit.models import Event, Outcome

WRITTEN = tuple(
    column.attname
    for column in Event._meta.concrete_fields  # noqa: SLF001
    if not column.primary_key and column.db_default is NOT_PROVIDED
)
APPEND = (
    f"INSERT INTO audit_event ({', '.join(WRITTEN)}) "  # noqa: S608  the names of our own columns
    f"SELECT {', '.join(WRITTEN)} FROM jsonb_populate_recordset(NULL::audit_event, %s)"
)
BATCH = 5_000

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")


class Actor(Protocol):
    """Who does something: a person (``tenants.User``) or a part of the system (``SystemActor``)."""

    @property
    def audit_ref(self) -> str: ...

    @property
    def audit_name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class SystemActor:
    """A part of the system acting by itself: the engine, a deadline, the demo data."""

    name: str

    @property
    def audit_ref(self) -> str:
        return f"system:{self.name}"

    @property
    def audit_name(self) -> str:
        return self.name


class Subject(Protocol):
    """Anything with a public id can be told of."""

    @property
    def uuid(self) -> UUID: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """What one of many events is about. Values must never hold a secret or personal data."""

    subject: Subject | None
    after: Mapping[str, Any]
    before: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    thread: UUID | None = None
    reason: str = ""


def record(
    *,
    actor: Actor,
    verb: str,
    subject: Subject | None,
    at: datetime,
    label: str = "",
    thread: UUID | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    outcome: Outcome = Outcome.DONE,
    reason: str = "",
) -> Event:
    """Append one event. Values in ``before`` and ``after`` must never hold a secret or personal data.

    Raises RuntimeError outside a transaction: an event that could stay behind without its change proves nothing.
    """
    _inside_a_transaction()
    event = _event(
        actor, verb, Entry(subject, after or {}, before=before or {}, label=label, thread=thread), at
    )
    event.outcome, event.reason = outcome, reason
    event.save(force_insert=True)
    return event


def record_all(*, actor: Actor, told: Mapping[str, Entry], at: datetime) -> None:
    """Append an event for each verb, in this order and in one statement. Raises RuntimeError outside a transaction."""
    _inside_a_transaction()
    Event.objects.bulk_create(_event(actor, verb, entry, at) for verb, entry in told.items())


def record_once(
    *, uuid: UUID, actor: Actor, verb: str, entry: Entry, at: datetime, outcome: Outcome = Outcome.DONE
) -> None:
    """Append one event under this id, unless there is one. Raises RuntimeError outside a transaction."""
    _inside_a_transaction()
    event = _event(actor, verb, entry, at)
    event.uuid, event.outcome = uuid, outcome
    Event.objects.bulk_create([event], ignore_conflicts=True)


def record_many(*, actor: Actor, verb: str, entries: Iterable[Entry], at: datetime) -> int:
    """Append an event for each entry, by the thousand in one statement; returns how many.

    Raises RuntimeError outside a transaction.
    """
    _inside_a_transaction()
    rows = (_row(_event(actor, verb, entry, at)) for entry in entries)
    count = 0
    with connection.cursor() as cursor:
        while batch := list(islice(rows, BATCH)):
            cursor.execute(APPEND, [json.dumps(batch, cls=DjangoJSONEncoder)])
            count += len(batch)
    return count


def _inside_a_transaction() -> None:
    if not connection.in_atomic_block:
        raise RuntimeError("an audit event is written in the transaction of the change it tells of")


def _row(event: Event) -> dict[str, Any]:
    return {column: getattr(event, column) for column in WRITTEN} | {"at": event.at.isoformat()}


def _event(actor: Actor, verb: str, entry: Entry, at: datetime) -> Event:
    subject = entry.subject
    return Event(
        at=at,
        actor=actor.audit_ref,
        actor_name=actor.audit_name,
        verb=verb,
        subject_type=subject._meta.label_lower if subject is not None else "",  # type: ignore[attr-defined]  # noqa: SLF001
        subject_id=subject.uuid if subject is not None else None,
        subject_label=entry.label or (str(subject) if subject is not None else ""),
        thread=entry.thread,
        before=dict(entry.before),
        after=dict(entry.after),
        reason=entry.reason,
        request_id=request_id.get(),
    )


@contextlib.contextmanager
def request(identifier: str) -> Iterator[None]:
    """Give every event recorded inside the id of the request that caused it."""
    token = request_id.set(identifier)
    try:
        yield
    finally:
        request_id.reset(token)
