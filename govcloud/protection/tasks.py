from celery import shared_task

from govcloud import clock
from govcloud.protection import clearing, services


@shared_task(name="protection.sweep", ignore_result=True)
def sweep() -> None:
    """Start the plans that are due, and clear up after those that ended. Two schedulers at once start each of them once: the plan's row decides."""
    at = clock.now()
    services.run_due(at=at)
    clearing.give_up(at=at)
    clearing.expire(at=at)
    services.take_up_runs(at=at)
