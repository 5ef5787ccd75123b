import structlog
from celery import shared_task

from govcloud import clock
from govcloud.audit import exporting, sealing
from govcloud.audit.services import SystemActor

log = structlog.get_logger(__name__)


@shared_task(name="audit.seal")
def seal() -> int:
    """Seal all that can be sealed; returns how many events that were."""
    sealed = 0
    while (made := sealing.seal(at=clock.now())) is not None:
        sealed += made.events
    return sealed


@shared_task(name="audit.export")
def export() -> int:
    """Take what was sealed since the last time off the machine, once a day; returns how many events that were."""
    at = clock.now()
    if not exporting.due(at=at):
        return 0
    try:
        made = exporting.export(actor=SystemActor("audit"), at=at)
    except exporting.ExportNotDelivered as failure:
        log.warning(
            "audit not exported", reason=failure.detail
        )  # tried again; a metric tells how long it waits
        return 0
    return made.events if made else 0
