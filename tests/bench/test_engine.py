"""What the engine itself costs per step, on a cloud that does nothing; and what a list page costs against one row.

    pytest tests/bench/test_engine.py -s

Prints figures and ratios; asserts that the work was done, never a time.
"""

import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from django.db import connection

from govcloud.provisioning import engine
from govcloud.provisioning.kinds import base
from govcloud.provisioning.kinds.base import register
from govcloud.provisioning.models import Operation, Step
from tests.bench.results import keep, tell
from tests.unit.provisioning.scripted import Clock, ThingKind, Things, operation

pytestmark = pytest.mark.django_db

CHAINS, LENGTH, ROUND_TRIPS = 100, 10, 500


@pytest.fixture
def things() -> Iterator[Things]:
    things = Things()
    register(ThingKind(things))
    yield things
    del base._KINDS["thing"]


def test_steps_per_second_of_the_engine(things: Things, at: datetime) -> None:
    started = time.perf_counter()
    with connection.cursor() as cursor:
        for _ in range(ROUND_TRIPS):
            cursor.execute("UPDATE provisioning_step SET attempts = 0 WHERE id = 0")
    round_trip = (time.perf_counter() - started) / ROUND_TRIPS
    for _chain in range(CHAINS):
        operation(at, *(f"step-{number}" for number in range(LENGTH)))
    clock = Clock(at)
    began = time.perf_counter()
    engine.run_due(clock=clock)
    seconds = time.perf_counter() - began
    steps = CHAINS * LENGTH
    assert Step.objects.filter(state="done").count() == steps
    assert Operation.objects.filter(status="done").count() == CHAINS
    updates = seconds / steps / round_trip
    tell(
        f"engine: {steps} steps in {seconds:.1f} s, {steps / seconds:.0f} steps/s; "
        f"a step costs {updates:.0f} times an empty UPDATE ({round_trip * 1e3:.2f} ms)"
    )
    keep("steps", steps=steps, steps_per_second=round(steps / seconds), updates_per_step=round(updates, 1))
