"""How much goes wrong in a world, and of what most.

In some worlds one kind of fault outweighs the others: two that are each rare seldom meet where all are equally rare.
"""

from dataclasses import dataclass
from random import Random

PAUSE, LONG_PAUSE = 8.0, 60.0
"""The longest between one order and the next, in seconds."""
CALM, ORDINARY, STORMY = 0.05, 0.15, 0.3


@dataclass(frozen=True, slots=True)
class Weather:
    """``share`` of calls and visits go wrong. ``brittle``: what the cloud builds ends in an error far more often than else.

    ``late_answers``: most of what hits workers holds them up between the effect of a request and its answer. ``late_failures``:
    what the cloud builds ends in an error more often still, and whoever asked for it is held up before the answer: the others
    have taken that down by then, and built another in its place. ``builds``: nearly all that is ordered is new servers, and
    seldom enough that none waits for a worker; else those who take over come too late.
    """

    share: float
    brittle: bool = False
    late_answers: bool = False
    late_failures: bool = False
    builds: bool = False

    @property
    def pause(self) -> float:
        return LONG_PAUSE if self.builds else PAUSE


HEARD_LATE = Weather(ORDINARY, late_failures=True, builds=True)
"""Never drawn: what only shows where a worker hears of what it made after another was made in its place."""


def drawn(random: Random) -> Weather:
    return Weather(
        random.choice((CALM, ORDINARY, STORMY)),
        brittle=random.random() < 0.3,
        late_answers=random.random() < 0.3,
    )
