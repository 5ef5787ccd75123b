from contextlib import suppress

import structlog
from celery import shared_task

from govcloud import clock
from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.reconciliation import services, sweeps
from govcloud.reconciliation.findings import RECONCILER

# By the clock that the engine's steps go by: what ended while a pass read is told by it (``hands.busy``).

log = structlog.get_logger(__name__)


@shared_task(name="reconciliation.sweep", ignore_result=True)
def sweep() -> None:
    """Ask for a pass over every cloud, and ring for each. Two schedulers at once ask for one: the row decides."""
    now = clock.agreed()
    for cloud in Cloud.objects.exclude(status=CloudStatus.RETIRED):
        with suppress(sweeps.SweepUnderWay):
            sweeps.request(cloud=cloud, actor=RECONCILER, at=now())
    services.settle(at=now())
    for _waiting in services.due_sweeps():
        ring.apply_async(ignore_result=True)


@shared_task(name="reconciliation.ring", ignore_result=True)
def ring() -> None:
    """Carry out the passes that wait. One that fails is in the log and in its row; it does not hold up the others."""
    for waiting in services.due_sweeps():
        try:
            services.sweep(waiting=waiting, clock=clock.agreed())
        except Exception:
            log.exception("sweep failed", cloud=waiting.cloud.code)


@shared_task(name="reconciliation.settle", ignore_result=True)
def settle() -> None:
    """Take up the results of operations that put findings right. Rung when one ends, and done by every pass."""
    services.settle(at=clock.agreed()())
