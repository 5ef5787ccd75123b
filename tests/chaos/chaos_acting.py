"""Departments that act on what they have without an order, as those of the simulation do, while the workers that do it die."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from random import Random

from govcloud.provisioning.models import Operation, OperationKind
from tests.chaos.actions import Actions
from tests.chaos.chaos_orders import Applicant

PART = 3
"""Of so many systems one only orders: what becomes of it is what orders make of it."""
EVERY = 0.7
"""Seconds from one request to the next."""
AT_ONCE = 6
"""So many are carried out at a time: they share the workers with the orders."""


class Acting:
    """Applicants of some systems, with the actions that the simulation knows, all of them through the product's own rules."""

    def __init__(self, applicants: list[Applicant], random: Random, clock: Callable[[], datetime]) -> None:
        self._random = random
        self._hands = [
            (on.system, Actions(random, clock, on.person))
            for number, on in enumerate(applicants)
            if number % PART != PART - 1
        ]
        self._next = 0.0

    def act(self, *, now: float) -> Operation | None:
        """One more, when it is time for it; None when it is not, or nothing takes what was asked for."""
        if now < self._next or under_way() >= AT_ONCE:
            return None
        self._next = now + EVERY
        system, actions = self._random.choice(self._hands)
        return actions.take(system)

    def refused(self) -> Counter[str]:
        return sum((actions.refused for _system, actions in self._hands), Counter())


def under_way() -> int:
    return Operation.objects.filter(kind=OperationKind.ACTION, finished_at=None).count()
