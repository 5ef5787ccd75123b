"""What goes wrong with our own processes, their database and their broker while orders are being built."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import psycopg
from kombu.exceptions import OperationalError

from govcloud.embedded.supervisor import Child
from tests.chaos.chaos_installation import Installation
from tests.chaos.chaos_plan import Plan

TICK = 0.1


@dataclass(slots=True)
class Deed:
    """Something done again and again, about every so many seconds."""

    every: float
    do: Callable[[], None]
    due: float


@dataclass(slots=True)
class Storm:
    """Rages in a thread of its own from ``begin`` to ``end``."""

    plan: Plan
    installation: Installation
    random: Random
    done: Counter[str] = field(default_factory=Counter)
    failure: BaseException | None = None
    _asleep: dict[str, tuple[float, Child]] = field(default_factory=dict)
    _calm: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        threading.Thread(target=self._rage, name="storm", daemon=True).start()

    def end(self) -> None:
        """Everybody is awake afterwards. Raises what went wrong with the storm itself."""
        self.halt()
        for _until, worker in self._asleep.values():
            self.installation.wake(worker)
        self._asleep.clear()
        if self.failure is not None:
            raise self.failure

    def halt(self) -> None:
        """Nobody is killed, stopped or started any more."""
        self._over.set()
        self._calm.wait()

    def _rage(self) -> None:
        now, kill = time.monotonic(), self.plan.kill_every
        deeds = [
            Deed(every, do, now + every)
            for every, do in (
                (kill, self._kill),
                (kill * 5, self._stop),
                (kill * 4, self._drop_connections),
                (kill * 3, self._lose_messages),
                (kill * 2, self._duplicate_messages),
                (kill * 9, self._kill_scheduler),
                (kill * 10, self._restart_broker),
            )
        ]
        try:
            while not self._over.wait(TICK):
                self._round(deeds)
        except BaseException as error:  # noqa: BLE001  told by ``end``, in the thread that waits for it
            self.failure = error
        self._calm.set()
        threading.Event().wait()  # a process ends with the thread that started it (tether.py): stay as long as the run

    def _round(self, deeds: list[Deed]) -> None:
        now = time.monotonic()
        for name, (until, worker) in list(self._asleep.items()):
            if now >= until:
                self.installation.wake(worker)
                del self._asleep[name]
        for deed in deeds:
            if now >= deed.due:
                deed.do()
                deed.due = max(deed.due + deed.every, time.monotonic())

    def _awake(self) -> list[Child]:
        return [worker for worker in self.installation.workers if worker.name not in self._asleep]

    def _kill(self) -> None:
        """Three times of four one process of a worker, else the whole of it."""
        awake = self.random.sample(self._awake(), k=len(self._awake()))
        if self.random.random() < 0.75:
            choose = self.random.randrange(8)
            if any(self.installation.kill_a_process(worker, choose) for worker in awake):
                self.done["processes killed"] += 1
                return
        self.installation.kill(awake[0])
        self.done["workers killed"] += 1

    def _stop(self) -> None:
        """Past its lease, so that it wakes to find somebody else at its work."""
        awake = self._awake()
        if len(awake) < 2:
            return
        worker, pace = self.random.choice(awake), self.plan.pace
        self.installation.stop(worker)
        past_the_lease = pace.lease + self.random.uniform(0.1, 0.7) * (pace.settle - pace.lease)
        self._asleep[worker.name] = (time.monotonic() + past_the_lease, worker)
        self.done["workers stopped past their lease"] += 1

    def _drop_connections(self) -> None:
        try:
            self.done["connections dropped"] += self.installation.drop_connections()
        except psycopg.OperationalError:  # the server is too busy to let one more in
            self.done["connections not dropped"] += 1

    def _lose_messages(self) -> None:
        with suppress(OSError, OperationalError, ConnectionError):  # it is just starting
            self.done["messages lost"] += self.installation.broker.lose_messages()

    def _duplicate_messages(self) -> None:
        with suppress(OSError, OperationalError, ConnectionError):
            self.done["messages duplicated"] += self.installation.broker.duplicate_messages()

    def _restart_broker(self) -> None:
        self.done["broker restarts"] += self.installation.broker.restart()

    def _kill_scheduler(self) -> None:
        self.installation.kill(self.installation.scheduler)
        self.done["schedulers killed"] += 1
