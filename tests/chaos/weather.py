"""How much goes wrong in a world, and of what most.

In some worlds one kind of fault outweighs the others: two that are each rare seldom meet where all are equally rare.
"""

from dataclasses import dataclass
from random import Random

CALM, ORDINARY, STORMY = 0.05, 0.15, 0.3


@dataclass(frozen=True, slots=True)
class Weather:
    """``share`` of calls and visits go wrong. ``brittle``: what the cloud builds ends in an error far more often than else.

    ``late_answers``: most of what hits workers holds them up between the effect of a request and its answer. ``builds``: nearly
    all that is ordered is new servers, which is what the other two show most in.
    """

    share: float
    brittle: bool = False
    late_answers: bool = False
    builds: bool = False


def drawn(random: Random) -> Weather:
    return Weather(
        random.choice((CALM, ORDINARY, STORMY)),
        brittle=random.random() < 0.3,
        late_answers=random.random() < 0.3,
    )
