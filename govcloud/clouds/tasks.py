from celery import shared_task

from govcloud import clock
from govcloud.clouds import health


@shared_task(name="clouds.look", ignore_result=True)
def look() -> None:
    """Have every cloud looked at that is due: each by a message of its own, so that a slow one holds up no other."""
    for cloud in health.due(at=clock.now()):
        look_at.apply_async((cloud,), ignore_result=True)


@shared_task(name="clouds.look_at", ignore_result=True)
def look_at(cloud: int) -> None:
    """Look at one cloud. Two messages look once: whoever moves its due time on does it."""
    health.look(cloud_pk=cloud, clock=clock.now)
