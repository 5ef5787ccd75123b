"""Doorbells: what waits to be surveyed, settled or metered is in the rows."""

from datetime import datetime

from celery import shared_task

from govcloud import clock
from govcloud.sweeping import by_itself
from govcloud.takeover import leaving, settling, survey


@shared_task(name="takeover.ring", ignore_result=True)
def ring() -> None:
    """Carry out the surveys that wait. One that fails says so in its row as well."""
    for waiting in survey.due(at=clock.now()):
        taken = survey.take(waiting, at=clock.now())
        if taken is None:
            continue
        with by_itself("survey failed", takeover=str(taken.uuid)):
            survey.carry_out(taken, clock=clock.now)


@shared_task(name="takeover.sweep", ignore_result=True)
def sweep() -> None:
    """Find what nobody rang for: surveys, ended operations, billing starts that have come."""
    at = clock.now()
    _settle(at)
    settling.begin_metering(at=at)
    if survey.due(at=at).exists():
        ring.apply_async(ignore_result=True)


@shared_task(name="takeover.settle", ignore_result=True)
def settle() -> None:
    """Take up what ended operations did not do. Rung when one ends, and done by every sweep."""
    _settle(clock.now())


def _settle(at: datetime) -> None:
    settling.settle(at=at)
    leaving.give_back_what_nothing_came_of(at=at)
