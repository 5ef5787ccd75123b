"""What has become of each unit of an order: of a hundred servers, which stand, which are held up and which were called off."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models.fields.json import KeyTextTransform
from django.utils.translation import gettext_lazy as _

from govcloud.orders.models import Order, Unit
from govcloud.provisioning import by_hand
from govcloud.provisioning.lifecycle import FINISHED, StepState
from govcloud.provisioning.models import Step


class Outcome(models.TextChoices):
    PLANNED = "planned", _("not begun")
    UNDER_WAY = "under_way", _("in progress")
    HELD_UP = "held_up", _("held up")
    DONE = "done", _("done")
    BEING_REMOVED = "being_removed", _("being removed")
    REMOVED = "removed", _("called off and removed")


@dataclass(frozen=True, slots=True)
class Result:
    """``trouble`` is the cloud's own words, for its administrators; ``left`` what the department has to do, in the reader's language."""

    outcome: Outcome
    trouble: str = ""
    left: str = ""


PLANNED = Result(Outcome.PLANNED)


def results(order: Order) -> Mapping[UUID, Result]:
    """By unit; what is not there has not begun. A server's result is that of its volumes as well. Two queries, however many units."""
    return results_of(Unit.objects.filter(item__order=order).select_related("server", "placement"))


def results_of(units: Iterable[Unit]) -> Mapping[UUID, Result]:
    """The same of units that are read already, with their servers and placements: one query, or none while nothing of it has begun."""
    units = list(units)
    never_begun = {unit.uuid: Result(Outcome.REMOVED) for unit in units if _called_off_waiting(unit)}
    server_of = {unit.uuid: unit.server.uuid if unit.server else None for unit in units}
    operations = {unit.operation_id for unit in units if unit.operation_id is not None}
    if not operations:
        return never_begun
    steps: dict[UUID, list[Any]] = defaultdict(list)
    rows = (
        Step.objects.filter(operation__in=operations)
        .only("unit", "kind", "state", "called_off_at", "last_error")
        .annotate(reason=KeyTextTransform("reason", "outputs"))
    )
    for step in rows.order_by("position"):
        if step.unit in server_of:  # what all of them need is nobody's
            for unit in filter(None, (step.unit, server_of[step.unit])):
                steps[unit].append(step)
    return never_begun | {unit: _result(own) for unit, own in steps.items()}


def _called_off_waiting(unit: Unit) -> bool:
    return unit.placement is not None and unit.placement.called_off_at is not None


def _result(steps: list[Any]) -> Result:
    parked = next((step for step in steps if step.state == StepState.PARKED), None)
    if parked is not None:
        return Result(Outcome.HELD_UP, parked.last_error)
    finished = all(step.state in FINISHED for step in steps)
    if any(step.called_off_at is not None for step in steps):
        return Result(Outcome.REMOVED if finished else Outcome.BEING_REMOVED)
    left = " ".join(
        dict.fromkeys(filter(None, (by_hand.left_by(kind=s.kind, reason=s.reason) for s in steps)))
    )
    return Result(Outcome.DONE if finished else Outcome.UNDER_WAY, left=left)
