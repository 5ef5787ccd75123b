"""Departments that act on what they have without an order, as those of the simulation do, while the workers that do it die."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from random import Random

from govcloud.inventory.models import ResourceKind
from govcloud.provisioning.models import Operation, OperationKind
from tests.chaos.actions import Actions
from tests.chaos.chaos_orders import Applicant
from tests.chaos.chaos_plan import Pace

PART = 3
"""Of so many systems one only orders: what becomes of it is what orders make of it."""


class Acting:
    """Applicants of some systems, with the actions that the simulation knows, all of them through the product's own rules."""

    def __init__(
        self,
        applicants: list[Applicant],
        random: Random,
        clock: Callable[[], datetime],
        *,
        pace: Pace,
        shares: Mapping[ResourceKind, Mapping[str, int]],
    ) -> None:
        self._random, self._pace = random, pace
        self._hands = [
            (on.system, Actions(random, clock, on.person, shares=shares))
            for number, on in enumerate(applicants)
            if number % PART != PART - 1
        ]
        self._next = 0.0

    def act(self, *, now: float) -> Operation | None:
        """One more, when it is time for it; None when it is not, or nothing takes what was asked for."""
        if now < self._next or under_way() >= self._pace.actions_at_once:
            return None
        self._next = now + self._pace.action_every
        system, actions = self._random.choice(self._hands)
        return actions.take(system)

    def refused(self) -> Counter[str]:
        return sum((actions.refused for _system, actions in self._hands), Counter())


def under_way() -> int:
    return Operation.objects.filter(kind=OperationKind.ACTION, finished_at=None).count()
