"""Servers started and stopped in the simulation more often than among all that departments ask for: a record of that is soon over."""

from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random
from typing import ClassVar

from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, ResourceKind
from govcloud.provisioning.models import Operation
from tenants.models import Role, System
from tests.chaos.actions import Actions
from tests.factories.tenants import member

SHARES = {ResourceKind.SERVER: {"stop": 5, "start": 5, "hard-reboot": 1}}


class Switching:
    """Asked for by people of their own, with a generator of their own."""

    pause: ClassVar[float] = 60.0  # at most so many seconds from one request to the next

    def __init__(self, random: Random, clock: Callable[[], datetime]) -> None:
        self.random = random
        self._actions = Actions(random, clock, member(Role.CLOUD_ADMIN), shares=SHARES)

    def go_on(self, systems: Sequence[System]) -> Operation | None:
        """Of one server of these systems; None where it does not take that."""
        servers = Resource.objects.filter(
            system__in=list(systems), status=Status.ACTIVE, kind=ResourceKind.SERVER
        ).order_by("pk")
        keys = list(servers.values_list("pk", flat=True))
        return self._actions.ask_of(self.random.choice(keys)) if keys else None
