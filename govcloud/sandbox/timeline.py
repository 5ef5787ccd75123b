"""What the cloud does by itself, later: BUILD becomes ACTIVE, creating becomes available.

A due transition is a row (so it survives a restart) and is carried out by the first request that comes after its time;
nothing can be observed in between, so no clock thread is needed. A resource that is `stuck` simply has no row.
"""

from __future__ import annotations

import heapq
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from govcloud.sandbox.cloud import Cloud
    from govcloud.sandbox.store import Store

Transition = Callable[["Cloud", datetime, dict[str, Any]], None]
_TRANSITIONS: dict[str, Transition] = {}


def transition(name: str) -> Callable[[Transition], Transition]:
    """Register a function as what happens when a row of that name falls due."""

    def register(function: Transition) -> Transition:
        _TRANSITIONS[name] = function
        return function

    return register


class Timeline:
    """The due transitions in order of time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._heap = [(row["at"], row["number"], row["id"]) for row in store.find("due")]
        heapq.heapify(self._heap)
        self._number = max((number for _, number, _ in self._heap), default=0)

    def schedule(self, name: str, at: datetime, /, *, seconds: float = 0, **args: Any) -> None:
        """Carry out transition `name` with `args` once `seconds` have passed since `at`."""
        self._number += 1
        when = (at + timedelta(seconds=seconds)).isoformat(timespec="microseconds")
        row = {"id": uuid.uuid4().hex, "at": when, "number": self._number, "name": name, "args": args}
        self._store.save("due", row)
        heapq.heappush(self._heap, (when, self._number, row["id"]))

    def settle(self, cloud: Cloud, now: datetime) -> None:
        """Carry out everything due by `now`, in order; what that schedules in turn included."""
        limit = now.isoformat(timespec="microseconds")
        while self._heap and self._heap[0][0] <= limit:
            when, _, row_id = heapq.heappop(self._heap)
            row = self._store.get("due", row_id)
            if row is None:
                continue
            self._store.delete("due", row_id)
            _TRANSITIONS[row["name"]](cloud, datetime.fromisoformat(when), row["args"])
