"""Refusals outlive the transaction that refused.

A request runs in one transaction that a refusal rolls back, and its audit event with it. So a service calls ``refuse``
for what matters (foreign ids, self-approval, quota, classified work) *outside* its own ``atomic`` block, on the way out; an
edge that has a transaction around the service (a request) opens ``kept()`` around that transaction, and the events are
written when it is over. Of all other writes that are refused the edge itself tells (``refuse_by_the_minute``).
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from django.db import transaction

from govcloud.audit import services, watching
from govcloud.audit.models import Outcome
from govcloud.audit.services import Actor, Entry, Subject

BY_THE_MINUTE = UUID("5d3c8a0e-6d0f-4b7e-9a53-0c1f3e7b2a94")
"""The name space of the ids of events that are written once a minute."""


@dataclass(frozen=True, slots=True)
class Refusal:
    actor: Actor
    verb: str
    subject: Subject | None
    at: datetime
    label: str
    thread: UUID | None
    reason: str

    def write(self) -> None:
        services.record(
            actor=self.actor,
            verb=self.verb,
            subject=self.subject,
            at=self.at,
            label=self.label,
            thread=self.thread,
            reason=self.reason,
            outcome=Outcome.REFUSED,
        )


_kept: contextvars.ContextVar[list[Callable[[], None]] | None] = contextvars.ContextVar(
    "kept_refusals", default=None
)


def refuse(
    *,
    actor: Actor,
    verb: str,
    subject: Subject | None,
    at: datetime,
    reason: str,
    label: str = "",
    thread: UUID | None = None,
) -> None:
    """Tell of a refusal: when the edge's transaction is over, or at once where no edge keeps refusals.

    ``reason`` is the stable code of the error raised; content that must not be stored has no place in ``label``.
    """
    refusal = Refusal(
        actor=actor, verb=verb, subject=subject, at=at, label=label, thread=thread, reason=reason
    )
    watching.note(told=True)
    outlive(refusal.write)


def refuse_by_the_minute(
    *, actor: Actor, verb: str, subject: Subject | None, at: datetime, label: str, reason: str
) -> None:
    """As ``refuse``, by an edge whose transaction is over: of all refusals of a minute that tell the same, the first.

    The event's id is worked out from what it tells, so that of two at once one is written, and nothing is looked up.
    """
    about = str(subject.uuid) if subject is not None else ""
    told = "\n".join((f"{at:%Y-%m-%d %H:%M}", actor.audit_ref, verb, about, label, reason))
    with transaction.atomic():
        services.record_once(
            uuid=uuid5(BY_THE_MINUTE, told),
            actor=actor,
            verb=verb,
            entry=Entry(subject, {}, label=label, reason=reason),
            at=at,
            outcome=Outcome.REFUSED,
        )


def outlive(write: Callable[[], None]) -> None:
    """Write something that a refusal has brought to light, where the refused transaction cannot take it back."""
    pending = _kept.get()
    if pending is not None:
        pending.append(write)
        return
    with transaction.atomic():
        write()


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Opened around a transaction; writes what was refused inside once that is committed or rolled back.

    Inside another one it leaves the writing to the outer, which is around the transaction that decides.
    """
    if _kept.get() is not None:
        yield
        return
    pending: list[Callable[[], None]] = []
    token = _kept.set(pending)
    try:
        yield
    finally:
        _kept.reset(token)
        if pending:
            with transaction.atomic():
                for write in pending:
                    write()
