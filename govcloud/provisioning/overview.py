"""How the engine is doing, for those who run it: queue, leases, what waits, clouds, workers, the time that steps take.

So many queries whatever there is to count, and nothing that belongs to a department: administrators of the system may
not know whose server it is that waits.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Aggregate, Count, DurationField, F, Min, Q, Sum
from django.db.models.functions import Coalesce

from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.clouds.models import CloudHealth, HealthState, SizeDifference
from govcloud.provisioning import presence, queue
from govcloud.provisioning.lifecycle import CLOUDS_TROUBLE, OperationStatus, Outcome, StepState
from govcloud.provisioning.models import CallCount, Operation, Step

WINDOWS: Mapping[str, timedelta] = {
    "5m": timedelta(minutes=5), "1h": timedelta(hours=1), "1d": timedelta(days=1),
}  # fmt: skip
SHOWN = 50  # leases, those that run out first
IN_CLOUD = (StepState.UNKNOWN, StepState.SETTLING, StepState.REPLACING, StepState.REMOVING)
"""States of a step that has asked a cloud for something."""


class Percentile(Aggregate):
    function = "PERCENTILE_CONT"
    template = "%(function)s(%(fraction)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = DurationField()


@dataclass(frozen=True, slots=True)
class Due:
    """The step that has been due longest and that nobody holds."""

    operation: UUID
    kind: str
    since: datetime
    age_seconds: float


@dataclass(frozen=True, slots=True)
class Lease:
    """A step in a worker's hands; with an expired lease its worker is gone, and the next one takes it."""

    operation: UUID
    kind: str
    desired: str
    cloud: str
    state: str
    worker: str
    until: datetime
    expired: bool

    @property
    def state_label(self) -> str:
        return str(StepState(self.state).label)


@dataclass(frozen=True, slots=True)
class Queue:
    due: int
    oldest: Due | None
    held: int
    expired: int
    states: Mapping[str, int]
    leases: tuple[Lease, ...]


@dataclass(frozen=True, slots=True)
class Parked:
    operations: int
    oldest_at: datetime | None
    age_seconds: float


@dataclass(slots=True)
class Window:
    """A cloud's calls in the last so many minutes, to the minute. ``outcomes`` has all of them, ``services`` those with calls."""

    name: str
    outcomes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(Outcome.values, 0))
    services: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        return sum(self.outcomes.values())

    @property
    def errors(self) -> int:
        return sum(self.outcomes[outcome] for outcome in CLOUDS_TROUBLE)

    @property
    def error_rate(self) -> float:
        """Of all calls, how many ended badly by the cloud's doing; 0 where there were none."""
        return self.errors / self.calls if self.calls else 0.0

    def add(self, service: str, outcome: str, calls: int) -> None:
        of_service = self.services.setdefault(service, {"calls": 0, "errors": 0})
        self.outcomes[outcome] += calls
        of_service["calls"] += calls
        of_service["errors"] += calls if outcome in CLOUDS_TROUBLE else 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """``differences`` are the sizes in which the cloud has something otherwise than the catalogue."""

    cloud: Cloud
    windows: tuple[Window, ...]
    differences: tuple[SizeDifference, ...] = ()

    @property
    def open(self) -> bool:
        return self.cloud.status == CloudStatus.ENABLED

    @property
    def health(self) -> HealthState:
        """What the last look at it found; unknown before the first one."""
        looked: CloudHealth | None = getattr(self.cloud, "health", None)
        return HealthState(looked.state) if looked is not None else HealthState.UNKNOWN


@dataclass(frozen=True, slots=True)
class Worker:
    name: str
    seen_at: datetime
    present: bool


@dataclass(frozen=True, slots=True)
class Sweep:
    """``late_seconds`` is how long ago the next one should have come; None when none has ever come."""

    last_at: datetime | None
    late_seconds: float | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How long steps of a kind took that were done in the last day, from their (last) start to their end."""

    kind: str
    done: int
    median_seconds: float
    p95_seconds: float


@dataclass(frozen=True, slots=True)
class Overview:
    at: datetime
    queue: Queue
    parked: Parked
    clouds: tuple[Traffic, ...]
    workers: tuple[Worker, ...]
    sweep: Sweep
    paces: tuple[Pace, ...]

    @property
    def workers_present(self) -> int:
        return sum(worker.present for worker in self.workers)

    @property
    def differing(self) -> int:
        """Sizes in which a cloud has something otherwise than the catalogue, of all clouds."""
        return sum(len(traffic.differences) for traffic in self.clouds)


def read(*, at: datetime) -> Overview:
    last_sweep = presence.last_sweep()
    late = presence.lateness(last_sweep, at=at).total_seconds() if last_sweep else None
    return Overview(
        at=at,
        queue=_queue(at),
        parked=_parked(at),
        clouds=_clouds(at),
        workers=tuple(Worker(name, seen_at, there) for name, seen_at, there in presence.workers(at=at)),
        sweep=Sweep(last_sweep, late),
        paces=_paces(at),
    )


def _queue(at: datetime) -> Queue:
    """What is due or in hand has a time to run at, and an index of its own. A step that has to wait for a place is not due."""
    open_steps = Step.objects.filter(next_run_at__isnull=False)
    oldest = queue.oldest(at=at)
    counted = open_steps.aggregate(
        held=Count("pk", filter=Q(lease_until__gt=at)),
        expired=Count("pk", filter=Q(lease_until__lte=at)),
        **{state.value: Count("pk", filter=Q(state=state)) for state in IN_CLOUD},
    )
    held = (
        open_steps.filter(lease_until__isnull=False)
        .select_related("operation__cloud")
        .order_by("lease_until", "pk")[:SHOWN]
    )
    return Queue(
        due=oldest.due if oldest else 0,
        oldest=_due(oldest, at) if oldest else None,
        held=counted["held"],
        expired=counted["expired"],
        states={state.value: counted[state.value] for state in IN_CLOUD},
        leases=tuple(_lease(step, at) for step in held),
    )


def _due(step: queue.Oldest, at: datetime) -> Due:
    return Due(step.operation, step.kind, step.since, (at - step.since).total_seconds())


def _lease(step: Step, at: datetime) -> Lease:
    until = step.lease_until or at
    operation = step.operation
    return Lease(
        operation.uuid,
        step.kind,
        step.desired,
        operation.cloud.code,
        step.state,
        step.worker,
        until,
        until <= at,
    )


def _parked(at: datetime) -> Parked:
    waiting = Operation.objects.filter(status=OperationStatus.PARKED, taken_up_at=None)
    found = waiting.aggregate(operations=Count("pk"), oldest=Min(Coalesce("parked_at", "created_at")))
    oldest = found["oldest"]
    return Parked(found["operations"], oldest, (at - oldest).total_seconds() if oldest else 0.0)


def _clouds(at: datetime) -> tuple[Traffic, ...]:
    """Every cloud that may be built on, and any other that was called in the last day."""
    minute = at.replace(second=0, microsecond=0)
    counts = list(
        CallCount.objects.filter(minute__gte=minute - max(WINDOWS.values()))
        .values("cloud", "service", "outcome")
        .annotate(
            **{
                f"last_{name}": Sum("calls", filter=Q(minute__gte=minute - length), default=0)
                for name, length in WINDOWS.items()
            }
        )
        .order_by("service", "outcome")
    )
    called = {row["cloud"] for row in counts}
    named = Cloud.objects.filter(Q(status=CloudStatus.ENABLED) | Q(pk__in=called))
    found = named.select_related("health").order_by("code")
    differences = list(SizeDifference.objects.filter(cloud__in=found))
    return tuple(
        Traffic(
            cloud,
            _windows(row for row in counts if row["cloud"] == cloud.pk),
            tuple(row for row in differences if row.cloud_id == cloud.pk),
        )
        for cloud in found
    )


def _windows(rows: Iterable[Mapping[str, object]]) -> tuple[Window, ...]:
    windows = tuple(Window(name) for name in WINDOWS)
    for row in rows:
        for window in windows:
            calls = int(str(row[f"last_{window.name}"]))
            if calls:
                window.add(str(row["service"]), str(row["outcome"]), calls)
    return windows


def _paces(at: datetime) -> tuple[Pace, ...]:
    took = F("finished_at") - F("started_at")
    rows = (
        Step.objects.filter(
            state=StepState.DONE, finished_at__gt=at - timedelta(days=1), started_at__isnull=False
        )
        .values("kind")
        .annotate(
            done=Count("pk"), median=Percentile(took, fraction=0.5), p95=Percentile(took, fraction=0.95)
        )
        .order_by("kind")
    )
    return tuple(
        Pace(row["kind"], row["done"], row["median"].total_seconds(), row["p95"].total_seconds())
        for row in rows
    )
