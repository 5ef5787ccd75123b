from celery import shared_task

from govcloud import clock
from govcloud.audit import sealing


@shared_task(name="audit.seal")
def seal() -> int:
    """Seal all that can be sealed; returns how many events that were."""
    sealed = 0
    while (made := sealing.seal(at=clock.now())) is not None:
        sealed += made.events
    return sealed
