"""What can be taken out of the engine, one thing at a time, to see whether the simulation would notice."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

from django.conf import settings

from govcloud import clock
from govcloud.provisioning import engine
from govcloud.provisioning.kinds import acts
from govcloud.provisioning.lifecycle import StepState
from govcloud.provisioning.models import Step


def _write_without_fence(visit: engine.Visit, steps: Any, **columns: Any) -> None:
    steps.filter(pk=visit.step.pk).update(**columns)


def _remember_without_committing(visit: engine.Visit) -> None:
    visit.step.intent_at = visit.clock()


def _lease_only(visit: engine.Visit, **_columns: Any) -> bool:
    until = visit.clock() + settings.STEP_LEASE
    return bool(Step.objects.filter(pk=visit.step.pk, fence=visit.fence).update(lease_until=until))


def _adopt_without_looking(visit: engine.Visit, external_id: str) -> None:
    Step.objects.filter(pk=visit.step.pk).update(external_id=external_id)
    visit.step.external_id = external_id
    visit._seen(visit.kind.look(visit.context, external_id))


def _believe_one_look(visit: engine.Visit, state: StepState) -> bool:
    intent, at = visit.step.intent_at, visit.clock()
    if intent is not None and at < intent + settings.STEP_SETTLE:
        visit.write(state=state, next_run_at=at + settings.STEP_POLL * 5)
        return False
    return True


def _own_clock() -> Callable[[], datetime]:
    return clock.now


def _engine(**replaced: Any) -> AbstractContextManager[Any]:
    return mock.patch.multiple(engine.Visit, **replaced)


MUTATIONS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "fence": lambda: _engine(_owned=_write_without_fence),
    "intent": lambda: _engine(_intend=_remember_without_committing, heartbeat=_lease_only),
    "swap": lambda: _engine(_adopt=_adopt_without_looking),
    "guard": lambda: _engine(still_mine=lambda _visit: None),
    "settle": lambda: mock.patch.object(settings, "STEP_SETTLE", timedelta()),
    "second-look": lambda: _engine(_never_landed=_believe_one_look),
    "power": lambda: mock.patch.object(acts.PowerKind, "record", return_value=None),
    "shared-clock": lambda: mock.patch.object(clock, "agreed", _own_clock),
}
"""Without the check of the fence before each write; with the intent kept in memory only; with the id of what was made
stored whatever the step has by then; without asking, directly before a request, whether the step is still ours; without
waiting for what may still land; with one empty list believed; with starts and stops not recorded; with each worker's own clock."""


@contextmanager
def without(name: str) -> Iterator[None]:
    """The engine without the named thing; whole where no name is given."""
    if not name:
        yield
        return
    with MUTATIONS[name]():
        yield
