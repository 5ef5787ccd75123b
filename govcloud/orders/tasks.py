from datetime import UTC, datetime

import structlog
from celery import shared_task

from govcloud import clock
from govcloud.orders import discarded, fulfilment, unsigned

log = structlog.get_logger(__name__)


@shared_task(name="orders.place_waiting", ignore_result=True)
def place_waiting() -> None:
    """Try again to find a place for what waits for one. An order that cannot be tried holds up no other."""
    for order in fulfilment.waiting():
        try:
            fulfilment.place_waiting(order, at=clock.now())
        except Exception:
            log.exception("not placed", order=order)


@shared_task(name="orders.take_up", ignore_result=True)
def take_up() -> None:
    """Take up the results of operations that have ended. Rung when one ends, and by the engine's sweep.

    One that cannot be taken up is logged and tried again by the next sweep; it does not hold up the others.
    """
    for operation in fulfilment.ended():
        try:
            fulfilment.take_up(operation, at=clock.now())
        except Exception:
            log.exception("not taken up", operation=operation)


@shared_task(name="orders.go_on", ignore_result=True)
def go_on() -> None:
    """Go on without those who would have had to sign and are not there any more. Rung when somebody leaves or a role ends, and by
    the sweep of supervision.
    """
    for order in unsigned.waiting(at=clock.now()):
        try:
            unsigned.go_on(order, at=clock.now())
        except Exception:
            log.exception("does not go on", order=str(order))


@shared_task(name="orders.sweep_attachments", ignore_result=True)
def sweep_attachments() -> None:
    """Remove files of failed uploads and of drafts that were thrown away."""
    discarded.sweep(now=datetime.now(UTC), at=clock.now())
