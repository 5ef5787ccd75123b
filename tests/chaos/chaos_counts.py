"""What is counted when a run is over: in the cloud itself, against our tables (``oracle``), and what orders say of themselves."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from django.db.models import Count

from govcloud.catalog.models import Kind
from govcloud.orders.lifecycle import OPEN, Status
from govcloud.orders.models import Action, Order, Unit
from govcloud.provisioning.lifecycle import OperationStatus
from govcloud.provisioning.models import CloudCall, Operation, OperationKind, Step
from tests.chaos import oracle

ENDED = (OperationStatus.DONE, OperationStatus.UNDONE)


@dataclass(slots=True, kw_only=True)
class Result:
    """Figures of one run, as they are printed and written down. ``wrong`` has a line for everything that is; ``wanted`` is how many orders.

    ``actions`` are the direct ones that were carried out, by name; ``refused`` and ``actions_refused`` are by the errors' codes.
    """

    cloud: str
    seed: int
    orders: int
    wanted: int
    by_verb: dict[str, int]
    by_status: dict[str, int]
    refused: dict[str, int]
    actions: dict[str, int]
    actions_called_off: int
    actions_refused: dict[str, int]
    lost: int
    duplicates: int
    leaked_quota: int
    orphans: int
    quiet: bool
    seconds_to_quiet: float
    seconds_of_storm: float
    calls: int
    faulted: float
    faults: dict[str, int]
    storm: dict[str, int]
    administrator: dict[str, int]
    steps: int
    changing_calls: int
    wrong: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        wrong = self.lost or self.duplicates or self.leaked_quota or self.orphans
        return self.quiet and self.orders >= self.wanted and not wrong

    def write(self, path: Path) -> None:
        path.write_text(
            json.dumps({**asdict(self), "passed": self.passed}, indent=1, ensure_ascii=False) + "\n"
        )


def busy() -> tuple[int, int]:
    """Orders that are not at their end, and operations that are not."""
    orders = Order.objects.filter(status__in=OPEN).count()
    return orders, Operation.objects.exclude(status__in=ENDED).count()


def statuses() -> dict[str, int]:
    return dict(Counter(dict(Order.objects.order_by().values_list("status").annotate(Count("pk")))))


def actions() -> tuple[Counter[str], Counter[str]]:
    """Direct actions by name: those that were carried out, and those that were called off."""
    ended = Operation.objects.filter(kind=OperationKind.ACTION, finished_at__isnull=False)
    rows = ended.order_by("pk").values_list("action", "status")
    return (
        Counter(name for name, status in rows if status == OperationStatus.DONE),
        Counter(name for name, status in rows if status == OperationStatus.UNDONE),
    )


def examine() -> oracle.Verdict:
    """The cloud against our tables; and orders that say fulfilled of what nobody can point at."""
    verdict = oracle.examine()
    verdict.lost += [*_open_orders(), *_fulfilled_of_nothing()]
    return verdict


def _open_orders() -> list[str]:
    """Approved, and neither built nor undone: nobody will ever get what was promised, or a reason."""
    return [
        f"order {order.number} is {order.status}: {_why(order)}"
        for order in Order.objects.filter(status__in=OPEN)
    ]


def _why(order: Order) -> str:
    steps = Step.objects.filter(operation__thread=order.uuid).exclude(
        state__in=["done", "skipped", "gone", "waiting"]
    )
    return (
        "; ".join(f"{step.kind} {step.label} {step.state} {step.last_error}" for step in steps)
        or "no step is at work"
    )


def _fulfilled_of_nothing() -> list[str]:
    """Units of fulfilled orders without a resource, unless the operation that should have built them was undone."""
    units = (
        Unit.objects.filter(item__order__status=Status.FULFILLED, item__action=Action.CREATE, resource=None)
        .exclude(operation__status=OperationStatus.UNDONE)
        .exclude(item__kind=Kind.WORK_ORDER)
    )
    return [f"unit {unit.uuid} ({unit.name}) of a fulfilled order has no resource" for unit in units]


def steps_and_calls() -> tuple[int, int]:
    return Step.objects.count(), CloudCall.objects.exclude(method="GET").count()
