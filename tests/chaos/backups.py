"""Backups in the simulation: allowances for what none covers, the runs of their plans, and what the sweep clears up after them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock
from uuid import uuid4

from django.db.models import Exists, OuterRef

from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, ResourceKind
from govcloud.orders import planner
from govcloud.protection import clearing
from govcloud.protection import services as protection
from govcloud.protection.models import BackupPlan, Frequency, PlannedVolume
from govcloud.provisioning import services
from govcloud.provisioning.models import Operation
from govcloud.provisioning.services import StepSpec
from tenants.models import System
from tests.chaos.plans import SPACE, without

CAPACITY_GB = 100
KEPT = 2
"""So many points of each volume: the third takes the place of the first."""


class Backups:
    def __init__(self, random: Random, clock: Callable[[], datetime]) -> None:
        self._random, self._clock = random, clock

    def allowance(self, plan: planner.AllowancePlan, system: System) -> list[StepSpec]:
        """The steps of one that covers every volume of the system's servers which none covers yet."""
        covered = protection.uncovered(system=system).order_by("pk").values_list("resource__unit", flat=True)
        return planner.deliver(
            order=uuid4(),
            system=system.uuid,
            networks=[],
            servers=[],
            allowances=[plan],
            covered=list(covered),
        )

    def plan(self, name: str, zone: str) -> planner.AllowancePlan:
        return planner.AllowancePlan(
            unit=uuid4(), name=name, zone=zone, dr_level=2, capacity_gb=CAPACITY_GB, frequency=Frequency.DAILY,
            off_site=self._random.random() < 0.5, lease_end=self._clock() + timedelta(days=365),
        )  # fmt: skip

    def run(self, allowance: Resource) -> Operation:
        """Its plan is due before its time: the days between are left out."""
        plans = BackupPlan.objects.filter(allowance=allowance.backup)
        plans.update(keep=KEPT, next_run_at=self._clock())
        (run,) = protection.run_due(at=self._clock(), plan=plans.get())
        return run

    def clear(self) -> list[Operation]:
        """What the sweep does for plans and volumes that have ended; the runs that it begins."""
        at = self._clock()
        clearing.give_up(at=at)
        begun = clearing.expire(at=at)
        protection.take_up_runs(at=at)
        return begun


def running() -> Exists:
    """Whether the plan of an allowance, a resource, has anything to back up."""
    covered = PlannedVolume.objects.filter(until=None, plan__allowance=OuterRef("pk"))
    standing = [Status.ACTIVE, Status.CHANGING]
    return Exists(
        covered.filter(volume__resource__status__in=standing, volume__resource__kind=ResourceKind.VOLUME)
    )


@contextmanager
def without_limits() -> Iterator[None]:
    """Within, runs and what clears up after them leave the limits of projects alone."""

    def start(*, steps: Any, **how: Any) -> Operation:
        return services.start(steps=without(steps, SPACE), **how)

    product = SimpleNamespace(start=start, call_off_backups=services.call_off_backups)
    with (
        mock.patch.object(protection, "provisioning", product),
        mock.patch.object(clearing, "provisioning", product),
    ):
        yield
