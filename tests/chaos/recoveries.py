"""Recovery points written back in the simulation: asked for by the action's own rules, and counted where the cloud does it."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from govcloud.catalog.models import Cloud
from govcloud.inventory.models import Resource, ResourceKind
from govcloud.provisioning import services
from govcloud.provisioning.models import Operation, OperationKind, Step
from govcloud.quotas import services as quotas
from govcloud.quotas.services import Hold
from govcloud.sandbox.guests.disks import Place
from govcloud.sandbox.guests.fleet import Fleet
from tenants.models import Role, System
from tests.chaos.actions import Actions
from tests.chaos.backups import CAPACITY_GB, Backups, running
from tests.chaos.orders import FULFILMENT, ZONE
from tests.chaos.plans import SPACE, without
from tests.chaos.standing import changeable
from tests.factories.tenants import member

KINDS = {ResourceKind.VOLUME: 1}
SHARES = {ResourceKind.VOLUME: {"recover": 8, "detach": 3, "delete-snapshot": 2}}
"""A volume that is written over has no server, and no snapshots."""


class Disks(Fleet):
    """No guests run, and nothing is on the volumes: what is noted is which recovery point the cloud wrote over which, and when."""

    def __init__(self, directory: Path, clock: Callable[[], datetime]) -> None:
        super().__init__(directory, enabled=False)
        self._clock = clock
        self.written: list[tuple[datetime, str, str]] = []
        """The ids of the recovery point and of the volume."""

    def copy(self, source: Place, target: Place) -> None:
        super().copy(source, target)
        if source[0] == "backup":
            self.written.append((self._clock(), source[1], target[1]))


class Recoveries:
    """Asked for by people of their own, with a generator of their own; they see to it that there are recovery points, too."""

    def __init__(self, random: Random, clock: Callable[[], datetime]) -> None:
        self._random, self._clock = random, clock
        self._actions = Actions(random, clock, member(Role.CLOUD_ADMIN), kinds=KINDS, shares=SHARES)
        self._backups = Backups(random, clock)
        self._allowances = 0

    def ask(self, systems: Sequence[System]) -> Operation | None:
        """Of one system: a volume is written over, or made ready for it; None where nothing takes that."""
        return self._actions.take(self._random.choice(systems))

    def back_up(self, systems: Sequence[System]) -> Operation:
        """Of one system: the volumes of a plan; else an allowance is ordered for those that no plan has."""
        system = self._random.choice(systems)
        covered = [each for each in changeable(ResourceKind.BACKUP, running()) if each.system == system]
        return self._backups.run(self._random.choice(covered)) if covered else self._allowance(system)

    def _allowance(self, system: System) -> Operation:
        self._allowances += 1
        name, at = f"recovery-{self._allowances}", self._clock()
        plan = self._backups.plan(name, ZONE)
        quotas.hold(department=system.department, holds=[Hold(plan.unit, {"backup_gb": CAPACITY_GB})], at=at)
        steps = without(self._backups.allowance(plan, system), SPACE)
        return services.start(
            kind=OperationKind.DELIVER, reason=name, thread=None, system=system, cloud=Cloud.objects.get(), steps=steps,
            actor=FULFILMENT, at=at,
        )  # fmt: skip


def written_otherwise(written: Sequence[tuple[datetime, str, str]], *, taken: Collection[str]) -> list[str]:
    """What the cloud wrote over a volume without its being asked for, or once more than it was; and what it did not write.

    Each that was asked for counts from its request to its end. Nothing is said of what people have ``taken``.
    """
    asked = Step.objects.filter(kind="recovery").select_related("operation").order_by("pk")
    units = {str(unit): key for unit, key in Resource.objects.values_list("unit", "external_id")}
    left, wrong = list(written), []
    for step in asked:
        volume, point = units[step.desired_state["volume"]], step.desired_state["backup"]
        own = [each for each in left if each[1:] == (point, volume) and _within(each[0], step)]
        left = [each for each in left if each not in own]
        if volume in taken:
            continue
        if len(own) > 1:
            wrong.append(f"recovery point {point} was written over volume {volume} {len(own)} times")
        if not own and step.state == "done":
            wrong.append(f"recovery point {point} was never written over volume {volume}")
    return wrong + [
        f"recovery point {point} was written over volume {volume} at {at}, and nobody asked for that any more"
        for at, point, volume in left
        if volume not in taken
    ]


def _within(at: datetime, step: Any) -> bool:
    return bool(step.operation.created_at <= at and (step.finished_at is None or at <= step.finished_at))
