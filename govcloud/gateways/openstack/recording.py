"""A record of every exchange with a cloud, for whoever wants to keep it, and a last word before those that change something.

The engine stores the request ids of a step's calls; the tests count them. What is recorded never holds a header, a body,
a query or a host: nothing in it is secret.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP exchange. ``status`` is ``None`` when no answer came; ``error`` then names what happened instead."""

    service: str
    method: str
    path: str
    status: int | None
    request_id: str
    milliseconds: int
    error: str = ""


Sink = Callable[[Exchange], None]

Guard = Callable[[], None]
_guards: ContextVar[tuple[Guard, ...]] = ContextVar("openstack_change_guards", default=())
_sinks: ContextVar[tuple[Sink, ...]] = ContextVar("openstack_exchange_sinks", default=())


@contextmanager
def recording(sink: Sink) -> Iterator[None]:
    """Give every exchange that happens inside the block, in this thread or task, to ``sink``. Blocks nest."""
    token = _sinks.set((*_sinks.get(), sink))
    try:
        yield
    finally:
        _sinks.reset(token)


def record(exchange: Exchange) -> None:
    """Hand an exchange to the sinks of the blocks around it."""
    for sink in _sinks.get():
        sink(exchange)


@contextmanager
def guarding(guard: Guard) -> Iterator[None]:
    """Ask ``guard`` directly before every changing request inside the block; what it raises keeps the request from being sent."""
    token = _guards.set((*_guards.get(), guard))
    try:
        yield
    finally:
        _guards.reset(token)


def ask_guards() -> None:
    for guard in _guards.get():
        guard()
