"""Recovery points written back in the simulation: asked for by the action's own rules, and counted where the cloud does it."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from govcloud.catalog.models import Cloud
from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource, ResourceKind, VolumeRole
from govcloud.protection.models import RecoveryPoint
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

SHARES = {ResourceKind.VOLUME: {"recover": 8, "detach": 3, "delete-snapshot": 2}}
"""A volume that is written over has no server, and no snapshots."""
FIRST_BACKED_UP, BACKED_UP = 0.5, 0.15
"""So often a plan runs: as long as there is nothing that could be written back, and then."""
READY = 0.8
"""So often one is asked for that no server has, where there is one."""


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

    pause: ClassVar[float] = 25.0  # at most so many seconds from one request to the next

    def __init__(self, random: Random, clock: Callable[[], datetime]) -> None:
        self.random, self._clock = random, clock
        self._actions = Actions(random, clock, member(Role.CLOUD_ADMIN), shares=SHARES)
        self._backups = Backups(random, clock)
        self._allowances = 0

    def go_on(self, systems: Sequence[System]) -> Operation | None:
        """What was asked for now, if anything was; now and then a plan runs instead, while none does: else no volume would be free."""
        kept = RecoveryPoint.objects.filter(expired_at=None, volume__role=VolumeRole.DATA)
        idle = not Operation.objects.filter(kind=OperationKind.BACKUP, finished_at=None).exists()
        if idle and self.random.random() < (BACKED_UP if kept.exists() else FIRST_BACKED_UP):
            self.back_up(systems)
            return None
        return self.ask(systems)

    def ask(self, systems: Sequence[System]) -> Operation | None:
        """A volume of one of the systems is written over, or made ready for it; None where it does not take that."""
        volumes = Resource.objects.filter(
            system__in=list(systems), status=Status.ACTIVE, volume__role=VolumeRole.DATA
        ).order_by("pk")
        ready = volumes.filter(volume__server=None)
        chosen = ready if ready.exists() and self.random.random() < READY else volumes
        keys = list(chosen.values_list("pk", flat=True))
        return self._actions.ask_of(self.random.choice(keys)) if keys else None

    def back_up(self, systems: Sequence[System]) -> Operation:
        """Of one system the volumes of a plan, or an allowance is ordered for those that no plan has; the operation begun."""
        system = self.random.choice(systems)
        covered = [each for each in changeable(ResourceKind.BACKUP, running()) if each.system == system]
        return self._backups.run(self.random.choice(covered)) if covered else self._allowance(system)

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
