"""Workers of the simulation: each visit is the engine's own code, and may end, stall or lose its database anywhere.

Nothing runs in parallel. A worker that is held up lets the others work inside its own call and goes on afterwards, so a
worker stopped for longer than its lease wakes among the results of those that took over, as a stopped process would.
"""

import contextvars
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.db import OperationalError, connection

from govcloud import clock
from govcloud.provisioning import engine, queue
from tests.chaos.agenda import Agenda
from tests.chaos.faults import LANDING_SECONDS
from tests.chaos.wire import Sent

HOUR = 3600.0
LONG = (100.0, 200.0, 400.0)
"""Seconds for which a worker is held up: longer than its lease."""
SKEWS = (0.0, 0.4, HOUR, -HOUR)
LAST_MOMENT = 40
"""A visit has some three dozen moments at which it can be hit: its writes, and both sides of its calls."""


class WorkerDied(BaseException):
    """What SIGKILL looks like from inside: nothing after it runs."""


class ConnectionDropped(OperationalError):
    """The database went away, and with it whatever was not committed."""


@dataclass(slots=True)
class Worker:
    name: str
    skew: float
    busy: bool = False


@dataclass(slots=True)
class Trip:
    """One visit of one worker: what shall happen to it, and at which of its moments."""

    worker: Worker
    fate: str = ""  # "dies", "drops", "stalls"
    at: int = 0
    seconds: float = 0.0
    answers_only: bool = False  # of its moments, those count at which a request has been carried out
    moments: int = 0
    over: BaseException | None = None


@dataclass
class Shift:
    """All workers. ``share`` of their visits are hit by something; see ``Weather`` for ``late_answers``."""

    agenda: Agenda
    random: Random
    note: Callable[[str], None]
    late_answers: bool
    share: float = 0.0
    workers: list[Worker] = field(default_factory=list)
    trip: Trip | None = None
    visits: int = 0
    hits: dict[str, int] = field(default_factory=dict)
    escaped: list[str] = field(default_factory=list)  # what the engine did not catch itself

    def __post_init__(self) -> None:
        self.workers = [Worker(f"w{number}", skew) for number, skew in enumerate(SKEWS)]
        self._outside = contextvars.copy_context()  # without the guards and records of any visit

    # -- one visit

    def visit(self) -> bool:
        """A worker that is free takes what is due and advances it; False when there is nothing or nobody."""
        free = [worker for worker in self.workers if not worker.busy]
        if not free:
            return False
        worker = self.random.choice(free)
        trip, before = self._trip(worker), self.trip
        worker.busy, self.trip = True, trip
        try:
            return self._outside.copy().run(self._work, trip)
        finally:
            worker.busy, self.trip = False, before

    def _trip(self, worker: Worker) -> Trip:
        if self.random.random() >= self.share:
            return Trip(worker)
        if self.late_answers and self.random.random() < 0.8:
            return Trip(
                worker, "stalls", self.random.randint(1, 3), self.random.choice(LONG), answers_only=True
            )
        fate = self.random.choice(("dies", "dies", "drops", "stalls", "stalls"))
        seconds = self.random.choice((3.0, 40.0, 100.0, 200.0, 400.0))
        return Trip(worker, fate, self.random.randint(1, LAST_MOMENT), seconds)

    def _work(self, trip: Trip) -> bool:
        try:
            now = clock.agreed()  # as the task does
            held = queue.claim(at=now())
            if held is None:
                return False
            self.visits += 1
            self.note(
                f"{trip.worker.name} takes {held.step.kind} {held.step.label} ({held.step.state}) fence {held.fence}"
            )
            engine.advance(held, clock=now)
        except WorkerDied:
            self.note(f"{trip.worker.name} died")
        except Exception as error:  # noqa: BLE001  the task's edge: whatever the engine lets out is its fault, unless put in here
            if not isinstance(trip.over, OperationalError):
                self.escaped.append(f"{type(error).__name__}: {error}")
            self.note(f"{trip.worker.name} gave up: {error}")
        return True

    def own_clock(self) -> datetime:
        """What the clock on the machine of whoever works just now shows."""
        return self.agenda.now + timedelta(seconds=self.trip.worker.skew if self.trip else 0)

    # -- what happens to it

    def moment(self, what: str, sent: Sent, carry_out: Callable[[], object] | None) -> None:
        """Before or after the effect of a request; before it is had, ``carry_out`` has it."""
        if self.trip is None:
            return
        self.note(f"  {self.trip.worker.name} {what}: {sent.method} {sent.path}")
        if not sent.signs_in:
            lands = carry_out if sent.changes else None
            self._moment(lands=lands, answered=sent.changes and carry_out is None)

    def statement(self, execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        """Before each write to the database, and after each that is a transaction of its own."""
        if self.trip is None:
            return execute(sql, params, many, context)
        if self.trip.over is not None:
            raise self.trip.over
        if sql.startswith("SELECT"):
            return execute(sql, params, many, context)
        self._moment()
        result = execute(sql, params, many, context)
        if not connection.in_atomic_block:
            self._moment(committed=True)
        return result

    def _moment(
        self,
        *,
        lands: Callable[[], object] | None = None,
        committed: bool = False,
        answered: bool = False,
    ) -> None:
        trip = self.trip
        if trip is None:
            return
        if trip.over is not None:
            raise trip.over
        trip.moments += answered or not trip.answers_only
        if trip.moments != trip.at or (trip.answers_only and not answered):
            return
        self.hits[trip.fate] = self.hits.get(trip.fate, 0) + 1
        match trip.fate:
            case "dies":
                trip.over = WorkerDied()
                raise trip.over
            case "drops":
                trip.over = ConnectionDropped(
                    "committed, but nobody heard" if committed else "server closed the connection"
                )
                raise trip.over
            case "stalls" if not connection.in_atomic_block:
                if lands is None:
                    self.stall(trip.seconds)
                else:  # the others may work for longer than that meanwhile
                    seconds = min(trip.seconds, LANDING_SECONDS)
                    self.agenda.add(timedelta(seconds=seconds), lands)
                    self.stall(seconds)

    def stall(self, seconds: float) -> None:
        """The worker hears nothing for so long, while the others work."""
        if self.trip is None or connection.in_atomic_block:
            self.agenda.pass_by(seconds)
            return
        self.note(f"{self.trip.worker.name} is held up for {seconds} s")
        trip, self.trip = self.trip, None
        try:
            self._outside.copy().run(self.agenda.run_until, self.agenda.now + timedelta(seconds=seconds))
        finally:
            self.trip = trip
        self.note(f"{trip.worker.name} goes on")

    @contextmanager
    def at_work(self) -> Iterator[None]:
        with connection.execute_wrapper(self.statement):
            yield
