from celery import shared_task

from govcloud import clock
from govcloud.orders import fulfilment


@shared_task(name="orders.take_up", ignore_result=True)
def take_up() -> None:
    """Take up the results of operations that have ended. Rung when one ends, and by the engine's sweep."""
    fulfilment.take_up(at=clock.now())
