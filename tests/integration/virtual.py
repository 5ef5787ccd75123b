"""The sandbox's cloud in the test's own process and in virtual time: as the simulation has it, but nothing goes wrong."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

from govcloud.orders import fulfilment
from govcloud.provisioning import engine
from govcloud.provisioning.models import Step
from govcloud.sandbox.cloud import Cloud
from govcloud.sandbox.guests.fleet import Fleet
from tests.chaos.agenda import Agenda
from tests.chaos.faults import Faults
from tests.chaos.in_memory import in_memory
from tests.chaos.weather import CALM, Weather
from tests.chaos.wire import Sent, Wire, plugged


@contextmanager
def cloud(agenda: Agenda, *, watch: Callable[[str, Sent], None] | None = None) -> Iterator[Cloud]:
    """It is there, empty, for as long as the context lasts; the engine of this process builds on it. ``watch`` is told of each request
    before and after its effect. No time passes around one, and nobody dies of it.
    """
    with in_memory(lambda directory: Fleet(directory, enabled=False), at=agenda.now) as there:
        no_faults = Faults(Random(0), Weather(CALM))  # noqa: S311  nothing is drawn from it

        def told(when: str, sent: Sent, _carry_out: Callable[[], object] | None) -> None:
            if watch is not None:
                watch(when, sent)

        with plugged(Wire(there, agenda, no_faults, told), agenda):
            yield there


@contextmanager
def restored(cloud: Cloud) -> Iterator[None]:
    """Whatever is done to the cloud within is undone at the end; no change of it may be on its way at the beginning."""
    store = cloud.store
    rows = copy.deepcopy((store._rows, store._index, store._indexed_as))
    try:
        yield
    finally:
        store._rows, store._index, store._indexed_as = rows


def work(agenda: Agenda, *, most: int = 200) -> None:
    """Let a worker work, and time pass, until nothing is due any more; what has ended is taken up. Fails if that never comes."""
    for _turn in range(most):
        if not engine.run_due(clock=agenda):
            due = Step.objects.filter(next_run_at__isnull=False).order_by("next_run_at").first()
            if due is None:
                break
            agenda.pass_by(max((due.next_run_at - agenda.now).total_seconds(), 0.01))
    else:
        waiting = Step.objects.filter(next_run_at__isnull=False).values_list("key", "state", "last_error")
        raise AssertionError(f"it never comes to rest: {list(waiting)}")
    for operation in fulfilment.ended():
        fulfilment.take_up(operation, at=agenda.now)
