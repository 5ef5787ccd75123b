"""Celery's part: a doorbell. What is to be sent is in the rows; a message lost, repeated or late changes nothing."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.db import transaction

from govcloud import clock
from govcloud.notifications import dispatch, payloads, sending
from govcloud.notifications.models import Delivery, Notice

LONGEST_TURN = timedelta(seconds=60)
MOST_BELLS = 4  # per sweep: mail must not take every worker from the clouds


@shared_task(name="notifications.deliver", ignore_result=True)
def deliver() -> None:
    """Make mail and calls of what was posted, and send what is due. What is left after one turn is found by the sweep."""
    at = clock.now()
    dispatch.dispatch(at=at)
    while clock.now() < at + LONGEST_TURN and sending.run_due(clock=clock.agreed(), most=1):
        continue


@shared_task(name="notifications.sweep", ignore_result=True)
def sweep() -> None:
    """Find what nobody rang for."""
    at = clock.agreed()()
    waiting = Notice.objects.filter(dispatched_at=None).exists()
    for _bell in range(min(Delivery.objects.due(at=at).count() + waiting, MOST_BELLS)):
        deliver.apply_async(ignore_result=True)


@shared_task(name="notifications.forget", ignore_result=True)
def forget() -> None:
    """Let go of the log of webhooks once it is old enough, and keep their secrets under the newest key."""
    dispatch.forget(before=clock.now() - settings.WEBHOOK_LOG_KEPT)
    with transaction.atomic():
        payloads.seal_anew()
