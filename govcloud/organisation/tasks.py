from celery import shared_task

from govcloud import clock
from govcloud.organisation import telling


@shared_task(name="organisation.sweep", ignore_result=True)
def sweep() -> None:
    """Tell reviewers of access what waits for them. Two at once tell it once: the rows decide."""
    telling.tell(at=clock.now())
