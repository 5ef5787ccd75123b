"""Backups in the simulation: allowances for what none covers, the runs of their plans, and what the sweep clears up after them.

And the authority, which puts recovery points under legal holds and lifts them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock
from uuid import uuid4

from django.db.models import Exists, OuterRef, Q, QuerySet

from govcloud.errors import Conflict
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Power, Resource, ResourceKind, VolumeRole
from govcloud.orders import planner
from govcloud.protection import clearing, holds
from govcloud.protection import services as protection
from govcloud.protection.models import BackupPlan, Frequency, LegalHold, PlannedVolume, RecoveryPoint
from govcloud.provisioning import services
from govcloud.provisioning.models import Operation
from govcloud.provisioning.services import StepSpec
from tenants.models import Role, System
from tenants.policies import RoleMissing
from tests.chaos.plans import SPACE, without
from tests.factories.tenants import member

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


class Authority:
    """Places holds on recovery points and lifts them, each at any moment, with a generator of its own.

    ``there`` says whether the cloud has a recovery point still, ``refused`` whether the release of a volume, with the server that
    has it, is. ``broken`` tells of each point that was gone while it was held, and of each release that was not refused.
    """

    def __init__(
        self,
        random: Random,
        clock: Callable[[], datetime],
        *,
        there: Callable[[str], bool],
        refused: Callable[[Resource], bool],
    ) -> None:
        self._random, self._clock, self._there, self._refused = random, clock, there, refused
        self._keeper, self._others = member(Role.AUTHORITY_APPROVER), member(Role.CLOUD_ADMIN)
        self.broken: list[str] = []

    def decide(self) -> str:
        """Place one, or lift one; what was decided, for the trace. Who may not is refused either."""
        standing = list(RecoveryPoint.objects.filter(expired_at=None).order_by("pk"))
        held = list(_in_force())
        if held and self._random.random() < 0.3:
            return self._lift(self._random.choice(held))
        if not standing:
            return ""
        point = self._random.choice(standing)
        deed = self._random.choice((self._place, self._place, self._overstep))
        return deed(point)

    def lift_most(self) -> int:
        """Two of three; returns how many."""
        lifted = [hold for hold in _in_force() if self._random.random() < 2 / 3]
        for hold in lifted:
            self._lift(hold)
        return len(lifted)

    def _place(self, point: RecoveryPoint) -> str:
        try:
            holds.place(point=point, reason="matter 12", actor=self._keeper, at=self._clock())
        except Conflict as refusal:  # it is held already, or is being deleted
            return f"{refusal.code} {point.external_id}"
        volume = Resource.objects.with_particulars().get(pk=point.volume.resource_id)
        if volume.status == Status.ACTIVE and self._random.random() < 0.5 and not self._refused(volume):
            self.broken.append(f"{volume} was released under a legal hold on {point.external_id}")
        return f"holds {point.external_id}"

    def _lift(self, hold: LegalHold) -> str:
        point = RecoveryPoint.objects.get(pk=hold.point_id)
        if point.expired_at is not None or not self._there(point.external_id):
            self.broken.append(f"recovery point {point.external_id} was gone before its hold was lifted")
        holds.lift(point=point, reason="closed", actor=self._keeper, at=self._clock())
        return f"lets go of {point.external_id}"

    def _overstep(self, point: RecoveryPoint) -> str:
        """Whoever runs the clouds decides about no evidence."""
        deed = self._random.choice((holds.place, holds.lift))
        try:
            deed(point=point, reason="tidying up", actor=self._others, at=self._clock())
        except RoleMissing:
            return f"nobody else decides about {point.external_id}"
        self.broken.append(f"recovery point {point.external_id}: {deed.__name__} by somebody who may not")
        return f"somebody else decides about {point.external_id}"


def _in_force() -> QuerySet[LegalHold]:
    return LegalHold.objects.filter(lifted_at=None, point__isnull=False).order_by("pk")


def running() -> Exists:
    """Whether the plan of an allowance, a resource, has anything to back up: not what is left of a system that was not written anew."""
    left = Q(volume__role=VolumeRole.SYSTEM, volume__server__power=Power.BROKEN)
    covered = PlannedVolume.objects.filter(until=None, plan__allowance=OuterRef("pk")).exclude(left)
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
