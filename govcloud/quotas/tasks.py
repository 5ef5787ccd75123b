import structlog
from celery import shared_task

from govcloud import clock
from govcloud.quotas import temporary, thresholds

log = structlog.get_logger(__name__)


@shared_task(name="quotas.sweep", ignore_result=True)
def sweep() -> None:
    """Let limits fall back whose time is over, warn of those that will soon, and note what comes near its limit.

    The rows decide: two at once do each once.

    One that cannot fall back is in the log and tried again by the next sweep; it does not hold up the others.
    """
    for ended in temporary.due(at=clock.now()):
        try:
            temporary.fall_back(ended, at=clock.now())
        except Exception:
            log.exception("limit has not fallen back", temporary_raise=ended)
    temporary.warn(at=clock.now())
    thresholds.watch(at=clock.now())
