from celery import shared_task

from govcloud import clock
from govcloud.quotas import temporary, thresholds
from govcloud.sweeping import by_itself


@shared_task(name="quotas.sweep", ignore_result=True)
def sweep() -> None:
    """Let limits fall back whose time is over, warn of those that will soon, and note what comes near its limit.

    The rows decide: two at once do each once.
    """
    for ended in temporary.due(at=clock.now()):
        with by_itself("limit has not fallen back", temporary_raise=ended):
            temporary.fall_back(ended, at=clock.now())
    temporary.warn(at=clock.now())
    thresholds.watch(at=clock.now())
