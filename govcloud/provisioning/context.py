"""What a kind of step is given to work with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Greatest

from govcloud.audit.services import SystemActor
from govcloud.catalog.models import Cloud
from govcloud.clouds import access
from govcloud.clouds.models import AvailabilityZone
from govcloud.gateways import openstack
from govcloud.inventory.models import Project, Resource
from govcloud.provisioning.lifecycle import FINISHED, Desired, StepState
from govcloud.provisioning.models import Operation, Step

ENGINE = SystemActor("engine")

TASKS_OF_SERVERS = ("power", "reboot", "rebuild", "resize", "resize_confirmation", "resumption")
"""The kinds of steps that have a task begun at a server."""
BEGUN = Q(intent_at__isnull=False) | ~Q(external_id="")
"""Steps of which something was asked for, or may have been."""
TAKEN_BACK = "taken_back_at"
TAKEN_BACK_AGAIN = "taken_back_again_at"
"""Of a step's outputs: when it was first asked for that it be taken back, and last asked for again (ISO 8601)."""


@dataclass(slots=True)
class Context:
    """One visit to one step."""

    step: Step
    at: datetime
    clock: Callable[[], datetime]  # for what happens later in the visit than ``at``, its beginning
    heartbeat: Callable[[], bool] = field(default=lambda: True)
    write_outputs: Callable[[dict[str, Any]], None] = field(default=lambda _outputs: None)
    lost: bool = False
    _project_id: str = ""
    seen: dict[str, Any] = field(
        default_factory=dict
    )  # what a kind saw on this visit, for its record or forget

    def remember(self, found: dict[str, Any]) -> None:
        """Commit something found out to the step's outputs, before the request that it is needed for. Raises LeaseLost."""
        self.write_outputs({**self.step.outputs, **found})

    def keep(self) -> None:
        """Renew the lease in the middle of long work; ``lost`` tells whether the step is somebody else's now."""
        self.lost = self.lost or not self.heartbeat()

    @property
    def operation(self) -> Operation:
        return self.step.operation

    @property
    def cloud_row(self) -> Cloud:
        return self.step.operation.cloud

    @property
    def state(self) -> dict[str, Any]:
        """What is desired, as the kind's planner wrote it."""
        desired: dict[str, Any] = self.step.desired_state
        return desired

    @property
    def cloud(self) -> openstack.Cloud:
        """The cloud as its operators see it."""
        return access.connect(cloud=self.cloud_row, timeout=settings.CLOUD_API_TIMEOUT)

    @property
    def project_id(self) -> str:
        """Asked for once a visit: nearly every call to a cloud begins with it."""
        if not self._project_id:
            project = Project.objects.get(system=self.operation.system_id, cloud=self.cloud_row)
            self._project_id = project.external_id
        return self._project_id

    @property
    def project(self) -> openstack.Cloud:
        """The cloud as the system's project sees it."""
        return access.connect(
            cloud=self.cloud_row, project_id=self.project_id, timeout=settings.CLOUD_API_TIMEOUT
        )

    @property
    def mark(self) -> str:
        """The name and tag under which the thing can be found again in the cloud."""
        return mark_of(self.step.unit)

    @property
    def target(self) -> UUID:
        """The unit that the step is about: what a release names, else the step's own."""
        return UUID(self.state["resource"]) if "resource" in self.state else self.step.unit

    def sibling(self, kind: str) -> Step:
        """Another step of the same unit."""
        return Step.objects.get(operation=self.operation, unit=self.step.unit, kind=kind)

    def resource(self, unit: str | UUID | None = None) -> Resource:
        """The resource recorded for a unit, this step's own by default."""
        return Resource.objects.select_related("system__department").get(unit=unit or self.step.unit)

    def others_at_work(self, units: Sequence[str]) -> bool:
        """Whether a step of another operation has begun something with one of these volumes and not ended it.

        Cinder gives a volume back the status it had before a backup. A server deleted meanwhile would leave its volumes
        "in use" for ever. The end of an old recovery point does not touch the volume, and is not waited for.
        """
        on_them = Q(desired_state__volume__in=list(units)) | Q(
            kind__in=("extension", "retype"), desired_state__resource__in=list(units)
        )
        expiry = Q(kind="backup", desired=Desired.ABSENT, called_off_at=None)
        others = Step.objects.filter(~expiry, on_them, BEGUN).exclude(operation=self.operation)
        return others.exclude(state__in=FINISHED).exists()

    def server_at_work(self, volume: Resource) -> bool:
        """Whether an operation has begun to have the cloud do something to the server that has the volume, and has not done with it.

        A storage service that has the hypervisor take part in copying a volume in use is refused by a server at which a task goes on
        (Nova's assisted snapshots), and the copy comes out broken; a move that is confirmed or reverted finds its volume taken. What
        waits for a person there is not waited for: that may take days.
        """
        server = volume.volume.server
        if server is None:
            return False
        unit = server.resource.unit
        # of an order's change the unit is the change's own
        on_it = Q(unit=unit) | Q(desired_state__resource=str(unit))
        tasks = Step.objects.filter(on_it, kind__in=TASKS_OF_SERVERS, operation__finished_at=None)
        begun = tasks.filter(BEGUN, operation=OuterRef("operation"))
        parked = Step.objects.filter(operation=OuterRef("operation"), state=StepState.PARKED)
        return tasks.filter(Exists(begun), ~Exists(parked)).exclude(state__in=FINISHED).exists()

    def order_at_work(self, resource: Resource) -> bool:
        """Whether the step's order does something else that has the resource in hand, and has not done with it."""
        if self.operation.thread is None:
            return False
        others = Operation.objects.filter(thread=self.operation.thread, with_it=resource, finished_at=None)
        return others.exclude(pk=self.operation.pk).exists()

    def may_still_land(self, *kinds: str, undone: str = "") -> bool:
        """Whether such a request, given up for lost a moment ago, may yet undo what the step is about to ask for.

        Or one that took back a step of the kind ``undone``. Not asked any more once the step has sent a request of its own.
        """
        if self.step.missed_at is not None:
            return False
        lost = [self.missed_at(*kinds), self._taken_back_again_at(undone) if undone else None]
        return any(each is not None and self.at < each + settings.STEP_SETTLE for each in lost)

    def taking_back(self) -> None:
        """Note, before each request that takes the step back, that it is sent; of the second one that the first was taken for
        lost, so that what it may yet undo waits for it. Raises LeaseLost.
        """
        asked = TAKEN_BACK in self.step.outputs
        self.remember({TAKEN_BACK_AGAIN if asked else TAKEN_BACK: self.clock().isoformat()})

    def missed_at(self, *kinds: str) -> datetime | None:
        """When a request of these kinds for what the step is about was last taken for lost or sent again, by any operation."""
        steps = self._steps_of_it(*kinds)
        # sent after the look that missed the one before, and by then that may be long ago
        sent_again = steps.filter(missed_at__isnull=False).aggregate(
            last=Max(Greatest("missed_at", "intent_at"))
        )
        last: datetime | None = sent_again["last"]
        return last

    def _taken_back_again_at(self, kind: str) -> datetime | None:
        """When it was last asked for again that a step of this kind for what the step is about be taken back."""
        again = self._steps_of_it(kind).filter(outputs__has_key=TAKEN_BACK_AGAIN)
        moments = again.values_list(f"outputs__{TAKEN_BACK_AGAIN}", flat=True)
        return max((datetime.fromisoformat(each) for each in moments), default=None)

    def _steps_of_it(self, *kinds: str) -> QuerySet[Step]:
        """The steps of these kinds for what the step is about, of any operation of its system."""
        named = {self.state[each] for each in ("resource", "floating", "volume") if each in self.state}
        of_it = (
            Q(unit__in={self.step.unit, *named})
            | Q(desired_state__resource__in=[*named])
            | Q(desired_state__volume__in=[*named])
        )
        return Step.objects.filter(of_it, kind__in=kinds, operation__system=self.operation.system_id)

    @property
    def availability_zone(self) -> AvailabilityZone | None:
        """The part of the cloud in which the thing was placed, if it has parts."""
        code = self.state.get("availability_zone")
        return AvailabilityZone.every.get(cloud=self.cloud_row, code=code) if code else None

    def recorded(self, *, external_id: str | None = None) -> dict[str, Any]:
        """The columns that every resource of this operation shares."""
        return {
            "unit": self.step.unit,
            "thread": self.operation.thread,
            "name": self.step.label,
            "system": self.operation.system,
            "cloud": self.cloud_row,
            "zone": self.state["zone"],
            "availability_zone": self.availability_zone,
            "external_id": self.step.external_id if external_id is None else external_id,
            "lease_end": self.state.get("lease_end"),
            "actor": ENGINE,
            "at": self.at,
        }


def mark_of(unit: UUID) -> str:
    return f"gc-{unit}"
