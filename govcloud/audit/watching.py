"""What becomes known of a request that may write, so that its edge can tell of it when it is refused.

Whoever finds something out says so here, wherever that is. Outside of ``watched()`` (a request that reads, a command, the engine)
nobody listens.
"""

import contextlib
import contextvars
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from govcloud.audit.services import Actor, Subject


@dataclass(slots=True)
class Watched:
    begun: bool = False
    """Whether its view was reached: nothing before it has turned the request away."""
    actor: Actor | None = None
    """Who was recognised, though perhaps not let in."""
    code: str = ""
    """Of the error that it was last refused with."""
    found: dict[object, Subject] = field(default_factory=dict)
    """What the actor may see of that which the address names, by the name that it has there."""
    told: bool = False
    """Whether a refusal has an event of its own already."""
    undone: bool = False
    """Whether it has done nothing although it may be answered as if it had, with a report of what was wrong."""
    only_looks: bool = False
    """Whether it would have written nothing even if all had gone well: a preview."""


_watched: contextvars.ContextVar[Watched | None] = contextvars.ContextVar("watched_request", default=None)


@contextlib.contextmanager
def watched() -> Iterator[Watched]:
    watch = Watched()
    token = _watched.set(watch)
    try:
        yield watch
    finally:
        _watched.reset(token)


def note(**known: Any) -> None:
    """What is known now of the request: the fields of ``Watched``."""
    watch = _watched.get()
    if watch is not None:
        for name, value in known.items():
            setattr(watch, name, value)


def found(name: object, one: Any) -> None:
    """What the address calls ``name``; what has no public id cannot be told of."""
    watch = _watched.get()
    if watch is not None and hasattr(one, "uuid"):
        watch.found[name] = one
