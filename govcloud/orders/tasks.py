from datetime import UTC, datetime

from celery import shared_task

from govcloud import clock
from govcloud.orders import discarded, fulfilment, unsigned
from govcloud.sweeping import by_itself


@shared_task(name="orders.place_waiting", ignore_result=True)
def place_waiting() -> None:
    """Try again to find a place for what waits for one."""
    for order in fulfilment.waiting():
        with by_itself("not placed", order=order):
            fulfilment.place_waiting(order, at=clock.now())


@shared_task(name="orders.take_up", ignore_result=True)
def take_up() -> None:
    """Take up the results of operations that have ended. Rung when one ends, and by the engine's sweep."""
    for operation in fulfilment.ended():
        with by_itself("not taken up", operation=operation):
            fulfilment.take_up(operation, at=clock.now())


@shared_task(name="orders.go_on", ignore_result=True)
def go_on() -> None:
    """Go on without those who would have had to sign and are not there any more. Rung when somebody leaves or a role ends, and by
    the sweep of supervision.
    """
    for order in unsigned.waiting(at=clock.now()):
        with by_itself("does not go on", order=str(order)):
            unsigned.go_on(order, at=clock.now())


@shared_task(name="orders.sweep_attachments", ignore_result=True)
def sweep_attachments() -> None:
    """Remove files of failed uploads and of drafts that were thrown away."""
    discarded.sweep(now=datetime.now(UTC), at=clock.now())
