"""What operations are at work on: not to be judged while it changes, nor by a look taken before it had changed."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q

from govcloud.inventory.lifecycle import Status
from govcloud.inventory.models import Resource
from govcloud.provisioning.lifecycle import FINISHED
from govcloud.provisioning.models import OperationKind, Step
from govcloud.reconciliation.comparison import Home, Observation

MARGIN = timedelta(seconds=10)
"""How far the clocks of our own machines may be apart: what ended so shortly before a look may have ended after it."""


def busy(*, observations: Iterable[Observation], since: datetime) -> set[UUID]:
    """The units that a step of the observed systems has yet to finish with, or has finished with since the instant."""
    systems = {each.system for each in observations}
    if not systems:
        return set()
    to_come = Q(operation__finished_at__isnull=True) & ~Q(state__in=FINISHED)
    steps = Step.objects.filter(to_come | Q(finished_at__gte=since), operation__system__in=systems)
    units: set[UUID] = set()
    for unit, desired in steps.values_list("unit", "desired_state"):
        units.add(unit)
        units.update(_named(desired.values()))
    return units


def known_units(
    marks: Collection[UUID], *, systems: Collection[int], since: datetime, recorded_too: bool
) -> set[UUID]:
    """Of these marks those that an operation is at work on; with ``recorded_too`` also those of what we have in use."""
    if not marks:
        return set()
    at_work = Q(operation__finished_at__isnull=True) | Q(operation__finished_at__gte=since)
    steps = Step.objects.filter(at_work, unit__in=marks, operation__system__in=systems)
    known = set(steps.values_list("unit", flat=True))
    if recorded_too:
        in_use = Resource.objects.filter(unit__in=marks).exclude(status=Status.RELEASED)
        known.update(in_use.values_list("unit", flat=True))
    return known


def not_to_be_judged(
    unknown: Collection[Observation], homes: Mapping[str, Home], *, since: datetime
) -> set[str]:
    """Of what no record knows the ids of what an operation names, or has named since, and of what was found at something
    that is in hand.
    """
    ids = [each.external_id for each in unknown]
    if not ids:
        return set()
    at_work = Q(operation__finished_at__isnull=True) | Q(operation__finished_at__gte=since)
    steps = Step.objects.filter(at_work, operation__system__in={each.system for each in unknown})
    named = set(steps.filter(external_id__in=ids).values_list("external_id", flat=True))
    return named | {key for key, home in homes.items() if not home.at_rest}


def taking_over(ids: Collection[str], *, since: datetime) -> set[str]:
    """Of these ids of the cloud those of things that an operation is about to mark as ours, or has let go of since."""
    if not ids:
        return set()
    at_work = Q(operation__finished_at__isnull=True) | Q(operation__finished_at__gte=since)
    named = Q(external_id__in=ids) | Q(desired_state__ids__has_any_keys=list(ids))
    steps = Step.objects.filter(at_work, named, operation__kind=OperationKind.TAKEOVER)
    found: set[str] = set()
    for external_id, desired in steps.values_list("external_id", "desired_state"):
        found.update((external_id, *desired.get("ids", ())))
    return found.intersection(ids)


def _named(values: Iterable[Any]) -> Iterator[UUID]:
    """The ids among the values of a step's desired state: of its server, its volumes, its network."""
    for value in values:
        for text in value if isinstance(value, list) else [value]:
            try:
                yield UUID(str(text))
            except ValueError:
                continue
