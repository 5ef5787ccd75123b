"""Virtual time: a clock that only the simulation moves, and what is to happen when."""

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count


class Agenda:
    """The clock and the events ahead of it. An event may itself let time pass: then others happen inside it."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self._ahead: list[tuple[datetime, int, Callable[[], object]]] = []
        self._number = count()

    def __call__(self) -> datetime:
        return self.now

    def add(self, after: timedelta, event: Callable[[], object]) -> None:
        heapq.heappush(self._ahead, (self.now + max(after, timedelta()), next(self._number), event))

    def pass_by(self, seconds: float) -> None:
        """Let time pass without looking at what falls due meanwhile: it happens a moment late."""
        self.now += timedelta(seconds=seconds)

    def run_until(self, moment: datetime) -> None:
        """Let everything happen that falls due by ``moment``, in order, and be there then."""
        while self._ahead and self._ahead[0][0] <= moment:
            due, _, event = heapq.heappop(self._ahead)
            self.now = max(self.now, due)
            event()
        self.now = max(self.now, moment)

    def run_while(self, condition: Callable[[], bool], *, until: datetime) -> None:
        """Let one event after another happen for as long as the condition holds and the time is not up."""
        while self._ahead and self._ahead[0][0] <= until and condition():
            self.run_until(self._ahead[0][0])
