"""Recording events. Called inside the transaction that makes the change, so that one cannot be without the other."""

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from govcloud.audit.models import Event, Outcome

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
    if not connection.in_atomic_block:
        raise RuntimeError("an audit event is written in the transaction of the change it tells of")
    return Event.objects.create(
        at=at,
        actor=actor.audit_ref,
        actor_name=actor.audit_name,
        verb=verb,
        subject_type=subject._meta.label_lower if subject is not None else "",  # type: ignore[attr-defined]  # noqa: SLF001
        subject_id=subject.uuid if subject is not None else None,
        subject_label=label or (str(subject) if subject is not None else ""),
        thread=thread,
        before=_plain(before),
        after=_plain(after),
        outcome=outcome,
        reason=reason,
        request_id=request_id.get(),
    )


def _plain(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """The values as JSON holds them, so that what is hashed at sealing is what is read back later."""
    encoder = DjangoJSONEncoder()
    return {k: v if isinstance(v, (str, int, bool, type(None))) else _encoded(encoder, v) for k, v in (values or {}).items()}


def _encoded(encoder: DjangoJSONEncoder, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _encoded(encoder, v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encoded(encoder, v) for v in value]
    return value if isinstance(value, (str, int, bool, type(None))) else str(encoder.default(value) if not isinstance(value, float) else value)


@contextlib.contextmanager
def request(identifier: str) -> Iterator[None]:
    """Give every event recorded inside the id of the request that caused it."""
    token = request_id.set(identifier)
    try:
        yield
    finally:
        request_id.reset(token)
