"""Many worlds, one after another in each process: their seeds, their progress, their sum."""

import gc
import multiprocessing
import os
import queue
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tests.chaos.weather import Weather

ORDERS_IN_A_WORLD = 100


@dataclass(frozen=True, slots=True)
class Task:
    """One world to simulate. ``mutation`` names what is taken out of the engine before (see ``mutations``); ``plain`` as in ``World``.

    ``seed`` decides about the weather as well, unless one is given.
    """

    seed: int
    orders: int
    mutation: str = ""
    weather: Weather | None = None
    plain: bool = False


@dataclass(slots=True)
class Outcome:
    """What became of one world. Times are virtual."""

    seed: int
    orders: int = 0
    visits: int = 0
    parked: int = 0
    undone: int = 0
    quiet_seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    digest: str = ""


@dataclass
class Sum:
    """What all worlds came to; times are virtual seconds."""

    orders: int = 0
    visits: int = 0
    worlds: int = 0
    lost: int = 0
    duplicates: int = 0
    leaked: int = 0
    orphans: int = 0
    parked: int = 0
    undone: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    quiet: list[float] = field(default_factory=list)
    violations: list[dict[str, Any]] = field(default_factory=list)

    def add(self, task: Task, outcome: Outcome) -> None:
        self.worlds += 1
        for name in ("orders", "visits", "parked", "undone"):
            setattr(self, name, getattr(self, name) + getattr(outcome, name))
        for name, count in outcome.counts.items():
            setattr(self, name, getattr(self, name) + count)
        self.faults.update(outcome.faults)
        self.quiet.append(outcome.quiet_seconds)
        self.violations += [
            {"seed": task.seed, "orders": task.orders, "what": each} for each in outcome.violations
        ]

    def as_json(self) -> dict[str, Any]:
        return {
            "orders": self.orders,
            "lost": self.lost,
            "duplicates": self.duplicates,
            "leaked_quota": self.leaked,
            "orphans": self.orphans,
            "parked": self.parked,
            "undone": self.undone,
            "seconds_to_quiet_after_the_last_fault": {
                "median": round(median(self.quiet), 1) if self.quiet else 0.0,
                "longest": round(max(self.quiet, default=0.0), 1),
            },
            "worlds": self.worlds,
            "visits": self.visits,
            "faults": dict(sorted(self.faults.items())),
            "violations": self.violations,
        }


def tasks(*, orders: int, seed: int, plain: bool = False) -> list[Task]:
    """The worlds that so many orders are divided into: the n-th has the seed ``seed`` + n."""
    sizes = [ORDERS_IN_A_WORLD] * (orders // ORDERS_IN_A_WORLD)
    if orders % ORDERS_IN_A_WORLD:
        sizes.append(orders % ORDERS_IN_A_WORLD)
    return [Task(seed + number, size, plain=plain) for number, size in enumerate(sizes)]


def run(wanted: Sequence[Task], *, processes: int, told: Callable[[Task, Outcome], bool]) -> None:
    """Simulate the worlds; ``told`` hears of each that ended, and says whether to go on."""
    context = multiprocessing.get_context("spawn")
    todo, done = context.Queue(), context.Queue()
    for task in wanted:
        todo.put(task)
    children = [
        context.Process(target=_work, args=(number, todo, done), daemon=True)
        for number in range(min(processes, len(wanted)))
    ]
    for child in children:
        child.start()
    try:
        for _ in wanted:
            task, outcome = _next(done, children)
            if not told(task, outcome):
                return
    finally:
        for child in children:
            child.terminate()
            child.join()


def _next(done: Any, children: list[Any]) -> tuple[Task, Outcome]:
    while True:
        try:
            found: tuple[Task, Outcome] = done.get(timeout=1)
        except queue.Empty:
            if not any(child.is_alive() for child in children):
                raise RuntimeError(
                    "the simulation's processes have died; see what they wrote above"
                ) from None
        else:
            return found


def _work(number: int, todo: Any, done: Any) -> None:
    with database(number):
        from tests.chaos.mutations import without  # noqa: PLC0415  Django is set up by now
        from tests.chaos.world import World  # noqa: PLC0415

        gc.disable()  # one world leaves little behind; looking for it while it runs takes a twentieth of the time
        while True:
            task = todo.get()
            with without(task.mutation):
                world = World(seed=task.seed, orders=task.orders, plain=task.plain, weather=task.weather)
                done.put((task, world.run()))
            gc.collect()


@contextmanager
def database(number: int) -> Iterator[None]:
    """A database of this process's own, on the server of ``DATABASE_URL`` or the embedded one, kept for the next time."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "govcloud.settings")
    import logging  # noqa: PLC0415

    import django  # noqa: PLC0415

    django.setup()
    from django.db import connection  # noqa: PLC0415

    logging.disable(logging.WARNING)
    name = os.environ.get("TEST_DATABASE") or "simulation"
    connection.settings_dict["TEST"]["NAME"] = f"{name}_{number}"
    # The same statements come by the thousand: planned once, a world takes a tenth less.
    connection.settings_dict["OPTIONS"] = connection.settings_dict["OPTIONS"] | {
        "server_side_binding": True, "prepare_threshold": 3
    }  # fmt: skip
    from tests.template import copied  # noqa: PLC0415

    with copied():
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False, keepdb=True)
    yield
