from contextlib import suppress

from celery import shared_task

from govcloud import clock
from govcloud.catalog.lifecycle import CloudStatus
from govcloud.catalog.models import Cloud
from govcloud.reconciliation import services, sweeps
from govcloud.reconciliation.findings import RECONCILER
from govcloud.sweeping import by_itself

# By the clock that the engine's steps go by: what ended while a pass read is told by it (``hands.busy``).


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
    """Carry out the passes that wait. One that fails says so in its row as well."""
    for waiting in services.due_sweeps():
        with by_itself("sweep failed", cloud=waiting.cloud.code):
            services.sweep(waiting=waiting, clock=clock.agreed())


@shared_task(name="reconciliation.settle", ignore_result=True)
def settle() -> None:
    """Take up the results of operations that put findings right. Rung when one ends, and done by every pass."""
    services.settle(at=clock.agreed()())
