from celery import shared_task

from govcloud import clock
from govcloud.supervision import services


@shared_task(name="supervision.sweep", ignore_result=True)
def sweep() -> None:
    """Raise the cards that are due. Two at once raise each once: the rows decide."""
    services.sweep(at=clock.now())
